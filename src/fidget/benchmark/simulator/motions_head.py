"""The nine actions of the head: the head alone turns, the trunk stays."""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator.hand_shapes import toward
from fidget.benchmark.simulator.pose_state import PITCH, ROLL, YAW, PoseState, Timing
from fidget.benchmark.simulator.timing import arrive, oscillation, pulses, visit, wander


def nodding(state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float) -> None:
    """The chin goes down and up again several times: pitch oscillates, mostly downward."""
    wave = oscillation(timing, rng, (1.5, 2.8), cycles=1.5, phase=-np.pi / 2)
    size = rng.uniform(0.14, 0.26) * amplitude * timing.envelope(0.15, 0.4)
    state.head[:, PITCH] += size * (wave + 0.5)


def shaking_head(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The face goes left and right several times: yaw oscillates about the middle."""
    wave = oscillation(timing, rng, (1.3, 2.4), cycles=1.5, phase=0 if toward(side) > 0 else np.pi)
    size = rng.uniform(0.22, 0.42) * amplitude * timing.envelope(0.2, 0.35)
    state.head[:, YAW] += size * wave
    state.head[:, ROLL] += 0.08 * size * wave


def bowing_head(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The head sinks once and stays down a while."""
    down = visit(timing, rng, (0.5, 0.9), (0.5, 0.8), unfinished=0.5, begun=0)
    state.head[:, PITCH] += rng.uniform(0.5, 0.75) * amplitude * down
    state.chest[:, PITCH] += 0.06 * amplitude * down
    state.eyes *= 1 - 0.5 * down  # seen from the front lids are low


def raising_head(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The chin goes up: from a bowed head to the front, or from the front to the ceiling."""
    if rng.random() < 0.35:
        low = rng.uniform(0.35, 0.55) * amplitude
        up = arrive(timing, rng, (0.4, 0.8))
        state.head[:, PITCH] += low - (low + rng.uniform(0.08, 0.2)) * up
    else:
        up = visit(timing, rng, (0.4, 0.8), (0.4, 0.7), unfinished=0.4, begun=0)
        state.head[:, PITCH] -= rng.uniform(0.35, 0.55) * amplitude * up
    state.brow += 0.25 * up


def turning_head(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The face turns once to one side and is held there."""
    turn = toward(side) * rng.uniform(0.5, 0.95) * amplitude
    turned = visit(timing, rng, (0.35, 0.7), (0.35, 0.7), unfinished=0.4, begun=0)
    state.head[:, YAW] += turn * turned
    state.head[:, PITCH] += rng.uniform(-0.06, 0.1) * turned


def tilting_head(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The head leans towards one shoulder and is held there."""
    tilt = toward(side) * rng.uniform(0.28, 0.46) * amplitude
    tilted = visit(timing, rng, (0.4, 0.7), (0.4, 0.7), unfinished=0.4, begun=0)
    state.head[:, ROLL] += tilt * tilted
    state.head[:, YAW] += rng.uniform(-0.15, 0.15) * tilt * tilted


def compound_head_movements(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Pitch, yaw and roll at once: the nose draws circles or eights."""
    gate = timing.envelope(0.3, 0.4) * amplitude
    hz = (0.7, 1.2)
    around = oscillation(timing, rng, hz, cycles=1.2, phase=0)
    up_down = oscillation(timing, rng, hz, cycles=1.2, phase=np.pi / 2)
    state.head[:, YAW] += toward(side) * 0.36 * around * gate
    state.head[:, PITCH] += 0.28 * up_down * gate
    state.head[:, ROLL] += toward(side) * rng.uniform(0.14, 0.24) * up_down * gate


def semantic_head_movements(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The head underlines what is said: it is poked forward at single words, with brows and mouth."""
    gate = timing.envelope(0.25, 0.3)
    beats = pulses(timing, rng, (2, 4), (0.3, 0.5)) * gate
    drift = wander(timing, rng, (0.3, 0.8), 2)
    state.head_shift[:, 2] += 0.055 * amplitude * beats
    state.head[:, PITCH] -= 0.1 * amplitude * beats
    state.head[:, ROLL] += (toward(side) * 0.14 * beats + 0.05 * drift[:, 0]) * amplitude * gate
    state.head[:, YAW] += 0.06 * amplitude * drift[:, 1] * gate
    state.brow += 0.7 * beats
    state.mouth_open += 0.35 * (0.5 + 0.5 * oscillation(timing, rng, (3, 4.5))) * gate


def swing_hair(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The head throws the hair out of the face: down and to one side, then quickly up and over."""
    throws = 1 if timing.span_s < 2 or rng.random() < 0.6 else 2
    throw = pulses(timing, rng, (throws, throws), (0.3, 0.42)) * amplitude
    wind_up = np.clip(np.interp(timing.time_s + 0.3, timing.time_s, throw) - throw, 0, 1).astype(np.float32)
    sign = toward(side)
    state.head[:, PITCH] += 0.42 * wind_up - 0.42 * throw
    state.head[:, YAW] += sign * (0.6 * throw - 0.25 * wind_up)
    state.head[:, ROLL] += sign * (0.38 * throw - 0.32 * wind_up)
    state.torso[:, YAW] += sign * 0.08 * throw
