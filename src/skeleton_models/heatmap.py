"""Joints and limbs as Gaussian volumes, written once and straight into the batch: PoseC3D's input.

Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022, section 3.2. Each map is cleared right
before it is drawn, while it is in the cache, so the batch crosses the memory bus once. A joint's Gaussian is
the product of one along x and one along y; `_exp` is a polynomial that the compiler turns into vector
instructions. Axis letters: N rows, M persons, T frames, V joints, L limbs, H, W.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload
from numpy.typing import NDArray

from poses.layout import Layout

LIMB_REACH = 14.5  # a limb ends where it has fallen to exp(-14.5), 5e-7
LANES = 8  # pixels of a row that are computed together
UINT8_SCALE = 255.0  # uint8 volumes hold round(255 * value)


class Drawing(NamedTuple):
    """What is drawn, and how.

    Attributes:
        pairs: (C, 2) int64, the joints of each map; twice the same for a joint's own.
        mirror: (C,) int64, each map's counterpart in the mirror image.
        sigma: of the Gaussians, in pixels of the map.
        min_score: what scores less is not drawn.
    """

    pairs: NDArray[np.int64]
    mirror: NDArray[np.int64]
    sigma: np.float32
    min_score: np.float32


def joint_drawing(layout: Layout, sigma: float = 0.6, min_score: float = 1e-3) -> Drawing:
    """A map for each joint."""
    joints = np.arange(len(layout.joints))
    return _drawing(np.stack([joints, joints], axis=1), np.array(layout.mirror), sigma, min_score)


def limb_drawing(
    layout: Layout,
    sigma: float = 0.6,
    min_score: float = 1e-3,
    limbs: Sequence[tuple[int, int]] | None = None,
) -> Drawing:
    """A map for each limb of the layout, or for each of `limbs`.

    Raises:
        ValueError: no limbs, a limb of one joint, or limbs whose mirror image is not among them.
    """
    pairs = [tuple(limb) for limb in (layout.limbs if limbs is None else limbs)]
    place = {frozenset(pair): index for index, pair in enumerate(pairs)}
    mirror = [place.get(frozenset((layout.mirror[a], layout.mirror[b]))) for a, b in pairs]
    if not pairs or any(len(set(pair)) != 2 for pair in pairs) or None in mirror:
        raise ValueError(
            f"limbs of layout {layout.name!r} must each join two joints and come with their mirror images, "
            f"got {pairs}"
        )
    return _drawing(np.array(pairs), np.array(mirror), sigma, min_score)


def _drawing(pairs: NDArray[Any], mirror: NDArray[Any], sigma: float, min_score: float) -> Drawing:
    if not (sigma > 0 and min_score > 0):
        raise ValueError(f"sigma and min_score must be above 0, got {sigma} and {min_score}")
    return Drawing(
        np.ascontiguousarray(pairs, np.int64),
        np.ascontiguousarray(mirror, np.int64),
        np.float32(sigma),
        np.float32(min_score),
    )


def render(
    points: NDArray[np.float32],
    drawing: Drawing,
    out: NDArray[Any],
    *,
    target: NDArray[np.int64] | None = None,
    mirrored: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> None:
    """Draw every row of points into its volume.

    Several persons share a map: the highest value wins, as in PYSKL and MMAction2. A Gaussian is cut off
    beyond 3 sigma by their rule, `int(x - 3 * sigma)` up to `int(x + 3 * sigma)`, in float32. A limb falls
    off with the distance to the segment between its joints; the lower of their scores is its height; one
    shorter than a pixel is its first joint.

    Args:
        points: (N, M, T, V, 3) x and y in pixels of the map, and score; NaN only where the score is 0.
        drawing: of which joints or limbs.
        out: (rows, C, T, H, W), contiguous; float32, float16 (rounded to the nearest) or uint8
            (`UINT8_SCALE` times the value, rounded). Every map of a target row is written whole.
        target: (N,) the row of `out` for each row of points; in order if None.
        mirrored: (N,) where its mirror image goes, left and right maps exchanged; -1 for nowhere.
        threads: that share the rows.

    Raises:
        ValueError: shapes or types that do not fit; rows that `out` does not have.
    """
    rows = len(points)
    target = np.arange(rows) if target is None else target
    mirrored = np.full(rows, -1, np.int64) if mirrored is None else mirrored
    _check(points, drawing, out, target, mirrored)
    # Kernels write bits: numba has no halves, and numbers from 0 up are in the order of their bits.
    bits = {np.float32: np.uint32, np.float16: np.uint16}.get(out.dtype.type, np.uint8)
    out = out.view(bits)
    arguments = (np.ascontiguousarray(points, np.float32), drawing, target, mirrored, out)
    if min(threads, rows) <= 1:
        _write_rows(0, rows, *arguments)
        return
    bounds = [rows * k // threads for k in range(threads + 1)]
    parts = [thread_pool(threads).submit(_write_rows, a, b, *arguments) for a, b in pairwise(bounds)]
    for part in parts:
        part.result()


def _check(
    points: NDArray[np.float32],
    drawing: Drawing,
    out: NDArray[Any],
    target: NDArray[np.int64],
    mirrored: NDArray[np.int64],
) -> None:
    joints = int(drawing.pairs.max()) + 1
    if points.ndim != 5 or points.shape[3] < joints or points.shape[4] != 3:
        raise ValueError(f"points must be (rows, persons, frames, joints >= {joints}, 3), got {points.shape}")
    if out.ndim != 5 or out.shape[1:3] != (len(drawing.pairs), points.shape[2]):
        raise ValueError(
            f"out must be (rows, {len(drawing.pairs)}, {points.shape[2]}, height, width), got {out.shape}"
        )
    if out.dtype not in (np.float32, np.float16, np.uint8) or not out.flags.c_contiguous:
        raise ValueError(f"out must be contiguous float32, float16 or uint8, got {out.dtype}")
    if len(target) != len(points) or len(mirrored) != len(points):
        raise ValueError(f"expected a target and a mirrored row for each of {len(points)} rows of points")
    if len(points) and not (
        target.min() >= 0 and mirrored.min() >= -1 and max(target.max(), mirrored.max()) < len(out)
    ):
        raise ValueError(f"target rows must lie in 0..{len(out) - 1}")


_POOLS: dict[tuple[int, int], ThreadPoolExecutor] = {}


def thread_pool(threads: int) -> ThreadPoolExecutor:
    """Threads of this process; a forked process makes its own."""
    key = (os.getpid(), threads)
    if key not in _POOLS:
        _POOLS[key] = ThreadPoolExecutor(threads, thread_name_prefix="heatmaps")
    return _POOLS[key]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write_rows(begin, end, points, drawing, target, mirrored, out):  # type: ignore[no-untyped-def]
    """Rows begin..end - 1 of points into out."""
    width = out.shape[4]
    wide = np.empty(LANES, np.float32)
    flat = out.reshape(out.shape[0], out.shape[1], out.shape[2], -1)  # (rows, C, T, H * W)
    for row in range(begin, end):
        to, back = target[row], mirrored[row]
        for c in range(len(drawing.pairs)):
            a, b = drawing.pairs[c]
            for t in range(points.shape[2]):
                _draw(points[row, :, t], a, b, drawing, width, False, wide, flat[to, c, t])
                if back >= 0:
                    twin = flat[back, drawing.mirror[c], t]
                    _draw(points[row, :, t], a, b, drawing, width, True, wide, twin)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _draw(points, a, b, drawing, width, flipped, wide, plane):  # type: ignore[no-untyped-def]
    """Joint a, or the limb from a to b, of everybody in a frame (M, V, 3) into plane (H * W,)."""
    plane[:] = 0  # one memset, after which the map is in the cache
    reach = np.float32(3.0) * drawing.sigma
    falloff = np.float32(1.0) / (np.float32(2.0) * drawing.sigma * drawing.sigma)
    for m in range(len(points)):
        start, end = points[m, a], points[m, b]
        value = min(start[2], end[2])
        if value >= drawing.min_score:
            dx, dy = np.float64(end[0]) - start[0], np.float64(end[1]) - start[1]
            if dx * dx + dy * dy < 1.0:
                _spot(plane, width, flipped, start[0], start[1], start[2], reach, falloff, wide)
            else:
                _limb(plane, width, flipped, start[0], start[1], end[0], end[1], value, reach, falloff, wide)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _exp(a):  # type: ignore[no-untyped-def]
    """exp(a) of a float32 at most 0, to 1e-7; not below 1e-12."""
    z = max(a * np.float32(1.4426950408889634), np.float32(-40.0))  # denormal numbers are slow
    whole = np.floor(z + np.float32(0.5))
    f = (z - whole) * np.float32(0.6931471805599453)  # -0.35..0.35: the Taylor series is short
    p = np.float32(1 / 720) + f * np.float32(1 / 5040)
    p = np.float32(1 / 120) + f * p
    p = np.float32(1 / 24) + f * p
    p = np.float32(1 / 6) + f * p
    p = np.float32(0.5) + f * p
    p = np.float32(1.0) + f * p
    p = np.float32(1.0) + f * p
    return p * np.int32((np.int32(whole) + 127) << 23).view(np.float32)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _spot(plane, width, flipped, x, y, value, reach, falloff, wide):  # type: ignore[no-untyped-def]
    """A Gaussian at x, y; `flipped` writes it into the mirrored columns."""
    height = len(plane) // width
    x_0, x_1 = max(int(x - reach), 0), min(int(x + reach) + 1, width)
    y_0, y_1 = max(int(y - reach), 0), min(int(y + reach) + 1, height)
    zero, step = (width - 1, -1) if flipped else (0, 1)
    begin, end = (width - x_1, width - x_0) if flipped else (x_0, x_1)
    for first in range(begin, end, LANES):
        at = max(min(first, width - LANES), 0)
        for i in range(LANES):
            d = np.float32(zero + step * (at + i)) - x
            number = _exp(-d * d * falloff) * value
            wide[i] = number if first <= at + i < end else np.float32(0.0)
        for y_here in range(y_0, y_1):
            d = np.float32(y_here) - y
            _put(plane, y_here * width + at, min(LANES, width), wide, _exp(-d * d * falloff))


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _limb(plane, width, flipped, x, y, x_end, y_end, value, reach, falloff, wide):  # type: ignore[no-untyped-def]
    """A Gaussian around the segment from x, y to x_end, y_end; arguments as in `_spot`."""
    height = len(plane) // width
    x_0, x_1 = max(int(min(x, x_end) - reach), 0), min(int(max(x, x_end) + reach) + 1, width)
    y_0, y_1 = max(int(min(y, y_end) - reach), 0), min(int(max(y, y_end) + reach) + 1, height)
    dx, dy = np.float64(x_end) - x, np.float64(y_end) - y
    length = np.sqrt(dx * dx + dy * dy)
    ux, uy = dx / length, dy / length
    steep = abs(dy) > 1e-3
    slope = dx / dy if steep else 0.0
    beside = np.sqrt(LIMB_REACH / falloff * (1.0 + slope * slope))
    zero, step = (width - 1, -1) if flipped else (0, 1)
    off_step, along_step = np.float32(step * uy), np.float32(step * ux)
    for y_here in range(y_0, y_1):
        from_y = np.float64(y_here) - y
        left, right = x_0, x_1
        if steep:  # what is farther beside the line has faded out
            middle = x + slope * from_y
            left = int(np.ceil(max(middle - beside, x_0)))
            right = int(np.floor(min(middle + beside, x_1 - 1))) + 1
        begin, end = (width - right, width - left) if flipped else (left, right)
        for first in range(begin, end, LANES):
            at = max(min(first, width - LANES), 0)
            from_x = np.float64(zero + step * at) - x
            off_0 = np.float32(from_x * uy - from_y * ux)  # beside the line; exact where it is near
            before_0 = np.float32(-from_x * ux - from_y * uy)  # in front of the start, behind the end
            behind_0 = np.float32(from_x * ux + from_y * uy - length)
            for i in range(LANES):
                off = off_0 + np.float32(i) * off_step
                along = np.float32(i) * along_step
                beyond = max(max(before_0 - along, behind_0 + along), np.float32(0.0))
                number = _exp(-(off * off + beyond * beyond) * falloff) * value
                wide[i] = number if first <= at + i < end else np.float32(0.0)
            _put(plane, y_here * width + at, min(LANES, width), wide, np.float32(1.0))


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _put(plane, at, count, wide, factor):  # type: ignore[no-untyped-def]
    """Raise `count` numbers of a plane, at most LANES, to factor * wide."""
    if count == LANES:
        for i in range(LANES):
            plane[at + i] = max(plane[at + i], _encode(wide[i] * factor, plane))
    else:
        for i in range(count):
            plane[at + i] = max(plane[at + i], _encode(wide[i] * factor, plane))


def _encode(value: np.float32, plane: NDArray[Any]) -> Any:
    """A value in 0..1 as a number of the plane's type; in kernels only."""
    raise NotImplementedError


@overload(_encode, inline="always")  # type: ignore[untyped-decorator]
def _encode_in_kernel(value, plane):  # type: ignore[no-untyped-def]
    if plane.dtype == types.uint32:
        return lambda value, plane: np.float32(value).view(np.uint32)
    if plane.dtype == types.uint8:
        return lambda value, plane: np.uint8(np.int32(value * np.float32(UINT8_SCALE) + np.float32(0.5)))
    return _half_bits


def _half_bits(value, plane):  # type: ignore[no-untyped-def]
    """The bits of the nearest float16 (ties to even): its exponent counts from 15, a float32's from 127.

    Below 2^-14, where halves are spaced evenly, it may be wrong by half of the value, 3e-5 at most.
    """
    bits = max(np.uint32(np.float32(value).view(np.uint32)), np.uint32((127 - 15) << 23))
    odd = np.uint32(bits >> np.uint32(13)) & np.uint32(1)
    return np.uint16(np.uint32(bits - np.uint32(((127 - 15) << 23) - 0x0FFF) + odd) >> np.uint32(13))
