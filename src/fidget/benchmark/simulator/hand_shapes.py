"""Shapes of a hand by the curl of its five fingers, and the small things that hands do wherever they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fidget.benchmark.simulator.pose_state import LEFT, RIGHT, Array, PoseState, Timing
from fidget.benchmark.simulator.timing import bursts, oscillation

# Curl of thumb, index, middle, ring and little finger, then how far the fingers are spread.
SHAPES: dict[str, tuple[float, float, float, float, float, float]] = {
    "open": (0.05, 0.1, 0.1, 0.12, 0.15, 0.6),
    "flat": (0.1, 0.0, 0.0, 0.0, 0.0, 0.1),
    "fist": (0.8, 1.0, 1.0, 1.0, 1.0, 0.0),
    "loose": (0.25, 0.3, 0.35, 0.4, 0.45, 0.3),
    "cupped": (0.3, 0.45, 0.5, 0.5, 0.5, 0.1),
    "claw": (0.35, 0.5, 0.5, 0.5, 0.55, 0.4),
    "point": (0.8, 0.0, 0.95, 1.0, 1.0, 0.0),
    "two": (0.8, 0.05, 0.1, 0.95, 1.0, 0.0),
    "pinch": (0.45, 0.55, 0.75, 0.85, 0.9, 0.1),
    "grip": (0.5, 0.7, 0.7, 0.7, 0.7, 0.0),
    "ok": (0.88, 0.58, 0.1, 0.08, 0.05, 0.7),
    "thumb": (0.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    "v": (0.85, 0.0, 0.0, 1.0, 1.0, 1.0),
    "phone": (0.0, 1.0, 1.0, 1.0, 0.0, 0.5),
    "crossed": (0.8, 0.0, 0.15, 1.0, 1.0, -0.3),
}


def other(side: int) -> int:
    """The other side."""
    return LEFT + RIGHT - side


def toward(side: int) -> float:
    """The sign of a turn towards a side: yaw and roll are positive to the subject's own left."""
    return 1.0 if side == LEFT else -1.0


def xyz(x: ArrayLike = 0.0, y: ArrayLike = 0.0, z: ArrayLike = 0.0) -> Array:
    """(T, 3), or (3,) where all are numbers: outward, up and forward as one offset."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=-1).astype(np.float32)


def draw_sides(rng: np.random.Generator, side: int, both: float) -> tuple[int, ...]:
    """One side, or both in the given share of cases, the acting one first."""
    return (side, other(side)) if rng.random() < both else (side,)


def shape_hand(state: PoseState, side: int, shape: str, weight: ArrayLike) -> None:
    """Bend the fingers into one of `SHAPES` where weight is 1."""
    target = np.asarray(SHAPES[shape], np.float32)
    share = np.broadcast_to(np.asarray(weight, np.float32), (state.frames,))
    state.curl[:, side] += share[:, None] * (target[:5] - state.curl[:, side])
    state.spread[:, side] += share * (target[5] - state.spread[:, side])


def scratching(timing: Timing, rng: np.random.Generator, hz: tuple[float, float] = (3.0, 5.0)) -> Array:
    """(T,) quick small strokes of fingers with pauses, about -1..1."""
    return oscillation(timing, rng, hz, cycles=2) * bursts(timing, rng)


def look(state: PoseState, weight: ArrayLike, pitch: float, yaw: float = 0.0, roll: float = 0.0) -> None:
    """Turn the head while a hand is busy: towards it, or out of its way."""
    state.head[:] += np.multiply.outer(
        np.broadcast_to(np.asarray(weight, np.float32), (state.frames,)), np.float32([pitch, yaw, roll])
    )
