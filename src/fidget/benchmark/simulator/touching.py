"""What a hand does where it has arrived: it lies there, strokes, or scratches."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fidget.benchmark.simulator.hand_shapes import scratching, shape_hand, xyz
from fidget.benchmark.simulator.pose_state import Array, Contact, PoseState, Timing
from fidget.benchmark.simulator.timing import oscillation, visit, wander


def stroke(
    state: PoseState,
    timing: Timing,
    rng: np.random.Generator,
    side: int,
    place: str,
    weight: Array,
    size_m: ArrayLike,
    hz: tuple[float, float] = (3.0, 5.0),
    at: ArrayLike = (0.0, 0.0, 0.0),
    shape: str | None = None,
    fingers: ArrayLike | None = None,
    palm: ArrayLike | None = None,
    contact: Contact | None = None,
    arc: float = 0.05,
) -> None:
    """A hand goes to and fro at a place; from 3 Hz on in bursts with bent fingers, as one scratches.

    Args:
        state: to add to.
        timing: of the action.
        rng: where rate and pauses are drawn from.
        side: of the hand.
        place: one of `PLACES`.
        weight: (T,) how near the hand is to the place.
        size_m: (3,) half the way of a stroke, outward, up, forward.
        hz: range of strokes a second.
        at: (3,) or (T, 3) metres from the place.
        shape: of the hand, one of `SHAPES`.
        fingers: direction of the fingers, as `PoseState.reach` takes it.
        palm: direction into which the palm looks.
        contact: which point of the hand arrives.
        arc: metres by which the way there bulges forward.
    """
    quick = hz[0] >= 3
    wave = (scratching(timing, rng, hz) if quick else oscillation(timing, rng, hz, cycles=1.5)) * weight
    if shape is not None:
        shape_hand(state, side, shape, weight)
    if quick:
        state.curl[:, side, 1:] += 0.14 * wave[:, None]
    way = np.asarray(at, np.float32) + np.multiply.outer(wave, np.asarray(size_m, np.float32))
    state.reach(side, place, weight, way, fingers, palm, contact, arc)


def raise_hand(
    state: PoseState,
    side: int,
    place: str,
    weight: Array,
    at: ArrayLike,
    fingers: ArrayLike,
    palm: ArrayLike,
    contact: Contact,
) -> None:
    """A hand goes up with its fingers ahead and then turns them up.

    From a hanging arm to fingers that point up is half a turn, and the way of it has to be told.
    """
    early = np.minimum(1.7 * weight, 1)
    state.reach(side, place, early, at, (-0.2, 0.15, 1.0), (-0.8, -0.4, 0.2), contact)
    state.reach(side, place, weight, at, fingers, palm, contact)


def touch_or_scratch(
    state: PoseState,
    timing: Timing,
    rng: np.random.Generator,
    side: int,
    place: str,
    size_m: ArrayLike,
    scratch: float = 0.5,
    at: ArrayLike = (0.0, 0.0, 0.0),
    shapes: tuple[str, str] = ("loose", "claw"),
    fingers: ArrayLike | None = None,
    palm: ArrayLike | None = None,
    contact: Contact | None = None,
) -> Array:
    """A hand goes to a place and either lies there or scratches it, in the given share; (T,) its weight."""
    weight = visit(timing, rng)
    spot = np.asarray(at, np.float32) + rng.uniform(-0.008, 0.008, 3).astype(np.float32)
    if rng.random() < scratch:
        stroke(
            state,
            timing,
            rng,
            side,
            place,
            weight,
            size_m,
            (3.0, 5.0),
            spot,
            shapes[1],
            fingers,
            palm,
            contact,
        )
    else:
        shape_hand(state, side, shapes[0], weight)
        drift = 0.25 * wander(timing, rng, (0.3, 1.0))  # (T, 1)
        state.reach(
            side, place, weight, spot + drift * np.asarray(size_m, np.float32), fingers, palm, contact
        )
    return weight


def lie(
    state: PoseState,
    timing: Timing,
    rng: np.random.Generator,
    side: int,
    place: str,
    weight: Array,
    at: ArrayLike = (0.0, 0.0, 0.0),
    shape: str = "loose",
    fingers: ArrayLike | None = None,
    palm: ArrayLike | None = None,
    contact: Contact | None = None,
    arc: float = 0.05,
) -> None:
    """A hand goes to a place and is held there, with no more than a tremble."""
    shape_hand(state, side, shape, weight)
    tremble = xyz(*(0.002 * wander(timing, rng, (0.4, 1.5), 3)).T)
    state.reach(side, place, weight, np.asarray(at, np.float32) + tremble, fingers, palm, contact, arc)
