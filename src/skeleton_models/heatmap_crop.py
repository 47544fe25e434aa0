"""Which part of the picture a heatmap shows: the crop rules of PYSKL and of MMAction2.

Both take the box around everybody in all sampled frames, a quarter wider and higher, extended to the maps'
ratio of sides (PoseCompact). In training a random part of it is stretched to the map (RandomResizedCrop). In
evaluation PYSKL stretches the box to the map, MMAction2 brings its short side to the map's and takes the
middle. Whole pixels are counted as they count them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

ATTEMPTS = 10  # at a random crop that fits
CROP_DRAWS = 2 * ATTEMPTS + 2


class CropRules(NamedTuple):
    """Numbers of the rules.

    Attributes:
        padding: by which the persons' box grows, as a share.
        threshold: a box narrower or lower than this, in pixels, leaves the whole frame.
        area_low: smallest share of the box that a random crop takes.
        area_high: largest.
        aspect_low: smallest ratio of a random crop's width to its height.
        aspect_high: largest.
        middle: evaluation takes the middle instead of stretching.
    """

    padding: float = 0.25
    threshold: float = 10.0
    area_low: float = 0.56
    area_high: float = 1.0
    aspect_low: float = 3 / 4
    aspect_high: float = 4 / 3
    middle: bool = False


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def person_crop(box, frame_h, frame_w, ratio, rules):  # type: ignore[no-untyped-def]
    """Left, top, height and width in whole pixels.

    Args:
        box: (4,) float64, x and y of the lowest and of the highest joint; infinite where there is none.
        frame_h: height of the frame.
        frame_w: its width.
        ratio: height over width that the crop shall have at least, and at most.
        rules: padding and threshold.
    """
    if not (box[2] - box[0] >= rules.threshold and box[3] - box[1] >= rules.threshold):
        return 0, 0, frame_h, frame_w
    x, y = (box[2] + box[0]) / 2, (box[3] + box[1]) / 2
    half_w = (box[2] - box[0]) / 2 * (1 + rules.padding)
    half_h = (box[3] - box[1]) / 2 * (1 + rules.padding)
    half_h = max(ratio * half_w, half_h)
    half_w = max(half_h / ratio, half_w)
    left, top = int(x - half_w), int(y - half_h)
    return left, top, int(y + half_h) - top, int(x + half_w) - left


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def random_crop(height, width, draws, rules):  # type: ignore[no-untyped-def]
    """Left, top, height and width of a random part; the middle square where no attempt fits.

    Args:
        height: of the whole, in pixels.
        width: of the whole.
        draws: (CROP_DRAWS,) in 0..1: ratios, areas, and the place.
        rules: ranges of area and ratio.
    """
    low, high = np.log(rules.aspect_low), np.log(rules.aspect_high)
    for k in range(ATTEMPTS):
        aspect = np.exp(low + draws[k] * (high - low))
        share = rules.area_low + draws[ATTEMPTS + k] * (rules.area_high - rules.area_low)
        w = int(np.rint(np.sqrt(share * height * width * aspect)))
        h = int(np.rint(np.sqrt(share * height * width / aspect)))
        if h <= height and w <= width:
            left, top = int(draws[-2] * (width - w + 1)), int(draws[-1] * (height - h + 1))
            return left, top, h, w
    side = min(height, width)
    return (width - side) // 2, (height - side) // 2, side, side


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def map_frame(box, frame_h, frame_w, test_h, test_w, size_h, size_w, draws, rules, to):  # type: ignore[no-untyped-def]
    """Where the picture lies on the map: `(pixel - to[:2]) * to[2:]`, x and y.

    Args:
        box: as in `person_crop`, as are the frame's sizes.
        frame_h: see there.
        frame_w: see there.
        test_h: height of a map in evaluation, width likewise; in training the crop's short side first
            becomes the shorter of them.
        test_w: see there.
        size_h: height of a map in training, width likewise.
        size_w: see there.
        draws: (CROP_DRAWS,) of training, or none in evaluation.
        rules: of the crop.
        to: (4,) float64, written.
    """
    training = len(draws) > 0
    ratio = size_h / size_w if training else test_h / test_w
    left, top, h, w = person_crop(box, frame_h, frame_w, ratio, rules)
    to[0], to[1] = left, top
    if not training and not rules.middle:
        to[2], to[3] = test_w / w, test_h / h
        return
    scale = min(test_h, test_w) / min(h, w)
    new_h, new_w = int(h * scale + 0.5), int(w * scale + 0.5)
    to[2], to[3] = new_w / w, new_h / h
    if training:
        x, y, part_h, part_w = random_crop(new_h, new_w, draws, rules)
    else:
        x, y, part_h, part_w = (new_w - test_w) // 2, (new_h - test_h) // 2, size_h, size_w
    to[0] += x / to[2]
    to[1] += y / to[3]
    if training:
        to[2] *= size_w / part_w
        to[3] *= size_h / part_h


def map_frame_of(
    box: NDArray[np.float64],
    frame_hw: tuple[int, int],
    *,
    size_hw: tuple[int, int],
    test_hw: tuple[int, int],
    draws: NDArray[np.float64] | None,
    rules: CropRules,
) -> NDArray[np.float64]:
    """(4,) x and y to subtract, x and y to multiply with; see `map_frame`. `draws` None is evaluation."""
    to = np.empty(4)
    given = np.empty(0) if draws is None else draws
    map_frame(box, *frame_hw, *test_hw, *size_hw, given, rules, to)
    return to
