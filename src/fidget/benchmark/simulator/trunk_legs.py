"""Trunk, head, face and legs: degrees of freedom become joints and the frames that hands reach for."""

from __future__ import annotations

import math

from numba import njit

from fidget.benchmark.simulator.places import CHEST, FOOT, HEAD, PELVIS, SHIN, THIGH, WAIST
from fidget.benchmark.simulator.pose_state import STARTS
from fidget.benchmark.simulator.rigid import across, axes_of, bend_chain, limited, put, rotate, unit
from fidget.benchmark.simulator.subjects import FIELD

# Plain integers: numba takes what it finds in a module as constants.
_SHIFT, _TURN, _TORSO, _CHEST = STARTS["body_shift"], STARTS["body_turn"], STARTS["torso"], STARTS["chest"]
_HEAD, _HEAD_SHIFT = STARTS["head"], STARTS["head_shift"]
_RAISE, _FORWARD = STARTS["shoulder_raise"], STARTS["shoulder_forward"]
_FOOT, _KNEE_OUT, _HEEL = STARTS["foot"], STARTS["knee_out"], STARTS["heel"]
_FOOT_PITCH, _FOOT_YAW = STARTS["foot_pitch"], STARTS["foot_yaw"]
_MOUTH, _SMILE, _BROW, _EYES = STARTS["mouth_open"], STARTS["smile"], STARTS["brow"], STARTS["eyes"]
_SIZE, _HIP_HALF, _WAIST_M, _CHEST_M = FIELD["size"], FIELD["hip_half"], FIELD["waist"], FIELD["chest"]
_SHOULDER_HALF, _SHOULDER_DROP = FIELD["shoulder_half"], FIELD["shoulder_drop"]
_NECK_M, _HEAD_SIZE, _FACE_WIDTH = FIELD["neck"], FIELD["head"], FIELD["face_width"]
_THIGH_M, _SHIN_M, _FOOT_SIZE = FIELD["thigh"], FIELD["shin"], FIELD["foot"]

# COCO-WholeBody's numbers of the joints placed here.
_SHOULDERS, _HIPS, _KNEES, _ANKLES, _FEET, _FACE = 5, 11, 13, 15, 17, 23
_FACE_POINTS = 68

_LUMBAR = 0.55  # the share of the trunk's bending below the waist
_NECK_SHARE = 0.45  # the share of the head's turning that the neck takes part in
_KNEE_SHARPEST = 0.55  # radians between thigh and shin: a flexion of 148 degrees


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def place_trunk(values, lengths, face, expressions, rotations, origins, joints):  # type: ignore[no-untyped-def]
    """Fill frames `PELVIS` to `HEAD`, and nose, eyes, ears, shoulders, hips and face of every time.

    Args:
        values: (T, WIDTH) of the state.
        lengths: of the build.
        face: (68, 3) at rest.
        expressions: (4, 68, 3).
        rotations: (T, 16, 3, 3), filled.
        origins: (T, 16, 3), filled.
        joints: (T, 133, 3), filled.
    """
    for t in range(values.shape[0]):
        v, rotation, origin = values[t], rotations[t], origins[t]
        _place_spine(v, lengths, rotation, origin)
        for side in range(2):
            _place_girdles(v, lengths, side, rotation, origin, joints[t])
        _place_face(v, lengths, face, expressions, rotation[HEAD], origin[HEAD], joints[t])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_spine(v, lengths, rotation, origin):  # type: ignore[no-untyped-def]
    """Pelvis, waist, chest and head."""
    size = lengths[_SIZE]
    world = rotation[FOOT]  # not in use yet
    for i in range(3):
        for j in range(3):
            world[i, j] = 1.0 if i == j else 0.0
        origin[PELVIS, i] = v[_SHIFT + i] * size
    rotate(rotation[PELVIS], world, v[_TURN], v[_TURN + 1], v[_TURN + 2])
    pitch, yaw, roll = limited(v[_TORSO], -0.6, 1.3), limited(v[_TORSO + 1], -0.9, 0.9), v[_TORSO + 2]
    roll = limited(roll, -0.6, 0.6)
    rotate(rotation[WAIST], rotation[PELVIS], _LUMBAR * pitch, _LUMBAR * yaw, _LUMBAR * roll)
    put(origin[WAIST], rotation[WAIST], origin[PELVIS], 0.0, lengths[_WAIST_M], 0.0)
    above = 1 - _LUMBAR
    rotate(
        rotation[CHEST],
        rotation[WAIST],
        above * pitch + limited(v[_CHEST], -0.35, 0.5),
        above * yaw + limited(v[_CHEST + 1], -0.5, 0.5),
        above * roll + limited(v[_CHEST + 2], -0.35, 0.35),
    )
    put(origin[CHEST], rotation[CHEST], origin[WAIST], 0.0, lengths[_CHEST_M], -0.01 * size)
    pitch, yaw, roll = limited(v[_HEAD], -0.9, 0.85), limited(v[_HEAD + 1], -1.25, 1.25), v[_HEAD + 2]
    roll = limited(roll, -0.7, 0.7)
    neck = rotation[HEAD]
    rotate(neck, rotation[CHEST], _NECK_SHARE * pitch, _NECK_SHARE * yaw, _NECK_SHARE * roll)
    put(origin[HEAD], neck, origin[CHEST], 0.0, lengths[_NECK_M], 0.025 * size)
    for i in range(3):
        shift = 0.0
        for j in range(3):
            shift += rotation[CHEST, i, j] * limited(v[_HEAD_SHIFT + j], -0.08, 0.08)
        origin[HEAD, i] += shift * size
    rotate(rotation[HEAD], rotation[CHEST], pitch, yaw, roll)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_girdles(v, lengths, side, rotation, origin, joints):  # type: ignore[no-untyped-def]
    """A hip, and a shoulder on a collar bone that turns about the root of the neck."""
    outward = 1.0 - 2.0 * side
    put(joints[_HIPS + side], rotation[PELVIS], origin[PELVIS], outward * lengths[_HIP_HALF], -0.01, 0.0)
    half = lengths[_SHOULDER_HALF]
    up = limited(v[_RAISE + side] * lengths[_SIZE] / half, -0.25, 0.55)
    ahead = limited(v[_FORWARD + side] * lengths[_SIZE] / half, -0.4, 0.6)
    x = half * math.cos(up) + lengths[_SHOULDER_DROP] * math.sin(up)
    y = half * math.sin(up) - lengths[_SHOULDER_DROP] * math.cos(up)
    put(
        joints[_SHOULDERS + side],
        rotation[CHEST],
        origin[CHEST],
        outward * x * math.cos(ahead),
        y,
        x * math.sin(ahead),
    )


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_face(v, lengths, face, expressions, rotation, origin, joints):  # type: ignore[no-untyped-def]
    size, width = lengths[_HEAD_SIZE], lengths[_HEAD_SIZE] * lengths[_FACE_WIDTH]
    opening, smile = limited(v[_MOUTH], 0.0, 1.0), limited(v[_SMILE], -1.0, 1.0)
    brow, shut = limited(v[_BROW], -1.0, 1.0), 1 - limited(v[_EYES], 0.0, 1.0)
    for i in range(_FACE_POINTS):
        at = face[i]
        x = at[0] + smile * expressions[1, i, 0] + brow * expressions[2, i, 0]
        y = at[1] + opening * expressions[0, i, 1] + smile * expressions[1, i, 1]
        y += brow * expressions[2, i, 1] + shut * expressions[3, i, 1]
        z = at[2] + opening * expressions[0, i, 2] + smile * expressions[1, i, 2]
        put(joints[_FACE + i], rotation, origin, x * width, y * size, z * size)
    put(joints[0], rotation, origin, 0.0, 0.0, 0.118 * size)
    for side in range(2):
        outward = 1.0 - 2.0 * side
        put(joints[1 + side], rotation, origin, outward * 0.032 * width, 0.043 * size, 0.086 * size)
        put(joints[3 + side], rotation, origin, outward * 0.076 * width, 0.008 * size, 0.0)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def place_legs(values, lengths, ankles, work, rotations, origins, joints):  # type: ignore[no-untyped-def]
    """Fill the frames of thighs, shins and feet, and knees, ankles, toes and heels.

    Args:
        values: (T, WIDTH) of the state.
        lengths: of the build.
        ankles: (2, 3) rest places, x to the left.
        work: (8, 3) scratch.
        rotations: (T, 16, 3, 3), filled.
        origins: (T, 16, 3), filled.
        joints: (T, 133, 3); needs the hips.
    """
    for t in range(values.shape[0]):
        for side in range(2):
            _place_leg(values[t], lengths, side, ankles, work, rotations[t], origins[t], joints[t])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_leg(v, lengths, side, ankles, work, rotation, origin, joints):  # type: ignore[no-untyped-def]
    outward, size = 1.0 - 2.0 * side, lengths[_SIZE]
    lifted = limited(v[_HEEL + side], 0.0, 0.14) * size
    pole, spare = work[4], work[5]
    ankle, knee, hip = joints[_ANKLES + side], joints[_KNEES + side], joints[_HIPS + side]
    ankle[0] = ankles[side, 0] + outward * v[_FOOT + 3 * side] * size
    ankle[1] = ankles[side, 1] + v[_FOOT + 3 * side + 1] * size + lifted
    ankle[2] = ankles[side, 2] + v[_FOOT + 3 * side + 2] * size + 0.25 * lifted
    pole[0], pole[1], pole[2] = 0.12 * outward, 0.55, 0.85
    swivel = -outward * limited(v[_KNEE_OUT + side], -0.6, 1.1)
    bend_chain(hip, ankle, lengths[_THIGH_M], lengths[_SHIN_M], _KNEE_SHARPEST, pole, swivel, knee, work)
    along, up = work[6], work[7]
    for i in range(3):
        along[i] = knee[i] - hip[i]
        up[i] = knee[i] - ankle[i]
        spare[i] = pole[i]
        origin[THIGH + side, i] = hip[i]
        origin[SHIN + side, i] = knee[i]
        origin[FOOT + side, i] = ankle[i]
    unit(along)
    across(up, along, spare)
    axes_of(rotation[THIGH + side], up, along)
    for i in range(3):
        spare[i] = along[i]
        up[i] = knee[i] - ankle[i]
        along[i] = joints[_KNEES + side, i] - hip[i]
    unit(up)
    across(along, up, pole)
    axes_of(rotation[SHIN + side], up, along)
    tilt = math.atan2(ankle[2] - knee[2], max(knee[1] - ankle[1], 0.05))  # a stretched leg points its toes up
    pitch = math.asin(lifted / (0.2 * size)) - 0.4 * limited(tilt, -0.8, 1.2)
    pitch = limited(pitch - v[_FOOT_PITCH + side], -0.7, 1.1)
    world = work[:3]
    for i in range(3):
        for j in range(3):
            world[i, j] = 1.0 if i == j else 0.0
    rotate(rotation[FOOT + side], world, pitch, outward * limited(0.15 + v[_FOOT_YAW + side], -0.7, 1.0), 0.0)
    foot, at, toes = rotation[FOOT + side], origin[FOOT + side], _FEET + 3 * side
    scale = lengths[_FOOT_SIZE]
    put(joints[toes], foot, at, -0.015 * outward * scale, -0.065 * scale, 0.165 * scale)
    put(joints[toes + 1], foot, at, 0.045 * outward * scale, -0.065 * scale, 0.13 * scale)
    put(joints[toes + 2], foot, at, 0.0, -0.055 * scale, -0.05 * scale)
