"""Bodies: the lengths of one person, drawn around average adult proportions.

The averages are rounded shares of the stature after Winter, Biomechanics and Motor Control of Human Movement
(4th edition 2009, figure 4.1), for joint centres.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

STATURE_M = 1.70


@dataclass(frozen=True)
class Build:
    """Lengths of one body in metres; the defaults are a person of 1.70 m.

    Attributes:
        size: stature as a multiple of 1.70 m, scales places of the trunk and limbs.
        hip_half: half the distance of the hip joints.
        waist: from the middle of the hips to the waist.
        chest: from the waist to the root of the neck.
        shoulder_half: half the distance of the shoulder joints.
        shoulder_drop: shoulders below the root of the neck.
        neck: from there to between the ears.
        head: size of the head, 1 on average.
        face_width: width of the face for its height, 1 on average.
        upper_arm: shoulder to elbow.
        forearm: elbow to wrist.
        hand: size of the hands, 1 on average (18 cm).
        thigh: hip to knee.
        shin: knee to ankle.
        foot: size of the feet, 1 on average.
        depth: thickness of the trunk, 1 on average; moves places of chest and belly forward.
    """

    size: float = 1.0
    hip_half: float = 0.10
    waist: float = 0.19
    chest: float = 0.305
    shoulder_half: float = 0.182
    shoulder_drop: float = 0.045
    neck: float = 0.125
    head: float = 1.0
    face_width: float = 1.0
    upper_arm: float = 0.285
    forearm: float = 0.25
    hand: float = 1.0
    thigh: float = 0.42
    shin: float = 0.405
    foot: float = 1.0
    depth: float = 1.0

    def lengths(self) -> NDArray[np.float32]:
        """(16,) in the order of the fields, as the kernels take them."""
        return np.array([getattr(self, field.name) for field in fields(self)], np.float32)


FIELD = {field.name: i for i, field in enumerate(fields(Build))}
_HEAD_LIKE = ("head", "hand", "foot")


def draw_build(rng: np.random.Generator) -> Build:
    """A person: stature of 1.70 m, 9 cm of standard deviation, each proportion within about 4 %."""
    size = float(np.clip(rng.normal(1, 0.053), 0.86, 1.16))
    broad = float(np.clip(rng.normal(1, 0.06), 0.85, 1.18))
    drawn: dict[str, float] = {"size": size}
    for field in fields(Build):
        if field.name == "size":
            continue
        varied = float(np.clip(rng.normal(1, 0.035), 0.9, 1.1)) * float(field.default)  # type: ignore[arg-type]
        if field.name in ("face_width", "depth"):
            drawn[field.name] = varied * (broad if field.name == "depth" else 1.0)
        elif field.name in _HEAD_LIKE:
            drawn[field.name] = varied * (1 + 0.5 * (size - 1))
        else:
            drawn[field.name] = varied * size * (broad if field.name.endswith("_half") else 1.0)
    return Build(**drawn)
