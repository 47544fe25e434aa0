"""How one subject moves: large or small, quick or slow, left- or right-handed, restless or calm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MotionStyle:
    """What stays the same over all clips of a subject.

    Attributes:
        amplitude: size of motions, 1 is usual.
        tempo: speed of motions, 1 is usual.
        left_share: share of one-handed actions done with the left hand.
        left_foot_share: share of one-footed actions done with the left foot.
        restlessness: size of idle motion, and rate of small motions that are not the action.
        talk: share of clips in which the subject speaks.
    """

    amplitude: float = 1.0
    tempo: float = 1.0
    left_share: float = 0.2
    left_foot_share: float = 0.5
    restlessness: float = 1.0
    talk: float = 0.5

    def __post_init__(self) -> None:
        for name in ("amplitude", "tempo"):
            if not 0 < getattr(self, name) < 10:
                raise ValueError(f"style: expected {name} between 0 and 10, got {getattr(self, name)}")
        for name in ("left_share", "left_foot_share", "talk"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"style: expected {name} within 0..1, got {getattr(self, name)}")
        if self.restlessness < 0:
            raise ValueError(f"style: expected restlessness of at least 0, got {self.restlessness}")


def draw_style(rng: np.random.Generator, amplitude: float = 1.0, restlessness: float = 1.0) -> MotionStyle:
    """The style of a new subject; the two sizes are what is usual in the domain."""
    left_handed = rng.random() < 0.1
    return MotionStyle(
        amplitude=float(amplitude * np.clip(rng.lognormal(0, 0.18), 0.6, 1.6)),
        tempo=float(np.clip(rng.lognormal(0, 0.12), 0.7, 1.4)),
        left_share=float(rng.uniform(0.6, 0.9) if left_handed else rng.uniform(0.1, 0.4)),
        left_foot_share=float(rng.uniform(0.3, 0.7)),
        restlessness=float(restlessness * np.clip(rng.lognormal(0, 0.35), 0.3, 2.5)),
        talk=float(rng.uniform(0.2, 0.9)),
    )
