"""The six actions of the body: swing, shake, turn, lean, sit up, shrug."""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator.hand_shapes import other, toward
from fidget.benchmark.simulator.pose_state import PITCH, ROLL, YAW, PoseState, Timing
from fidget.benchmark.simulator.timing import arrive, oscillation, pulses, visit


def swing_body(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The trunk sways slowly from side to side."""
    wave = oscillation(timing, rng, (0.45, 0.85), cycles=1.2) * timing.envelope(0.4, 0.4) * amplitude
    state.torso[:, ROLL] += 0.17 * wave
    state.torso[:, YAW] += rng.uniform(-0.08, 0.08) * wave
    state.head[:, ROLL] -= 0.07 * wave
    state.body_shift[:, 0] += 0.03 * wave


def shaking_body(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The whole trunk trembles: the same from side to side, but quick and small, with a bounce."""
    hz = (2.6, 4.2)
    gate = timing.envelope(0.25, 0.25) * amplitude
    turn, bounce = (oscillation(timing, rng, hz, cycles=3) * gate for _ in range(2))
    state.torso[:, YAW] += 0.11 * turn
    state.torso[:, ROLL] += 0.035 * turn
    state.head[:, YAW] -= 0.06 * turn
    state.body_shift[:, 0] += 0.008 * turn
    state.body_shift[:, 1] += 0.012 * bounce


def change_body_direction(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Pelvis, trunk and head turn to one side and stay there."""
    turn = toward(side) * rng.uniform(0.45, 0.8) * amplitude * arrive(timing, rng, (0.6, 1.1))
    state.body_turn[:, YAW] += turn
    state.torso[:, YAW] += 0.25 * turn
    state.head[:, YAW] -= rng.uniform(0.0, 0.5) * turn
    state.body_shift[:, 0] += 0.03 * turn


def tilting_forward_backward(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The trunk leans forward, or back into the chair."""
    forward = rng.random() < 0.6
    size = rng.uniform(0.3, 0.48) if forward else -rng.uniform(0.22, 0.34)
    lean = size * amplitude * visit(timing, rng, (0.6, 1.0), (0.5, 0.9), unfinished=0.45, begun=0)
    state.torso[:, PITCH] += lean
    state.head[:, PITCH] -= 0.45 * lean
    state.body_shift[:, 2] += 0.05 * lean


def sitting_straightly(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """From a slump to an upright back, shoulders drawn back; it stays."""
    up = arrive(timing, rng, (0.5, 0.9))
    slump = (1 - up) * amplitude
    state.torso[:, PITCH] += 0.14 * slump - 0.05 * up
    state.chest[:, PITCH] += 0.34 * slump - 0.07 * up
    state.head[:, PITCH] += 0.06 * slump - 0.04 * up
    state.head_shift[:, 2] += 0.03 * slump
    state.body_shift[:, 1] += 0.012 * up - 0.03 * slump
    state.shoulder_forward += (0.04 * slump - 0.025 * up)[:, None]
    state.chest[:, PITCH] -= 0.3 * up * slump  # a little too far, and back


def shrugging(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Shoulders to the ears and down again, once or twice; sometimes only one."""
    if rng.random() < 0.35:
        up = visit(timing, rng, (0.2, 0.35), (0.25, 0.45), unfinished=0, begun=0)
    else:
        up = pulses(timing, rng, (1, 2), (0.35, 0.55))
    up = up * amplitude
    state.shoulder_raise[:, side] += 0.075 * up
    state.shoulder_raise[:, other(side)] += (0.02 if rng.random() < 0.15 else 0.075) * up
    state.head_shift[:, 1] -= 0.012 * up
    state.head[:, ROLL] += rng.uniform(-0.08, 0.08) * up
    state.elbow_out += 0.2 * up[:, None]
    state.wrist_twist += 0.35 * up[:, None]
    state.brow += rng.uniform(0, 0.7) * up
