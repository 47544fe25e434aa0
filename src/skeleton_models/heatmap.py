"""Joints and limbs as Gaussian volumes, written once and straight into the batch: PoseC3D's input.

Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022, section 3.2. Each map is drawn on a
small desk that stays in the cache, and leaves it complete: the batch crosses the memory bus once. A joint's
Gaussian is the product of one along x and one along y; eight pixels of a row are computed at once
(`heatmap_lanes`). A mirror image is written with the same numbers. Axis letters: N rows, M persons, T
frames, V joints, L limbs, H, W.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from poses.layout import Layout
from skeleton_models.heatmap_lanes import LINE, clear, fetch, settle, stream
from skeleton_models.heatmap_page import Page, draw

# A limb ends where it has fallen to exp(-this), by bytes of a number: 5e-7, 2e-5, and what rounds to 0.
FADED = {4: 14.5, 2: 11.0, 1: 6.3}
# The limbs of pyskl's and MMAction2's published limb networks, in the order of their channels.
PYSKL_COCO_LIMBS = (
    (0, 5), (0, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (11, 13), (13, 15), (6, 12), (12, 14), (14, 16),
    (0, 1), (0, 2), (1, 3), (2, 4), (11, 12),
)  # fmt: skip
UINT8_SCALE = 255.0  # uint8 volumes hold round(255 * value)

AHEAD = 4  # maps: so long before it is drawn, one is asked for
CLEARED_BYTES = 2**16
STREAMED_BYTES = 2**26  # a smaller batch may still be in the cache when the network reads it


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
    drawn: NDArray[np.int16] | None = None,
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
        drawn: (rows, C, T, 2) which lines of each map of `out` may hold something, first and last + 1: only
            these are cleared, and then those of the new drawing noted. None if nothing is known of `out`.
        threads: that share the rows.

    Raises:
        ValueError: shapes or types that do not fit; rows that `out` does not have.
    """
    rows = len(points)
    target = np.arange(rows) if target is None else target
    mirrored = np.full(rows, -1, np.int64) if mirrored is None else mirrored
    _check(points, drawing, out, target, mirrored)
    if drawn is None:
        drawn = np.zeros((0, 0, 0, 2), np.int16)
    elif drawn.shape != (*out.shape[:3], 2) or drawn.dtype != np.int16:
        raise ValueError(f"drawn must be int16 {(*out.shape[:3], 2)}, got {drawn.dtype} {drawn.shape}")
    size = out.itemsize
    points = np.ascontiguousarray(points, np.float32)
    arguments = (out.shape, size, points, drawing, target, mirrored, drawn, FADED[size], out.ctypes.data)
    if min(threads, rows) <= 1:
        _write_part(0, rows, *arguments)
        return
    bounds = [rows * k // threads for k in range(threads + 1)]
    parts = [thread_pool(threads).submit(_write_part, a, b, *arguments) for a, b in pairwise(bounds)]
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


def _write_part(begin: int, end: int, shape: tuple[int, ...], size: int, *arguments: Any) -> None:
    """Rows begin..end - 1, with a desk of its own for a map and its mirror image."""
    desk = np.empty(2 * shape[3] * shape[4] * size + LINE, np.uint8)
    _write_rows(begin, end, shape, size, *arguments, desk.ctypes.data + -desk.ctypes.data % LINE)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write_rows(begin, end, shape, size, points, drawing, target, mirrored, drawn, fade, memory, desk):  # type: ignore[no-untyped-def]
    """Rows begin..end - 1 of points into the memory of a volume (rows, C, T, H, W); addresses of both."""
    channels, frames, height, width = shape[1], shape[2], shape[3], shape[4]
    reach = np.float32(3.0) * drawing.sigma
    falloff = np.float32(1.0) / (np.float32(2.0) * drawing.sigma * drawing.sigma)
    bytes_each = height * width * size
    streamed = memory % LINE == 0 and bytes_each % LINE == 0
    streamed &= shape[0] * channels * frames * bytes_each >= STREAMED_BYTES
    noted, line = len(drawn) > 0, width * size
    streamed &= not noted
    block = 1 if streamed else max(CLEARED_BYTES // bytes_each, 1)
    for row in range(begin, end):
        back = mirrored[row]
        for c in range(channels):
            a, b = drawing.pairs[c, 0], drawing.pairs[c, 1]
            for t in range(frames):
                plane = memory + ((target[row] * channels + c) * frames + t) * bytes_each
                twin = memory + ((back * channels + drawing.mirror[c]) * frames + t) * bytes_each
                on_plane, on_twin = (desk, desk + bytes_each) if streamed else (plane, twin)
                if noted:
                    _fetch_ahead(plane, points, drawing, row, c, t, drawn, target[row], shape, size, reach)
                    _wipe(plane, drawn, target[row], c, t, line)
                    if back >= 0:
                        _wipe(twin, drawn, back, drawing.mirror[c], t, line)
                elif t % block == 0:  # several maps at once, few enough to stay in the cache
                    some = min(block, frames - t) * bytes_each
                    clear(on_plane, some)
                    if back >= 0:
                        clear(on_twin, some)
                page = Page(on_plane, on_twin, back >= 0, height, width, size)
                top, end = draw(page, points, row, t, a, b, drawing.min_score, reach, falloff, fade)
                if noted:
                    drawn[target[row], c, t, 0], drawn[target[row], c, t, 1] = top, end
                    if back >= 0:
                        drawn[back, drawing.mirror[c], t, 0], drawn[back, drawing.mirror[c], t, 1] = top, end
                if streamed:
                    stream(plane, on_plane, bytes_each)
                    if back >= 0:
                        stream(twin, on_twin, bytes_each)
    settle()


@njit(nogil=True, cache=True, forceinline=True)  # type: ignore[untyped-decorator]
def _fetch_ahead(plane, points, drawing, row, c, t, drawn, to, shape, size, reach):  # type: ignore[no-untyped-def]
    """Ask for the memory that the map AHEAD of map c, t of row `to` will need.

    A batch is larger than the cache, and a few lines of each map are touched: waiting for them took longer
    than the drawing. What is asked for is what will be cleared, and where joint a is.
    """
    channels, frames, height, width = shape[1], shape[2], shape[3], shape[4]
    t += AHEAD
    if t >= frames:
        c, t = c + 1, t - frames
    if c >= channels or t >= frames:
        return
    line, a = width * size, drawing.pairs[c, 0]
    plane += AHEAD * height * line
    first, last = np.int64(drawn[to, c, t, 0]), np.int64(drawn[to, c, t, 1])
    for address in range(plane + first * line, plane + last * line, LINE):
        fetch(address)
    for m in range(points.shape[1]):
        if points[row, m, t, a, 2] >= drawing.min_score:
            x, y = points[row, m, t, a, 0], points[row, m, t, a, 1]
            left = min(max(int(x - reach), 0), width - 1)
            for top in range(max(int(y - reach), 0), min(int(y + reach) + 1, height)):
                fetch(plane + top * line + left * size)


@njit(nogil=True, cache=True, forceinline=True)  # type: ignore[untyped-decorator]
def _wipe(plane, drawn, row, c, t, line):  # type: ignore[no-untyped-def]
    """Zero the lines of a map that may hold something, `line` bytes each."""
    first, last = np.int64(drawn[row, c, t, 0]), np.int64(drawn[row, c, t, 1])
    if last > first:
        clear(plane + first * line, (last - first) * line)
