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
from skeleton_models.lanes import LANES, put, put_four, put_step, step

_NO_STEP = 2 * LANES  # where the weights begin that make nothing of a step


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def write_rows(  # type: ignore[no-untyped-def]
    begin, end, views, packed, anchors, drawn, options, keys, positions, x
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
    """Signs and scales of `lanes.step`: differences, and the mean of both scores; then the same times 0."""
    weights = np.zeros(4 * LANES, np.float32)
    for c in range(LANES):
        scored = c >= channels and depth > channels
        weights[c] = weights[_NO_STEP + c] = np.float32(1.0 if scored else -1.0)
        weights[LANES + c] = np.float32(0.5 if scored else 1.0)
    return weights


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write(  # type: ignore[no-untyped-def]
    table, plane, at, after, options, depth, weights, done, first, last, x
):
    """One person of one row, x flat (T, V, streams, depth), from table (1 + P planes)."""
    length, joints, moving = len(at), len(options.mirror), options.moving
    kind, moves, stride = options.kind, options.moves, joints * LANES
    width = joints * depth * len(kind)
    done[:], first[:] = len(options.pairs) == 0, -1
    for i in range(length):
        here, then = at[i], after[i] if moving else -1
        twin = first[here]
        if twin >= 0 and (not moving or after[twin] == then):
            x[i * width : (i + 1) * width] = x[twin * width : (twin + 1) * width]
            continue
        first[here] = i
        for frame in (here, then):
            if frame >= 0 and not done[frame]:
                _add_bones(table, plane, frame, options.pairs, weights)
                done[frame] = True
        out, to = (x, i * width) if i < length - 1 else (last, 0)  # nothing is written behind the end
        row = 0 if then >= 0 else _NO_STEP
        now, then = here * stride, (then if then >= 0 else here) * stride
        if options.four:
            for j in range(joints):
                put_four(out, to + j * 4 * depth, depth, table, plane, now, then, weights, row)
                now, then = now + LANES, then + LANES
        else:
            _write_frame(table, plane, now, then, kind, moves, joints, depth, weights, row, to, out)
        if i == length - 1:
            x[i * width :] = last[:width]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_bones(table, plane, frame, pairs, weights):  # type: ignore[no-untyped-def]
    """The bones of a frame, each kind in its plane behind that of the joints."""
    joints = pairs.shape[1]
    begin = frame * joints
    for p in range(len(pairs)):
        for j in range(joints):
            here, other = (begin + j) * LANES, (begin + pairs[p, j]) * LANES
            step(table, (1 + p) * plane + here, table, here, table, other, weights, 0)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write_frame(  # type: ignore[no-untyped-def]
    table, plane, now, then, kind, moves, joints, depth, weights, row, to, x
):
    """All streams of a frame into x from `to` on, and up to two more numbers behind them."""
    if len(kind) == 1:
        source = kind[0] * plane
        for j in range(source, source + joints * LANES, LANES):
            if moves[0]:
                put_step(x, to, table, then + j, table, now + j, weights, row)
            else:
                put(x, to, table, now + j)
            to += depth
        return
    for j in range(0, joints * LANES, LANES):
        for s in range(len(kind)):
            source = kind[s] * plane + j
            if moves[s]:
                put_step(x, to, table, then + source, table, now + source, weights, row)
            else:
                put(x, to, table, now + source)
            to += depth
