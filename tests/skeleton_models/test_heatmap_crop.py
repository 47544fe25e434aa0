"""Crops of known boxes: who fits what into the map."""

from __future__ import annotations

import numpy as np
import pytest

from skeleton_models.heatmap_crop import CROP_DRAWS, CropRules, map_frame_of, random_crop

BOX = np.array([100.0, 200.0, 300.0, 700.0])  # 200 wide, 500 high: the crop is 625 square
SQUARE = CropRules()


@pytest.mark.parametrize(
    ("middle", "test_hw", "expected"),
    [
        # left int(200 - 312.5), top int(450 - 312.5), to int(512.5) and int(762.5)
        (False, (64, 64), (-112, 137, 64 / 624, 64 / 625)),
        (True, (64, 64), (-112, 137, 64 / 624, 64 / 625)),
    ],
)
def test_evaluation(middle: bool, test_hw: tuple[int, int], expected: tuple[float, ...]) -> None:
    rules = SQUARE._replace(middle=middle)
    to = map_frame_of(BOX, (1080, 1920), size_hw=test_hw, test_hw=test_hw, draws=None, rules=rules)
    np.testing.assert_allclose(to, expected)


def test_toolboxes_differ_where_nobody_was_found_to_crop_to() -> None:
    """A box below the threshold leaves the frame: PYSKL squeezes it, MMAction2 takes its middle."""
    box = np.array([100.0, 200.0, 105.0, 700.0])
    for middle, expected in (
        (False, [0, 0, 64 / 1920, 64 / 1080]),
        (True, [420.8, 0, 114 / 1920, 64 / 1080]),
    ):
        rules = SQUARE._replace(middle=middle)
        to = map_frame_of(box, (1080, 1920), size_hw=(64, 64), test_hw=(64, 64), draws=None, rules=rules)
        np.testing.assert_allclose(to, expected, rtol=1e-3)


def test_training_crops_stay_inside_and_fill_the_map() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        draws = rng.random(CROP_DRAWS)
        left, top, h, w = random_crop(64, 70, draws, SQUARE)
        assert 0 <= left <= 70 - w
        assert 0 <= top <= 64 - h
        assert 0.5 < h * w / (64 * 70) <= 1
        to = map_frame_of(BOX, (9, 9), size_hw=(56, 56), test_hw=(64, 64), draws=draws, rules=SQUARE)
        corner = ([-112, 137] - to[:2]) * to[2:]  # of the crop's own corner: on the map's edge or outside
        assert (corner <= 1e-9).all()


def test_no_attempt_that_fits_leaves_the_middle_square() -> None:
    draws = np.ones(CROP_DRAWS) * 0.999
    assert random_crop(20, 100, draws * [*[0] * 10, *[1] * 12], SQUARE) == (40, 0, 20, 20)
