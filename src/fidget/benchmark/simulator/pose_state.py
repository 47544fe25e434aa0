"""What an action may move: the degrees of freedom of one body over the frames of one clip.

A motion is a function that adds to a `PoseState`; `body.py` turns the state into 133 joints in space.
Nothing here knows a subject, a camera or a domain: lengths are those of a body of 1.70 m and are scaled to
the subject, angles are radians, and **zero is the rest posture** of the domain (seated or standing, hands
where they lie).

Axes of the body: x to the subject's own left, y up, z forward. A value that belongs to a side has a second
axis of two, `LEFT` and `RIGHT`, and its x points **outward**, away from the midline, on both: the same
numbers are mirror images. Angles of trunk and head are pitch (forward, chin down, +), yaw (to the own left
+) and roll (to the own left +).

Hands go to places: `state.reach(side, "nose", weight)` brings the fingertips of a hand to the nose where
weight is 1 and leaves it at rest where it is 0; the arm follows by inverse kinematics, and the place
follows the head. Later reaches go over earlier ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]
Side = Literal[0, 1]
Contact = Literal["tips", "index", "palm", "knuckles", "thumb", "wrist"]
Posture = Literal["seated", "standing"]

LEFT, RIGHT = 0, 1
PITCH, YAW, ROLL = 0, 1, 2
OUT, UP, FORWARD = 0, 1, 2
THUMB, INDEX, MIDDLE, RING, LITTLE = range(5)

# Name -> shape behind T. Order is that of the columns of `PoseState.values`.
COLUMNS: dict[str, tuple[int, ...]] = {
    "body_shift": (3,),
    "body_turn": (3,),
    "torso": (3,),
    "chest": (3,),
    "head": (3,),
    "head_shift": (3,),
    "shoulder_raise": (2,),
    "shoulder_forward": (2,),
    "elbow_out": (2,),
    "wrist_bend": (2,),
    "wrist_side": (2,),
    "wrist_twist": (2,),
    "curl": (2, 5),
    "spread": (2,),
    "foot": (2, 3),
    "knee_out": (2,),
    "heel": (2,),
    "foot_pitch": (2,),
    "foot_yaw": (2,),
    "mouth_open": (),
    "smile": (),
    "brow": (),
    "eyes": (),
}
SIZES = {name: int(np.prod(shape)) for name, shape in COLUMNS.items()}
STARTS = {name: sum(list(SIZES.values())[:i]) for i, name in enumerate(COLUMNS)}
WIDTH = sum(SIZES.values())

# Where a hand can go. A place that exists twice is the one on the hand's own side; "far_" before its name
# takes the other side's. Places of the arms are always those of the other arm.
HEAD_PLACES = (
    "forehead", "brow", "temple", "eye", "glasses", "nose", "philtrum", "lip", "chin", "cheek", "jaw", "ear",
    "crown", "hair", "back_of_head", "face",
)  # fmt: skip
TRUNK_PLACES = (
    "neck", "nape", "collar", "shoulder", "chest", "belly", "waist", "back", "behind", "front", "side_front",
    "side", "lap", "body",
)  # fmt: skip
LEG_PLACES = ("thigh", "inner_thigh", "knee", "shin", "foot")
ARM_PLACES = ("far_upper_arm", "far_elbow", "far_forearm", "far_wrist", "far_palm", "far_fingers")
PAIRED = (
    "brow", "temple", "eye", "glasses", "cheek", "jaw", "ear", "hair", "neck", "collar", "shoulder", "waist",
    "side_front", "side", *LEG_PLACES,
)  # fmt: skip
PLACES = (*HEAD_PLACES, *TRUNK_PLACES, *LEG_PLACES, *(f"far_{place}" for place in PAIRED), *ARM_PLACES)


@dataclass(frozen=True, eq=False)
class Reach:
    """A hand on its way to a place.

    Attributes:
        place: one of `PLACES`.
        weight: (T,) float32 in 0..1, how much of the way.
        offset: (T, 3) or (3,) metres from the place in the place's own frame: x outward from the midline on
            the side of the hand, y up, z forward; a face's z points out of it, a thigh's along it.
        fingers: (T, 3) or (3,) direction of the fingers in the same frame, None for what suits the place.
        palm: direction into which the palm looks, likewise.
        contact: which point of the hand arrives; None for what suits the place.
        arc: metres by which the way bulges forward, so that a hand does not go through the body.
    """

    place: str
    weight: Array
    offset: Array
    fingers: Array | None = None
    palm: Array | None = None
    contact: Contact | None = None
    arc: float = 0.05


class PoseState:
    """The degrees of freedom over T frames; views into one (T, WIDTH) block, written in place.

    `state.head[:, PITCH] += angle`, `state.curl[:, LEFT] = 1.0` and `state.mouth_open += opening` all work.

    Attributes:
        values: (T, WIDTH) float32, every column below.
        posture: `seated` or `standing`; an action may do another thing when standing.
        reaches: for each side, what its hand does, in order; the first is the rest place.
        body_shift: (T, 3) metres, the whole body, feet left where they are.
        body_turn: (T, 3) pitch, yaw, roll of pelvis and all above it.
        torso: (T, 3) pitch, yaw, roll, bending from the hips to the chest.
        chest: (T, 3) the same, of the upper spine alone.
        head: (T, 3) pitch, yaw, roll of the head on the trunk; the neck takes part of it.
        head_shift: (T, 3) metres, the head along its axes of the chest: z is chin poked forward.
        shoulder_raise: (T, 2) metres upwards, a shrug is about 0.05.
        shoulder_forward: (T, 2) metres forward.
        elbow_out: (T, 2) swivel of the elbow around the line from shoulder to wrist, outward and up +.
        wrist_bend: (T, 2) the hand bent towards the palm +, on top of where a reach points it.
        wrist_side: (T, 2) the hand bent towards the thumb +.
        wrist_twist: (T, 2) the hand turned about its own long axis, palm towards the midline and up +.
        curl: (T, 2, 5) of each finger from the thumb: 0 straight, 1 closed to a fist; rest is about 0.3.
        spread: (T, 2) of the fingers sidewards: 0 together, 1 far apart.
        foot: (T, 2, 3) metres of the ankle from its rest place: outward, up, forward; the knee follows.
        knee_out: (T, 2) swivel of the knee about the line from hip to ankle, outward +.
        heel: (T, 2) metres by which the heel is lifted while the toes stay on the floor.
        foot_pitch: (T, 2) toes up +, about the ankle.
        foot_yaw: (T, 2) toes outward +.
        mouth_open: (T,) 0 shut .. 1 wide.
        smile: (T,) -1 .. 1 corners of the mouth up.
        brow: (T,) -1 frown .. 1 raised.
        eyes: (T,) 1 open .. 0 shut; the only column that rests at 1.
    """

    values: Array
    posture: Posture
    reaches: tuple[list[Reach], list[Reach]]
    body_shift: Array
    body_turn: Array
    torso: Array
    chest: Array
    head: Array
    head_shift: Array
    shoulder_raise: Array
    shoulder_forward: Array
    elbow_out: Array
    wrist_bend: Array
    wrist_side: Array
    wrist_twist: Array
    curl: Array
    spread: Array
    foot: Array
    knee_out: Array
    heel: Array
    foot_pitch: Array
    foot_yaw: Array
    mouth_open: Array
    smile: Array
    brow: Array
    eyes: Array

    def __init__(self, frames: int, posture: Posture = "seated") -> None:
        values = np.zeros((frames, WIDTH), np.float32)
        own = self.__dict__
        own["values"], own["posture"], own["reaches"] = values, posture, ([], [])
        for name, shape in COLUMNS.items():
            start = STARTS[name]
            own[name] = values[:, start : start + SIZES[name]].reshape(frames, *shape)
        self.curl[:] = 0.3
        self.spread[:] = 0.3
        self.eyes[:] = 1

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in COLUMNS:
            raise AttributeError(f"a pose state has no {name!r} to write; it has {', '.join(COLUMNS)}")
        view = self.__dict__[name]
        if value is not view:  # `state.head += x` hands the view itself back
            view[...] = value

    @property
    def frames(self) -> int:
        """Number of frames, T."""
        return len(self.values)

    def reach(
        self,
        side: int,
        place: str,
        weight: ArrayLike = 1.0,
        offset: ArrayLike = (0.0, 0.0, 0.0),
        fingers: ArrayLike | None = None,
        palm: ArrayLike | None = None,
        contact: Contact | None = None,
        arc: float = 0.05,
    ) -> None:
        """Bring a hand to a place; see `Reach` for what the arguments mean.

        Raises:
            ValueError: no such place.
        """
        if place not in PLACES:
            raise ValueError(f"expected a place of {', '.join(PLACES)}, got {place!r}")
        weights = np.broadcast_to(np.asarray(weight, np.float32), (self.frames,))
        self.reaches[side].append(
            Reach(place, weights, _vectors(offset), _directions(fingers), _directions(palm), contact, arc)
        )


def _vectors(values: ArrayLike) -> Array:
    return np.asarray(values, np.float32)


def _directions(values: ArrayLike | None) -> Array | None:
    return None if values is None else np.asarray(values, np.float32)


@dataclass(frozen=True, eq=False)
class Timing:
    """When things happen in a clip; clips are cut to their action, as the published ones are.

    Attributes:
        time_s: (T,) float32 seconds from the first frame.
        begin_s: when the action begins.
        end_s: when it has ended.
    """

    time_s: Array
    begin_s: float
    end_s: float

    @property
    def span_s(self) -> float:
        """Length of the action."""
        return self.end_s - self.begin_s

    @property
    def phase(self) -> Array:
        """(T,) 0 before the action, 1 behind it, linear between."""
        return np.clip((self.time_s - self.begin_s) / self.span_s, 0, 1).astype(np.float32)

    def rise(self, at: float = 0.0, length_s: float = 0.5) -> Array:
        """(T,) 0 to 1 without a jerk, beginning at a share `at` of the action."""
        start = self.begin_s + at * self.span_s
        return smooth_step((self.time_s - start) / max(length_s, 1e-3))

    def envelope(self, rise_s: float = 0.4, fall_s: float = 0.4) -> Array:
        """(T,) 0 to 1 and back to 0 at the action's end; shortened where the action is short."""
        short = min(1.0, self.span_s / max(rise_s + fall_s, 1e-3))
        up = smooth_step((self.time_s - self.begin_s) / max(rise_s * short, 1e-3))
        down = smooth_step((self.end_s - self.time_s) / max(fall_s * short, 1e-3))
        return up * down

    def swing(self, hz: float, phase: float = 0.0) -> Array:
        """(T,) a sine of so many cycles a second, at `phase` (radians) when the action begins."""
        return np.sin(2 * np.pi * hz * (self.time_s - self.begin_s) + phase).astype(np.float32)


def smooth_step(x: ArrayLike) -> Array:
    """0 below 0, 1 above 1, minimum jerk between (Flash and Hogan 1985)."""
    u = np.clip(np.asarray(x, np.float32), 0, 1)
    return u * u * u * (10 - 15 * u + 6 * u * u)


# One action, `motions.MOTIONS[label]`: adds itself to the state. `side` is LEFT or RIGHT, the hand or foot
# that acts where one does; `amplitude` is 1 for the usual size. Everything random comes from `rng`.
Motion = Callable[[PoseState, Timing, np.random.Generator, int, float], None]
