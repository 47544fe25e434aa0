"""Where the places of `pose_state` lie on a body of 1.70 m, and how a hand comes to them.

Each place belongs to a rigid frame of the body and moves with it. Numbers are the author's, taken from a body
of average proportions; a subject's height scales them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator.pose_state import LEFT, PAIRED, PLACES, RIGHT, Contact

# Rigid frames, in the order of the kernel's table. Those of limbs are of the left, then of the right.
PELVIS, WAIST, CHEST, HEAD = 0, 1, 2, 3
THIGH, SHIN, FOOT, UPPER_ARM, FOREARM, HAND = 4, 6, 8, 10, 12, 14
FRAMES = 16

CONTACTS: tuple[Contact, ...] = ("tips", "index", "palm", "knuckles", "thumb", "wrist")


@dataclass(frozen=True)
class Place:
    """A point of the body and the usual hand on it; x is outward on the side where the place lies.

    Attributes:
        frame: the rigid frame it moves with.
        at: metres in that frame.
        fingers: where the fingers point, x outward on the side of the hand.
        palm: where the palm looks, likewise.
        contact: which point of the hand arrives.
    """

    frame: int
    at: tuple[float, float, float]
    fingers: tuple[float, float, float]
    palm: tuple[float, float, float]
    contact: Contact = "tips"


_UP_AT_FACE, _ONTO_FACE = (-0.5, 0.8, -0.3), (-0.3, -0.3, -0.9)
_ASIDE, _INWARD = (-0.5, 0.8, -0.3), (-1.0, 0.0, 0.0)
_DOWN_LEG, _ONTO_LEG = (-0.25, -0.15, 0.95), (0.0, -1.0, 0.0)
_ACROSS = (-0.95, 0.1, 0.3)

# Of the left side where there are two.
TABLE: dict[str, Place] = {
    "forehead": Place(HEAD, (0.015, 0.085, 0.085), (-0.6, 0.75, -0.2), _ONTO_FACE),
    "brow": Place(HEAD, (0.035, 0.066, 0.09), (-0.45, 0.8, -0.3), _ONTO_FACE, "index"),
    "temple": Place(HEAD, (0.068, 0.055, 0.045), (-0.55, 0.75, -0.25), _INWARD, "index"),
    "eye": Place(HEAD, (0.033, 0.043, 0.09), _UP_AT_FACE, _ONTO_FACE, "index"),
    "glasses": Place(HEAD, (0.055, 0.045, 0.085), (-0.4, 0.8, -0.4), (-0.7, -0.2, -0.6), "index"),
    "nose": Place(HEAD, (0.0, 0.0, 0.118), _UP_AT_FACE, _ONTO_FACE, "index"),
    "philtrum": Place(HEAD, (0.0, -0.022, 0.102), (-0.65, 0.55, -0.45), _ONTO_FACE, "index"),
    "lip": Place(HEAD, (0.0, -0.042, 0.1), (-0.65, 0.55, -0.45), _ONTO_FACE, "index"),
    "chin": Place(HEAD, (0.0, -0.095, 0.085), (-0.5, 0.6, -0.35), (-0.1, 0.5, -0.85), "index"),
    "cheek": Place(HEAD, (0.055, -0.02, 0.065), (-0.2, 0.9, -0.3), (-0.8, 0.0, -0.5)),
    "jaw": Place(HEAD, (0.06, -0.055, 0.035), (-0.1, 0.95, -0.3), (-0.9, 0.1, -0.3), "palm"),
    "ear": Place(HEAD, (0.078, 0.01, 0.0), _ASIDE, _INWARD, "index"),
    "crown": Place(HEAD, (0.01, 0.135, 0.0), (-0.85, 0.35, -0.35), (-0.1, -1.0, 0.0)),
    "hair": Place(HEAD, (0.075, 0.07, -0.01), (-0.3, 0.85, -0.4), _INWARD),
    "back_of_head": Place(HEAD, (0.02, 0.04, -0.095), (-0.75, 0.4, -0.5), (0.0, 0.0, 1.0)),
    "face": Place(HEAD, (0.0, 0.0, 0.11), (-0.5, 0.8, -0.1), (0.0, 0.0, -1.0), "palm"),
    "neck": Place(CHEST, (0.058, 0.03, 0.02), (-0.3, 0.75, -0.6), (-1.0, -0.1, -0.2)),
    "nape": Place(CHEST, (0.01, 0.035, -0.05), (-0.75, 0.3, -0.6), (0.0, 0.0, 1.0)),
    "collar": Place(CHEST, (0.045, -0.05, 0.085), (-0.55, 0.7, -0.4), (-0.3, -0.2, -0.9)),
    "shoulder": Place(CHEST, (0.135, -0.005, 0.02), (-0.2, 0.45, -0.85), (0.0, -1.0, -0.2)),
    "chest": Place(CHEST, (0.0, -0.17, 0.125), _ACROSS, (0.0, 0.0, -1.0), "palm"),
    "belly": Place(WAIST, (0.0, 0.0, 0.14), (-0.95, -0.1, 0.2), (0.0, 0.0, -1.0), "palm"),
    "waist": Place(WAIST, (0.155, -0.06, 0.03), (-0.35, -0.45, 0.8), _INWARD, "palm"),
    "back": Place(WAIST, (0.06, 0.1, -0.13), (-0.8, 0.5, 0.0), (0.0, 0.0, 1.0)),
    "behind": Place(WAIST, (0.02, -0.06, -0.15), (-0.8, -0.55, 0.0), (0.0, 0.0, 1.0), "palm"),
    "front": Place(CHEST, (0.0, -0.2, 0.36), (-0.35, 0.4, 0.85), (-0.9, -0.2, 0.0), "palm"),
    "side_front": Place(CHEST, (0.2, -0.15, 0.36), (-0.1, 0.5, 0.85), (-0.8, -0.3, 0.0), "palm"),
    "side": Place(WAIST, (0.235, -0.33, 0.04), (-0.05, -1.0, 0.1), _INWARD, "palm"),
    "lap": Place(PELVIS, (0.0, 0.10, 0.24), (-0.75, -0.1, 0.65), (-0.2, -1.0, -0.1), "palm"),
    "body": Place(CHEST, (0.0, 0.0, 0.0), (-0.35, 0.5, 0.8), (-0.8, -0.3, -0.2), "palm"),
    "thigh": Place(THIGH, (0.0, 0.085, 0.25), _DOWN_LEG, _ONTO_LEG, "palm"),
    "inner_thigh": Place(THIGH, (-0.07, 0.04, 0.24), (-0.3, -0.5, 0.8), (1.0, -0.5, 0.0), "palm"),
    "knee": Place(THIGH, (0.0, 0.065, 0.41), (-0.1, -0.4, 0.9), _ONTO_LEG, "palm"),
    "shin": Place(SHIN, (0.0, -0.17, 0.055), (-0.1, -0.9, 0.3), (0.0, 0.0, -1.0), "palm"),
    "foot": Place(FOOT, (0.0, -0.015, 0.05), (-0.1, -0.6, 0.8), (-0.2, -0.9, 0.0)),
    "upper_arm": Place(UPPER_ARM, (0.0, -0.17, 0.04), _ACROSS, (0.2, 0.0, -1.0), "palm"),
    "elbow": Place(UPPER_ARM, (0.02, -0.29, -0.02), (-0.8, -0.2, 0.5), (0.0, 1.0, 0.2), "palm"),
    "forearm": Place(FOREARM, (0.0, -0.13, 0.035), _ACROSS, (0.2, 0.0, -1.0), "palm"),
    "wrist": Place(FOREARM, (0.0, -0.25, 0.02), _ACROSS, (0.2, 0.0, -1.0), "palm"),
    "palm": Place(HAND, (0.0, 0.075, 0.015), (0.2, 1.0, 0.0), (0.0, 0.0, -1.0), "palm"),
    "fingers": Place(HAND, (0.0, 0.15, 0.0), (0.2, 1.0, 0.0), (0.0, 0.0, -1.0), "palm"),
}  # fmt: skip

_PAIRED_FRAMES = (THIGH, SHIN, FOOT, UPPER_ARM, FOREARM, HAND)
_ARM_FRAMES = (UPPER_ARM, FOREARM, HAND)


@dataclass(frozen=True, eq=False)
class ResolvedPlace:
    """A place as the kernel takes it, for one hand.

    Attributes:
        frame: index of the rigid frame.
        at: (3,) metres in this frame, x to the subject's left.
        fingers: (3,) direction.
        palm: (3,) direction.
        contact: index into `CONTACTS`.
        on_arm: whether it lies on the other arm, which has to be solved before.
    """

    frame: int
    at: NDArray[np.float32]
    fingers: NDArray[np.float32]
    palm: NDArray[np.float32]
    contact: int
    on_arm: bool


@cache
def resolve(place: str, side: int) -> ResolvedPlace:
    """A place of `PLACES` for the hand of a side."""
    assert place in PLACES, place
    far = place.startswith("far_")
    name = place.removeprefix("far_")
    entry = TABLE[name]
    outward = 1.0 if side == LEFT else -1.0
    lies_on = (RIGHT - side) if far else side
    # A place in the middle leans to the side of the hand; a paired one lies on its own side.
    lying = (1.0 if lies_on == LEFT else -1.0) if far or name in PAIRED else outward
    frame = entry.frame + (lies_on if entry.frame in _PAIRED_FRAMES else 0)
    mirror = np.array([outward, 1, 1], np.float32)
    return ResolvedPlace(
        frame,
        np.array(entry.at, np.float32) * np.array([lying, 1, 1], np.float32),
        np.array(entry.fingers, np.float32) * mirror,
        np.array(entry.palm, np.float32) * mirror,
        CONTACTS.index(entry.contact),
        entry.frame in _ARM_FRAMES,
    )
