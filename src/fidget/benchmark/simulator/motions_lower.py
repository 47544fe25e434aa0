"""The nine actions of legs and feet; where a seated body cannot be meant, the standing one does the like."""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator.hand_shapes import draw_sides, other
from fidget.benchmark.simulator.pose_state import FORWARD, LEFT, OUT, RIGHT, UP, Array, PoseState, Timing
from fidget.benchmark.simulator.timing import arrive, bursts, oscillation, pulses, visit


def _step(timing: Timing, rng: np.random.Generator, stays: float = 0.65) -> Array:
    """(T,) a leg goes to a new place and mostly stays there."""
    if rng.random() < stays:
        return arrive(timing, rng, (0.5, 0.9))
    return visit(timing, rng, (0.45, 0.8), (0.45, 0.8), unfinished=0, begun=0)


def _feet(state: PoseState, rng: np.random.Generator, side: int, both: float) -> tuple[int, ...]:
    """One foot, or both in the given share of cases; a standing body keeps one on the floor."""
    return draw_sides(rng, side, both if state.posture == "seated" else 0.0)


def _lifted(weight: Array, height_m: float) -> Array:
    """(T,) a foot leaves the floor while it is on its way."""
    return height_m * 4 * weight * (1 - weight)


def tiptoe(state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float) -> None:
    """Heels leave the floor and the toes stay: held, or slowly up and down."""
    if rng.random() < 0.6:
        up = visit(timing, rng, (0.3, 0.6), (0.3, 0.6))
    else:
        up = pulses(timing, rng, (2, 4), (0.45, 0.8))
    height = rng.uniform(0.065, 0.095) * amplitude
    feet = draw_sides(rng, side, both=0.45)
    for foot in feet:
        state.heel[:, foot] += height * up
    if state.posture == "standing" and len(feet) == 2:
        state.body_shift[:, UP] += 0.9 * height * up


def ankle_movements(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A foot is lifted a little forward and turns about its ankle, in circles or up and down."""
    for foot in _feet(state, rng, side, both=0.2):
        weight = visit(timing, rng, (0.3, 0.6), (0.3, 0.6), unfinished=0.4, begun=0.3)
        hz = (0.8, 1.6)
        up, aside = (oscillation(timing, rng, hz, cycles=1.5, phase=p) * weight for p in (0.0, np.pi / 2))
        state.foot[:, foot, FORWARD] += 0.1 * weight
        state.foot[:, foot, UP] += 0.07 * weight
        state.foot_pitch[:, foot] += (0.42 * up + 0.1 * weight) * amplitude
        state.foot_yaw[:, foot] += rng.uniform(0.25, 0.5) * aside * amplitude


def stretching_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A leg goes forward until its knee is nearly straight."""
    for foot in _feet(state, rng, side, both=0.4):
        weight = _step(timing, rng)
        state.foot[:, foot, FORWARD] += rng.uniform(0.28, 0.4) * amplitude * weight
        state.foot[:, foot, UP] += (
            _lifted(weight, 0.04) + (0.08 if state.posture == "standing" else 0.02) * weight
        )
        state.foot_pitch[:, foot] += 0.35 * weight


def retracting_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A leg is drawn back: from where it was stretched, or under the chair, heel off the floor."""
    stretched = rng.uniform(0.2, 0.34) * amplitude if rng.random() < 0.45 else 0.0
    for foot in _feet(state, rng, side, both=0.5):
        weight = _step(timing, rng, stays=0.85)
        back = rng.uniform(0.02, 0.08) if stretched else rng.uniform(0.16, 0.24) * amplitude
        state.foot[:, foot, FORWARD] += stretched * (1 - weight) - back * weight
        state.foot[:, foot, UP] += _lifted(weight, 0.03)
        state.foot_pitch[:, foot] += 0.3 * (1 - weight) * (stretched > 0)
        state.heel[:, foot] += (0.0 if stretched else 0.05) * weight


def shaking_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A knee jumps up and down on the toes, or opens and shuts, several times a second."""
    sideways = rng.random() < 0.3
    for foot in draw_sides(rng, side, both=0.3):
        gate = timing.envelope(0.2, 0.25) * amplitude
        if rng.random() < 0.3:
            gate = gate * bursts(timing, rng, (1.0, 2.0))
        if sideways:
            state.knee_out[:, foot] += 0.17 * oscillation(timing, rng, (2.4, 3.8), cycles=3) * gate
        else:
            wave = 0.5 + 0.5 * oscillation(timing, rng, (3.6, 5.6), cycles=3)
            state.heel[:, foot] += 0.05 * np.clip(wave, 0, 1.2) * gate


def _spread_by(state: PoseState, foot: int, share: Array, amplitude: float) -> None:
    """Knee and foot of one side outward; share 1 is wide."""
    if state.posture == "standing":
        state.foot[:, foot, OUT] += 0.2 * amplitude * share
    else:
        state.foot[:, foot, OUT] += 0.12 * amplitude * share
        state.knee_out[:, foot] += 0.42 * amplitude * share
    state.foot_yaw[:, foot] += 0.25 * share


def closing_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Knees come together from apart."""
    for foot in (LEFT, RIGHT):
        weight = arrive(timing, rng, (0.45, 0.9))
        _spread_by(state, foot, 1 - weight, amplitude)
        state.foot[:, foot, OUT] -= 0.045 * weight
        state.knee_out[:, foot] -= 0.1 * weight
        state.foot[:, foot, UP] += _lifted(weight, 0.015)


def spread_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Knees go apart and stay there."""
    for foot in (LEFT, RIGHT):
        weight = arrive(timing, rng, (0.45, 0.9))
        _spread_by(state, foot, weight, amplitude)
        state.foot[:, foot, UP] += _lifted(weight, 0.015)


def crossing_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """One thigh goes over the other knee; a standing body puts one foot across the other."""
    weight = arrive(timing, rng, (0.7, 1.1)) if rng.random() < 0.85 else visit(timing, rng, (0.6, 0.9))
    if state.posture == "standing":
        state.foot[:, side, OUT] -= 0.28 * weight
        state.foot[:, side, FORWARD] += 0.1 * weight
        state.foot[:, side, UP] += _lifted(weight, 0.08)
        return
    state.foot[:, side, OUT] -= rng.uniform(0.3, 0.36) * weight
    state.foot[:, side, UP] += rng.uniform(0.2, 0.27) * weight + _lifted(weight, 0.1)
    state.foot[:, side, FORWARD] += rng.uniform(0.14, 0.2) * weight
    state.knee_out[:, side] -= 0.3 * weight
    state.foot_pitch[:, side] -= 0.35 * weight
    state.foot[:, other(side), FORWARD] -= 0.04 * weight


def curling_legs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Ankles crossed and drawn back under the seat, or one foot pulled up; standing, a shin bent back."""
    weight = _step(timing, rng, stays=0.75)
    if state.posture == "standing":
        state.foot[:, side, FORWARD] -= 0.36 * amplitude * weight
        state.foot[:, side, UP] += 0.26 * amplitude * weight
        state.foot_pitch[:, side] -= 0.8 * weight
    elif rng.random() < 0.7:
        for foot, ahead in ((side, 0.05), (other(side), -0.05)):
            state.foot[:, foot, OUT] -= 0.15 * weight
            state.foot[:, foot, FORWARD] += (ahead - rng.uniform(0.17, 0.24) * amplitude) * weight
            state.foot[:, foot, UP] += 0.03 * weight + _lifted(weight, 0.02)
            state.heel[:, foot] += 0.05 * weight
            state.knee_out[:, foot] += 0.12 * weight
    else:
        state.foot[:, side, UP] += 0.36 * weight + _lifted(weight, 0.08)
        state.foot[:, side, FORWARD] -= 0.1 * weight
        state.foot[:, side, OUT] -= 0.12 * weight
        state.knee_out[:, side] += 0.6 * weight
