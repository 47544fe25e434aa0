"""Rotations, points and two-bone chains for the simulator's kernels: float32 in, float32 out, no allocation.

A frame of the body is a rotation (3, 3), whose columns are its axes in the world, and an origin (3,).
"""

from __future__ import annotations

import math

from numba import njit

_SMALL = 1e-6


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def limited(x, low, high):  # type: ignore[no-untyped-def]
    """A value held between two limits."""
    return min(max(x, low), high)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def rotate(out, before, pitch, yaw, roll):  # type: ignore[no-untyped-def]
    """`out` (3, 3): a frame turned within `before` by yaw, pitch, roll, with the signs of `PoseState`."""
    cp, sp = math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    cr, sr = math.cos(-roll), math.sin(-roll)
    # Ry(yaw) Rx(pitch) Rz(-roll)
    a00, a01, a02 = cy * cr + sy * sp * sr, -cy * sr + sy * sp * cr, sy * cp
    a10, a11, a12 = cp * sr, cp * cr, -sp
    a20, a21, a22 = -sy * cr + cy * sp * sr, sy * sr + cy * sp * cr, cy * cp
    for i in range(3):
        b0, b1, b2 = before[i, 0], before[i, 1], before[i, 2]
        out[i, 0] = b0 * a00 + b1 * a10 + b2 * a20
        out[i, 1] = b0 * a01 + b1 * a11 + b2 * a21
        out[i, 2] = b0 * a02 + b1 * a12 + b2 * a22


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def put(out, rotation, origin, x, y, z):  # type: ignore[no-untyped-def]
    """`out` (3,): the world's place of a point of a frame."""
    for i in range(3):
        out[i] = origin[i] + rotation[i, 0] * x + rotation[i, 1] * y + rotation[i, 2] * z


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def unit(v):  # type: ignore[no-untyped-def]
    """Make a vector (3,) one of length 1, in place; returns the length it had."""
    length = math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
    if length > _SMALL:
        v[0] /= length
        v[1] /= length
        v[2] /= length
    return length


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def cross(out, a, b):  # type: ignore[no-untyped-def]
    """`out` = a x b; `out` is neither."""
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def across(v, axis, spare):  # type: ignore[no-untyped-def]
    """Make `v` a unit vector across the unit vector `axis`; where it is along it, `spare` takes its place."""
    for candidate in (v, spare):
        along = candidate[0] * axis[0] + candidate[1] * axis[1] + candidate[2] * axis[2]
        x = candidate[0] - along * axis[0]
        y = candidate[1] - along * axis[1]
        z = candidate[2] - along * axis[2]
        length = math.sqrt(x * x + y * y + z * z)
        if length > 1e-3:
            v[0], v[1], v[2] = x / length, y / length, z / length
            return


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def turn_about(v, axis, angle, work):  # type: ignore[no-untyped-def]
    """Turn a vector (3,) about a unit axis, in place (Rodrigues); `work` (3,) is overwritten."""
    c, s = math.cos(angle), math.sin(angle)
    cross(work, axis, v)
    along = (v[0] * axis[0] + v[1] * axis[1] + v[2] * axis[2]) * (1 - c)
    for i in range(3):
        v[i] = v[i] * c + work[i] * s + axis[i] * along


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def axes_of(out, y_axis, z_axis):  # type: ignore[no-untyped-def]
    """`out` (3, 3) from two of its columns, which are at right angles."""
    out[0, 0] = y_axis[1] * z_axis[2] - y_axis[2] * z_axis[1]
    out[1, 0] = y_axis[2] * z_axis[0] - y_axis[0] * z_axis[2]
    out[2, 0] = y_axis[0] * z_axis[1] - y_axis[1] * z_axis[0]
    for i in range(3):
        out[i, 1] = y_axis[i]
        out[i, 2] = z_axis[i]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def bend_chain(start, end, first, second, sharpest, pole, swivel, middle, work):  # type: ignore[no-untyped-def]
    """Two bones from `start` towards `end`: fills `middle`, and moves `end` where the bones do not reach it.

    Args:
        start: (3,) shoulder or hip.
        end: (3,) wrist or ankle wanted; what is reached on return.
        first: length of the first bone.
        second: length of the second.
        sharpest: the smallest angle between the bones, radians.
        pole: (3,) direction to which the joint between bends.
        swivel: radians by which that direction is turned about the line from start to end.
        middle: (3,) elbow or knee, filled.
        work: (4, 3) scratch.
    """
    axis, side = work[0], work[1]
    for i in range(3):
        axis[i] = end[i] - start[i]
        side[i] = pole[i]
    distance = unit(axis)
    nearest = math.sqrt(first * first + second * second - 2 * first * second * math.cos(sharpest))
    reached = limited(distance, nearest, 0.9995 * (first + second))
    if distance < _SMALL:
        axis[0], axis[1], axis[2] = 0.0, -1.0, 0.0
    work[3, 0], work[3, 1], work[3, 2] = 0.0, 0.0, 1.0
    across(side, axis, work[3])
    if swivel != 0:
        turn_about(side, axis, swivel, work[2])
    along = (first * first - second * second + reached * reached) / (2 * reached)
    height = math.sqrt(max(first * first - along * along, 0.0))
    for i in range(3):
        middle[i] = start[i] + axis[i] * along + side[i] * height
        end[i] = start[i] + axis[i] * reached
