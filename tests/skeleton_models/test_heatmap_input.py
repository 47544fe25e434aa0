"""Heatmap batches: equal to PYSKL's own pipeline, the same in any batch, right for 3D clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from poses.layout import get_layout
from skeleton_models.augment import Augment
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.heatmap_input import Canvases, HeatmapInput
from skeleton_models.random_keys import clip_keys

COCO, UCLA = get_layout("coco17"), get_layout("nwucla20")
GOLDEN = Path(__file__).parent / "golden" / "heatmap_pyskl.npz"


def clip_of_two(seed: int = 3, frames: int = 30, persons: int = 2) -> ClipArrays:
    """Two people, a tenth of their joints missing; the clip that PYSKL's stored answers are about."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(200, 800, (persons, 1, 17, 2)) + rng.normal(0, 12, (persons, frames, 17, 2))
    xy = xy.astype(np.float32)
    score = rng.uniform(0.0002, 1, (persons, frames, 17)).astype(np.float32)
    missing = rng.random((persons, frames, 17)) < 0.1
    score[missing], xy[missing] = 0, np.nan
    return ClipArrays(xy, score, (1296, 1080))


def clip_3d(seed: int = 5) -> ClipArrays:
    rng = np.random.default_rng(seed)
    xyz = (rng.normal(0, 0.5, (1, 1, 20, 3)) + rng.normal(0, 0.02, (1, 12, 20, 3))).astype(np.float32)
    return ClipArrays(xyz, np.ones((1, 12, 20), np.float32), (0, 0))


@pytest.mark.parametrize("kind", ["joint", "limb"])
def test_test_clips_equal_pyskls_pipeline(kind: str) -> None:
    """Stored outputs of PYSKL's own classes: PoseCompact, Resize(64, 64), GeneratePoseTarget."""
    golden = np.load(GOLDEN)
    builder = HeatmapInput(COCO, 6, kind=kind, test_clips=2, test_flip=True)  # type: ignore[arg-type]
    batch = builder.batch([clip_of_two()], None)
    assert batch.views == 4
    assert batch.x.shape == (4, 17, 6, 64, 64)
    volume = torch.cat(list(batch.x[:2]), dim=1).numpy()  # (C, 2 * T, H, W)
    np.testing.assert_allclose(volume[5, 3], golden[f"{kind}_map"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(volume[::3, ::4, ::5, ::5], golden[f"{kind}_sampled"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(volume.sum((2, 3)), golden[f"{kind}_sum"], rtol=1e-4, atol=1e-3)
    mirror = torch.from_numpy(builder.drawing.mirror)
    assert torch.equal(batch.x[2:], batch.x[:2, mirror].flip(-1))


def test_a_clip_is_the_same_in_every_batch() -> None:
    augment = Augment(flip_probability=0.5, roll_deg=20, shift=0.1, jitter=0.01, drop_joint_probability=0.2)
    builder = HeatmapInput(COCO, 8, (28, 28), augment=augment)
    clips = [clip_of_two(seed, frames=9 + 7 * seed, persons=1) for seed in range(4)]
    keys = clip_keys(1, 0, [f"clip{n}" for n in range(4)])
    whole = builder.batch(clips, keys).x
    for n in (2, 0):
        assert torch.equal(builder.batch(clips[n : n + 1], keys[n : n + 1]).x[0], whole[n])
    assert not torch.equal(builder.batch(clips, clip_keys(1, 1, [f"clip{n}" for n in range(4)])).x, whole)


@pytest.mark.parametrize("convention", ["pyskl", "mmaction2"])
def test_evaluation_geometry_differs_only_off_the_square(convention: str) -> None:
    """A box is always square here, so both toolboxes fill the map; their cuts differ."""
    builder = HeatmapInput(COCO, 6, convention=convention)  # type: ignore[arg-type]
    points = builder.points([clip_of_two()], None)
    seen = points[points[..., 2] > 0]
    assert seen[:, :2].min() > 64 * 0.09
    assert seen[:, :2].max() < 64 * 0.91


def test_3d_clips_are_seen_upright_and_whole() -> None:
    builder = HeatmapInput(UCLA, 6, (28, 28), test_clips=1)
    clip = clip_3d()
    points = builder.points([clip], None)[0, 0].numpy()  # (T, V, 3)
    assert points[..., :2].min() > 0
    assert points[..., :2].max() < 32
    highest, lowest = clip.xyz[0, :, :, 1].mean(0).argmax(), clip.xyz[0, :, :, 1].mean(0).argmin()
    assert points[:, highest, 1].max() < points[:, lowest, 1].min()
    side = HeatmapInput(UCLA, 6, (28, 28), view_yaw_deg=90).points([clip], None)[0, 0].numpy()
    nearest = clip.xyz[0, :, :, 2].mean(0).argsort()
    order = side[..., 0].mean(0).argsort()
    assert order[0] in (nearest[0], nearest[-1])


@pytest.mark.parametrize("keys", [None, clip_keys(1, 0, ["a"])])
def test_coordinates_that_are_no_pixels_fill_the_map_too(keys: np.ndarray | None) -> None:
    """JHMDB's are -1..1 about the person, in a frame of one pixel: the crop takes whole pixels."""
    pixels = clip_of_two(persons=1)
    unit = pixels._replace(xyz=pixels.xyz / 500 - 1, frame_hw=(1, 1))
    builder = HeatmapInput(COCO, 6, (32, 32), random_crop=False)
    peaks = builder.batch([unit], keys).x.amax((0, 2, 3, 4))
    assert (peaks > 0.2).all()  # every joint is on the map
    expected = builder.batch([pixels], keys).x
    if keys is None:  # the same picture, but for whole pixels of another size
        assert float((builder.batch([unit], None).x - expected).abs().mean()) < 0.2 * float(expected.mean())


def test_other_types_hold_the_same_values() -> None:
    clips = [clip_of_two(1), clip_of_two(2, persons=1)]
    keys = clip_keys(0, 0, ["a", "b"])
    exact = HeatmapInput(COCO, 5, (16, 16)).batch(clips, keys).x
    for dtype, step in (("float16", 3e-4), ("uint8", 0.5 / 255 + 1e-6)):
        builder = HeatmapInput(COCO, 5, (16, 16), dtype=dtype)  # type: ignore[arg-type]
        ring = torch.ones((3, 17, 5, 16, 16), dtype=getattr(torch, dtype))
        x = builder.batch(clips, keys, out=ring).x
        assert x.data_ptr() == ring.data_ptr()
        torch.testing.assert_close(builder.to_float(x), exact, rtol=0, atol=step)


@pytest.mark.parametrize(("flip", "views_at_once", "sizes"), [(True, 5, [4, 2]), (False, 1, [1, 1, 1])])
def test_pieces_are_the_rows_of_the_batch(flip: bool, views_at_once: int, sizes: list[int]) -> None:
    builder = HeatmapInput(COCO, 6, (14, 14), test_clips=3, test_flip=flip)
    pieces = list(builder.pieces(clip_of_two(), views_at_once))
    assert [piece.views for piece in pieces] == [len(piece.x) for piece in pieces] == sizes
    straight = [row for piece in pieces for row in piece.x[: len(piece.x) // (1 + flip)]]
    images = [row for piece in pieces for row in piece.x[len(piece.x) // (1 + flip) :]] if flip else []
    assert torch.equal(torch.stack(straight + images), builder.batch([clip_of_two()], None).x)


def test_a_clip_without_persons_is_empty() -> None:
    empty = ClipArrays(np.zeros((0, 9, 17, 2), np.float32), np.zeros((0, 9, 17), np.float32), (48, 64))
    for keys in (None, clip_keys(0, 0, ["a", "b"])):
        x = HeatmapInput(COCO, 4, (14, 14)).batch([empty, clip_of_two()], keys).x
        assert x[0].abs().sum() == 0
        assert x[1].sum() > 0


def test_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"frames must be.*kind must be one of"):
        HeatmapInput(COCO, 0, kind="bone")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="out must be uint8"):
        HeatmapInput(COCO, 4, dtype="uint8").batch([clip_of_two()], None, out=torch.zeros(1))


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("kind", ["joint", "limb"])
def test_memory_that_is_used_again_holds_the_new_batch_only(kind: str, dtype: str) -> None:
    builder = HeatmapInput(COCO, 6, (28, 28), kind=kind, dtype=dtype, test_clips=2, test_flip=True)  # type: ignore[arg-type]
    canvases = Canvases()
    clips = [clip_of_two(seed, persons=1 + seed % 2) for seed in range(3)]
    for chosen in (clips, clips[:1], clips[::-1], clips[1:]):
        assert torch.equal(builder.batch(chosen, None, canvases).x, builder.batch(chosen, None).x)
    assert len(canvases) == 1
    keys = clip_keys(0, 0, ["a", "b", "c"])
    for n in (3, 2):
        assert torch.equal(
            builder.batch(clips[:n], keys[:n], canvases).x, builder.batch(clips[:n], keys[:n]).x
        )
    assert len(canvases) == 1  # that of the other size of maps was given back


def test_what_somebody_holds_is_not_drawn_over() -> None:
    builder, canvases = HeatmapInput(COCO, 6, (28, 28)), Canvases()
    clips = [clip_of_two(seed) for seed in range(4)]
    held = [builder.batch([clip], None, canvases).x[0, 3] for clip in clips]  # a part of each is enough
    assert len(canvases) == 4
    for clip, part in zip(clips, held, strict=True):
        assert torch.equal(part, builder.batch([clip], None).x[0, 3])
    weight = torch.ones(1, requires_grad=True)
    product = builder.batch(clips[:1], None, canvases).x * weight  # what backward needs is held too
    builder.batch(clips[1:2], None, canvases)
    product.sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad[0], builder.batch(clips[:1], None).x.sum())
    assert len(canvases) == 6
    del held, part, product, weight
    builder.batch(clips[:1], None, canvases)
    assert len(canvases) == 6


@pytest.mark.parametrize("inference", [False, True])
def test_a_batch_that_was_changed_is_cleared_wholly(inference: bool) -> None:
    builder, canvases = HeatmapInput(COCO, 6, (28, 28)), Canvases()
    expected = builder.batch([clip_of_two(1)], None).x
    with torch.inference_mode(inference):
        builder.batch([clip_of_two(2)], None, canvases).x[:, 1:].sub_(0.5)
        assert torch.equal(builder.batch([clip_of_two(1)], None, canvases).x, expected)
    assert len(canvases) == 1
