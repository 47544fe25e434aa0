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
            for s in range(len(options.moves)):
                source = table[options.kind[s]]
                _write_stream(source, at, after, options.moves[s], channels, s * depth, x[row, slot])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_frames(  # type: ignore[no-untyped-def]
    row, clip, person, packed, anchors, maps, options, keys, position, done, table
):
    """Normalise and augment the frames that are needed into table (frames, V, C + 1)."""
    frames, count = packed.frames[clip], anchors.count[clip]
    joints, channels = table.shape[1], packed.xyz.shape[1]
    done[:count] = options.stretch_box
    ahead = 1 if options.between else 0
    step = (-1 if maps.reverse[row] else 1) if options.clip_motion and options.moves.any() else 0
    for i in range(len(position)):
        t = int(position[i])
        for k in range(max(t + min(step, 0), 0), min(t + ahead + max(step, 0) + 1, count)):
            done[k] = True
    plain = maps.noise[row] == 0 and np.all(maps.perspective[row] == 0)
    partial = options.min_score > 0 or not np.all(maps.keep[row])
    for t in range(count):
        if not done[t]:
            continue
        source = anchors.frame_map[anchors.frame_start[clip] + t] if len(anchors.frame_map) else t
        begin = packed.start[clip] + (person * frames + source) * joints
        if plain and channels == 2:
            _place_2d(row, begin, packed, maps, options.mirror, table[t])
        elif plain:
            _place_3d(row, begin, packed, maps, options.mirror, table[t])
        else:
            _place_freely(
                row, begin, begin - packed.start[clip], packed, maps, options.mirror, keys, table[t]
            )
        if partial or options.confidence:
            _hide(row, begin, packed, maps, options, table[t])
    if options.stretch_box:
        _stretch(table[:count], channels)
    if options.fill:
        for t in range(count):
            for j in range(joints):
                if done[t] and np.isnan(table[t, j, 0]):
                    table[t, j, :channels] = 0.0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_2d(row, begin, packed, maps, mirror, places):  # type: ignore[no-untyped-def]
    """One frame into places (V, C + 1): the joints from row `begin` of the clips, without perspective."""
    a, b = maps.linear[row, 0, 0], maps.linear[row, 0, 1]
    c, d = maps.linear[row, 1, 0], maps.linear[row, 1, 1]
    ox, oy, sx, sy = maps.origin[row, 0], maps.origin[row, 1], maps.shift[row, 0], maps.shift[row, 1]
    flip, xyz = maps.flip[row], packed.xyz
    for j in range(places.shape[0]):
        at = begin + (mirror[j] if flip else j)
        x, y = xyz[at, 0] - ox, xyz[at, 1] - oy
        places[j, 0] = a * x + b * y + sx
        places[j, 1] = c * x + d * y + sy


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_3d(row, begin, packed, maps, mirror, places):  # type: ignore[no-untyped-def]
    """As `_place_2d`, in three dimensions."""
    a, b, c = maps.linear[row, 0, 0], maps.linear[row, 0, 1], maps.linear[row, 0, 2]
    d, e, f = maps.linear[row, 1, 0], maps.linear[row, 1, 1], maps.linear[row, 1, 2]
    g, h, i = maps.linear[row, 2, 0], maps.linear[row, 2, 1], maps.linear[row, 2, 2]
    ox, oy, oz = maps.origin[row, 0], maps.origin[row, 1], maps.origin[row, 2]
    sx, sy, sz = maps.shift[row, 0], maps.shift[row, 1], maps.shift[row, 2]
    flip, xyz = maps.flip[row], packed.xyz
    for j in range(places.shape[0]):
        at = begin + (mirror[j] if flip else j)
        x, y, z = xyz[at, 0] - ox, xyz[at, 1] - oy, xyz[at, 2] - oz
        places[j, 0] = a * x + b * y + c * z + sx
        places[j, 1] = d * x + e * y + f * z + sy
        places[j, 2] = g * x + h * y + i * z + sz


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_freely(row, begin, first, packed, maps, mirror, keys, places):  # type: ignore[no-untyped-def]
    """As `_place_2d`, in any dimension, with noise and perspective; `first` counts rows within the clip."""
    linear, perspective, noise = maps.linear[row], maps.perspective[row], maps.noise[row]
    channels = packed.xyz.shape[1]
    base = stream_base(keys[row], _JITTER) if noise > 0 else np.uint64(0)
    point = np.empty(channels, np.float32)
    for j in range(len(places)):
        source = mirror[j] if maps.flip[row] else j
        depth = np.float32(1.0)
        for c in range(channels):
            point[c] = packed.xyz[begin + source, c] - maps.origin[row, c]
            if noise > 0:
                point[c] += noise * _noise(bits_at(base, np.uint64((first + source) * channels + c)))
            depth += perspective[c] * point[c]
        depth = max(depth, np.float32(NEAREST))
        for c in range(channels):
            place = np.float32(0.0)
            for k in range(channels):
                place += linear[c, k] * point[k]
            places[j, c] = place / depth + maps.shift[row, c]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _hide(row, begin, packed, maps, options, places):  # type: ignore[no-untyped-def]
    """NaN for joints of places (V, C + 1) that are dropped or too uncertain; their scores where wanted."""
    channels = packed.xyz.shape[1]
    for j in range(len(places)):
        score = packed.score[begin + (options.mirror[j] if maps.flip[row] else j)]
        kept = maps.keep[row, j]
        if not (kept and score > options.min_score):
            places[j, :channels] = np.nan
        if options.confidence:
            places[j, channels] = score if kept else np.float32(0.0)


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
                    for c in range(channels):
                        bones[j, c] = places[j, c] - places[k, c]
                    for c in range(channels, bones.shape[1]):
                        bones[j, c] = (places[j, c] + places[k, c]) * np.float32(0.5)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write_stream(source, at, after, moves, channels, offset, x):  # type: ignore[no-untyped-def]
    """Source (frames, V, C) or its steps into the channels of x (T, V, all C) from `offset` on.

    The same loop for each usual number of channels, which the compiler unrolls.
    """
    depth = source.shape[2]
    if depth == 2:
        _write_channels(source, at, after, moves, channels, offset, x, 2)
    elif depth == 3:
        _write_channels(source, at, after, moves, channels, offset, x, 3)
    else:
        _write_channels(source, at, after, moves, channels, offset, x, depth)


@njit(nogil=True, inline="always")  # type: ignore[untyped-decorator]
def _write_channels(source, at, after, moves, channels, offset, x, depth):  # type: ignore[no-untyped-def]
    """As `_write_stream`, with the number of channels told."""
    zero, half = np.float32(0.0), np.float32(0.5)
    for i in range(x.shape[0]):
        here, then = at[i], after[i]
        for j in range(x.shape[1]):
            for c in range(depth):
                value = source[here, j, c]
                if moves and then >= 0:
                    next_value = source[then, j, c]
                    value = next_value - value if c < channels else (next_value + value) * half
                elif moves:
                    value = zero
                x[i, j, offset + c] = zero if np.isnan(value) else value
