"""The first half of the graph kernel: the frames that a row needs, placed in a small table.

A row is one view of one clip. Its frames are normalised and augmented by one map and lie in the table as
four numbers a joint: the place (NaN where the joint is missing), the score where it is wanted, and nothing.
`graph_streams` makes every stream from entries of that table.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from skeleton_models.augment import NEAREST, NOISE_MEAN, NOISE_SCALE, Stream
from skeleton_models.lanes import GROUP, LANES, affine, hold, place_2, place_3
from skeleton_models.random_keys import bits_at, stream_base, uniform_at

_JITTER, _BLOCK = np.uint64(Stream.JITTER), np.uint64(Stream.BLOCK)
_SHIFT = 3 * LANES  # where a map's column for the shift begins


class Options(NamedTuple):
    """What is the same for all rows.

    Attributes:
        mirror: (V,) int64.
        pairs: (P, V) int64, kinds of bones: the joint that is subtracted from each joint.
        kind: (S,) int64, what each stream shows: 0 joints, 1 + p the bones of kind p.
        moves: (S,) bool, the streams that are differences along time.
        moving: whether one of them is.
        four: whether they are joint, bone and the motion of both, in this order.
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
    moving: bool
    four: bool
    min_score: np.float32
    confidence: bool
    fill: bool
    clip_motion: bool
    between: bool
    stretch_box: bool


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def place_frames(  # type: ignore[no-untyped-def]
    row, clip, person, packed, anchors, drawn, options, keys, position, noise, maps, order, done, table
):
    """Normalise and augment the frames that are needed into table, flat (frames, V, 4).

    A joint p becomes `linear @ q / (1 + tilt @ q) + shift` with q = p - origin; normalisation and draw
    together make one such map.

    Args:
        row: of the batch; its draw, and its key where there is one.
        clip: whose arrays and anchors they are.
        person: of the clip.
        packed: the clips.
        anchors: of the clips.
        drawn: of the rows.
        options: of all.
        keys: (rows,) uint64; not read where nothing is random.
        position: (T,) float64, frames among those that count.
        noise: what `compose` returned.
        maps: columns, origin and tilt that `compose` filled.
        order: mirror, keep and spare of `place_frame`.
        done: (frames,) bool, scratch.
        table: (frames * V * 4,) float32, written.
    """
    count, joints, channels = anchors.count[clip], len(options.mirror), packed.xyz.shape[1]
    _mark_needed(count, drawn.reverse[row], options, position, done)
    columns, origin, tilt = maps
    own = packed.start[clip]
    begins = np.empty(count, np.int64)  # the row of the clips that each frame begins with
    for t in range(count):
        frame = anchors.frame_map[anchors.frame_start[clip] + t] if len(anchors.frame_map) else t
        begins[t] = own + (person * packed.frames[clip] + frame) * joints if done[t] else -1
    late = options.fill and options.stretch_box  # missing joints take no part in the box
    blank = np.float32(0.0 if options.fill and not late else np.nan)
    xyz, places = packed.xyz.reshape(-1), begins
    if noise > 0 or tilt[0] != 0 or tilt[1] != 0:
        base = stream_base(keys[row], _JITTER) if noise > 0 else np.uint64(0)
        origin = origin.copy()
        xyz, places = _disturb(xyz, begins, joints, channels, origin, noise, base, own, tilt)
    for t in range(count):
        if begins[t] >= 0:
            place_frame(
                xyz, packed.score, places[t], begins[t], channels, options.min_score, blank, origin, columns,
                order, table, t * joints * LANES,
            )  # fmt: skip
    if options.stretch_box:
        _stretch(table[: count * joints * LANES].reshape(-1, LANES), channels, late)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _mark_needed(count, reverse, options, position, done):  # type: ignore[no-untyped-def]
    """Set done (count,) where a frame is sampled, or is the neighbour of one that is."""
    done[:count] = options.stretch_box
    step = (-1 if reverse else 1) if options.clip_motion and options.moving else 0
    below, above = min(step, 0), max(step, 0) + (1 if options.between else 0)
    for i in range(len(position)):
        t = int(position[i])
        for k in range(max(t + below, 0), min(t + above + 1, count)):
            done[k] = True


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def compose(row, clip, anchors, drawn, scored, columns, origin, tilt):  # type: ignore[no-untyped-def]
    """A row's map into columns (of `lanes.affine`), origin (C,) and tilt (C,); what a unit of noise moves."""
    matrix, unit = anchors.matrix[clip], anchors.unit[clip]
    channels = len(matrix)
    columns[:] = 0.0
    if channels == 2 and scored:
        columns[2 * LANES + 2] = 1.0  # the score travels as a third coordinate
    for c in range(channels):
        origin[c] = anchors.origin[clip, c]
        if drawn.axis[row] == c:
            continue  # the axis stays 0
        columns[_SHIFT + c] = drawn.shift[row, c]
        if unit > 0:  # the result goes back to the clip's own units
            columns[_SHIFT + c] = drawn.shift[row, c] * unit + anchors.origin[clip, c]
        for k in range(channels):
            value = 0.0
            for i in range(channels):
                value += drawn.linear[row, c, i] * matrix[i, k]
            columns[k * LANES + c] = value * unit if unit > 0 else value
    for k in range(channels):
        value = 0.0
        for i in range(channels):
            value += drawn.perspective[row, i] * matrix[i, k]
        tilt[k] = value
    if drawn.jitter == 0:
        return np.float32(0.0)
    area = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    if channels == 3:  # the determinant of a turn about the vertical, scaled, or of any other map
        area = 0.0
        for c in range(3):
            d, e = (c + 1) % 3, (c + 2) % 3
            area += matrix[0, c] * (matrix[1, d] * matrix[2, e] - matrix[1, e] * matrix[2, d])
    return np.float32(drawn.jitter / np.abs(area) ** (1.0 / channels))


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def place_frame(  # type: ignore[no-untyped-def]
    xyz, score, from_place, from_score, channels, min_score, blank, origin, columns, order, table, to
):
    """One frame into table from `to` on, four numbers a joint.

    Of order, mirror (V,) is empty where joints keep their places, and so is keep (V,) where none is
    dropped; spare (V * 4,) is scratch.
    """
    mirror, keep, spare = order
    joints = len(spare) // LANES
    into, start = (spare, 0) if len(mirror) else (table, to)
    _place_groups(
        xyz, score, from_place, from_score, channels, min_score, blank, origin, columns, joints, into, start
    )
    for j in range(len(mirror)):
        for c in range(LANES):
            table[np.uint64(to + j * LANES + c)] = spare[np.uint64(mirror[j] * LANES + c)]
    for j in range(len(keep)):
        if not keep[j]:
            for c in range(LANES):
                table[to + j * LANES + c] = blank if c < channels else np.float32(0.0)


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _place_groups(  # type: ignore[no-untyped-def]
    xyz, score, from_place, from_score, channels, min_score, blank, origin, columns, joints, table, to
):
    """As `place_frame`, with every joint in its own place; the last group begins early enough to fit."""
    at = hold(origin, 0)
    of_x, of_y, of_z, of_1 = hold(columns, 0), hold(columns, 4), hold(columns, 8), hold(columns, 12)
    for j in range(joints if joints < GROUP else 0):
        i, point, certainty = to + j * LANES, (from_place + j) * channels, score[from_score + j]
        if certainty > min_score:
            z = xyz[point + 2] - origin[2] if channels == 3 else certainty
            affine(table, i, xyz[point] - origin[0], xyz[point + 1] - origin[1], z, of_x, of_y, of_z, of_1)
        else:
            table[i : i + channels] = blank
        if channels == 3 or not certainty > min_score:
            table[i + channels] = certainty
    if joints < GROUP:
        return
    for begin in range(0, joints, GROUP):
        j = min(begin, joints - GROUP)
        i, point, scored = to + j * LANES, (from_place + j) * channels, from_score + j
        if channels == 2:
            place_2(table, i, xyz, point, score, scored, at, of_x, of_y, of_z, of_1, min_score, blank)
        else:
            place_3(table, i, xyz, point, score, scored, at, of_x, of_y, of_z, of_1, min_score, blank)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _disturb(xyz, begins, joints, channels, origin, noise, base, own, tilt):  # type: ignore[no-untyped-def]
    """Noise and perspective: the joints of the frames that are needed, flat, and each frame's first row.

    Noise is drawn by a joint's number within its own clip, so the other clips of the batch do not move it.
    """
    points, places = np.empty(len(begins) * joints * channels, np.float32), np.empty_like(begins)
    for t in range(len(begins)):
        places[t] = t * joints
        for j in range(joints if begins[t] >= 0 else 0):
            at, to = (begins[t] + j) * channels, (t * joints + j) * channels
            depth = np.float32(1.0)
            for c in range(channels):
                points[to + c] = xyz[at + c] - origin[c]
                if noise > 0:
                    points[to + c] += noise * _noise(bits_at(base, np.uint64(at - own * channels + c)))
                depth += tilt[c] * points[to + c]
            depth = max(depth, np.float32(NEAREST))
            for c in range(channels):
                points[to + c] /= depth
    origin[:] = 0.0
    return points, places


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _noise(word):  # type: ignore[no-untyped-def]
    """One number of `augment.noise`."""
    low, total = np.uint64(0xFFFF), np.uint64(0)
    for k in range(4):
        total += (word >> np.uint64(16 * k)) & low
    return np.float32((np.float64(total) - NOISE_MEAN) * NOISE_SCALE)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _stretch(points, channels, fill):  # type: ignore[no-untyped-def]
    """Stretch the box of all points (rows, 4) to -1..1 along each axis; an axis without extent becomes 0.

    With `fill`, missing joints are put at 0 afterwards.
    """
    for c in range(channels):
        low, high = np.float32(np.inf), np.float32(-np.inf)
        for k in range(len(points)):
            low, high = min(low, points[k, c]), max(high, points[k, c])
        scale = np.float32(2.0) / (high - low) if high > low else np.float32(0.0)
        middle = (low + high) / np.float32(2.0)
        for k in range(len(points)):
            value = (points[k, c] - middle) * scale
            points[k, c] = np.float32(0.0) if fill and value != value else value


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def look_up(  # type: ignore[no-untyped-def]
    row, count, drawn, options, keys, position, table, at, after
):
    """Fill at (T,) and after (T,): each frame's place in the table, and that of what follows; -1 for none.

    Frames between two of the clip are blended into the table behind the clip's `count` frames, and copies
    of frames that lack a block of joints come behind those.
    """
    length, joints = len(position), len(options.mirror)
    step = -1 if drawn.reverse[row] else 1
    for i in range(length):
        if options.between:
            at[i] = count + i
            _blend(table, position[i], count, joints, at[i])
        else:
            at[i] = int(position[i])
        if options.clip_motion:
            after[i] = -1
            if 0 <= position[i] + step <= count - 1:
                after[i] = at[i] + step
                if options.between:
                    after[i] = count + length + i
                    _blend(table, position[i] + step, count, joints, after[i])
    if not options.clip_motion:
        after[:-1] = at[1:]
        after[length - 1] = -1
    if drawn.block_share[row] > 0:
        _block(row, count + 2 * length, drawn, options, keys, table, at, after)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _blend(table, position, count, joints, to):  # type: ignore[no-untyped-def]
    """Entry `to` is the frame at a position between two; where a joint misses one, it is the other's."""
    low, size = int(position), joints * LANES
    high, share = min(low + 1, count - 1), np.float32(position - low)
    for k in range(size):
        a, b = table[low * size + k], table[high * size + k]
        if np.isnan(a):
            table[to * size + k] = b
        else:
            table[to * size + k] = a if np.isnan(b) else a + share * (b - a)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _block(row, free, drawn, options, keys, table, at, after):  # type: ignore[no-untyped-def]
    """Copies of the frames that are in the block, without the joints that are, at the table's free end."""
    base, size = stream_base(keys[row], _BLOCK), len(options.mirror) * LANES
    channels = drawn.shift.shape[1]
    blank = np.float32(0.0 if options.fill else np.nan)
    for i in range(len(at)):
        if uniform_at(base, np.uint64(i)) < drawn.block_share[row]:
            to = free + i
            table[to * size : (to + 1) * size] = table[at[i] * size : (at[i] + 1) * size]
            for j in range(len(options.mirror)):
                if drawn.block[row, j]:
                    joint = to * size + j * LANES
                    table[joint : joint + LANES] = 0.0
                    table[joint : joint + channels] = blank
            at[i] = to
            if not options.clip_motion and i > 0:
                after[i - 1] = to
