"""The five actions in which a hand goes to the trunk, and hands on the hips."""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator.hand_shapes import look, toward, xyz
from fidget.benchmark.simulator.pose_state import LEFT, PITCH, RIGHT, ROLL, YAW, PoseState, Timing
from fidget.benchmark.simulator.timing import visit
from fidget.benchmark.simulator.touching import lie, touch_or_scratch


def scratching_or_touching_shoulder(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A hand lies on the other shoulder, or scratches it; now and then on its own."""
    place = "far_shoulder" if rng.random() < 0.85 else "shoulder"
    size = xyz(0.03, 0.0, 0.02) * amplitude
    weight = touch_or_scratch(state, timing, rng, side, place, size)
    look(state, weight, pitch=0.05, yaw=-toward(side) * 0.12, roll=toward(side) * 0.05)


def scratching_or_touching_neck(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A hand goes to the side of the neck or to the nape; the head bends away from it."""
    at_side = rng.random() < 0.6
    size = xyz(0.004, 0.026, 0.008) if at_side else xyz(0.028, 0.006, 0.0)
    weight = touch_or_scratch(state, timing, rng, side, "neck" if at_side else "nape", size * amplitude)
    look(state, weight, pitch=-0.02 if at_side else 0.2, roll=-toward(side) * (0.16 if at_side else 0.03))


def scratching_or_touching_back(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """One hand goes round the waist to the back; the trunk leans forward and turns with it."""
    size = xyz(0.02, 0.035, 0.0) * amplitude
    weight = touch_or_scratch(state, timing, rng, side, "back", size, scratch=0.6)
    state.torso[:, PITCH] += 0.12 * weight
    state.torso[:, YAW] += toward(side) * 0.12 * weight
    state.torso[:, ROLL] += toward(side) * 0.06 * weight
    state.elbow_out[:, side] += 0.2 * weight


def arms_akimbo(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Both hands on the hips, elbows out."""
    for hand in (LEFT, RIGHT):
        weight = visit(timing, rng, (0.5, 0.8), (0.45, 0.7), unfinished=0.5, begun=0.2)
        lie(state, timing, rng, hand, "waist", weight, shape="cupped")
        state.elbow_out[:, hand] += 0.5 * weight
        state.shoulder_raise[:, hand] += 0.012 * weight
    state.chest[:, PITCH] -= 0.05 * timing.envelope()


def scratching_or_touching_chest_or_abdomen(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A hand lies on the chest or the belly, strokes or scratches it."""
    place = "chest" if rng.random() < 0.6 else "belly"
    at = np.float32([rng.uniform(-0.02, 0.06), rng.uniform(-0.03, 0.06), 0.0])
    size = xyz(0.025, 0.03, 0.0) * amplitude
    weight = touch_or_scratch(state, timing, rng, side, place, size, 0.5, at, ("flat", "claw"))
    look(state, weight, pitch=0.06)
