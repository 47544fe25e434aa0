"""Arms and hands: reaches blended to a target, two-bone inverse kinematics, fingers that curl."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fidget.benchmark.simulator.places import CHEST, FOREARM, HAND, UPPER_ARM, resolve
from fidget.benchmark.simulator.pose_state import STARTS, Reach
from fidget.benchmark.simulator.rigid import across, axes_of, bend_chain, cross, limited, put, unit
from fidget.benchmark.simulator.subjects import FIELD

_ELBOW_OUT, _CURL, _SPREAD = STARTS["elbow_out"], STARTS["curl"], STARTS["spread"]
_BEND, _SIDEWAYS, _TWIST = STARTS["wrist_bend"], STARTS["wrist_side"], STARTS["wrist_twist"]
_SIZE, _UPPER_M, _FOREARM_M, _HAND_SIZE = FIELD["size"], FIELD["upper_arm"], FIELD["forearm"], FIELD["hand"]
_HAND_FIRST = 91  # the left hand's root among the 133, 21 a hand
_HAND_JOINTS = 21
_ELBOW_SHARPEST = 0.45  # radians between the bones: a flexion of 154 degrees
_WRIST_WIDEST = 1.15  # radians between forearm and hand

# Fingers from the forefinger: knuckle (along the hand, to the thumb), then three bones; a hand of 18 cm.
_KNUCKLES = np.array([[0.088, 0.024], [0.09, 0.003], [0.085, -0.016], [0.077, -0.034]], np.float32)
_BONES = np.array(
    [[0.043, 0.025, 0.022], [0.047, 0.029, 0.023], [0.043, 0.028, 0.023], [0.034, 0.02, 0.02]], np.float32
)
_FAN = np.array([0.22, 0.03, -0.17, -0.38], np.float32)  # radians to the thumb at full spread
_FLEXION = np.array([1.35, 1.75, 1.1], np.float32)  # radians of the three joints in a fist
_THUMB_BONES = np.array([0.042, 0.032, 0.027], np.float32)


@dataclass(frozen=True, eq=False)
class PackedReaches:
    """The reaches of one hand as arrays; K of them, the first is the rest.

    Attributes:
        frame: (K,) int64 rigid frame.
        at: (K, 3) the place in it.
        weight: (K, T).
        offset: (K, T, 3).
        fingers: (K, T, 3).
        palm: (K, T, 3).
        contact: (K,) int64 index into `CONTACTS`.
        arc: (K,) metres.
        needs_other_arm: whether a place lies on the other arm.
    """

    frame: NDArray[np.int64]
    at: NDArray[np.float32]
    weight: NDArray[np.float32]
    offset: NDArray[np.float32]
    fingers: NDArray[np.float32]
    palm: NDArray[np.float32]
    contact: NDArray[np.int64]
    arc: NDArray[np.float32]
    needs_other_arm: bool


def pack_reaches(reaches: Sequence[Reach], side: int, frames: int, skip_arms: bool = False) -> PackedReaches:
    """Reaches of a hand as the kernel takes them; `skip_arms` leaves out what lies on the other arm."""
    from fidget.benchmark.simulator.places import CONTACTS

    chosen = [(reach, resolve(reach.place, side)) for reach in reaches]
    chosen = [(reach, place) for reach, place in chosen if not (skip_arms and place.on_arm)]
    k = len(chosen)
    outward = np.array([1 if side == 0 else -1, 1, 1], np.float32)
    packed = PackedReaches(
        frame=np.array([place.frame for _, place in chosen], np.int64),
        at=np.array([place.at for _, place in chosen], np.float32).reshape(k, 3),
        weight=np.empty((k, frames), np.float32),
        offset=np.empty((k, frames, 3), np.float32),
        fingers=np.empty((k, frames, 3), np.float32),
        palm=np.empty((k, frames, 3), np.float32),
        contact=np.array(
            [CONTACTS.index(reach.contact) if reach.contact else place.contact for reach, place in chosen],
            np.int64,
        ),
        arc=np.array([reach.arc for reach, _ in chosen], np.float32),
        needs_other_arm=any(place.on_arm for _, place in chosen),
    )
    for i, (reach, place) in enumerate(chosen):
        packed.weight[i] = reach.weight
        packed.offset[i] = reach.offset * outward
        packed.fingers[i] = place.fingers if reach.fingers is None else reach.fingers * outward
        packed.palm[i] = place.palm if reach.palm is None else reach.palm * outward
    return packed


def place_arm(
    values: NDArray[np.float32],
    lengths: NDArray[np.float32],
    side: int,
    reaches: PackedReaches,
    rotations: NDArray[np.float32],
    origins: NDArray[np.float32],
    joints: NDArray[np.float32],
) -> None:
    """Fill elbow, wrist and hand of a side, and the frames of upper arm, forearm and hand."""
    _place_arm(
        values,
        lengths,
        side,
        reaches.frame,
        reaches.at,
        reaches.weight,
        reaches.offset,
        reaches.fingers,
        reaches.palm,
        reaches.contact,
        reaches.arc,
        np.zeros((20, 3), np.float32),
        np.zeros((_HAND_JOINTS, 3), np.float32),
        rotations,
        origins,
        joints,
    )


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _place_arm(  # type: ignore[no-untyped-def]
    values, lengths, side, frame, at, weight, offset, fingers, palm, contact, arc, work, hand,
    rotations, origins, joints,
):  # fmt: skip
    size, scale = lengths[_SIZE], lengths[_HAND_SIZE]
    outward = 1.0 - 2.0 * side
    target, f, n, touch, wrist, elbow = work[4], work[5], work[6], work[7], work[8], work[9]
    q, qf, qn, thumb, u, pole = work[10], work[11], work[12], work[13], work[14], work[15]
    for t in range(values.shape[0]):
        v, rotation, origin = values[t], rotations[t], origins[t]
        _shape_hand(hand, v, side, scale)
        for k in range(len(frame)):
            w = weight[k, t] if k else 1.0
            if k and w <= 0:
                continue
            turned = rotation[frame[k]]
            for i in range(3):
                q[i] = (at[k, i] + offset[k, t, i]) * size
            put(qf, turned, origin[frame[k]], q[0], q[1], q[2])
            bulge = arc[k] * 4 * w * (1 - w) * size
            for i in range(3):
                target[i] = (target[i] * (1 - w) if k else 0.0) + w * qf[i] + bulge * rotation[CHEST, i, 2]
            _direct(qf, turned, fingers[k, t])
            _direct(qn, turned, palm[k, t])
            _touching(q, hand, contact[k], scale)
            for i in range(3):
                f[i] = (f[i] * (1 - w) if k else 0.0) + w * qf[i]
                n[i] = (n[i] * (1 - w) if k else 0.0) + w * qn[i]
                touch[i] = (touch[i] * (1 - w) if k else 0.0) + w * q[i]
        unit(f)
        shoulder = joints[t, 5 + side]
        for i in range(3):
            pole[i] = (
                rotation[CHEST, i, 0] * 0.5 * outward - rotation[CHEST, i, 1] - 0.3 * rotation[CHEST, i, 2]
            )
        swivel = outward * limited(v[_ELBOW_OUT + side], -0.7, 1.6)
        for _ in range(3):  # the hand follows where the wrist cannot bend so far, and then the arm
            across(n, f, u)
            _thumb_of(thumb, f, n, side)
            for i in range(3):
                wrist[i] = target[i] - f[i] * touch[0] - thumb[i] * touch[1] - n[i] * touch[2]
            bend_chain(
                shoulder,
                wrist,
                lengths[_UPPER_M],
                lengths[_FOREARM_M],
                _ELBOW_SHARPEST,
                pole,
                swivel,
                elbow,
                work,
            )
            for i in range(3):
                u[i] = wrist[i] - elbow[i]
            unit(u)
            if not _hold_wrist(f, u, q):
                break
        across(n, f, u)
        _bend_wrist(f, n, thumb, v, side, q)
        _hold_wrist(f, u, q)
        across(n, f, u)
        _thumb_of(thumb, f, n, side)
        _write_arm(side, shoulder, elbow, wrist, f, n, thumb, hand, work, rotation, origin, joints[t])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _direct(out, rotation, direction):  # type: ignore[no-untyped-def]
    for i in range(3):
        out[i] = rotation[i, 0] * direction[0] + rotation[i, 1] * direction[1] + rotation[i, 2] * direction[2]
    unit(out)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _thumb_of(out, f, n, side):  # type: ignore[no-untyped-def]
    """The direction to the thumb: of a left hand n x f, of a right hand f x n."""
    if side == 0:
        cross(out, n, f)
    else:
        cross(out, f, n)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _touching(out, hand, contact, scale):  # type: ignore[no-untyped-def]
    """The point of the hand that arrives, (along fingers, to the thumb, into the palm's direction)."""
    if contact == 0:  # tips of forefinger and middle finger
        for i in range(3):
            out[i] = 0.5 * (hand[8, i] + hand[12, i])
    elif contact == 1 or contact == 4:
        for i in range(3):
            out[i] = hand[8 if contact == 1 else 4, i]
    else:
        out[0], out[1], out[2] = 0.0, 0.0, 0.0
        if contact == 2:
            out[0], out[2] = 0.075 * scale, 0.015 * scale
        elif contact == 3:
            out[0], out[2] = 0.088 * scale, -0.012 * scale


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _hold_wrist(f, u, work):  # type: ignore[no-untyped-def]
    """Turn the hand towards the forearm `u` as far as the joint demands; whether it had to."""
    straight = f[0] * u[0] + f[1] * u[1] + f[2] * u[2]
    if straight >= math.cos(_WRIST_WIDEST):
        return False
    for i in range(3):
        work[i] = f[i] - straight * u[i]
    if unit(work) < 1e-4:
        work[0], work[1], work[2] = u[1], u[2], u[0]
        across(work, u, f)
    c, s = math.cos(_WRIST_WIDEST), math.sin(_WRIST_WIDEST)
    for i in range(3):
        f[i] = c * u[i] + s * work[i]
    return True


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _bend_wrist(f, n, thumb, v, side, work):  # type: ignore[no-untyped-def]
    """Turn the hand by the state's own angles: about its length, towards the palm, towards the thumb."""
    twist = limited(v[_TWIST + side], -2.6, 2.6)
    _thumb_of(thumb, f, n, side)
    for i in range(3):
        n[i] = math.cos(twist) * n[i] + math.sin(twist) * thumb[i]
    _thumb_of(thumb, f, n, side)
    bend, aside = limited(v[_BEND + side], -1.1, 1.1), limited(v[_SIDEWAYS + side], -0.6, 0.5)
    for i in range(3):
        work[i] = f[i]
        f[i] = math.cos(bend) * f[i] + math.sin(bend) * n[i]
    for i in range(3):
        n[i] = math.cos(bend) * n[i] - math.sin(bend) * work[i]
        f[i] = math.cos(aside) * f[i] + math.sin(aside) * thumb[i]
    unit(f)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _shape_hand(hand, v, side, scale):  # type: ignore[no-untyped-def]
    """(21, 3) joints of a hand from its root: along the fingers, to the thumb, into the palm's direction."""
    fanned = limited(v[_SPREAD + side], 0.0, 1.0)
    hand[0, 0], hand[0, 1], hand[0, 2] = 0.0, 0.0, 0.0
    for finger in range(4):
        curl = limited(v[_CURL + 5 * side + 1 + finger], 0.0, 1.0)
        first = 5 + 4 * finger
        x, lateral, depth = _KNUCKLES[finger, 0], _KNUCKLES[finger, 1], 0.0
        fan = _FAN[finger] * fanned * (1 - 0.8 * curl)
        bent = 0.0
        for joint in range(4):
            hand[first + joint, 0] = x * scale
            hand[first + joint, 1] = lateral * scale
            hand[first + joint, 2] = depth * scale
            if joint < 3:
                bent += _FLEXION[joint] * curl
                length = _BONES[finger, joint]
                x += length * math.cos(bent) * math.cos(fan)
                lateral += length * math.cos(bent) * math.sin(fan)
                depth += length * math.sin(bent)
    _shape_thumb(hand, limited(v[_CURL + 5 * side], 0.0, 1.0), fanned, scale)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _shape_thumb(hand, curl, fanned, scale):  # type: ignore[no-untyped-def]
    x, lateral, depth = 0.022, 0.02, 0.008
    hand[1, 0], hand[1, 1], hand[1, 2] = x * scale, lateral * scale, depth * scale
    for joint in range(3):
        share = curl * (0.35, 0.8, 1.0)[joint]
        a = 0.8 + share * (0.55 - 0.8)
        b = (0.35 + 0.5 * fanned) * (1 - share) - 0.45 * share
        c = 0.2 + share * 0.45
        length = _THUMB_BONES[joint] / math.sqrt(a * a + b * b + c * c)
        x, lateral, depth = x + length * a, lateral + length * b, depth + length * c
        hand[2 + joint, 0], hand[2 + joint, 1] = x * scale, lateral * scale
        hand[2 + joint, 2] = depth * scale


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _write_arm(  # type: ignore[no-untyped-def]
    side, shoulder, elbow, wrist, f, n, thumb, hand, work, rotation, origin, joints
):
    back, front, spare = work[16], work[17], work[18]
    for i in range(3):
        joints[7 + side, i] = elbow[i]
        joints[9 + side, i] = wrist[i]
        back[i] = shoulder[i] - elbow[i]
        front[i] = wrist[i] - elbow[i]
        spare[i] = rotation[CHEST, i, 2]
        origin[UPPER_ARM + side, i] = shoulder[i]
        origin[FOREARM + side, i] = elbow[i]
        origin[HAND + side, i] = wrist[i]
    unit(back)
    across(front, back, spare)
    axes_of(rotation[UPPER_ARM + side], back, front)
    for i in range(3):
        front[i] = back[i]
        back[i] = elbow[i] - wrist[i]
    unit(back)
    across(front, back, spare)
    axes_of(rotation[FOREARM + side], back, front)
    axes_of(rotation[HAND + side], f, n)
    first = _HAND_FIRST + _HAND_JOINTS * side
    for joint in range(_HAND_JOINTS):
        for i in range(3):
            along = f[i] * hand[joint, 0] + thumb[i] * hand[joint, 1] + n[i] * hand[joint, 2]
            joints[first + joint, i] = wrist[i] + along
