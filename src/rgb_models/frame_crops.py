"""Which part of the source frames a network sees: one crop for all frames of a clip.

A crop is (left, top, width, height), float, where pixel i covers i..i+1: the whole frame is (0, 0, W, H), and
the centres of pixels lie at i + 0.5. So pixel j of n that a crop is resized to has its centre at
`left + (j + 0.5) * width / n`; OpenCV's `resize` of a slice does just this, and `warpAffine`, whose centres
are whole numbers, wants 0.5 less. `whole_pixels` gives the slice. Boxes of persons come, as everywhere in
poses, with the centres of pixels at whole numbers; `person_region` moves them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rgb_models.frame_augment import Columns, FrameAugment

Crop = NDArray[np.float64]  # (4,) left, top, width, height
Box = tuple[float, float, float, float]  # left, top, width, height

_ATTEMPTS = 10  # at a crop that fits
_CENTER = ((2, 2),)
_CORNERS = ((0, 0), (4, 0), (0, 4), (4, 4))
_POINTS = {
    5: _CORNERS + _CENTER,
    13: (*_CORNERS, *_CENTER, (0, 2), (4, 2), (2, 4), (2, 0), (1, 1), (3, 1), (1, 3), (3, 3)),
}  # quarters of what the crop leaves free, from the left and from the top


def crop_of(
    draws: NDArray[np.float64],
    frame_hw: tuple[int, int],
    person_px: ArrayLike | None,
    settings: FrameAugment,
) -> Crop:
    """The crop of a clip, as its draws say.

    Args:
        draws: (DRAWS,) of 0..1, the clip's row whole.
        frame_hw: height and width of the source frames, pixels.
        person_px: (4,) left, top, right, bottom of a person's region; crops are then taken from it as from a
            frame. None: from the whole frame.
        settings: which crop.

    Returns:
        (4,) left, top, width, height, inside the frame.

    Raises:
        ValueError: a frame without pixels, or a region that is none.
    """
    area = _area(frame_hw, person_px, settings)
    uniform = np.asarray(draws, np.float64)[Columns.CROP]
    if settings.crop == "multi_scale":
        return _inside(area, *_multi_scale(uniform, area, settings))
    if settings.crop == "random_resized":
        return _inside(area, *_random_resized(uniform, area, settings))
    side = settings.center_share * min(area[2:])
    return _inside(area, side, side, 0.5, 0.5)


def evaluation_crops(
    frame_hw: tuple[int, int], person_px: ArrayLike | None, settings: FrameAugment, count: int = 1
) -> NDArray[np.float64]:
    """The crops of a test: the central square of `center_share`, or three squares along the longer side.

    Args:
        frame_hw: height and width of the source frames, pixels.
        person_px: as in `crop_of`.
        settings: `center_share` and `person_margin` count; three squares have the whole short side.
        count: 1, or 3: at the beginning, in the middle and at the end of the longer side.

    Returns:
        (count, 4) left, top, width, height.

    Raises:
        ValueError: another count, a frame without pixels, or a region that is none.
    """
    if count not in (1, 3):
        raise ValueError(f"expected 1 or 3 crops a clip, got {count}")
    area = _area(frame_hw, person_px, settings)
    side = min(area[2:]) * (settings.center_share if count == 1 else 1.0)
    places = (0.5,) if count == 1 else (0.0, 0.5, 1.0)
    wide = area[2] >= area[3]
    return np.stack([_inside(area, side, side, p if wide else 0.5, 0.5 if wide else p) for p in places])


def person_region(person_px: ArrayLike, frame_hw: tuple[int, int], margin: float = 1.25) -> Crop:
    """A square around a person's region, inside the frame as far as it fits.

    The box grows by `margin` about its centre, its shorter side to the longer one's length; a square that
    stands over the frame's edge is moved inside, and what is still larger than the frame ends at its edges.

    Args:
        person_px: (4,) left, top, right, bottom, centres of pixels at whole numbers.
        frame_hw: height and width, pixels.
        margin: factor, at least 1.

    Returns:
        (4,) left, top, width, height; edges of pixels at whole numbers.

    Raises:
        ValueError: a region without width or height, outside the frame, or not finite.
    """
    height, width = _checked(frame_hw)
    left, top, right, bottom = (float(value) + 0.5 for value in np.asarray(person_px, np.float64))
    meets = right > max(left, 0) and bottom > max(top, 0) and left < width and top < height
    if not meets or not math.isfinite(right - left + bottom - top):
        raise ValueError(
            f"expected a person's region (left, top, right, bottom) in a frame of {width}x{height}, "
            f"got {[round(float(v), 1) for v in np.asarray(person_px, np.float64)]}"
        )
    side = margin * max(right - left, bottom - top)
    across, down = min(side, width), min(side, height)
    x = min(max((left + right - across) / 2, 0), width - across)
    y = min(max((top + bottom - down) / 2, 0), height - down)
    return np.array([x, y, across, down])


def whole_pixels(crop: ArrayLike, frame_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """A crop as a slice of the frame: left, top, right, bottom in whole pixels, one pixel at least."""
    height, width = _checked(frame_hw)
    x, y, across, down = (float(value) for value in np.asarray(crop, np.float64))
    left, top = min(max(round(x), 0), width - 1), min(max(round(y), 0), height - 1)
    right, bottom = min(round(x + across), width), min(round(y + down), height)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _checked(frame_hw: tuple[int, int]) -> tuple[int, int]:
    height, width = frame_hw
    if min(height, width) < 1:
        raise ValueError(f"expected a frame with pixels, got {width}x{height}")
    return height, width


def _area(frame_hw: tuple[int, int], person_px: ArrayLike | None, settings: FrameAugment) -> Box:
    """What crops are taken from."""
    height, width = _checked(frame_hw)
    if person_px is None:
        return 0.0, 0.0, float(width), float(height)
    left, top, across, down = person_region(person_px, frame_hw, settings.person_margin).tolist()
    return left, top, across, down


def _inside(area: Box, width: float, height: float, x_share: float, y_share: float) -> Crop:
    """A crop of that size, at shares of what it leaves free of the area."""
    left, top, across, down = area
    return np.array([left + x_share * (across - width), top + y_share * (down - height), width, height])


def _multi_scale(uniform: NDArray[np.float64], area: Box, settings: FrameAugment) -> Box:
    """Size and place of TSN's crop, draws 0 (sizes) and 1 (point); nothing is rounded to whole pixels."""
    sides = [scale * min(area[2:]) for scale in settings.crop_scales]
    sizes = [
        (across, down)
        for i, down in enumerate(sides)
        for j, across in enumerate(sides)
        if abs(i - j) <= settings.crop_scale_gap
    ]
    width, height = sizes[int(uniform[0] * len(sizes))]
    points = _POINTS[settings.crop_points]
    x, y = points[int(uniform[1] * len(points))]
    return width, height, x / 4, y / 4


def _random_resized(uniform: NDArray[np.float64], area: Box, settings: FrameAugment) -> Box:
    """Size and place of Inception's crop: up to ten areas (uniform) and shapes (log-uniform), the first that
    fits; where none does, the central square of the short side. Draws 0 and 1 are the place.
    """
    _, _, across, down = area
    low, high = settings.crop_area
    least, most = (math.log(value) for value in settings.crop_aspect)
    for attempt in range(_ATTEMPTS):
        of_area, of_aspect = uniform[2 + 2 * attempt : 4 + 2 * attempt]
        size = (low + of_area * (high - low)) * across * down
        aspect = math.exp(least + of_aspect * (most - least))
        width, height = math.sqrt(size * aspect), math.sqrt(size / aspect)
        if width <= across and height <= down:
            return width, height, float(uniform[0]), float(uniform[1])
    return min(across, down), min(across, down), 0.5, 0.5
