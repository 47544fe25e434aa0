"""The kernel that draws an augmentation for each clip of a batch, from the clip's key alone.

Each purpose has a stream of random numbers of its own, so nothing need be drawn for what is off.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from skeleton_models.random_keys import stream_base, uniform_at


class Stream:
    """Streams of `random_keys` that are taken; a builder's own draws begin at `Stream.BUILDER`."""

    FLIP, TURN, SCALE, STRETCH, SHEAR, SHIFT, JITTER = range(7)
    JOINTS, PART, AXIS, BLOCK, BLOCK_JOINTS, BLOCK_SHARES, CROP, SPEED, REVERSE = range(7, 16)
    BUILDER = 64


# Kernels take plain numbers, not the members of a class.
_FLIP, _TURN, _SCALE, _STRETCH = Stream.FLIP, Stream.TURN, Stream.SCALE, Stream.STRETCH
_SHEAR, _SHIFT, _JOINTS, _PART, _AXIS = Stream.SHEAR, Stream.SHIFT, Stream.JOINTS, Stream.PART, Stream.AXIS
_BLOCK_JOINTS, _BLOCK_SHARES = Stream.BLOCK_JOINTS, Stream.BLOCK_SHARES
_CROP, _SPEED, _REVERSE = Stream.CROP, Stream.SPEED, Stream.REVERSE


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def fill(  # type: ignore[no-untyped-def]
    keys, amounts, parts, upright, linear, shift, perspective, flip, keep, axis, block, block_share, crop,
    speed, reverse,
):  # fmt: skip
    """Fill what `augment.no_draw` made, in its order, with the draws of each clip.

    keys (N,) are the clips', amounts the numbers of `Augment`, parts (P, V) says whose joints are whose,
    upright whether z points up.
    """
    (
        flips, yaw_deg, pitch_deg, roll_deg, distance, scale_low, scale_high, stretch, shear, most_shift,
        lost_joints, lost_part, lost_axis, blocks, joints_low, joints_high, frames_low, frames_high,
        crop_low, crop_high, speed_low, speed_high, reverses,
    ) = amounts  # fmt: skip
    channels, joints = shift.shape[1], keep.shape[1]
    for n in range(len(keys)):
        key = keys[n]
        flip[n] = flips > 0 and _between(key, _FLIP, 0, 0.0, 1.0) < flips
        factor = _between(key, _SCALE, 0, scale_low, scale_high)
        for c in range(channels):
            shift[n, c] = _between(key, _SHIFT, c, -most_shift, most_shift)
            own = factor * _between(key, _STRETCH, c, 1.0 - stretch, 1.0 + stretch)
            for k in range(channels if shear > 0 else 0):
                linear[n, k, c] = _between(key, _SHEAR, k * channels + c, -shear, shear) * own
            linear[n, c, c] = own
        if flip[n]:
            linear[n, :, 0] *= -1.0
        if yaw_deg > 0 or pitch_deg > 0 or roll_deg > 0:
            _turn(key, yaw_deg, pitch_deg, roll_deg, distance, upright, linear[n], perspective[n])
        for j in range(joints if lost_joints > 0 else 0):
            keep[n, j] = _between(key, _JOINTS, j, 0.0, 1.0) >= lost_joints
        if lost_part > 0 and len(parts) and _between(key, _PART, 0, 0.0, 1.0) < lost_part:
            which = int(_between(key, _PART, 1, 0.0, 1.0) * len(parts))
            for j in range(joints):
                keep[n, j] &= not parts[which, j]
        if lost_axis > 0 and _between(key, _AXIS, 0, 0.0, 1.0) < lost_axis:
            axis[n] = int(_between(key, _AXIS, 1, 0.0, 1.0) * channels)
        if blocks > 0 and _between(key, _BLOCK_SHARES, 2, 0.0, 1.0) < blocks:
            share = _between(key, _BLOCK_SHARES, 0, joints_low, joints_high)
            block_share[n] = _between(key, _BLOCK_SHARES, 1, frames_low, frames_high)
            for j in range(joints):
                block[n, j] = _between(key, _BLOCK_JOINTS, j, 0.0, 1.0) < share
        crop[n, 1] = _between(key, _CROP, 0, crop_low, crop_high)
        crop[n, 0] = _between(key, _CROP, 1, 0.0, 1.0 - crop[n, 1])
        speed[n] = _between(key, _SPEED, 0, speed_low, speed_high)
        reverse[n] = reverses > 0 and _between(key, _REVERSE, 0, 0.0, 1.0) < reverses


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _between(key, stream, index, low, high):  # type: ignore[no-untyped-def]
    """Draw `index` of a stream in low..high, as `random_keys.uniform`."""
    if low == high:
        return low
    return low + uniform_at(stream_base(key, np.uint64(stream)), np.uint64(index)) * (high - low)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _turn(  # type: ignore[no-untyped-def]
    key, yaw_deg, pitch_deg, roll_deg, distance, upright, linear, perspective
):
    """Turn linear (C, C), which mirrors, scales and shears; in two dimensions also perspective (C,)."""
    channels, radians = len(linear), np.pi / 180.0
    turn = np.eye(3)  # x lateral, y vertical, z depth
    _rotate(turn, _between(key, _TURN, 0, -yaw_deg, yaw_deg) * radians, 2, 0)
    _rotate(turn, _between(key, _TURN, 1, -pitch_deg, pitch_deg) * radians, 1, 2)
    shape = linear.copy()
    if channels == 2:
        for c in range(2):
            perspective[c] = (turn[2, 0] * shape[0, c] + turn[2, 1] * shape[1, c]) / distance
    _rotate(turn, _between(key, _TURN, 2, -roll_deg, roll_deg) * radians, 0, 1)
    order = (0, 2, 1) if upright and channels == 3 else (0, 1, 2)  # the data's axes
    for c in range(channels):
        for k in range(channels):
            value = 0.0
            for i in range(channels):
                value += turn[order[c], order[i]] * shape[i, k]
            linear[c, k] = value


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _rotate(turn, angle, first, second):  # type: ignore[no-untyped-def]
    """Turn (3, 3) further by an angle in the plane of two axes, from the first towards the second."""
    if angle != 0:
        cosine, sine = np.cos(angle), np.sin(angle)
        for k in range(3):
            a, b = turn[first, k], turn[second, k]
            turn[first, k], turn[second, k] = cosine * a - sine * b, sine * a + cosine * b
