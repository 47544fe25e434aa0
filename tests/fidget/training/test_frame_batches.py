from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.fidget.training.frame_samples import SIDES, array_clips, frame_recipe

from fidget.training.builders import build_input
from fidget.training.frame_batches import FrameBatches, preprocessing_of
from protocols.label_tree import LabelTree
from skeleton_models.random_keys import clip_keys

NAMES = [f"clip{n:02d}" for n in range(5)]


def _builders(*overrides: str, tree: LabelTree | None = SIDES) -> tuple[FrameBatches, ...]:
    return build_input(frame_recipe(*overrides), None, "cpu", tree)


def _clips():
    source = array_clips(5)
    return [source.read(name) for name in NAMES]


def test_training_batches_are_pictures_of_the_size_asked_for() -> None:
    train, _, _ = _builders()
    made = train.batch(_clips(), clip_keys(0, 0, NAMES))
    assert made.x.shape == (5, 4, 32, 32, 3) and made.x.dtype == torch.uint8
    finished = train.finish(made)
    assert finished.x.shape == (5, 3, 4, 32, 32) and finished.x.is_contiguous()
    assert finished.inputs == (finished.x,)
    assert finished.views == 1 and finished.partner is None


def test_a_clip_looks_the_same_in_any_batch_and_with_any_number_of_threads() -> None:
    settings = ("augment.brightness=0.4", "augment.rand_augment_layers=2", "augment.crop=random_resized")
    keys = clip_keys(3, 1, NAMES)
    one, several = _builders(*settings)[0], _builders(*settings, "input.threads=3")[0]
    whole = one.finish(one.batch(_clips(), keys))
    threaded = several.finish(several.batch(_clips(), keys))
    assert torch.equal(whole.x, threaded.x)
    last = one.finish(one.batch(_clips()[4:], keys[4:]))
    torch.testing.assert_close(last.x[0], whole.x[4])
    other = one.finish(one.batch(_clips(), clip_keys(3, 2, NAMES)))
    assert not torch.equal(other.x, whole.x)


def test_evaluation_shows_the_central_square_of_the_middle_frames() -> None:
    """A frame of 36x48 whose short side stands for 32 px, of which 28 px: the central 31.5 px."""
    _, seen, _ = _builders("input.size=28", "input.resize_short=32")
    clip = _clips()[0]  # 8 frames
    made = seen.batch([clip], None)
    assert seen.augment.center_share == 28 / 32
    crop = clip.read(np.array([1, 3, 5, 7]))[:, 2:34, 8:40]  # whole pixels: 31.5 becomes 32
    assert made.views == 1 and made.x.shape == (1, 4, 28, 28, 3)
    import cv2

    expected = np.stack([cv2.resize(np.ascontiguousarray(picture), (28, 28)) for picture in crop])
    np.testing.assert_array_equal(made.x[0].numpy(), expected)


def test_pixels_are_normalised_with_the_networks_numbers_or_the_recipes() -> None:
    _, seen, _ = _builders()
    made = seen.batch(_clips()[:1], None)
    published = preprocessing_of(frame_recipe())
    expected = (made.x[0].float() - torch.tensor(published.mean)) / torch.tensor(published.std)
    torch.testing.assert_close(seen.finish(made).x[0], expected.permute(3, 0, 1, 2))
    _, plain, _ = _builders("input.mean=[0, 0, 0]", "input.std=[1, 1, 1]")
    torch.testing.assert_close(plain.finish(made).x[0], made.x[0].float().permute(3, 0, 1, 2))


VIEWS = ("eval.test_clips=3", "eval.test_flip=true", "input.test_crops=3", "input.test_size=24")


def test_all_views_come_clip_by_clip_the_mirror_images_behind() -> None:
    _, _, measured = _builders(*VIEWS)
    assert (measured.test_clips, measured.flips) == (3, 6)
    made = measured.batch(_clips()[:2], None)
    assert made.x.shape == (2 * 9, 4, 24, 24, 3) and made.views == 9
    done = measured.finish(made)
    assert done.x.shape == (2 * 18, 3, 4, 24, 24) and done.views == 18
    both = done.x.view(2, 2, 9, 3, 4, 24, 24)  # clip, mirrored, view
    torch.testing.assert_close(both[:, 1], both[:, 0].flip(5))
    assert done.flipped.reshape(2, 18).tolist() == [[False] * 9 + [True] * 9] * 2


@pytest.mark.parametrize("sampling", ["segment", "dense", "uniform"])
def test_a_part_is_some_of_the_whole(sampling) -> None:
    _, _, measured = _builders(*VIEWS, f"input.sampling={sampling}")
    clip = _clips()[3]
    whole = measured.batch([clip], None).x
    part = measured.part(clip, 1, 3)
    assert part.views == 6
    assert torch.equal(part.x, whole[3:9])


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("sampling", ["segment", "dense", "uniform"])
def test_clips_shorter_than_sampled_are_taken_as_they_are(sampling, frames) -> None:
    train, seen, _ = _builders(f"input.sampling={sampling}")
    clip = replace(_clips()[0], frames=frames)
    for made in (train.batch([clip], clip_keys(0, 0, ["clip00"])), seen.batch([clip], None)):
        assert made.x.shape == (1, 4, 32, 32, 3)


@pytest.mark.parametrize("shape", [(90, 20), (20, 90), (7, 5)])
def test_portrait_wide_and_tiny_frames_fit(shape) -> None:
    source = array_clips(2, height=max(shape[0], 30), width=max(shape[1], 30))
    clips = [source.read("clip00"), source.read("clip01")]
    for builder in _builders("input.test_crops=3"):
        keys = clip_keys(0, 0, ["clip00", "clip01"]) if builder.training else None
        assert builder.batch(clips, keys).x.shape[2:] == (32, 32, 3)


def test_crops_are_taken_around_the_person_where_there_is_one() -> None:
    clip = replace(_clips()[0], person_px=np.array([30, 4, 44, 20], np.float32))
    around = _builders("input.person_crop=true")[1].batch([clip], None).x
    whole = _builders()[1].batch([clip], None).x
    nobody = _builders("input.person_crop=true")[1].batch([replace(clip, person_px=None)], None).x
    assert torch.equal(whole, nobody) and not torch.equal(around, whole)


def test_mirror_images_and_mixtures_say_so() -> None:
    train, _, _ = _builders("augment.flip_probability=0.5", "augment.mixup_alpha=0.8")
    made = train.batch(_clips(), clip_keys(0, 0, NAMES))
    assert 0 < made.flipped.sum() < 5
    done = train.finish(made)
    assert done.partner.tolist() != list(range(5))
    assert ((done.share >= 0) & (done.share <= 1)).all()
    assert train.mirrored == (0, 2, 1)
    assert _builders(tree=LabelTree("plain", ("a", "b", "c")))[0].mirrored == ()


def test_channels_last_is_an_order_of_memory() -> None:
    train, _, _ = _builders("train.channels_last=true")
    plain = _builders()[0]
    made = train.batch(_clips(), clip_keys(0, 0, NAMES))
    done = train.finish(made)
    assert done.x.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(done.x, plain.finish(made).x)


def test_a_clip_that_cannot_be_read_is_named() -> None:
    def broken(_: np.ndarray) -> np.ndarray:
        raise ValueError("clip01.mp4: frame 3 does not decode")

    clips = _clips()
    clips[1] = replace(clips[1], read=broken)
    for threads in (1, 3):
        train = _builders(f"input.threads={threads}")[0]
        with pytest.raises(ValueError, match=r"clip01\.mp4: frame 3 does not decode"):
            train.batch(clips, clip_keys(0, 0, NAMES))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("model.name=tsm_r5",), "unknown model 'tsm_r5'; nearest: tsm_r50"),
        (("augment.flip_probability=1.5",), "flip_probability must lie in 0..1"),
    ],
)
def test_settings_that_do_not_fit_are_named(overrides, words) -> None:
    with pytest.raises(ValueError, match=words):
        _builders(*overrides)
