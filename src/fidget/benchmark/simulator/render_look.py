"""How a simulated person looks: skin, hair, clothes and their colours, drawn once for each subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.simulator import render_kernel as kernel

# Rows of the paints.
(
    SKIN, SHIRT, TROUSERS, SHOES, HAIR, EYE_WHITE, IRIS, LIPS, MOUTH, BROW, FOLD, TRIM, GLASSES, FURNITURE,
    METAL, THING,
) = range(16)  # fmt: skip
OTHERS = 16  # first of those of passers-by
OTHER_PAINTS = 8
PAINTS = OTHERS + OTHER_PAINTS

Hair = Literal["short", "long", "bun", "bald"]
Sleeves = Literal["long", "short"]

_SKINS = ((240, 204, 178), (226, 180, 148), (205, 152, 116), (170, 117, 82), (128, 84, 58), (92, 60, 44))
_HAIRS = ((30, 24, 22), (58, 40, 28), (98, 66, 38), (160, 120, 66), (150, 148, 146), (120, 48, 26))
_CLOTHS = (
    (44, 62, 102), (150, 40, 44), (222, 222, 216), (36, 38, 42), (72, 118, 84), (206, 164, 70),
    (120, 92, 140), (96, 136, 172), (178, 108, 82), (138, 140, 138), (190, 96, 130), (60, 130, 132),
)  # fmt: skip
_TROUSERS = ((36, 44, 70), (48, 48, 50), (92, 84, 70), (112, 116, 120), (70, 52, 40), (58, 78, 110))
_SHOES = ((30, 28, 28), (220, 220, 218), (92, 60, 40), (60, 66, 84))


@dataclass(frozen=True, eq=False)
class Look:
    """Of one person.

    Attributes:
        paints: (PAINTS, 6) float32, red green blue 0..255 and those of the pattern.
        patterns: (PAINTS, 3) pattern, period in metres, gloss.
        hair: of the head.
        sleeves: of the shirt.
        trim: whether a line of buttons, a zip or a tie runs down the shirt.
        glasses: whether they wear them.
        girth: thickness of trunk and limbs, 1 on average.
    """

    paints: NDArray[np.float32]
    patterns: NDArray[np.float32]
    hair: Hair
    sleeves: Sleeves
    trim: float
    glasses: bool
    girth: float


def draw_look(subject: str, seed: int) -> Look:
    """The look of a person; the same for every clip."""
    rng = np.random.default_rng([seed, crc32(subject.encode()), 7])
    paints = np.zeros((PAINTS, 6), np.float32)
    patterns = np.zeros((PAINTS, 3), np.float32)
    patterns[:, 1] = 1.0
    skin = (_varied(_SKINS, rng, 3) * rng.uniform(0.92, 1.06)).clip(0, 250).astype(np.float32)
    hair = _varied(_HAIRS, rng, 4)
    shirt, trousers = _varied(_CLOTHS, rng, 14), _varied(_TROUSERS, rng, 10)
    paints[SKIN, :3], paints[HAIR, :3], paints[SHIRT, :3] = skin, hair, shirt
    paints[TROUSERS, :3], paints[SHOES, :3] = trousers, _varied(_SHOES, rng, 6)
    paints[EYE_WHITE, :3], paints[IRIS, :3] = (236, 232, 226), (38, 28, 24)
    paints[LIPS, :3] = skin * (0.86, 0.58, 0.58)
    paints[MOUTH, :3] = (52, 16, 18)
    paints[BROW, :3] = 0.7 * hair
    paints[FOLD, :3] = skin * 0.62
    paints[TRIM, :3] = _far_from(shirt, rng)
    paints[GLASSES, :3] = (24, 24, 28)
    paints[SHIRT, 3:] = _far_from(shirt, rng)
    paints[HAIR, 3:] = 0.88 * hair
    patterns[SKIN, 2] = 0.12
    patterns[HAIR] = (kernel.STRIPES, 0.12, 0.25)
    patterns[SHOES, 2] = 0.3
    cloth = rng.choice([kernel.PLAIN, kernel.RINGS, kernel.STRIPES, kernel.CHECKS], p=[0.6, 0.16, 0.12, 0.12])
    patterns[SHIRT, :2] = cloth, rng.uniform(0.05, 0.11)
    if cloth != kernel.PLAIN:  # patterns are quieter than a colour of their own
        paints[SHIRT, 3:] = 0.6 * paints[SHIRT, :3] + 0.4 * paints[SHIRT, 3:]
    styles: tuple[Hair, ...] = ("short", "long", "bun", "bald")
    return Look(
        paints,
        patterns,
        hair=styles[int(rng.choice(4, p=[0.5, 0.3, 0.13, 0.07]))],
        sleeves="long" if rng.random() < 0.6 else "short",
        trim=float(rng.choice([0.0, 0.008, 0.022], p=[0.4, 0.4, 0.2])),
        glasses=bool(rng.random() < 0.25),
        girth=float(np.clip(rng.normal(1, 0.08), 0.85, 1.25)),
    )


def _varied(
    table: tuple[tuple[int, int, int], ...], rng: np.random.Generator, spread: float
) -> NDArray[np.float32]:
    colour = np.array(table[int(rng.integers(len(table)))]) + rng.normal(0, spread, 3)
    return np.clip(colour, 12, 245).astype(np.float32)


def _far_from(colour: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Another colour of clothes, which stands off."""
    drawn = [_varied(_CLOTHS, rng, 10) for _ in range(4)]
    return max(drawn, key=lambda other: float(np.abs(other - colour).sum()))
