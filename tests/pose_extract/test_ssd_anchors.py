"""The anchor grids of the three detectors: counts, corners, and where the layers lie."""

from __future__ import annotations

import numpy as np
import pytest

from pose_extract.ssd_anchors import ssd_anchors

POSE = (224, (8, 16, 32, 32, 32))
PALM = (192, (8, 16, 16, 16))
FACE = (128, (8, 16, 16, 16))


@pytest.mark.parametrize(
    ("grid", "count", "first", "last"),
    [
        (POSE, 2254, (0.5 / 28, 0.5 / 28), (6.5 / 7, 6.5 / 7)),
        (PALM, 2016, (0.5 / 24, 0.5 / 24), (11.5 / 12, 11.5 / 12)),
        (FACE, 896, (0.5 / 16, 0.5 / 16), (7.5 / 8, 7.5 / 8)),
    ],
)
def test_counts_and_corners(grid, count, first, last):
    anchors = ssd_anchors(*grid)
    assert anchors.shape == (count, 2) and anchors.dtype == np.float32
    np.testing.assert_allclose(anchors[0], first, rtol=1e-6)
    np.testing.assert_allclose(anchors[-1], last, rtol=1e-6)


@pytest.mark.parametrize(
    ("at", "centre"),
    [
        (1, (0.5 / 28, 0.5 / 28)),  # two anchors a cell
        (2, (1.5 / 28, 0.5 / 28)),  # x runs first
        (2 * 28, (0.5 / 28, 1.5 / 28)),  # then y
        (2 * 28 * 28, (0.5 / 14, 0.5 / 14)),  # the second layer
        (2 * 28 * 28 + 2 * 14 * 14, (0.5 / 7, 0.5 / 7)),  # three layers share the third grid:
        (2 * 28 * 28 + 2 * 14 * 14 + 5, (0.5 / 7, 0.5 / 7)),  # six anchors a cell
        (2 * 28 * 28 + 2 * 14 * 14 + 6, (1.5 / 7, 0.5 / 7)),
    ],
)
def test_order_of_the_pose_detectors_anchors(at, centre):
    np.testing.assert_allclose(ssd_anchors(*POSE)[at], centre, rtol=1e-6)


def test_an_input_that_the_stride_does_not_divide_has_a_last_partial_cell():
    assert len(ssd_anchors(20, (8,))) == 2 * 3 * 3
