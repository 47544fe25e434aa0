"""Heatmap volumes against their plain twin: joints, limbs, types, mirror images, persons."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.skeleton_models.heatmap_twin import twin

from poses.layout import get_layout
from skeleton_models.heatmap import (
    PYSKL_COCO_LIMBS,
    STREAMED_BYTES,
    Drawing,
    joint_drawing,
    limb_drawing,
    render,
)

COCO = get_layout("coco17")
STEP = {np.float32: 1e-6, np.float16: 2.5e-4, np.uint8: 0.5 / 255 + 1e-6}


def scattered(seed: int, size_hw: tuple[int, int], rows: int = 2, persons: int = 2) -> NDArray[np.float32]:
    """Points (N, M, 3, 17, 3), some beside the map, some without a score."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.2, 1.2, (rows, persons, 3, 17, 3))
    points *= [size_hw[1], size_hw[0], 1]
    points[..., 2] = points[..., 2].clip(0, 1)
    points[rng.random(points.shape[:-1]) < 0.2] = [np.nan, np.nan, 0]
    return points.astype(np.float32)


@pytest.mark.parametrize("kind", ["joint", "limb"])
@pytest.mark.parametrize(("sigma", "size_hw"), [(0.6, (56, 56)), (2.0, (20, 33)), (0.6, (12, 5))])
def test_volumes_equal_the_twin(kind: str, sigma: float, size_hw: tuple[int, int]) -> None:
    drawing = (joint_drawing if kind == "joint" else limb_drawing)(COCO, sigma)
    points = scattered(1, size_hw)
    expected = twin(points, drawing, size_hw)
    assert expected.max() > 0.5
    for dtype, step in STEP.items():
        out = np.full(expected.shape, 7, dtype)  # what lay there before must go
        render(points, drawing, out)
        values = out.astype(np.float64) / (255 if dtype == np.uint8 else 1)
        np.testing.assert_allclose(values, expected, rtol=0, atol=step)


@pytest.mark.parametrize("dtype", list(STEP))
@pytest.mark.parametrize("drawing", [joint_drawing(COCO), limb_drawing(COCO)])
def test_mirror_images_are_the_volumes_reversed(dtype: type, drawing: Drawing) -> None:
    points = scattered(2, (20, 24))
    out = np.empty((4, 17, 3, 20, 24), dtype)
    render(points, drawing, out, target=np.array([0, 2]), mirrored=np.array([3, 1]))
    for image, volume in ((out[3], out[0]), (out[1], out[2])):
        np.testing.assert_array_equal(image, volume[drawing.mirror][..., ::-1])


def test_threads_share_the_rows() -> None:
    points, drawing = scattered(3, (16, 16), rows=5), joint_drawing(COCO)
    one, three = np.empty((2, 5, 17, 3, 16, 16), np.float32)
    render(points, drawing, one)
    render(points, drawing, three, threads=3)
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize(("cut", "drawn"), [(1e-3, False), (1e-4, True)])
def test_what_scores_less_than_the_cut_is_not_drawn(cut: float, drawn: bool) -> None:
    points = np.full((1, 1, 1, 17, 3), 8.0, np.float32)
    points[..., 2] = 5e-4
    out = np.empty((1, 17, 1, 16, 16), np.float32)
    render(points, joint_drawing(COCO, min_score=cut), out)
    assert (out.max() > 0) == drawn


def test_known_values_of_one_joint() -> None:
    points = np.zeros((1, 1, 1, 17, 3), np.float32)
    points[0, 0, 0, 4] = [5, 3, 0.8]
    out = np.empty((1, 17, 1, 8, 12), np.float32)
    render(points, joint_drawing(COCO), out)
    expected = 0.8 * np.exp(-(np.array([0, 1, 1, 2]) / 0.72))
    seen = out[0, 4, 0][[3, 3, 4, 4], [5, 6, 5, 6]]
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    assert np.count_nonzero(out) == 16  # columns 3 to 6, rows 1 to 4


@pytest.mark.parametrize(
    ("points", "out", "words"),
    [
        ((2, 1, 3, 16, 3), (2, 17, 3, 8, 8), "joints >= 17"),
        ((2, 1, 3, 17, 3), (2, 16, 3, 8, 8), "out must be"),
        ((3, 1, 3, 17, 3), (2, 17, 3, 8, 8), "target rows"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(
    points: tuple[int, ...], out: tuple[int, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        render(np.zeros(points, np.float32), joint_drawing(COCO), np.zeros(out, np.float32))


def test_large_volumes_are_streamed_to_the_same_numbers() -> None:
    points, drawing = scattered(4, (64, 64), rows=1), limb_drawing(COCO)
    rows = STREAMED_BYTES // (17 * 3 * 64 * 64 * 4) + 1
    large = np.empty(rows * 17 * 3 * 64 * 64 + 16, np.float32)
    first = -large.ctypes.data % 64 // 4  # a line of the cache begins there
    large = large[first : first + rows * 17 * 3 * 64 * 64].reshape(rows, 17, 3, 64, 64)
    render(points, drawing, large, target=np.array([rows - 2]), mirrored=np.array([rows - 1]))
    small = np.empty((2, 17, 3, 64, 64), np.float32)
    render(points, drawing, small, mirrored=np.array([1]))
    np.testing.assert_array_equal(large[-2:], small)


def test_limbs_without_their_mirror_image_are_refused() -> None:
    with pytest.raises(ValueError, match="mirror images"):
        limb_drawing(COCO, limbs=[(5, 7)])


def test_published_limbs_have_their_published_mirror_images() -> None:
    """`left_limb` and `right_limb` of the published recipes."""
    mirror = limb_drawing(COCO, limbs=PYSKL_COCO_LIMBS).mirror
    left, right = [0, 2, 3, 6, 7, 8, 12, 14], [1, 4, 5, 9, 10, 11, 13, 15]
    assert mirror[left].tolist() == right
    assert mirror[right].tolist() == left
    assert mirror[16] == 16
    assert {frozenset(limb) for limb in PYSKL_COCO_LIMBS} == {frozenset(limb) for limb in COCO.limbs}


def test_only_lines_known_to_hold_something_are_cleared() -> None:
    points, drawing = scattered(6, (20, 24), rows=2), limb_drawing(COCO)
    fresh, kept = np.zeros((2, 4, 17, 3, 20, 24), np.float32)
    render(points[:1], drawing, fresh, target=np.array([2]), mirrored=np.array([0]))
    drawn = np.zeros((4, 17, 3, 2), np.int16)
    for some in (points[1:], points[:1]):
        render(some, drawing, kept, target=np.array([2]), mirrored=np.array([0]), drawn=drawn)
    np.testing.assert_array_equal(kept, fresh)
    lines = np.arange(20)
    noted = (lines >= drawn[..., :1]) & (lines < drawn[..., 1:])  # (4, C, T, H)
    assert not kept[~noted].any()
    kept[0, 0, 0, 0] = 7  # nobody knows of it
    drawn[0, 0, 0] = [5, 6]
    render(points[:1], drawing, kept, target=np.array([2]), mirrored=np.array([0]), drawn=drawn)
    assert kept[0, 0, 0, 0, 0] == 7
    with pytest.raises(ValueError, match="drawn must be int16"):
        render(points, drawing, kept, drawn=drawn[:2])
