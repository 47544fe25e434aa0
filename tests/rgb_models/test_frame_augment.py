"""Augmenting batches of frames: each effect by formula, all frames alike, nothing but the draws counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rgb_models import frame_colours as colours
from rgb_models.frame_augment import DRAWS, Columns, FrameAugment, augment_batch, flipped
from rgb_models.rand_augment import rand_augment

ALL = FrameAugment(
    flip_probability=0.5, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, jitter_probability=0.8,
    grey_probability=0.3, rand_augment_layers=2, rand_augment_deviation=0.5, rand_augment_probability=0.7,
    erasing_probability=0.5,
)  # fmt: skip


def _frames(clips: int = 4, side: tuple[int, int] = (20, 26)) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (clips, 3, *side, 3), np.uint8))


def _draws(clips: int = 4, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).random((clips, DRAWS))


def _channels_first(frames: torch.Tensor) -> torch.Tensor:
    return frames.permute(0, 1, 4, 2, 3).float()


def test_nothing_asked_nothing_done() -> None:
    frames = _frames()
    assert augment_batch(frames, _draws(), FrameAugment()) is frames
    strengthless = FrameAugment(rand_augment_magnitude=3.0, jitter_probability=1.0, erasing_area=(0.5, 0.6))
    assert augment_batch(frames, _draws(), strengthless) is frames


def test_the_mirror_image_of_the_chosen_clips_and_twice_is_none() -> None:
    frames, draws = _frames(), _draws()
    draws[:, Columns.FLIP] = [0.1, 0.6, 0.49, 0.51]
    settings = FrameAugment(flip_probability=0.5)
    assert flipped(draws, settings).tolist() == [True, False, True, False]
    once = augment_batch(frames, draws, settings)
    assert once.dtype == torch.uint8
    assert torch.equal(once[[0, 2]], frames[[0, 2]].flip(3))
    assert torch.equal(once[[1, 3]], frames[[1, 3]])
    assert torch.equal(augment_batch(once, draws, settings), frames)
    assert flipped(draws, FrameAugment()).sum() == 0
    assert flipped(draws, FrameAugment(flip_probability=1.0)).all()


def test_colour_factors_come_from_their_draws_in_the_drawn_order() -> None:
    frames, draws = _frames(1), _draws(1)
    draws[0, Columns.JITTER_FACTORS] = [1.0, 0.25, 0.0, 0.75]
    draws[0, Columns.JITTER_ORDER] = [0.9, 0.1, 0.5, 0.3]  # contrast, hue, saturation, brightness
    found = augment_batch(frames, draws, FrameAugment(brightness=0.4, contrast=0.6, saturation=1.0, hue=0.2))
    x = colours.contrast(_channels_first(frames), torch.tensor([1 - 0.3]))
    x = colours.hue(x, torch.tensor([0.1]))
    x = colours.saturation(x, torch.tensor([0.0]))
    x = colours.brightness(x, torch.tensor([1.4]))
    assert torch.allclose(found, x.permute(0, 1, 3, 4, 2), atol=1e-3)
    assert found.dtype == torch.float32


def test_jitter_and_grey_of_the_chosen_clips_only() -> None:
    frames, draws = _frames(2), _draws(2)
    draws[:, Columns.JITTER] = draws[:, Columns.GREY] = [0.2, 0.8]
    jittered = augment_batch(frames, draws, FrameAugment(brightness=0.5, jitter_probability=0.5))
    assert not torch.equal(jittered[0], frames[0].float())
    assert torch.equal(jittered[1], frames[1].float())
    grey = augment_batch(frames, draws, FrameAugment(grey_probability=0.5))
    assert torch.equal(grey[0, ..., 0], grey[0, ..., 2])
    luma = (frames[0].float() * torch.tensor([0.2989, 0.587, 0.114])).sum(-1)
    assert torch.allclose(grey[0, ..., 1], luma, atol=1e-3)
    assert torch.equal(grey[1], frames[1].float())


def test_rand_augment_gets_its_columns() -> None:
    frames, draws = _frames(), _draws()
    settings = FrameAugment(rand_augment_layers=2, rand_augment_magnitude=8.0, rand_augment_deviation=1.0)
    own = draws[:, Columns.RAND_AUGMENT][:, :10]
    expected = rand_augment(_channels_first(frames).contiguous(), own, 8.0, 1.0)
    assert torch.equal(augment_batch(frames, draws, settings), expected.permute(0, 1, 3, 4, 2))


def test_a_rectangle_is_erased_at_its_place_in_all_frames_alike() -> None:
    frames, draws = _frames(2, (40, 60)), _draws(2)
    erasing = draws[:, Columns.ERASING]
    erasing[:, 0] = [0.2, 0.9]
    erasing[0, 1:3] = [0.5, 0.999]  # the middle from top to bottom, the right edge
    erasing[0, 4:8] = [
        1.0 - 1e-9,
        1.0 - 1e-9,
        0.5,
        0.5,
    ]  # first does not fit: 0.9 of the area, ten times higher
    settings = FrameAugment(erasing_probability=0.5, erasing_area=(0.1, 0.9), erasing_aspect=0.1)
    found = augment_batch(frames, draws, settings)
    side = round((0.5 * 40 * 60) ** 0.5)
    changed = (found[0] != frames[0].float()).any(-1)  # (T, H, W)
    top, left = int(0.5 * (40 - side + 1)), 60 - side
    inside = torch.zeros(40, 60, dtype=torch.bool)
    inside[top : top + side, left : left + side] = True
    assert torch.equal(changed, inside.expand(3, 40, 60))
    patch = found[0][:, inside]
    assert torch.equal(patch[0], patch[1])
    assert 120 < patch.mean() < 135
    assert patch.std() > 60
    assert torch.equal(found[1], frames[1].float())
    erasing[0, 3] += 0.001
    assert not torch.equal(augment_batch(frames, draws, settings)[0], found[0])


def test_a_clip_is_the_same_in_any_batch_and_no_generator_is_touched() -> None:
    frames, draws = _frames(12, (12, 10)), _draws(12)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    whole = augment_batch(frames, draws, ALL)
    assert torch.equal(torch.get_rng_state(), before)
    alone = torch.cat([augment_batch(frames[n : n + 1], draws[n : n + 1], ALL) for n in range(12)])
    turned = augment_batch(frames.flip(0), draws[::-1], ALL).flip(0)
    assert torch.allclose(whole, alone, atol=1e-2)
    assert torch.allclose(whole, turned, atol=1e-2)
    assert whole.min() >= 0
    assert whole.max() <= 255


def test_frames_of_a_clip_are_changed_alike() -> None:
    still = _frames(16, (12, 10))[:, :1].expand(-1, 4, -1, -1, -1)
    found = augment_batch(still, _draws(16), ALL)
    assert torch.allclose(found, found[:, :1].expand_as(found), atol=1e-3)


def test_the_frames_that_came_stay() -> None:
    frames = _frames()
    copy = frames.clone()
    augment_batch(frames, _draws(), ALL)
    assert torch.equal(frames, copy)


def test_columns_are_apart_and_fill_the_row() -> None:
    used = np.zeros(DRAWS, int)
    for name, column in vars(Columns).items():
        if not name.startswith("_"):
            used[column] += 1
    assert (used == 1).all()


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"flip_probability": 1.5, "hue": 0.6}, r"flip_probability must lie in 0..1, got 1.5; hue .* 0..0.5"),
        ({"crop": "ten"}, "crop must be one of center, multi_scale, random_resized, got 'ten'"),
        ({"crop_area": (0.5, 0.2)}, "crop_area must be 0 < low <= high <= 1, got 0.5, 0.2"),
        ({"crop_aspect": (0.0, 1.0)}, "crop_aspect must be 0 < low <= high <= infinity"),
        ({"crop_scales": ()}, "crop_scales must be numbers above 0 and up to 1"),
        ({"crop_points": 9}, "crop_points must be 5 or 13, got 9"),
        ({"center_share": 0.0}, "center_share and erasing_aspect must be above 0"),
        ({"rand_augment_layers": 9}, "rand_augment_layers must lie in 0..8, got 9"),
        ({"mixup_alpha": -1.0}, "mixup_alpha must lie in 0"),
        ({"brightness": float("nan")}, "brightness must lie in 0..1, got nan"),
    ],
)
def test_settings_out_of_range_are_named(keys: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        FrameAugment(**keys)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected frames \(N, T, H, W, 3\) uint8, got .* float32"):
        augment_batch(_frames().float(), _draws(), ALL)
    with pytest.raises(ValueError, match=rf"expected draws \(4, {DRAWS}\), a row a clip, got \(3, {DRAWS}\)"):
        augment_batch(_frames(), _draws(3), ALL)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")
def test_a_gpu_makes_the_same_frames() -> None:
    frames, draws = _frames(8), _draws(8)
    there = augment_batch(frames.cuda(), draws, ALL)
    assert there.is_cuda
    difference = (there.cpu() - augment_batch(frames, draws, ALL)).abs()
    assert (difference > 0.5).float().mean() < 0.01  # a value at a threshold may fall to its other side
