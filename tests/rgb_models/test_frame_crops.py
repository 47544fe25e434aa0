"""Crops of source frames: mmaction2's places and Inception's sizes by formula, people, tests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rgb_models.frame_augment import DRAWS, FrameAugment
from rgb_models.frame_crops import crop_of, evaluation_crops, person_region, whole_pixels

FRAME = (480, 640)  # height, width


def _draws(*first: float, rest: float = 0.5) -> np.ndarray:
    return np.array([*first, *([rest] * (DRAWS - len(first)))])


def _many(settings: FrameAugment, person: object = None, frame: tuple[int, int] = FRAME) -> np.ndarray:
    rows = np.random.default_rng(0).random((400, DRAWS))
    return np.stack([crop_of(row, frame, person, settings) for row in rows])


@pytest.mark.parametrize(
    ("share", "crop"), [(1.0, (80, 0, 480, 480)), (0.875, (110, 30, 420, 420)), (0.5, (200, 120, 240, 240))]
)
def test_the_central_crop_is_a_square_of_the_short_side(share: float, crop: tuple[float, ...]) -> None:
    settings = FrameAugment(center_share=share)
    assert crop_of(_draws(), FRAME, None, settings).tolist() == list(crop)
    assert evaluation_crops(FRAME, None, settings).tolist() == [list(crop)]


def test_three_crops_lie_along_the_longer_side() -> None:
    wide = evaluation_crops(FRAME, None, FrameAugment(center_share=0.875), 3)
    assert wide.tolist() == [[0, 0, 480, 480], [80, 0, 480, 480], [160, 0, 480, 480]]
    tall = evaluation_crops((640, 480), None, FrameAugment(), 3)
    assert tall.tolist() == [[0, 0, 480, 480], [0, 80, 480, 480], [0, 160, 480, 480]]
    assert (evaluation_crops((100, 100), None, FrameAugment(), 3) == [0, 0, 100, 100]).all()
    with pytest.raises(ValueError, match="expected 1 or 3 crops a clip, got 10"):
        evaluation_crops(FRAME, None, FrameAugment(), 10)


def test_multi_scale_has_the_published_sizes_and_thirteen_places() -> None:
    settings = FrameAugment(crop="multi_scale")
    crops = _many(settings)
    sides = [480 * scale for scale in (1, 0.875, 0.75, 0.66)]
    allowed = {(sides[i], sides[j]) for i in range(4) for j in range(4) if abs(i - j) <= 1}
    sizes = {(width, height) for _, _, width, height in crops.round(9).tolist()}
    assert sizes == {tuple(np.round(pair, 9)) for pair in allowed}
    assert len(allowed) == 10
    smaller = crops[crops[:, 3] < 480]
    quarters = {
        (round(4 * left / (640 - width)), round(4 * top / (480 - height)))
        for left, top, width, height in smaller.tolist()
    }
    corners = {(0, 0), (4, 0), (0, 4), (4, 4), (2, 2)}
    sides_and_quarters = {(0, 2), (4, 2), (2, 4), (2, 0), (1, 1), (3, 1), (1, 3), (3, 3)}
    assert quarters == corners | sides_and_quarters
    free = np.array([640, 480]) - smaller[:, 2:]
    assert np.abs(4 * smaller[:, :2] / free - np.round(4 * smaller[:, :2] / free)).max() < 1e-9
    five = _many(FrameAugment(crop="multi_scale", crop_points=5, crop_scales=(0.5,)))
    assert {(left, top) for left, top, _, _ in five.tolist()} == {
        (0, 0), (400, 0), (0, 240), (400, 240), (200, 120),
    }  # fmt: skip


def test_squares_only_where_sides_may_not_differ() -> None:
    crops = _many(FrameAugment(crop="multi_scale", crop_scale_gap=0))
    assert (crops[:, 2] == crops[:, 3]).all()
    assert len(set(crops[:, 2])) == 4


def test_random_resized_takes_the_first_area_and_shape_that_fit() -> None:
    settings = FrameAugment(crop="random_resized")
    area = (0.08 + 0.3 * 0.92) * 480 * 640
    aspect = math.exp(math.log(0.75) + 0.9 * (math.log(4 / 3) - math.log(0.75)))
    width, height = math.sqrt(area * aspect), math.sqrt(area / aspect)
    crop = crop_of(_draws(0.25, 0.75, 0.3, 0.9), FRAME, None, settings)
    np.testing.assert_allclose(crop, [0.25 * (640 - width), 0.75 * (480 - height), width, height])
    too_high = (1.0 - 1e-9, 0.0)  # the whole area at 3:4 does not fit
    later = crop_of(_draws(0.25, 0.75, *too_high, *too_high, 0.3, 0.9), FRAME, None, settings)
    np.testing.assert_allclose(later, crop)
    nowhere = crop_of(_draws(0.1, 0.1, *(too_high * 10)), FRAME, None, settings)
    assert nowhere.tolist() == [80, 0, 480, 480]


def test_random_resized_stays_in_its_ranges() -> None:
    settings = FrameAugment(crop="random_resized", crop_area=(0.2, 0.6), crop_aspect=(0.5, 1.5))
    crops = _many(settings)
    shares = crops[:, 2] * crops[:, 3] / (480 * 640)
    aspects = crops[:, 2] / crops[:, 3]
    assert 0.2 <= shares.min() < 0.22
    assert 0.55 < shares.max() <= 0.6
    assert 0.5 <= aspects.min() < 0.53
    assert 1.45 < aspects.max() <= 1.5


@pytest.mark.parametrize("crop", ["center", "multi_scale", "random_resized"])
@pytest.mark.parametrize("person", [None, (100, 50, 220, 300), (-20, -5, 60, 900)])
@pytest.mark.parametrize("frame", [FRAME, (641, 333), (7, 5)])
def test_crops_lie_inside_the_frame(crop: str, person: object, frame: tuple[int, int]) -> None:
    if person == (100, 50, 220, 300) and frame == (7, 5):
        with pytest.raises(ValueError, match="expected a person's region"):
            _many(FrameAugment(crop=crop), person, frame)
        return
    left, top, width, height = _many(FrameAugment(crop=crop), person, frame).T
    assert min(width.min(), height.min()) > 0
    assert min(left.min(), top.min()) >= 0
    assert (left + width).max() <= frame[1] + 1e-9
    assert (top + height).max() <= frame[0] + 1e-9


def test_a_person_s_region_is_a_square_with_its_margin() -> None:
    box = (199.5, 99.5, 279.5, 299.5)  # 80 x 200 around (240, 200), counted from pixels' edges
    assert person_region(box, FRAME, 1.0).tolist() == [140, 100, 200, 200]
    assert person_region(box, FRAME, 1.5).tolist() == [90, 50, 300, 300]
    assert person_region((-0.5, -0.5, 79.5, 199.5), FRAME, 1.0).tolist() == [0, 0, 200, 200]
    assert person_region((599.5, 279.5, 639.5, 479.5), FRAME, 1.0).tolist() == [440, 280, 200, 200]
    assert person_region((-0.5, -0.5, 639.5, 479.5), FRAME, 1.25).tolist() == [0, 0, 640, 480]
    centre = crop_of(_draws(), FRAME, box, FrameAugment(person_margin=1.0))
    assert centre.tolist() == [140, 100, 200, 200]
    assert evaluation_crops(FRAME, box, FrameAugment(person_margin=1.0, center_share=0.5)).tolist() == [
        [190, 150, 100, 100]
    ]


@pytest.mark.parametrize(
    "box", [(10, 10, 10, 20), (10, 20, 30, 15), (640, 0, 700, 50), (0, -90, 40, -2), (0, 0, float("nan"), 5)]
)
def test_a_region_that_is_none_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected a person's region .* in a frame of 640x480, got"):
        person_region(box, FRAME)


def test_a_frame_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a frame with pixels, got 640x0"):
        crop_of(_draws(), (0, 640), None, FrameAugment())


def test_whole_pixels_are_a_slice_with_a_pixel_at_least() -> None:
    assert whole_pixels((10.4, 20.6, 99.8, 50.2), FRAME) == (10, 21, 110, 71)
    assert whole_pixels((639.9, 479.8, 0.1, 0.2), FRAME) == (639, 479, 640, 480)
    assert whole_pixels((0, 0, 640, 480), FRAME) == (0, 0, 640, 480)


def test_draws_of_other_purposes_do_not_move_the_crop() -> None:
    row = np.random.default_rng(1).random(DRAWS)
    other = row.copy()
    other[22:] = 0.0
    settings = FrameAugment(crop="random_resized")
    assert (crop_of(row, FRAME, None, settings) == crop_of(other, FRAME, None, settings)).all()
