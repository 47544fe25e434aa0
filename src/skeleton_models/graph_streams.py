"""The second half of the graph kernel: joints, bones and their motion, written into the batch.

For every row (one view of one clip) and person, `graph_placing` lays the frames that are needed in a small
table; every stream is then an entry of that table, or a step from one to another, and NaN becomes 0 as it
is written. The batch is written from its first number to its last: a single stream four joints at a time,
the usual four streams a joint at a time, others four numbers at a time, where a joint's last number or two
are then written over by those of the next.

What runs once a frame is inlined and counts no references (`_nrt`): an array that is passed to a function
costs a dozen words on the stack and counting it costs an atomic instruction, both more than a frame's work.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from skeleton_models.graph_placing import compose, look_up, place_frame, place_frames
from skeleton_models.lanes import (
    GROUP,
    LANES,
    hold,
    put,
    put_2,
    put_3,
    put_4,
    put_four_2,
    put_four_3,
    put_four_4,
    put_step,
    put_steps_2,
    put_steps_3,
    put_steps_4,
    show_2,
    show_2_scored,
    show_3,
    show_3_scored,
    step,
)

_NO_STEP = 2 * LANES  # where the scales begin that make nothing of a step


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def write_rows(  # type: ignore[no-untyped-def]
    begin, end, views, packed, anchors, drawn, options, keys, positions, x, place
):
    """Write rows begin..end - 1 of x.

    Args:
        begin: first row.
        end: the row after the last.
        views: rows a clip.
        packed: the clips.
        anchors: of the clips.
        drawn: of the rows.
        options: of all.
        keys: (rows,) uint64, for noise and blocks; not read where there are none.
        positions: (rows, T) float64, frames among those that count.
        x: (rows * M * T * V * C,) float32.
        place: (rows, T) float32, written: the positions in -1..1 of their clip.
    """
    length, joints, channels = positions.shape[1], len(options.mirror), packed.xyz.shape[1]
    xyz = packed.xyz.reshape(-1)
    persons, depth = anchors.order.shape[1], channels + (1 if options.confidence else 0)
    at, after = np.empty(length, np.int64), np.empty(length, np.int64)
    frames = anchors.count.max() + 3 * length  # those of a clip; behind them lie blended and blocked ones
    plane = frames * joints * LANES
    table = np.empty(0, np.float32)
    pair = np.empty((1 + len(options.pairs)) * 2 * joints * LANES, np.float32)
    done, first = np.empty(frames, np.bool_), np.empty(frames, np.int64)
    columns, origin = np.zeros(4 * LANES, np.float32), np.zeros(LANES, np.float32)
    tilt, weights = np.zeros(3, np.float32), _step_weights(channels, depth)
    none, nothing, spare = np.empty(0, np.int64), np.empty(0, np.bool_), np.empty(joints * LANES, np.float32)
    size = length * joints * depth * len(options.kind)
    last = np.empty(size // length + LANES, np.float32)
    for row in range(begin, end):
        clip = row // views
        count, position = anchors.count[clip], positions[row]
        for i in range(length):
            place[row, i] = position[i] * (2.0 / count) - 1.0
        noise = compose(row, clip, anchors, drawn, options.confidence, columns, origin, tilt)
        keep = drawn.keep[row]
        order = (options.mirror if drawn.flip[row] else none, nothing if keep.all() else keep, spare)
        simple = noise == 0 and tilt[0] == 0 and tilt[1] == 0 and drawn.block_share[row] == 0
        simple = simple and not options.between and not options.stretch_box
        if simple:
            look_up(row, count, drawn, options, keys, position, table, at, after)
        for slot in range(persons):
            person = anchors.order[clip, slot]
            to = (row * persons + slot) * size
            own = x[to : to + size]
            if person < 0:
                own[:] = 0.0
            elif simple:
                _write_through(
                    clip, person, packed, xyz, anchors, columns, origin, order, at, after, options, depth,
                    weights, first[:count], pair, last, own,
                )  # fmt: skip
            else:
                if len(table) == 0:
                    table = np.empty((1 + len(options.pairs)) * plane, np.float32)
                placed = table[:plane]
                place_frames(
                    row, clip, person, packed, anchors, drawn, options, keys, position, noise,
                    (columns, origin, tilt), order, done, placed,
                )  # fmt: skip
                look_up(row, count, drawn, options, keys, position, placed, at, after)
                _write(table, plane, at, after, options, depth, weights, done, first, last, own)


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _write_through(  # type: ignore[no-untyped-def]
    clip, person, packed, xyz, anchors, columns, origin, order, at, after, options, depth, weights, first,
    pair, last, x,
):  # fmt: skip
    """As `place_frames` and `_write` where every entry is a frame of the clip as it is.

    Only the frame that is shown and the one after it are at hand, in pair (1 + P planes of two frames).
    """
    joints, channels, moving, pairs = len(options.mirror), packed.xyz.shape[1], options.moving, options.pairs
    width, plane = joints * depth * len(options.kind), 2 * joints * LANES
    blank = np.float32(0.0 if options.fill else np.nan)
    begin, mapped = packed.start[clip] + person * packed.frames[clip] * joints, len(anchors.frame_map) > 0
    signs, scales = hold(weights, 0), hold(weights, LANES)
    held_0, held_1 = -1, -1
    first[:] = -1
    direct = len(options.kind) == 1 and options.kind[0] == 0 and joints >= GROUP
    direct = direct and not moving and len(order[0]) == 0 and len(order[1]) == 0
    for i in range(len(at)):
        here, then = at[i], after[i] if moving else -1
        twin = first[here]
        if twin >= 0 and (not moving or after[twin] == then):
            _repeat(x, i * width, twin * width, width)
            continue
        first[here] = i
        if direct:
            row = anchors.frame_map[anchors.frame_start[clip] + here] if mapped else here
            _show_frame(
                xyz, packed.score, begin + row * joints, channels, options.min_score, blank, origin, columns,
                joints, depth, i * width, x,
            )  # fmt: skip
            continue
        shown = 1 if held_1 == here or (held_0 == then and then >= 0) else 0
        for turn in range(2 if then >= 0 else 1):
            frame, lies = (here, shown) if turn == 0 else (then, 1 - shown)
            if frame == (held_1 if lies else held_0):
                continue
            if lies:
                held_1 = frame
            else:
                held_0 = frame
            row = anchors.frame_map[anchors.frame_start[clip] + frame] if mapped else frame
            row = begin + row * joints
            place_frame(
                xyz, packed.score, row, row, channels, options.min_score, blank, origin, columns, order,
                pair, lies * joints * LANES,
            )  # fmt: skip
            _add_bones(pair, plane, lies, pairs, signs, scales)
        after_it = 1 - shown if then >= 0 else -1
        _write_entry(pair, plane, shown, after_it, options, depth, weights, i, len(at), last, x)


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _show_frame(  # type: ignore[no-untyped-def]
    xyz, score, row, channels, min_score, blank, origin, columns, joints, depth, to, x
):
    """A frame's joints straight into x; the last group begins early enough to end with the frame."""
    at = hold(origin, 0)
    a, b, c, d = hold(columns, 0), hold(columns, 4), hold(columns, 8), hold(columns, 12)
    for begin in range(0, joints, GROUP):
        j = min(begin, joints - GROUP)
        i, k = to + j * depth, row + j
        point = k * channels
        if channels == 2 and depth == 3:
            show_2_scored(x, i, xyz, point, score, k, at, a, b, c, d, min_score, blank)
        elif channels == 2:
            show_2(x, i, xyz, point, score, k, at, a, b, c, d, min_score, blank)
        elif depth == 4:
            show_3_scored(x, i, xyz, point, score, k, at, a, b, c, d, min_score, blank)
        else:
            show_3(x, i, xyz, point, score, k, at, a, b, c, d, min_score, blank)


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _repeat(x, to, source, count):  # type: ignore[no-untyped-def]
    """`x[to : to + count] = x[source : source + count]`, of numbers that are not NaN."""
    for k in range(count if count < LANES else 0):
        x[to + k] = x[source + k]
    for begin in range(0, count if count >= LANES else 0, LANES):
        k = min(begin, count - LANES)
        put(x, to + k, x, source + k)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _step_weights(channels, depth):  # type: ignore[no-untyped-def]
    """Signs and scales of `lanes.step`: differences, and the mean of both scores; then scales of 0."""
    weights = np.zeros(3 * LANES, np.float32)
    for c in range(LANES):
        scored = c >= channels and depth > channels
        weights[c] = np.float32(1.0 if scored else -1.0)
        weights[LANES + c] = np.float32(0.5 if scored else 1.0)
    return weights


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _write(  # type: ignore[no-untyped-def]
    table, plane, at, after, options, depth, weights, done, first, last, x
):
    """One person of one row, x flat (T, V, streams, depth), from table (1 + P planes)."""
    length, moving, pairs = len(at), options.moving, options.pairs
    width, signs = len(options.mirror) * depth * len(options.kind), hold(weights, 0)
    done[:], first[:] = len(pairs) == 0, -1
    for i in range(length):
        here, then = at[i], after[i] if moving else -1
        twin = first[here]
        if twin >= 0 and (not moving or after[twin] == then):
            _repeat(x, i * width, twin * width, width)
            continue
        first[here] = i
        for frame in (here, then):
            if frame >= 0 and not done[frame]:
                _add_bones(table, plane, frame, pairs, signs, hold(weights, LANES))
                done[frame] = True
        _write_entry(table, plane, here, then, options, depth, weights, i, length, last, x)


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _write_entry(  # type: ignore[no-untyped-def]
    table, plane, here, then, options, depth, weights, i, length, last, x
):
    """All streams of frame i of a row into x, from entry here of the table and the one after it, or -1."""
    joints, kind, moves = len(options.mirror), options.kind, options.moves
    stride, width = joints * LANES, joints * depth * len(kind)
    signs, scales = hold(weights, 0), hold(weights, LANES if then >= 0 else _NO_STEP)
    now, then, to = here * stride, (then if then >= 0 else here) * stride, i * width
    if options.four:
        _write_four(table, plane, now, then, joints, depth, signs, scales, to, x)
    elif len(kind) == 1 and joints >= GROUP:
        now, then = now + kind[0] * plane, then + kind[0] * plane
        if moves[0]:
            _write_steps(table, now, then, joints, depth, signs, scales, to, x)
        else:
            _write_plain(table, now, joints, depth, to, x)
    elif i < length - 1:
        _write_frame(table, plane, now, then, kind, moves, joints, depth, signs, scales, to, x)
    else:  # nothing is written behind the end
        _write_frame(table, plane, now, then, kind, moves, joints, depth, signs, scales, 0, last)
        for k in range(width):
            x[to + k] = last[k]


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _write_plain(table, now, joints, depth, to, x):  # type: ignore[no-untyped-def]
    """A stream of joints or bones; the last group of joints begins early enough to end with the frame."""
    for begin in range(0, joints, GROUP):
        j = min(begin, joints - GROUP)
        if depth == 3:
            put_3(x, to + j * depth, table, now + j * LANES)
        elif depth == 2:
            put_2(x, to + j * depth, table, now + j * LANES)
        else:
            put_4(x, to + j * depth, table, now + j * LANES)


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _write_steps(  # type: ignore[no-untyped-def]
    table, now, then, joints, depth, signs, scales, to, x
):
    """A stream of motion, as `_write_plain`."""
    for begin in range(0, joints, GROUP):
        j = min(begin, joints - GROUP)
        a, b = then + j * LANES, now + j * LANES
        if depth == 3:
            put_steps_3(x, to + j * depth, table, a, b, signs, scales)
        elif depth == 2:
            put_steps_2(x, to + j * depth, table, a, b, signs, scales)
        else:
            put_steps_4(x, to + j * depth, table, a, b, signs, scales)


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _write_four(  # type: ignore[no-untyped-def]
    table, plane, now, then, joints, depth, signs, scales, to, x
):
    """Joints, bones and the motion of both."""
    for j in range(0, joints * LANES, LANES):
        if depth == 3:
            put_four_3(x, to, table, plane, now + j, then + j, signs, scales)
        elif depth == 2:
            put_four_2(x, to, table, plane, now + j, then + j, signs, scales)
        else:
            put_four_4(x, to, table, plane, now + j, then + j, signs, scales)
        to += 4 * depth


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _add_bones(table, plane, frame, pairs, signs, scales):  # type: ignore[no-untyped-def]
    """The bones of a frame, each kind in its plane behind that of the joints."""
    joints = pairs.shape[1]
    begin = frame * joints
    for p in range(len(pairs)):
        for j in range(joints):
            here, other = (begin + j) * LANES, (begin + pairs[p, j]) * LANES
            step(table, (1 + p) * plane + here, table, here, table, other, signs, scales)


@njit(nogil=True, cache=True, forceinline=True, _nrt=False)  # type: ignore[untyped-decorator]
def _write_frame(  # type: ignore[no-untyped-def]
    table, plane, now, then, kind, moves, joints, depth, signs, scales, to, x
):
    """All streams of a frame into x from `to` on, and up to two more numbers behind them."""
    for j in range(0, joints * LANES, LANES):
        for s in range(len(kind)):
            source = kind[s] * plane + j
            if moves[s]:
                put_step(x, to, table, then + source, table, now + source, signs, scales)
            else:
                put(x, to, table, now + source)
            to += depth
