"""Heatmap refinement, joints outside the frame, the steadied region: known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_extract.blaze_landmarks import REGION_SCALE, SteadyRegion, drop_outside, refine_from_heatmap

OFF, ON = -40.0, 40.0  # logits of 0 and 1


def heatmap(*lit: tuple[int, int], size: int = 64, logit: float = ON) -> np.ndarray:
    """(size, size, 1) with lit (column, row) cells."""
    cells = np.full((size, size, 1), OFF, np.float32)
    for column, row in lit:
        cells[row, column, 0] = logit
    return cells


def refined(xy: tuple[float, float], cells: np.ndarray) -> list[float]:
    """The refined point, in heatmap cells."""
    size = cells.shape[0]
    return (refine_from_heatmap(np.array([xy], np.float32) / size, cells)[0] * size).tolist()


@pytest.mark.parametrize(
    ("xy", "cells", "expected"),
    [
        ((20.7, 30.2), heatmap((22, 29)), (22, 29)),  # onto the one lit cell
        ((20.7, 30.2), heatmap((20, 30), (22, 30)), (21, 30)),  # between two
        ((20.7, 30.2), heatmap((23, 33)), (23, 33)),  # the window's corner
        ((20.7, 30.2), heatmap((24, 30)), (20.7, 30.2)),  # one cell beyond the window of 7
        ((20.7, 30.2), heatmap((22, 29), logit=-0.1), (20.7, 30.2)),  # less sure than a half
        ((20.7, 30.2), heatmap((22, 29), logit=0.0), (22, 29)),  # just sure enough
        ((0.5, 63.5), heatmap((2, 62)), (2, 62)),  # the window is cut off at the edges
        ((-0.5, 10.0), heatmap((1, 10)), (-0.5, 10.0)),  # a point outside stays
        ((64.5, 10.0), heatmap((63, 10)), (64.5, 10.0)),
    ],
)
def test_refinement(xy, cells, expected):
    assert refined(xy, cells) == pytest.approx(expected, abs=1e-4)


def test_refinement_weighs_by_probability():
    cells = heatmap((20, 30))
    cells[30, 21, 0] = -math.log(3)  # a quarter
    assert refined((20.5, 30.5), cells) == pytest.approx((20.2, 30), abs=1e-4)


def test_every_joint_has_its_own_heatmap():
    cells = np.concatenate([heatmap((10, 10)), heatmap((50, 40)), heatmap()], axis=2)
    xy = np.array([[11, 11], [49, 41], [5, 6]], np.float32) / 64
    np.testing.assert_allclose(refine_from_heatmap(xy, cells) * 64, [[10, 10], [50, 40], [5, 6]], atol=1e-4)


def test_joints_far_outside_are_not_found():
    xy = np.array(
        [[0, 0], [-9, 50], [-11, 50], [199 + 9, 99], [199 + 11, 0], [50, 111], [np.nan, 1]], np.float32
    )
    kept, score = drop_outside(xy, np.full(7, 0.5, np.float32), (100, 200))
    assert score.tolist() == [0.5, 0.5, 0, 0.5, 0, 0, 0]
    np.testing.assert_array_equal(np.isfinite(kept).all(axis=1), score > 0)
    assert kept.dtype == score.dtype == np.float32


def test_a_still_region_stays():
    steady = SteadyRegion((100, 200, 100, 100))
    for _ in range(5):
        crop = steady.update((100, 200, 100, 100))
    assert crop.center_px == pytest.approx((100, 200))
    assert crop.size_px == pytest.approx((200 * REGION_SCALE,) * 2) and crop.angle_rad == pytest.approx(0)


def test_trembling_is_damped_and_walking_is_followed():
    trembling, walking = SteadyRegion((100, 200, 100, 100)), SteadyRegion((100, 200, 100, 100))
    centers = []
    for step in range(60):
        shift = 1.0 if step % 2 else -1.0
        centers.append(trembling.update((100 + shift, 200, 100 + shift, 100)).center_px[0])
        walked = walking.update((100 + 10 * step, 200, 100 + 10 * step, 100)).center_px[0]
    assert np.ptp(centers[10:]) < 1.0  # of 2
    assert abs(walked - (100 + 10 * 59)) < 10  # less than one frame behind


@given(st.floats(0.1, 10), st.floats(-500, 500))
def test_the_steadied_region_does_not_depend_on_scale_or_place(scale, shift):
    one, other = SteadyRegion((0, 100, 0, 0)), SteadyRegion((shift, 100 * scale + shift, shift, shift))
    for step in range(8):
        span = np.array([3 * step, 100 + step, 2 * step, -step])
        a, b = one.update(span.tolist()), other.update((span * scale + shift).tolist())
    assert b.size_px[0] == pytest.approx(a.size_px[0] * scale)
    assert b.center_px == pytest.approx([c * scale + shift for c in a.center_px], abs=1e-6)
