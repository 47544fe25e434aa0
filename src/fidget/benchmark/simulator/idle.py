"""What a body does besides its action: it breathes, sways, blinks, talks, and now and then moves a part.

All is small beside an action, and never of the part that the action is about.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fidget.benchmark.simulator.pose_state import PITCH, ROLL, YAW, Array, PoseState, Timing
from fidget.benchmark.simulator.style import MotionStyle
from fidget.benchmark.simulator.timing import wander

BLINK_S = 0.09  # half of a blink
BLINKS_PER_S = 0.28
MICRO_PER_S = 0.12  # small motions that are not the action, of a subject of usual restlessness


def add_idle(state: PoseState, timing: Timing, rng: np.random.Generator, style: MotionStyle) -> None:
    """Breathing, sway, drifting fingers, blinks and, in a share of clips, speech."""
    breath = np.sin(2 * np.pi * rng.uniform(0.2, 0.33) * timing.time_s + rng.uniform(0, 6.3)).astype(
        np.float32
    )
    state.shoulder_raise += (0.004 * breath)[:, None]
    state.chest[:, PITCH] -= 0.008 * breath
    slow = wander(timing, rng, (0.08, 0.4), 9) * np.float32(style.restlessness)
    state.head += 0.014 * slow[:, 0:3]
    state.torso += 0.007 * slow[:, 3:6]
    state.body_shift[:, ::2] += 0.003 * slow[:, 6:8]
    fingers = wander(timing, rng, (0.2, 0.9), 12) * np.float32(style.restlessness)
    state.curl += 0.025 * fingers[:, :10].reshape(-1, 2, 5)
    state.wrist_bend += 0.02 * fingers[:, 10:]
    state.knee_out += 0.008 * slow[:, 7:9]
    state.eyes *= 1 - _blinks(timing, rng)
    if rng.random() < style.talk:
        syllables = wander(timing, rng, (2.0, 4.5), 1)[:, 0]
        phrases = np.clip(wander(timing, rng, (0.2, 0.5), 1)[:, 0] + 0.6, 0, 1)
        state.mouth_open += 0.2 * np.clip(syllables, 0, 1.5) * phrases
        state.head[:, PITCH] += 0.012 * syllables * phrases


def _blinks(timing: Timing, rng: np.random.Generator) -> Array:
    """(T,) 1 where the eyes are shut."""
    number = rng.poisson(BLINKS_PER_S * float(timing.time_s[-1] - timing.time_s[0]) + 0.05)
    if not number:
        return np.zeros_like(timing.time_s)
    at = rng.uniform(timing.time_s[0], timing.time_s[-1] + 0.01, number).astype(np.float32)
    shut = np.clip(1.3 - np.abs(timing.time_s[:, None] - at) / BLINK_S, 0, 1)  # (T, blinks)
    return shut.max(axis=1)


def _glance(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.head[:, YAW] += rng.choice([-1, 1]) * rng.uniform(0.06, 0.15) * bump


def _small_nod(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.head[:, PITCH] += rng.uniform(0.04, 0.09) * bump


def _small_tilt(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.head[:, ROLL] += rng.choice([-1, 1]) * rng.uniform(0.04, 0.09) * bump


def _weight_shift(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.torso[:, ROLL] += rng.choice([-1, 1]) * rng.uniform(0.02, 0.05) * bump
    state.body_shift[:, 0] += rng.uniform(-0.012, 0.012) * bump


def _small_lean(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.torso[:, PITCH] += rng.uniform(-0.03, 0.05) * bump


def _finger_twitch(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.curl[:, rng.integers(2)] += np.multiply.outer(bump, rng.uniform(-0.1, 0.2, 5).astype(np.float32))


def _wrist_twitch(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.wrist_bend[:, rng.integers(2)] += rng.uniform(-0.15, 0.15) * bump


def _toe_tap(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.foot_pitch[:, rng.integers(2)] += rng.uniform(0.06, 0.14) * bump


def _knee_sway(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.knee_out[:, rng.integers(2)] += rng.uniform(-0.05, 0.08) * bump


def _brow_flash(state: PoseState, bump: Array, rng: np.random.Generator) -> None:
    state.brow += rng.uniform(-0.4, 0.7) * bump
    state.smile += rng.uniform(0, 0.5) * bump


Micro = Callable[[PoseState, Array, np.random.Generator], None]

# What moves besides the action, by the part that it belongs to.
MICRO_MOTIONS: tuple[tuple[str, Micro], ...] = (
    ("head", _glance),
    ("head", _small_nod),
    ("head", _small_tilt),
    ("body", _weight_shift),
    ("body", _small_lean),
    ("hand", _finger_twitch),
    ("hand", _wrist_twitch),
    ("leg", _toe_tap),
    ("leg", _knee_sway),
    ("face", _brow_flash),
)


def add_distractors(
    state: PoseState, timing: Timing, rng: np.random.Generator, style: MotionStyle, busy: frozenset[str]
) -> int:
    """Small motions of parts that the action does not use; how many there are."""
    free = [motion for part, motion in MICRO_MOTIONS if part not in busy]
    length = float(timing.time_s[-1] - timing.time_s[0])
    number = int(rng.poisson(MICRO_PER_S * style.restlessness * length))
    for _ in range(number):
        centre, width = rng.uniform(0, length), rng.uniform(0.15, 0.4)
        bump = np.exp(-(((timing.time_s - centre) / width) ** 2)).astype(np.float32)
        free[rng.integers(len(free))](state, bump, rng)
    return number
