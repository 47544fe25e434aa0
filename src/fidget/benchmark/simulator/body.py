"""A body: degrees of freedom over time become the 133 joints of COCO-WholeBody in space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator.arms import pack_reaches, place_arm
from fidget.benchmark.simulator.face_points import face_expressions, face_template
from fidget.benchmark.simulator.places import FRAMES
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT, PoseState, Posture
from fidget.benchmark.simulator.subjects import Build
from fidget.benchmark.simulator.trunk_legs import place_legs, place_trunk

JOINTS = 133


@dataclass(frozen=True, eq=False)
class PlacedBody:
    """A body in space over T frames; axes as in `place_body`.

    Attributes:
        joints_m: (T, 133, 3).
        rotations: (T, 16, 3, 3) of the rigid frames of `places`, whose columns are their axes.
        origins_m: (T, 16, 3) of the same.
    """

    joints_m: NDArray[np.float32]
    rotations: NDArray[np.float32]
    origins_m: NDArray[np.float32]


def rest_ankles(
    build: Build, posture: Posture, apart: float = 1.0, ahead: float = 0.0
) -> NDArray[np.float32]:
    """(2, 3) metres: where the ankles rest below a pelvis at the origin, x to the left.

    Args:
        build: of the subject.
        posture: seated on a chair of the shin's height, or standing with knees all but straight.
        apart: half the distance of the feet as a multiple of the hips'.
        ahead: shin lengths by which seated feet stand before the knees.
    """
    x = build.hip_half * apart
    if posture == "seated":
        y, z = -0.97 * build.shin, 0.97 * build.thigh + ahead * build.shin
    else:
        y, z = -0.985 * (build.thigh + build.shin), 0.01
    return np.array([[x, y, z], [-x, y, z]], np.float32)


def place_body(state: PoseState, build: Build, ankles: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T, 133, 3) metres: x to the subject's left, y up, z forward, the pelvis at rest at the origin.

    Args:
        state: what moves; each hand needs at least one reach, its rest place.
        build: lengths of the subject.
        ankles: (2, 3) rest places of the ankles.

    Raises:
        ValueError: a hand has nowhere to be.
    """
    return place_frames(state, build, ankles).joints_m


def place_frames(state: PoseState, build: Build, ankles: NDArray[np.float32]) -> PlacedBody:
    """As `place_body`, with the rigid frames of trunk, head and limbs.

    Raises:
        ValueError: a hand has nowhere to be.
    """
    if not all(state.reaches):
        raise ValueError("expected a rest place for each hand; call state.reach(side, place) for both first")
    t = state.frames
    lengths = build.lengths()
    rotations = np.empty((t, FRAMES, 3, 3), np.float32)
    origins = np.empty((t, FRAMES, 3), np.float32)
    joints = np.empty((t, JOINTS, 3), np.float32)
    place_trunk(state.values, lengths, face_template(), face_expressions(), rotations, origins, joints)
    work = np.empty((8, 3), np.float32)
    place_legs(state.values, lengths, ankles, work, rotations, origins, joints)
    left, right = (pack_reaches(state.reaches[side], side, t) for side in (LEFT, RIGHT))
    arms = [(LEFT, left), (RIGHT, right)]
    if left.needs_other_arm and right.needs_other_arm:  # each on the other: the left begins without
        arms = [
            (LEFT, pack_reaches(state.reaches[LEFT], LEFT, t, skip_arms=True)),
            (RIGHT, right),
            (LEFT, left),
        ]
    elif left.needs_other_arm:
        arms.reverse()
    for side, reaches in arms:
        place_arm(state.values, lengths, side, reaches, rotations, origins, joints)
    return PlacedBody(joints, rotations, origins)
