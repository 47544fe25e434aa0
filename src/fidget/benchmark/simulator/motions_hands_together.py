"""The upper-limb actions in which two hands, or two arms, meet in front of the body.

Hands that meet each go to a place of the trunk with offsets that mirror each other, so that both arrive
whatever the arms do; only a hand that holds the other follows it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fidget.benchmark.simulator.hand_shapes import look, other, shape_hand, xyz
from fidget.benchmark.simulator.pose_state import (
    INDEX,
    LEFT,
    RIGHT,
    THUMB,
    Array,
    Contact,
    PoseState,
    Timing,
)
from fidget.benchmark.simulator.timing import arrive, bursts, oscillation, visit, wander
from fidget.benchmark.simulator.touching import lie

_FORWARD, _FACING = (-0.1, 0.45, 0.9), (-1.0, -0.1, 0.0)  # palms look at each other
_CROSSED, _ONTO_OTHER = (-0.8, 0.3, 0.5), (-0.45, -0.2, -0.85)  # fingers between those of the other hand
_SPIRE, _SPIRE_PALM = (-0.42, 0.9, 0.2), (-0.9, -0.4, 0.0)


def _held(timing: Timing, rng: np.random.Generator) -> Array:
    """(T,) of a hold that often is there before the clip begins or after it ends."""
    return visit(timing, rng, (0.4, 0.7), (0.35, 0.65), unfinished=0.45, begun=0.3, still=True)


def _height(rng: np.random.Generator) -> Array:
    """(3,) where in front of the trunk two hands meet, from the place `front`."""
    return xyz(0.0, rng.uniform(-0.1, 0.02), rng.uniform(-0.12, -0.04))


def _meet(
    state: PoseState,
    weight: Array,
    at: ArrayLike,
    apart: ArrayLike,
    shape: str,
    fingers: ArrayLike,
    palm: ArrayLike,
    contact: Contact = "palm",
    place: str = "front",
) -> None:
    """Both hands at one place; `apart` (T, 2, 3) or (3,) is added to each, outward is away from the other."""
    both = np.broadcast_to(np.asarray(apart, np.float32), (state.frames, 2, 3))
    for hand in (LEFT, RIGHT):
        shape_hand(state, hand, shape, weight)
        state.reach(hand, place, weight, np.asarray(at, np.float32) + both[:, hand], fingers, palm, contact)


def _opposed(wave: Array, size_m: ArrayLike) -> Array:
    """(T, 2, 3) one hand goes one way while the other goes the other."""
    return np.multiply.outer(np.stack([wave, -wave], axis=1), np.asarray(size_m, np.float32))


def interlace_fingers(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Fingers between fingers, held in front of the chest or belly."""
    weight = _held(timing, rng)
    squeeze = 0.08 * wander(timing, rng, (0.3, 0.8))
    at = xyz(0.005, rng.uniform(-0.06, 0.04), rng.uniform(-0.1, -0.03))
    _meet(state, weight, at, (0.0, 0.0, 0.0), "cupped", _CROSSED, _ONTO_OTHER, "knuckles")
    state.curl += (weight[:, None] * (0.12 + squeeze))[:, :, None]
    state.spread += 0.25 * weight[:, None]
    state.elbow_out += 0.15 * weight[:, None]


def holding_fingers(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """One hand holds the straight fingers of the other in front of the belly."""
    weight = _held(timing, rng)
    hand = other(side)
    at = xyz(0.06, 0.05, 0.08)
    lie(state, timing, rng, hand, "belly", weight, at, "flat", (-0.9, 0.1, 0.4), (-0.1, -0.6, -0.8), "wrist")
    squeeze = 0.01 * amplitude * wander(timing, rng, (0.4, 1.2), 3)
    shape_hand(state, side, "grip", weight)
    state.reach(side, "far_fingers", weight, squeeze, (-0.7, 0.2, 0.7), (-0.3, -0.4, -0.85), contact="palm")


def holding_hands(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """One hand is closed around a fist of the other, low in front of the body."""
    weight = _held(timing, rng)
    hand = other(side)
    at = xyz(0.03, -0.03, 0.02)
    lie(state, timing, rng, hand, "lap", weight, at, "fist", (-0.6, -0.1, 0.8), (-0.6, -0.8, 0.0), "palm")
    shape_hand(state, side, "cupped", weight)
    squeeze = 0.006 * amplitude * wander(timing, rng, (0.4, 1.2), 3)
    state.reach(
        side, "lap", weight, xyz(-0.005, 0.02, 0.04) + squeeze, (-0.9, -0.1, 0.4), (0, -0.7, -0.7), "palm"
    )


def putting_hands_together(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Flat hands begin apart and close palm to palm, once."""
    weight = visit(timing, rng, (0.3, 0.5), (0.35, 0.6), unfinished=0.6)
    closed = arrive(timing, rng, (0.4, 0.8), latest=0.4)
    apart = xyz(0.012 + 0.16 * amplitude * (1 - closed), 0.0, 0.0)[:, None]
    _meet(state, weight, xyz(0, rng.uniform(-0.02, 0.08), -0.1), apart, "flat", (-0.1, 0.8, 0.6), _FACING)


def spire_gestures(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Finger tips against finger tips, palms apart, pointing up."""
    weight = _held(timing, rng)
    at = xyz(0.004, rng.uniform(0.05, 0.14), rng.uniform(-0.12, -0.05))
    press = 0.006 * wander(timing, rng, (0.3, 0.8))
    _meet(state, weight, at, xyz(press[:, 0])[:, None], "flat", _SPIRE, _SPIRE_PALM, "tips")
    state.spread += 0.5 * weight[:, None]
    state.elbow_out += 0.2 * weight[:, None]


def clapping(state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float) -> None:
    """Palms strike each other, two to four times a second."""
    weight = visit(timing, rng, (0.25, 0.45), (0.3, 0.5))
    open_ = 0.5 + 0.5 * oscillation(timing, rng, (2.2, 3.8), cycles=2, phase=np.pi / 2)
    apart = xyz(0.015 + 0.095 * amplitude * np.clip(open_, 0, 1) ** 1.5)[:, None]
    _meet(state, weight, _height(rng) + xyz(0, 0.06, 0), apart, "flat", (-0.15, 0.75, 0.65), _FACING)


def rubbing_hands(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Palm on palm, each hand sliding along the other."""
    weight = visit(timing, rng, (0.3, 0.5), (0.3, 0.5))
    wave = oscillation(timing, rng, (1.7, 3.2), cycles=2) * weight * amplitude
    apart = _opposed(wave, (0.0, 0.01, 0.045)) + xyz(0.014)
    _meet(state, weight, _height(rng), apart, "flat", _FORWARD, _FACING)


def rubbing_spire_hands(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A spire whose finger tips roll on each other: the palms come nearer and part again."""
    weight = visit(timing, rng, (0.35, 0.6), (0.35, 0.6), unfinished=0.35, begun=0.2)
    at = xyz(0.004, rng.uniform(0.05, 0.14), rng.uniform(-0.12, -0.05))
    wave = oscillation(timing, rng, (1.3, 2.4), cycles=2) * weight * amplitude
    _meet(state, weight, at, _opposed(wave, (0.0, 0.024, 0.01)), "flat", _SPIRE, _SPIRE_PALM, "tips")
    state.spread += 0.5 * weight[:, None]
    state.elbow_out += 0.2 * weight[:, None]
    state.curl[:, :, INDEX:] += np.stack([wave, -wave], axis=1)[:, :, None] * 0.16
    state.wrist_bend += np.stack([wave, -wave], axis=1) * 0.25


def rubbing_hands_with_clenched(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Clenched hands are rubbed against each other, one turning in the other."""
    weight = visit(timing, rng, (0.3, 0.5), (0.3, 0.5))
    wave = oscillation(timing, rng, (1.5, 2.8), cycles=2) * weight * amplitude
    apart = _opposed(wave, (0.0, 0.018, 0.02)) + xyz(0.03)
    _meet(state, weight, _height(rng), apart, "fist", (-0.35, 0.45, 0.8), (-0.95, -0.1, 0.1))
    state.wrist_bend += np.stack([wave, -wave], axis=1) * 0.35


def rolling_thumbs(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Hands folded on the lap, the thumbs go round each other."""
    weight = _held(timing, rng)
    _meet(
        state,
        weight,
        xyz(0.005, 0.05, -0.02),
        (0.0, 0.0, 0.0),
        "cupped",
        _CROSSED,
        _ONTO_OTHER,
        "knuckles",
        "lap",
    )
    state.curl += 0.12 * weight[:, None, None]
    rate = rng.uniform(1.3, 2.4)
    turn = np.stack([timing.swing(rate), timing.swing(rate, np.pi)], axis=1) * weight[:, None] * amplitude
    state.curl[:, :, THUMB] += 0.45 * turn - 0.1 * weight[:, None]
    state.wrist_twist += 0.05 * turn
    look(state, weight, pitch=0.08)


def other_finger_interaction_movements(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """The fingers of one hand pick at those of the other; both ripple and no rhythm lasts."""
    weight = visit(timing, rng, (0.3, 0.55), (0.3, 0.55), unfinished=0.4, begun=0.3)
    hand = other(side)
    at = xyz(0.05, rng.uniform(0.0, 0.05), 0.08)
    lie(state, timing, rng, hand, "belly", weight, at, "loose", (-0.8, 0.1, 0.6), (-0.1, 0.4, -0.9), "wrist")
    busy = bursts(timing, rng, (0.6, 1.4), (0.1, 0.3)) * weight * amplitude
    pick = (0.02 * wander(timing, rng, (1.0, 3.0), 3)) * busy[:, None]
    shape_hand(state, side, "pinch", weight)
    state.reach(side, "far_fingers", weight, pick, (-0.6, -0.1, 0.8), (-0.2, -0.9, -0.3), contact="index")
    for which in (LEFT, RIGHT):
        state.curl[:, which] += 0.16 * busy[:, None] * wander(timing, rng, (1.2, 3.0), 5)
    look(state, weight, pitch=0.1)


def playing_objects(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """A pen or a phone between two hands in front of the body: it is held, turned and fingered."""
    weight = visit(timing, rng, (0.35, 0.6), (0.35, 0.6), unfinished=0.4, begun=0.35)
    at = xyz(0.0, rng.uniform(-0.12, 0.0), rng.uniform(-0.08, 0.0))
    busy = weight * amplitude
    turn = oscillation(timing, rng, (0.6, 1.3)) * busy
    drift = 0.02 * wander(timing, rng, (0.3, 0.8), 3)[:, None] + xyz(0.055)
    _meet(state, weight, at, drift, "pinch", (-0.5, 0.3, 0.8), (-0.6, 0.1, -0.7))
    state.wrist_twist += np.stack([turn, -turn], axis=1) * 0.5
    for hand in (LEFT, RIGHT):
        state.curl[:, hand] += 0.2 * busy[:, None] * wander(timing, rng, (1.0, 2.4), 5)
    look(state, weight, pitch=0.32)


def _fold(state: PoseState, weight: Array, side: int, rub: Array) -> None:
    """The hand of `side` on the other upper arm, the other tucked in below; `rub` (T, 2) metres along it."""
    for hand, at in ((side, (-0.19, -0.02, 0.03)), (other(side), (-0.17, -0.09, -0.01))):
        up = xyz(0.0, rub[:, hand], 0.0)
        way, palm = (-1.0, 0.22, -0.12), (0.1, -0.1, -1.0)
        state.reach(hand, "chest", weight, np.float32(at) + up, way, palm, "palm", arc=0.1)
        shape_hand(state, hand, "cupped", weight)
    state.shoulder_forward += 0.02 * weight[:, None]


def folding_arms(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Forearms crossed before the chest, each hand at the other upper arm; held."""
    weight = visit(timing, rng, (0.5, 0.8), (0.5, 0.8), unfinished=0.5, begun=0.25)
    _fold(state, weight, side, np.zeros((state.frames, 2), np.float32))


def folding_arms_rubbing(
    state: PoseState, timing: Timing, rng: np.random.Generator, side: int, amplitude: float
) -> None:
    """Arms folded, and the hands rub the upper arms up and down."""
    weight = visit(timing, rng, (0.5, 0.8), (0.5, 0.8), unfinished=0.5, begun=0.4)
    wave = oscillation(timing, rng, (1.1, 2.2), cycles=2) * weight * amplitude
    _fold(state, weight, side, np.stack([wave, wave if rng.random() < 0.5 else -wave], axis=1) * 0.05)


def hands_folded_on(
    state: PoseState, timing: Timing, rng: np.random.Generator, place: str, at: ArrayLike
) -> Array:
    """Hands laid into each other at a place, still; (T,) their weight."""
    weight = _held(timing, rng)
    _meet(state, weight, at, (0.0, 0.0, 0.0), "cupped", _CROSSED, (-0.2, -0.95, -0.2), "knuckles", place)
    state.curl += 0.1 * weight[:, None, None]
    return weight
