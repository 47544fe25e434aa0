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
        pairs: (S, V) int64, the joint that a stream subtracts from each joint; -1 for none.
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
    joints, length = x.shape[3], x.shape[2]
    depth = packed.xyz.shape[1] + (1 if options.confidence else 0)
    at, after = np.empty(length, np.int64), np.empty(length, np.int64)
    for row in range(begin, end):
        clip = row // views
        count = anchors.count[clip]
        table = np.empty((count + 3 * length, joints, depth), np.float32)
        for slot in range(x.shape[1]):
            person = anchors.order[clip, slot]
            if person < 0:
                x[row, slot] = 0.0
                continue
            _place_frames(row, clip, person, packed, anchors, maps, options, keys, positions[row], table)
            _look_up(positions[row], count, maps.reverse[row], options, table, at, after)
            if maps.block_share[row] > 0:
                _block(row, count + 2 * length, maps, options, keys, table, at, after)
            _write_streams(table, at, after, options, packed.xyz.shape[1], x[row, slot])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_frames(  # type: ignore[no-untyped-def]
    row, clip, person, packed, anchors, maps, options, keys, position, table
):
    """Normalise and augment the frames that are needed into table (frames, V, C + 1)."""
    frames, count = packed.frames[clip], anchors.count[clip]
    first = packed.start[clip] + person * frames * table.shape[1]
    done = np.zeros(count, np.bool_)
    ahead = 1 if options.between else 0
    step = (-1 if maps.reverse[row] else 1) if options.clip_motion else 0
    for i in range(len(position)):
        t = int(position[i])
        for k in range(t + min(step, 0), t + ahead + max(step, 0) + 1):
            if 0 <= k < count:
                done[k] = True
    if options.stretch_box:
        done[:] = True
    for t in range(count):
        if done[t]:
            source = anchors.frame_map[anchors.frame_start[clip] + t] if len(anchors.frame_map) else t
            _place_frame(row, first, source * table.shape[1], packed, maps, options, keys, table[t])
    if options.stretch_box:
        _stretch(table[:count], packed.xyz.shape[1])
    if options.fill:
        for t in range(count):
            for j in range(table.shape[1]):
                if done[t] and np.isnan(table[t, j, 0]):
                    table[t, j, : packed.xyz.shape[1]] = 0.0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_frame(row, first, frame, packed, maps, options, keys, places):  # type: ignore[no-untyped-def]
    """One frame of a person into places (V, C + 1); the frame begins `frame` rows after row `first`."""
    linear, origin = maps.linear[row], maps.origin[row]
    shift, perspective = maps.shift[row], maps.perspective[row]
    channels = packed.xyz.shape[1]
    flip, noise = maps.flip[row], maps.noise[row]
    flat = np.all(perspective == 0)
    base = stream_base(keys[row], _JITTER) if noise > 0 else np.uint64(0)
    point = np.empty(3, np.float32)
    for j in range(len(places)):
        source = frame + (options.mirror[j] if flip else j)
        at = first + source
        score = packed.score[at]
        if options.confidence:
            places[j, channels] = score
        if not (score > options.min_score and maps.keep[row, j]):
            places[j, :channels] = np.nan
            if options.confidence and not maps.keep[row, j]:
                places[j, channels] = 0.0
            continue
        for c in range(channels):
            point[c] = packed.xyz[at, c] - origin[c]
            if noise > 0:
                point[c] += noise * _noise(bits_at(base, np.uint64(at * channels + c)))
        near = np.float32(1.0)
        if not flat:
            near += perspective[0] * point[0] + perspective[1] * point[1]
            near = np.float32(1.0) / max(near, np.float32(NEAREST))
        if channels == 2:
            places[j, 0] = (linear[0, 0] * point[0] + linear[0, 1] * point[1]) * near + shift[0]
            places[j, 1] = (linear[1, 0] * point[0] + linear[1, 1] * point[1]) * near + shift[1]
        else:
            for c in range(3):
                place = linear[c, 0] * point[0] + linear[c, 1] * point[1] + linear[c, 2] * point[2]
                places[j, c] = place + shift[c]


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
def _write_streams(table, at, after, options, channels, x):  # type: ignore[no-untyped-def]
    """All streams of one person into x (T, V, C)."""
    depth = table.shape[2]
    half = np.float32(0.5)
    for i in range(len(at)):
        here, then = table[at[i]], table[max(after[i], 0)]
        for s in range(len(options.moves)):
            moves, pairs = options.moves[s], options.pairs[s]
            if moves and after[i] < 0:
                x[i, :, s * depth : (s + 1) * depth] = 0.0
                continue
            for j in range(table.shape[1]):
                pair = pairs[j]
                for c in range(depth):
                    value = here[j, c]
                    if c < channels:
                        if pair >= 0:
                            value -= here[pair, c]
                        if moves:
                            value = (then[j, c] - then[pair, c] if pair >= 0 else then[j, c]) - value
                        x[i, j, s * depth + c] = np.float32(0.0) if np.isnan(value) else value
                    else:
                        if pair >= 0:
                            value = (value + here[pair, c]) * half
                        if moves:
                            next_value = (then[j, c] + then[pair, c]) * half if pair >= 0 else then[j, c]
                            value = (value + next_value) * half
                        x[i, j, s * depth + c] = value
