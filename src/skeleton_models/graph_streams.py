"""The second half of the graph kernel: joints, bones and their motion, written into the batch.

For every row (one view of one clip) and person, `graph_placing` lays the frames that are needed in a small
table; every stream is then an entry of that table, or a step from one to another, and NaN becomes 0 as it
is written. The batch is written from its first number to its last, joint by joint with all streams, four
numbers at a time: a joint's last number or two are then written over by those of the next.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from skeleton_models.graph_placing import look_up, place_frames
from skeleton_models.lanes import LANES, hold, put, put_four, put_step, step

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
    depth = channels + (1 if options.confidence else 0)
    at, after = np.empty(length, np.int64), np.empty(length, np.int64)
    frames = anchors.count.max() + 3 * length  # those of a clip; behind them lie blended and blocked ones
    plane = frames * joints * LANES
    table = np.empty((1 + len(options.pairs)) * plane, np.float32)
    done, first = np.empty(frames, np.bool_), np.empty(frames, np.int64)
    weights = _step_weights(channels, depth)
    size = length * joints * depth * len(options.kind)
    last = np.empty(size // length + LANES, np.float32)
    for row in range(begin, end):
        clip = row // views
        for i in range(length):
            place[row, i] = positions[row, i] * (2.0 / anchors.count[clip]) - 1.0
        for slot in range(anchors.order.shape[1]):
            person = anchors.order[clip, slot]
            to = (row * anchors.order.shape[1] + slot) * size
            if person < 0:
                x[to : to + size] = 0.0
                continue
            count, placed = anchors.count[clip], table[:plane]
            place_frames(
                row, clip, person, packed, anchors, drawn, options, keys, positions[row], done, placed
            )
            look_up(row, count, drawn, options, keys, positions[row], placed, at, after)
            _write(table, plane, at, after, options, depth, weights, done, first, last, x[to : to + size])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _step_weights(channels, depth):  # type: ignore[no-untyped-def]
    """Signs and scales of `lanes.step`: differences, and the mean of both scores; then scales of 0."""
    weights = np.zeros(3 * LANES, np.float32)
    for c in range(LANES):
        scored = c >= channels and depth > channels
        weights[c] = np.float32(1.0 if scored else -1.0)
        weights[LANES + c] = np.float32(0.5 if scored else 1.0)
    return weights


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write(  # type: ignore[no-untyped-def]
    table, plane, at, after, options, depth, weights, done, first, last, x
):
    """One person of one row, x flat (T, V, streams, depth), from table (1 + P planes)."""
    length, joints, moving = len(at), len(options.mirror), options.moving
    four, kind, moves, pairs = options.four, options.kind, options.moves, options.pairs
    stride, width, signs = joints * LANES, joints * depth * len(kind), hold(weights, 0)
    done[:], first[:] = len(pairs) == 0, -1
    for i in range(length):
        here, then = at[i], after[i] if moving else -1
        twin = first[here]
        if twin >= 0 and (not moving or after[twin] == then):
            for k in range(width):
                x[i * width + k] = x[twin * width + k]
            continue
        first[here] = i
        for frame in (here, then):
            if frame >= 0 and not done[frame]:
                _add_bones(table, plane, frame, pairs, signs, hold(weights, LANES))
                done[frame] = True
        scales = hold(weights, LANES if then >= 0 else _NO_STEP)
        now, then = here * stride, (then if then >= 0 else here) * stride
        if i < length - 1:
            to = i * width
            _write_frame(table, plane, now, then, four, kind, moves, joints, depth, signs, scales, to, x)
        else:  # nothing is written behind the end
            _write_frame(table, plane, now, then, four, kind, moves, joints, depth, signs, scales, 0, last)
            for k in range(width):
                x[i * width + k] = last[k]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_bones(table, plane, frame, pairs, signs, scales):  # type: ignore[no-untyped-def]
    """The bones of a frame, each kind in its plane behind that of the joints."""
    joints = pairs.shape[1]
    begin = frame * joints
    for p in range(len(pairs)):
        for j in range(joints):
            here, other = (begin + j) * LANES, (begin + pairs[p, j]) * LANES
            step(table, (1 + p) * plane + here, table, here, table, other, signs, scales)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write_frame(  # type: ignore[no-untyped-def]
    table, plane, now, then, four, kind, moves, joints, depth, signs, scales, to, x
):
    """All streams of a frame into x from `to` on, and up to two more numbers behind them."""
    if four:
        for j in range(joints):
            k = j * LANES
            put_four(x, to + j * 4 * depth, depth, table, plane, now + k, then + k, signs, scales)
        return
    if len(kind) == 1:
        now, then = now + kind[0] * plane, then + kind[0] * plane
        if moves[0]:
            for j in range(joints):
                k = j * LANES
                put_step(x, to + j * depth, table, then + k, table, now + k, signs, scales)
        else:
            for j in range(joints):
                put(x, to + j * depth, table, now + j * LANES)
        return
    for j in range(0, joints * LANES, LANES):
        for s in range(len(kind)):
            source = kind[s] * plane + j
            if moves[s]:
                put_step(x, to, table, then + source, table, now + source, signs, scales)
            else:
                put(x, to, table, now + source)
            to += depth
