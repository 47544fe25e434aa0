"""The kernel that writes joints, bones and their motion into a batch, straight from the packed clips.

For every row (one view of one clip) it places the frames that are needed in a small table in cache,
normalised and augmented, a missing joint as NaN; every stream is then a difference of entries of that
table, and NaN becomes 0 as it is written.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skeleton_models.augment import NEAREST, NOISE_MEAN, NOISE_SCALE, Draw, Stream
from skeleton_models.graph_normalise import Anchors
from skeleton_models.random_keys import bits_at, stream_base, uniform_at

_JITTER, _BLOCK = np.uint64(Stream.JITTER), np.uint64(Stream.BLOCK)


class Maps(NamedTuple):
    """Normalisation and augmentation of every row as one map.

    A joint p becomes `linear @ (p - origin) / (1 + perspective @ (p - origin)) + shift`.

    Attributes:
        linear: (rows, C, C) float32.
        origin: (rows, C) float32.
        shift: (rows, C) float32.
        perspective: (rows, C) float32.
        noise: (rows,) float32, what one unit of noise moves a coordinate by.
        flip: (rows,) bool.
        keep: (rows, V) bool.
        block: (rows, V) bool.
        block_share: (rows,) float64.
        reverse: (rows,) bool.
    """

    linear: NDArray[np.float32]
    origin: NDArray[np.float32]
    shift: NDArray[np.float32]
    perspective: NDArray[np.float32]
    noise: NDArray[np.float32]
    flip: NDArray[np.bool_]
    keep: NDArray[np.bool_]
    block: NDArray[np.bool_]
    block_share: NDArray[np.float64]
    reverse: NDArray[np.bool_]


class Options(NamedTuple):
    """What is the same for all rows.

    Attributes:
        mirror: (V,) int64.
        pairs: (P, V) int64, kinds of bones: the joint that is subtracted from each joint.
        kind: (S,) int64, what each stream shows: 0 joints, 1 + p the bones of kind p.
        moves: (S,) bool, the streams that are differences along time.
        min_score: joints up to this score are missing.
        confidence: each stream has the score as one more channel.
        fill: a missing joint is put at 0 before differences are taken, instead of after.
        clip_motion: motion is the step to the clip's next frame, instead of to the next sampled one.
        between: positions are not whole numbers.
        stretch_box: the clip's box is stretched to -1..1 after the augmentation.
    """

    mirror: NDArray[np.int64]
    pairs: NDArray[np.int64]
    kind: NDArray[np.int64]
    moves: NDArray[np.bool_]
    min_score: np.float32
    confidence: bool
    fill: bool
    clip_motion: bool
    between: bool
    stretch_box: bool


def compose(anchors: Anchors, drawn: Draw) -> Maps:
    """One map for each row, out of its clip's anchors and its draw (rows of both already repeated)."""
    linear = drawn.linear @ anchors.matrix  # (rows, C, C)
    perspective = (drawn.perspective[:, None] @ anchors.matrix)[:, 0]  # (rows, C)
    shift = drawn.shift
    scaled = anchors.unit > 0  # the result goes back to the clip's own units
    unit = np.where(scaled, anchors.unit, 1.0)
    if scaled.any():
        linear = linear * unit[:, None, None]
        shift = shift * unit[:, None] + np.where(scaled[:, None], anchors.origin, 0.0)
    dropped = np.flatnonzero(drawn.axis >= 0)
    if len(dropped):
        shift, axis = shift.copy(), drawn.axis[dropped]
        linear[dropped, axis] = 0.0
        shift[dropped, axis] = 0.0
    scale = np.abs(np.linalg.det(anchors.matrix)) ** (1.0 / linear.shape[1]) if drawn.jitter else 1.0
    return Maps(
        linear=linear.astype(np.float32),
        origin=anchors.origin.astype(np.float32),
        shift=shift.astype(np.float32),
        perspective=perspective.astype(np.float32),
        noise=np.broadcast_to(drawn.jitter / scale, len(linear)).astype(np.float32),
        flip=drawn.flip,
        keep=drawn.keep,
        block=drawn.block,
        block_share=drawn.block_share,
        reverse=drawn.reverse,
    )


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def write_rows(  # type: ignore[no-untyped-def]
    begin, end, views, packed, anchors, maps, options, keys, positions, x
):
    """Write rows begin..end - 1 of x (rows, M, T, V, C).

    Args:
        begin: first row.
        end: the row after the last.
        views: rows a clip.
        packed: the clips.
        anchors: of the clips.
        maps: of the rows.
        options: of all.
        keys: (rows,) uint64, for noise and blocks; not read where there are none.
        positions: (rows, T) float64, frames among those that count.
        x: (rows, M, T, V, C) float32.
    """
    length, joints, channels = x.shape[2], x.shape[3], packed.xyz.shape[1]
    depth = channels + (1 if options.confidence else 0)
    at, after = np.empty(length, np.int64), np.empty(length, np.int64)
    most = anchors.count.max()  # frames of a clip; behind them lie blended and blocked ones
    table = np.empty((1 + len(options.pairs), most + 3 * length, joints, depth), np.float32)
    done = np.empty(table.shape[1], np.bool_)
    for row in range(begin, end):
        clip = row // views
        count = anchors.count[clip]
        for slot in range(x.shape[1]):
            person = anchors.order[clip, slot]
            if person < 0:
                x[row, slot] = 0.0
                continue
            placed = table[0]
            _place_frames(
                row, clip, person, packed, anchors, maps, options, keys, positions[row], done, placed
            )
            _look_up(positions[row], count, maps.reverse[row], options, placed, at, after)
            if maps.block_share[row] > 0:
                _block(row, count + 2 * length, maps, options, keys, placed, at, after)
            if len(options.pairs):
                _add_bones(table, at, after, options.pairs, channels, done)
            _write_streams(table, at, after, options.kind, options.moves, channels, x[row, slot])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_frames(  # type: ignore[no-untyped-def]
    row, clip, person, packed, anchors, maps, options, keys, position, done, table
):
    """Normalise and augment the frames that are needed into table (frames, V, C + 1)."""
    count, joints, channels = anchors.count[clip], table.shape[1], packed.xyz.shape[1]
    _mark_needed(row, count, maps, options, position, done)
    first = packed.start[clip] + person * packed.frames[clip] * joints
    begins = np.empty(count, np.int64)  # the row of the clips that each frame begins with
    for t in range(count):
        source = anchors.frame_map[anchors.frame_start[clip] + t] if len(anchors.frame_map) else t
        begins[t] = first + source * joints
    origins = np.arange(joints)
    if maps.flip[row]:
        origins = options.mirror
    linear, origin, shift = maps.linear[row], maps.origin[row], maps.shift[row]
    plain = maps.noise[row] == 0 and np.all(maps.perspective[row] == 0)
    if plain and channels == 2:
        _place_2d(packed.xyz, begins, origins, done, linear, origin, shift, table)
    elif plain:
        _place_3d(packed.xyz, begins, origins, done, linear, origin, shift, table)
    else:
        base = stream_base(keys[row], _JITTER) if maps.noise[row] > 0 else np.uint64(0)
        noise, perspective = maps.noise[row], maps.perspective[row]
        _place_freely(
            packed.xyz, begins, origins, done, linear, origin, shift, table,
            packed.start[clip], base, noise, perspective,
        )  # fmt: skip
    late = options.fill and options.stretch_box  # missing joints take no part in the box
    if options.min_score > 0 or options.confidence or options.fill or not np.all(maps.keep[row]):
        blank = np.float32(0.0 if options.fill and not late else np.nan)
        _hide(packed.score, begins, origins, done, maps.keep[row], options.min_score, channels, blank, table)
    if options.stretch_box:
        _stretch(table[:count], channels)
    if late:
        for t in range(count):
            for j in range(joints):
                if np.isnan(table[t, j, 0]):
                    table[t, j, :channels] = 0.0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _mark_needed(row, count, maps, options, position, done):  # type: ignore[no-untyped-def]
    """Set done (count,) where a frame is sampled, or is the neighbour of one that is."""
    done[:count] = options.stretch_box
    step = (-1 if maps.reverse[row] else 1) if options.clip_motion and options.moves.any() else 0
    below, above = min(step, 0), max(step, 0) + (1 if options.between else 0)
    for i in range(len(position)):
        t = int(position[i])
        for k in range(max(t + below, 0), min(t + above + 1, count)):
            done[k] = True


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_2d(xyz, begins, origins, done, linear, origin, shift, table):  # type: ignore[no-untyped-def]
    """The frames that are done into table (frames, V, C + 1), without noise and perspective."""
    a, b, c, d = linear[0, 0], linear[0, 1], linear[1, 0], linear[1, 1]
    ox, oy, sx, sy = origin[0], origin[1], shift[0], shift[1]
    for t in range(len(begins)):
        if done[t]:
            for j in range(len(origins)):
                at = begins[t] + origins[j]
                x, y = xyz[at, 0] - ox, xyz[at, 1] - oy
                table[t, j, 0] = a * x + b * y + sx
                table[t, j, 1] = c * x + d * y + sy


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_3d(xyz, begins, origins, done, linear, origin, shift, table):  # type: ignore[no-untyped-def]
    """As `_place_2d`, in three dimensions."""
    a, b, c, d, e, f = linear[0, 0], linear[0, 1], linear[0, 2], linear[1, 0], linear[1, 1], linear[1, 2]
    g, h, i = linear[2, 0], linear[2, 1], linear[2, 2]
    ox, oy, oz, sx, sy, sz = origin[0], origin[1], origin[2], shift[0], shift[1], shift[2]
    for t in range(len(begins)):
        if done[t]:
            for j in range(len(origins)):
                at = begins[t] + origins[j]
                x, y, z = xyz[at, 0] - ox, xyz[at, 1] - oy, xyz[at, 2] - oz
                table[t, j, 0] = a * x + b * y + c * z + sx
                table[t, j, 1] = d * x + e * y + f * z + sy
                table[t, j, 2] = g * x + h * y + i * z + sz


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_freely(  # type: ignore[no-untyped-def]
    xyz, begins, origins, done, linear, origin, shift, table, first, base, noise, perspective
):
    """As `_place_2d`, in any dimension, with noise (counted from the clip's row `first`) and perspective."""
    channels = xyz.shape[1]
    point = np.empty(channels, np.float32)
    for t in range(len(begins)):
        for j in range(len(origins) if done[t] else 0):
            at = begins[t] + origins[j]
            depth = np.float32(1.0)
            for c in range(channels):
                point[c] = xyz[at, c] - origin[c]
                if noise > 0:
                    point[c] += noise * _noise(bits_at(base, np.uint64((at - first) * channels + c)))
                depth += perspective[c] * point[c]
            depth = max(depth, np.float32(NEAREST))
            for c in range(channels):
                place = np.float32(0.0)
                for k in range(channels):
                    place += linear[c, k] * point[k]
                table[t, j, c] = place / depth + shift[c]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _hide(  # type: ignore[no-untyped-def]
    score, begins, origins, done, keep, min_score, channels, blank, table
):
    """Blank for joints that are dropped or too uncertain; all scores behind them where there is a place."""
    scored = table.shape[2] > channels
    for t in range(len(begins)):
        for j in range(len(origins) if done[t] else 0):
            value = score[begins[t] + origins[j]]
            if not (keep[j] and value > min_score):
                for c in range(channels):
                    table[t, j, c] = blank
            if scored:
                table[t, j, channels] = value if keep[j] else np.float32(0.0)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _noise(word):  # type: ignore[no-untyped-def]
    """One number of `augment.noise`."""
    low, total = np.uint64(0xFFFF), np.uint64(0)
    for k in range(4):
        total += (word >> np.uint64(16 * k)) & low
    return np.float32((np.float64(total) - NOISE_MEAN) * NOISE_SCALE)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _stretch(table, channels):  # type: ignore[no-untyped-def]
    """Stretch the box of all frames to -1..1 along each axis; an axis without extent becomes 0."""
    for c in range(channels):
        low, high = np.float32(np.inf), np.float32(-np.inf)
        for t in range(len(table)):
            for j in range(table.shape[1]):
                low, high = min(low, table[t, j, c]), max(high, table[t, j, c])
        scale = np.float32(2.0) / (high - low) if high > low else np.float32(0.0)
        middle = (low + high) / np.float32(2.0)
        for t in range(len(table)):
            for j in range(table.shape[1]):
                table[t, j, c] = (table[t, j, c] - middle) * scale


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _look_up(position, count, reverse, options, table, at, after):  # type: ignore[no-untyped-def]
    """Fill at (T,) and after (T,): each frame's place in the table, and that of what follows; -1 for none.

    Frames between two of the clip are blended into the table behind those of the clip.
    """
    length = len(position)
    step = -1 if reverse else 1
    for i in range(length):
        if options.between:
            at[i] = count + i
            _blend(table, position[i], count, at[i])
        else:
            at[i] = int(position[i])
        if options.clip_motion:
            after[i] = -1
            if 0 <= position[i] + step <= count - 1:
                after[i] = at[i] + step
                if options.between:
                    after[i] = count + length + i
                    _blend(table, position[i] + step, count, after[i])
    if not options.clip_motion:
        for i in range(length - 1):
            after[i] = at[i + 1]
        after[length - 1] = -1


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _blend(table, position, count, to):  # type: ignore[no-untyped-def]
    """Entry `to` is the frame at a position between two; where a joint misses one, it is the other's."""
    low = int(position)
    high, share = min(low + 1, count - 1), np.float32(position - low)
    for j in range(table.shape[1]):
        for c in range(table.shape[2]):
            a, b = table[low, j, c], table[high, j, c]
            if np.isnan(a):
                table[to, j, c] = b
            else:
                table[to, j, c] = a if np.isnan(b) else a + share * (b - a)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _block(row, free, maps, options, keys, table, at, after):  # type: ignore[no-untyped-def]
    """Copies of the frames that are in the block, without the joints that are, at the table's free end."""
    base = stream_base(keys[row], _BLOCK)
    channels = table.shape[2] - (1 if options.confidence else 0)
    for i in range(len(at)):
        if uniform_at(base, np.uint64(i)) < maps.block_share[row]:
            to = free + i
            for j in range(table.shape[1]):
                table[to, j] = table[at[i], j]
                if maps.block[row, j]:
                    table[to, j] = 0.0
                    table[to, j, :channels] = 0.0 if options.fill else np.nan
            at[i] = to
            if not options.clip_motion and i > 0:
                after[i - 1] = to


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_bones(table, at, after, pairs, channels, done):  # type: ignore[no-untyped-def]
    """Bones of every frame that is looked at into table (1 + P, frames, V, C + 1), behind the joints."""
    done[:] = False
    for i in range(len(at)):
        done[at[i]] = True
        if after[i] >= 0:
            done[after[i]] = True
    for t in range(len(done)):
        if done[t]:
            places = table[0, t]
            for p in range(len(pairs)):
                bones = table[1 + p, t]
                for j in range(bones.shape[0]):
                    k = pairs[p, j]
                    bones[j, 0] = places[j, 0] - places[k, 0]
                    bones[j, 1] = places[j, 1] - places[k, 1]
                    if channels == 3:
                        bones[j, 2] = places[j, 2] - places[k, 2]
                    for c in range(channels, bones.shape[1]):
                        bones[j, c] = (places[j, c] + places[k, c]) * np.float32(0.5)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write_streams(table, at, after, kind, moves, channels, x):  # type: ignore[no-untyped-def]
    """Entries of table (1 + P, frames, V, C), or steps from one to the next, into x (T, V, S * C).

    The same loop for each usual number of channels, which the compiler unrolls; a single stream without
    scores is one run of numbers. Indices are unsigned: that spares a test for negative ones.
    """
    depth, joints = table.shape[3], table.shape[2]
    out, whole = x.reshape(-1), len(kind) == 1 and (depth == channels or not moves[0])
    for s in range(len(kind)):
        source = table[kind[s]].reshape(-1)
        offset, width = s * depth, len(kind) * depth
        if whole and moves[s]:
            _write_steps(source, at, after, 1, joints * depth, joints * depth, offset, joints * width, out)
        elif whole:
            _write_places(source, at, 1, joints * depth, offset, joints * width, out)
        elif moves[s] and depth == 2 and channels == 2:
            _write_steps(source, at, after, joints, 2, 2, offset, width, out)
        elif moves[s] and depth == 3 and channels == 3:
            _write_steps(source, at, after, joints, 3, 3, offset, width, out)
        elif moves[s] and depth == 3:
            _write_steps(source, at, after, joints, 2, 3, offset, width, out)
        elif moves[s]:
            _write_steps(source, at, after, joints, channels, depth, offset, width, out)
        elif depth == 2:
            _write_places(source, at, joints, 2, offset, width, out)
        elif depth == 3:
            _write_places(source, at, joints, 3, offset, width, out)
        else:
            _write_places(source, at, joints, depth, offset, width, out)


@njit(nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _write_places(source, at, joints, depth, offset, width, out):  # type: ignore[no-untyped-def]
    """Joints or bones (frames * V * depth,) into every `width` numbers of out from `offset` on, 0 for NaN."""
    zero = np.float32(0.0)
    to = np.uint64(offset)
    for i in range(len(at)):
        here = np.uint64(at[i] * joints * depth)
        for _ in range(joints):
            for c in range(np.uint64(depth)):
                value = source[here + c]
                out[to + c] = value if value == value else zero
            here += np.uint64(depth)
            to += np.uint64(width)


@njit(nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _write_steps(  # type: ignore[no-untyped-def]
    source, at, after, joints, channels, depth, offset, width, out
):
    """Their steps, likewise; the channels from `channels` on are scores, and averaged."""
    zero, half = np.float32(0.0), np.float32(0.5)
    to = np.uint64(offset)
    for i in range(len(at)):
        here, then = np.uint64(at[i] * joints * depth), np.uint64(max(after[i], 0) * joints * depth)
        moved = np.float32(1.0 if after[i] >= 0 else 0.0)
        for _ in range(joints):
            for c in range(np.uint64(channels)):
                value = (source[then + c] - source[here + c]) * moved
                out[to + c] = value if value == value else zero
            for c in range(np.uint64(channels), np.uint64(depth)):
                out[to + c] = (source[then + c] + source[here + c]) * half * moved
            here += np.uint64(depth)
            then += np.uint64(depth)
            to += np.uint64(width)
