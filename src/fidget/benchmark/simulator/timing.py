"""Curves over time that motions are made of: a gesture that comes and goes, a step, an oscillation, bursts.

All are (T,) float32 over the frames of one clip, drawn from `rng`, with no loop over frames. Rates are cycles
a second and lengths are seconds, chosen as one sees them in people: a scratch is at 3 to 5 Hz, a nod at 1.5
to 3 Hz, a hand needs half a second to the face. Everything shrinks where the clip is too short for it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fidget.benchmark.simulator.pose_state import Array, Timing, smooth_step

FASTEST_HZ = 6.5  # hands and feet do not go faster, and 15 frames a second could not show it
SHARE_BEGUN = 0.12  # of gestures have their onset before the clip begins
SHARE_UNFINISHED = 0.2  # of gestures are still held when the clip ends


def draw_timing(time_s: ArrayLike, rng: np.random.Generator, tempo: float = 1.0) -> Timing:
    """An action that fills nearly the whole clip: clips are cut to their action, with a little on both sides.

    Args:
        time_s: (T,) seconds from the first frame.
        rng: where the two ends are drawn from.
        tempo: how fast the subject moves; 1.2 makes everything a fifth quicker.

    Raises:
        ValueError: no frame, or a tempo that is not positive.
    """
    seconds = np.asarray(time_s, np.float32) * np.float32(tempo)
    if seconds.ndim != 1 or not seconds.size or tempo <= 0:
        raise ValueError(
            f"expected time_s (T,) of at least one frame and a tempo above 0, got shape {seconds.shape} "
            f"and tempo {tempo}; give one time per frame"
        )
    length = max(float(seconds[-1]), 0.1)
    begin, end = rng.uniform(0, 0.08, 2) * length
    return Timing(seconds, float(begin), float(length - end))


def visit(
    timing: Timing,
    rng: np.random.Generator,
    rise_s: tuple[float, float] = (0.4, 0.7),
    fall_s: tuple[float, float] = (0.4, 0.7),
    unfinished: float = SHARE_UNFINISHED,
    begun: float = SHARE_BEGUN,
    still: bool = False,
) -> Array:
    """(T,) onset, apex, offset: 0 to 1, held, and back to 0.

    Args:
        timing: of the action.
        rng: where lengths are drawn from.
        rise_s: range of the onset's length, at most 0.4 of the action.
        fall_s: range of the offset's length, likewise.
        unfinished: share of actions that are still held at the end.
        begun: share of actions that are there from the first frame.
        still: whether it may be 1 all the time; else what is held at the end has an onset.
    """
    limit = max(0.4 * timing.span_s, 1e-3)
    rise, fall = min(rng.uniform(*rise_s), limit), min(rng.uniform(*fall_s), limit)
    starts_held, stays_held = rng.random() < begun, rng.random() < unfinished
    starts_held = starts_held and (still or not stays_held)
    weight = np.ones_like(timing.time_s)
    if not starts_held:
        weight *= smooth_step((timing.time_s - timing.begin_s) / rise)
    if not stays_held:
        weight *= smooth_step((timing.end_s - timing.time_s) / fall)
    return weight


def arrive(
    timing: Timing,
    rng: np.random.Generator,
    length_s: tuple[float, float] = (0.45, 0.9),
    latest: float = 0.25,
) -> Array:
    """(T,) a step from 0 to 1 that stays: a change of posture, begun in the first share `latest`."""
    length = min(rng.uniform(*length_s), max(0.7 * timing.span_s, 1e-3))
    start = timing.begin_s + rng.uniform(0, latest) * timing.span_s
    return smooth_step((timing.time_s - start) / length)


def oscillation(
    timing: Timing,
    rng: np.random.Generator,
    hz: tuple[float, float],
    cycles: float = 1.0,
    phase: float | None = None,
) -> Array:
    """(T,) about -1..1, a sine whose rate and size waver as a person's do.

    Args:
        timing: of the action.
        rng: where the rate is drawn from.
        hz: range of the rate.
        cycles: fewest cycles within the action; a short clip is quicker for it.
        phase: radians when the action begins, drawn where None.
    """
    rate = min(max(rng.uniform(*hz), cycles / max(timing.span_s, 1e-3)), FASTEST_HZ)
    drawn, waver, swell = rng.uniform(0, 2 * np.pi, 3)
    start = drawn if phase is None else phase
    seconds = timing.time_s - np.float32(timing.begin_s)
    slow = np.float32(2 * np.pi * 0.37) * seconds
    angle = np.float32(2 * np.pi * rate) * seconds + 0.35 * (np.sin(slow + waver) - np.sin(waver))
    size = 1 + 0.15 * np.sin(1.7 * slow + swell)
    return (np.sin(angle + start) * size).astype(np.float32)


def pulses(
    timing: Timing,
    rng: np.random.Generator,
    count: tuple[int, int],
    width_s: tuple[float, float] = (0.2, 0.35),
) -> Array:
    """(T,) 0..1, so many short strokes, evenly spread with a little disorder.

    Args:
        timing: of the action.
        rng: where number, places and heights are drawn from.
        count: fewest and most strokes; no more than fit.
        width_s: range of a stroke's width at half of its height.
    """
    width = min(rng.uniform(*width_s), 0.5 * timing.span_s)
    number = int(rng.integers(count[0], count[1] + 1))
    number = max(1, min(number, int(timing.span_s / (1.8 * width))))
    middles = (np.arange(number) + 0.5 + rng.uniform(-0.15, 0.15, number)) / number
    centres = (timing.begin_s + middles * timing.span_s).astype(np.float32)
    heights = rng.uniform(0.8, 1.1, number).astype(np.float32)
    distance = (timing.time_s[:, None] - centres) / np.float32(0.6 * width)  # (T, strokes)
    return np.minimum((heights * np.exp(-(distance**2))).sum(axis=1), 1.1).astype(np.float32)


def bursts(
    timing: Timing,
    rng: np.random.Generator,
    on_s: tuple[float, float] = (0.5, 1.3),
    off_s: tuple[float, float] = (0.15, 0.45),
) -> Array:
    """(T,) 1 while something is done, 0 in the pauses; begins with 1."""
    number = int(timing.span_s / (on_s[0] + off_s[0])) + 2
    on, off = rng.uniform(*on_s, number), rng.uniform(*off_s, number)
    edges = timing.begin_s + np.cumsum(np.stack([on, off], axis=1).ravel())  # off, on, off, ...
    knots = (edges[:, None] + np.asarray([-0.06, 0.06])).ravel()
    levels = np.tile([1.0, 0.0, 0.0, 1.0], number)
    return smooth_step(np.interp(timing.time_s, knots, levels))


def wander(
    timing: Timing, rng: np.random.Generator, hz: tuple[float, float] = (0.15, 0.8), channels: int = 1
) -> NDArray[np.float32]:
    """(T, channels) slow aimless motion of about unit size: three sines each, of rates within `hz`."""
    rates = (2 * np.pi * rng.uniform(*hz, (3, channels))).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, (3, channels)).astype(np.float32)
    angles = timing.time_s[:, None, None] * rates + phases  # (T, 3, channels)
    return np.sin(angles).sum(axis=1) * np.float32(0.8)
