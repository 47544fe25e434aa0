"""Noiseless simulated motions, and what is measured on their joints: places, distances, rates, features."""

from __future__ import annotations

from functools import cache

import numpy as np

from fidget.benchmark.simulator.body import place_body, rest_ankles
from fidget.benchmark.simulator.motions import MOTIONS, apply_motion
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT, PoseState
from fidget.benchmark.simulator.subjects import Build

FPS = 25
FRAMES = 80
NOSE, EYE, EAR, SHOULDER, ELBOW, WRIST, HIP, KNEE, ANKLE, TOE, HEEL = 0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19
FACE, HAND = 23, (91, 112)
TIPS = (4, 8, 12, 16, 20)
PALM = (0, 5, 9, 13, 17)


def label_of(name: str) -> int:
    """The index of the motion of this name."""
    return [motion.__name__ for motion in MOTIONS].index(name)


@cache
def joints_of(
    label: int,
    seed: int = 0,
    side: int = RIGHT,
    posture: str = "seated",
    idle: bool = False,
    amplitude: float | None = 1.0,
) -> np.ndarray:
    """(T, 133, 3) metres of the average body, without noise."""
    state = PoseState(FRAMES, posture)
    for hand in (LEFT, RIGHT):
        state.reach(hand, "thigh" if posture == "seated" else "side")
    rng = np.random.default_rng([seed, label])
    apply_motion(state, label, rng, np.arange(FRAMES) / FPS, idle=idle, side=side, amplitude=amplitude)
    build = Build()
    joints = place_body(state, build, rest_ankles(build, posture))
    joints.setflags(write=False)
    return joints


def hand_points(joints: np.ndarray, side: int, points: tuple[int, ...] = tuple(range(21))) -> np.ndarray:
    """(T, points, 3) of one hand."""
    return joints[:, [HAND[side] + point for point in points]]


def axes(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(T, 3, 3) rows x, y, z at right angles; x is kept, z nearly."""
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    z = z - (z * x).sum(1, keepdims=True) * x
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=1)


def head_axes(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3) middle of the ears and (T, 3, 3) axes to the left, up and out of the face."""
    middle = joints[:, [EAR, EAR + 1]].mean(1)
    return middle, axes(joints[:, EAR] - joints[:, EAR + 1], joints[:, NOSE] - middle)


def trunk_axes(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 3) middle of the shoulders and (T, 3, 3) axes to the left, up and forward."""
    shoulders, hips = joints[:, [SHOULDER, SHOULDER + 1]].mean(1), joints[:, [HIP, HIP + 1]].mean(1)
    across = joints[:, SHOULDER] - joints[:, SHOULDER + 1]
    return shoulders, axes(across, np.cross(across, shoulders - hips))


def angles(joints: np.ndarray, which: str) -> np.ndarray:
    """(T, 3) pitch down, yaw and roll to the own left of `head` or `trunk` in the world, radians."""
    _, a = head_axes(joints) if which == "head" else trunk_axes(joints)
    return np.stack(
        [-np.arcsin(a[:, 2, 1]), np.arctan2(a[:, 2, 0], a[:, 2, 2]), -np.arcsin(a[:, 0, 1])], axis=1
    )


def rate_hz(signal: np.ndarray) -> float:
    """The strongest rate of a signal, from the peak of its spectrum without a slow trend."""
    t = np.arange(len(signal)) / len(signal)
    flat = signal - np.polyval(np.polyfit(t, signal, 2), t)
    spectrum = np.abs(np.fft.rfft(flat * np.hanning(len(flat)), 2048))
    return float(np.fft.rfftfreq(2048, 1 / FPS)[spectrum.argmax()])


def to_segment(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(T, points) distances of points (T, points, 3) to the line between (T, 3) and (T, 3)."""
    along = (end - start)[:, None]
    share = ((points - start[:, None]) * along).sum(-1) / (along**2).sum(-1)
    nearest = start[:, None] + np.clip(share, 0, 1)[..., None] * along
    return np.linalg.norm(points - nearest, axis=-1)


def landmark(joints: np.ndarray, name: str, side: int) -> np.ndarray:
    """(T, 3) a point of the head or trunk, from joints alone; `side` decides between left and right."""
    middle, a = head_axes(joints)
    outward = 1.0 if side == LEFT else -1.0
    of_face = {"bridge": (27,), "philtrum": (33, 51), "lip": (62, 66), "chin": (8,)}
    if name in of_face:
        return joints[:, [FACE + point for point in of_face[name]]].mean(1)
    corner = joints[:, FACE + (54 if side == LEFT else 48)]
    simple = {
        "nose": joints[:, NOSE],
        "eye": joints[:, EYE + side],
        "ear": joints[:, EAR + side],
        "cheek": (joints[:, EAR + side] + joints[:, EYE + side] + corner) / 3,
        "shoulder": joints[:, SHOULDER + side],
        "far_shoulder": joints[:, SHOULDER + 1 - side],
        "hip": joints[:, HIP + side],
        "knee": joints[:, KNEE + side],
    }
    if name in simple:
        return simple[name]
    shoulders, b = trunk_axes(joints)
    in_head = {
        "forehead": (0.0, 0.08, 0.09),
        "crown": (0.0, 0.13, 0.0),
        "back_of_head": (0.0, 0.04, -0.09),
        "hair": (0.08 * outward, 0.06, 0.0),
        "strand": (0.11 * outward, -0.08, 0.03),
    }
    in_trunk = {
        "neck": (0.05 * outward, 0.075, 0.01),
        "nape": (0.0, 0.08, -0.05),
        "collar": (0.045 * outward, 0.0, 0.08),
        "chest": (0.0, -0.13, 0.11),
        "belly": (0.0, -0.26, 0.13),
    }
    if name in in_head:
        return middle + np.einsum("i,tij->tj", np.float32(in_head[name]), a)
    return shoulders + np.einsum("i,tij->tj", np.float32(in_trunk[name]), b)
