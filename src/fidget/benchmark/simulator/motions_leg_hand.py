"""The eight actions in which hands go to legs or feet; a standing body bends down as far as it must."""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator.hand_shapes import draw_sides, look, shape_hand, toward, xyz
from fidget.benchmark.simulator.motions_hands_together import hands_folded_on
from fidget.benchmark.simulator.pose_state import (
    FORWARD,
    LEFT,
    OUT,
    PITCH,
    RIGHT,
    ROLL,
    UP,
    Array,
    PoseState,
    Timing,
)
from fidget.benchmark.simulator.timing import bursts, oscillation, visit, wander
from fidget.benchmark.simulator.touching import lie, stroke

_FLAT, _DOWN = (-0.1, -0.05, 1.0), (0.0, -1.0, 0.05)
# How far the trunk bends so that a hand gets there: seated, standing.
_STOOP = {
    "thigh": (0.04, 0.12),
    "inner_thigh": (0.05, 0.2),
    "knee": (0.12, 1.0),
    "shin": (0.5, 1.05),
    "foot": (0.9, 1.35),
}


def _stoop(state: PoseState, weight: Array, place: str, side: int | None = None) -> None:
    """Bend the trunk towards a place of the legs, to one side where one hand goes there."""
    bend = _STOOP[place][state.posture == "standing"] * weight
    state.torso[:, PITCH] += bend
    state.head[:, PITCH] -= 0.25 * bend
    if side is not None:
        state.torso[:, ROLL] += toward(side) * 0.15 * bend


def placing_hands_on_legs_with_elbows_outward(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Both hands near the knees, fingers turned in, elbows pushed out; the trunk leans on them."""
    weight = visit(timing, rng, (0.45, 0.8), (0.4, 0.7), unfinished=0.5, begun=0.2)
    place, along = ("thigh", -0.08) if state.posture == "standing" else ("knee", 0.0)
    for hand in (LEFT, RIGHT):
        at = (0.02, 0.0, along + rng.uniform(-0.1, -0.05))
        lie(state, timing, rng, hand, place, weight, at, "cupped", (-0.8, -0.1, 0.55), _DOWN)
        state.elbow_out[:, hand] += rng.uniform(0.7, 0.95) * amplitude * weight
    state.torso[:, PITCH] += 0.2 * weight
    state.head[:, PITCH] -= 0.12 * weight


def patting_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A flat hand strikes the thigh again and again."""
    weight = visit(timing, rng, (0.2, 0.4), (0.2, 0.4))
    up = 0.5 + 0.5 * oscillation(timing, rng, (2.0, 3.6), cycles=2, phase=np.pi / 2)
    lifted = 0.085 * amplitude * np.clip(up, 0, 1.1) * bursts(timing, rng, (1.2, 2.4), (0.1, 0.3))
    for hand in draw_sides(rng, side, both=0.45):
        shape_hand(state, hand, "flat", weight)
        state.reach(hand, "thigh", weight, xyz(0.01, 0.005 + lifted, 0.04), _FLAT, _DOWN, "palm", arc=0.02)
        state.wrist_bend[:, hand] -= 3 * lifted * weight
    _stoop(state, weight, "thigh")


def scratching_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Bent fingers scratch thigh, knee or shin."""
    place = str(rng.choice(["thigh", "knee", "shin"], p=[0.5, 0.25, 0.25]))
    weight = visit(timing, rng)
    size = (xyz(0.0, 0.035, 0.0) if place == "shin" else xyz(0.006, 0.0, 0.034)) * amplitude
    stroke(state, timing, rng, side, place, weight, size, shape="claw", contact="tips")
    _stoop(state, weight, place, side)
    look(state, weight, pitch=0.22)


def touching_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """One hand is laid on a thigh, wanders a little along it and lies still."""
    place = str(rng.choice(["thigh", "inner_thigh", "far_thigh"], p=[0.4, 0.25, 0.35]))
    weight = visit(timing, rng, (0.4, 0.7), (0.4, 0.7))
    along = (0.05 * amplitude * wander(timing, rng, (0.15, 0.45)))[:, 0]
    shape_hand(state, side, "loose", weight)
    state.reach(side, place, weight, xyz(0.0, 0.0, 0.03 + along), arc=0.09)
    _stoop(state, weight, "thigh", side)


def flatting_hands_on_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Both hands flat on the thighs, fingers straight, smoothed forward to the knees."""
    weight = visit(timing, rng, (0.35, 0.6), (0.35, 0.6), unfinished=0.5)
    ahead = 0.5 - 0.5 * oscillation(timing, rng, (0.3, 0.6), cycles=0.7, phase=np.pi / 2)
    for hand in (LEFT, RIGHT):
        shape_hand(state, hand, "flat", weight)
        at = xyz(0.0, 0.0, -0.09 + 0.17 * amplitude * np.clip(ahead, 0, 1))
        state.reach(hand, "thigh", weight, at, _FLAT, _DOWN, "palm", arc=0.02)
        state.spread[:, hand] += 0.5 * weight
    _stoop(state, weight, "thigh")


def folding_hands_on_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Hands laid into each other, on the lap or on one thigh."""
    if state.posture == "standing":
        weight = hands_folded_on(state, timing, rng, "lap", xyz(0.0, -0.2, -0.1))
    elif rng.random() < 0.7:
        weight = hands_folded_on(state, timing, rng, "lap", xyz(0.0, -0.01, 0.02))
    else:
        weight = visit(timing, rng, (0.4, 0.7), (0.35, 0.65), unfinished=0.45, begun=0.2)
        way = (-0.7, -0.1, 0.7)
        lie(state, timing, rng, side, "thigh", weight, (-0.02, 0.0, 0.02), "cupped", way, _DOWN, "palm")
        lie(
            state,
            timing,
            rng,
            1 - side,
            "far_thigh",
            weight,
            (0.03, 0.03, 0.02),
            "cupped",
            way,
            _DOWN,
            "palm",
        )
    state.torso[:, PITCH] += 0.03 * weight


def rubbing_knee(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The palm goes round on the knee."""
    weight = visit(timing, rng)
    hz = (1.0, 1.9)
    across, along = (
        oscillation(timing, rng, hz, cycles=2, phase=p) * weight * amplitude for p in (0.0, np.pi / 2)
    )
    for hand in draw_sides(rng, side, both=0.4):
        shape_hand(state, hand, "cupped", weight)
        state.reach(hand, "knee", weight, xyz(0.035 * across, 0.0, 0.045 * along - 0.01), arc=0.02)
    _stoop(state, weight, "knee")
    look(state, weight, pitch=0.1)


def scratching_feet(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The body bends down to a foot, or lays the foot on the other knee, and scratches it."""
    weight = visit(timing, rng, (0.5, 0.9), (0.5, 0.8))
    size = xyz(0.015, 0.0, 0.025) * amplitude
    if state.posture == "seated" and rng.random() < 0.5:
        state.foot[:, side, UP] += 0.42 * weight
        state.foot[:, side, OUT] -= 0.24 * weight
        state.foot[:, side, FORWARD] += 0.02 * weight
        state.knee_out[:, side] += 0.75 * weight
        state.torso[:, PITCH] += 0.28 * weight
    else:
        _stoop(state, weight, "foot", side)
        if state.posture == "standing":
            state.foot[:, side, UP] += 0.42 * weight
            state.foot[:, side, FORWARD] += 0.12 * weight
    stroke(state, timing, rng, side, "foot", weight, size, shape="claw", contact="tips")
    look(state, weight, pitch=0.2)
