"""One map of a heatmap volume and its mirror image, drawn together: spots of joints, strokes of limbs.

Eight pixels of a row are computed at once (`heatmap_lanes`). Where people overlap, the greater value stays.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from skeleton_models.heatmap_lanes import (
    LANES,
    exp,
    lane,
    maximum,
    only,
    put,
    ramp,
    reverse,
    spread,
    turned,
)  # fmt: skip


class Page(NamedTuple):
    """The addresses of a map and of its mirror image, whether there is one, sides, bytes of a number."""

    plane: int
    twin: int
    mirrored: bool
    height: int
    width: int
    size: int


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def draw(page, points, row, t, a, b, min_score, reach, falloff, fade):  # type: ignore[no-untyped-def]
    """Joint a, or the limb from a to b, of everybody in frame t of a row of points, on an empty page.

    Returns the first and the last + 1 of the lines it drew on.
    """
    over, top, end = False, page.height, 0
    for m in range(points.shape[1]):
        x, y, score = points[row, m, t, a, 0], points[row, m, t, a, 1], points[row, m, t, a, 2]
        value = min(score, points[row, m, t, b, 2])
        if value >= min_score:
            x_end, y_end = points[row, m, t, b, 0], points[row, m, t, b, 1]
            dx, dy = np.float64(x_end) - x, np.float64(y_end) - y
            if dx * dx + dy * dy < 1.0:
                first, last = _spot(page, x, y, score, reach, falloff, over)
            else:
                first, last = _limb(page, x, y, x_end, y_end, value, reach, falloff, fade, over)
            over, top, end = True, min(top, first), max(end, last)
    return top, end


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _spot(page, x, y, value, reach, falloff, over):  # type: ignore[no-untyped-def]
    """A Gaussian at x, y; its lines."""
    x_0, x_1 = max(int(x - reach), 0), min(int(x + reach) + 1, page.width)
    y_0, y_1 = max(int(y - reach), 0), min(int(y + reach) + 1, page.height)
    steepness, height = spread(-falloff), spread(value)
    for first in range(x_0, x_1, LANES):
        at = max(min(first, page.width - LANES), 0)
        dx = spread(np.float32(at)) + ramp() - spread(x)
        wide = only(exp(dx * dx * steepness) * height, at, x_0, x_1)
        for top in range(y_0, y_1, LANES):
            dy = spread(np.float32(top)) + ramp() - spread(y)
            tall = exp(dy * dy * steepness)
            for i in range(min(LANES, y_1 - top)):
                _put_row(page, top + i, at, wide * spread(lane(tall, i)), over)
    return y_0, y_1


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _limb(page, x, y, x_end, y_end, value, reach, falloff, fade, over):  # type: ignore[no-untyped-def]
    """A Gaussian around the segment from x, y to x_end, y_end; nothing below exp(-fade). Its lines."""
    x_0, x_1 = max(int(min(x, x_end) - reach), 0), min(int(max(x, x_end) + reach) + 1, page.width)
    y_0, y_1 = max(int(min(y, y_end) - reach), 0), min(int(max(y, y_end) + reach) + 1, page.height)
    dx, dy = np.float64(x_end) - x, np.float64(y_end) - y
    length = np.sqrt(dx * dx + dy * dy)
    ux, uy = dx / length, dy / length
    steep = abs(dy) > 1e-3
    slope = dx / dy if steep else 0.0
    beside = np.sqrt(fade / falloff * (1.0 + slope * slope))
    steepness, height, nothing = spread(-falloff), spread(value), spread(np.float32(0.0))
    off_ramp, along_ramp = ramp() * spread(np.float32(uy)), ramp() * spread(np.float32(ux))
    for y_here in range(y_0, y_1):
        from_y = np.float64(y_here) - y
        left, right = x_0, x_1
        if steep:  # what is farther beside the line has faded out
            middle = x + slope * from_y
            left = int(np.ceil(max(middle - beside, x_0)))
            right = int(np.floor(min(middle + beside, x_1 - 1))) + 1
        for first in range(left, right, LANES):
            at = max(min(first, page.width - LANES), 0)
            from_x = np.float64(at) - x
            off = spread(np.float32(from_x * uy - from_y * ux)) + off_ramp  # beside the line
            along = from_x * ux + from_y * uy
            before = spread(np.float32(-along)) - along_ramp
            past = spread(np.float32(along - length)) + along_ramp
            beyond = maximum(maximum(before, past), nothing)
            lanes = exp((off * off + beyond * beyond) * steepness) * height
            _put_row(page, y_here, at, only(lanes, at, left, right), over)
    return y_0, y_1


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _put_row(page, y, at, lanes, over):  # type: ignore[no-untyped-def]
    """Lanes into columns at, at + 1, ... of row y, and into the mirror image."""
    count = min(LANES, page.width)
    row = y * page.width
    put(page.plane, page.size, row + at, lanes, count, over)
    if page.mirrored:
        image = reverse(lanes) if count == LANES else turned(lanes, count)
        put(page.twin, page.size, row + page.width - at - count, image, count, over)
