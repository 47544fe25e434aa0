"""The 68 points of a face in the frame of the head, and how an expression moves them.

Metres on a head of average size; the origin is between the ears, x to the person's left, y up, z out of the
face. The points are drawn after the numbering in `poses/layouts_wholebody.py`; the shape is the author's.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

POINTS = 68
EXPRESSIONS = ("mouth_open", "smile", "brow", "eyes_shut")

# Points of the person's right half and the middle, (x, y, z) in millimetres; the left is their mirror image.
_BROW = ((-56, 62, 70), (-47, 69, 82), (-37, 71, 89), (-26, 69, 94), (-15, 64, 97))  # outer to inner
_NOSE = ((0, 45, 95), (0, 30, 102), (0, 15, 109), (0, 2, 116))
_NOSTRILS = ((-15, -13, 97), (-8, -15, 102), (0, -16, 105))
_EYE = ((-46, 42, 78), (-38, 48, 84), (-28, 48, 86), (-20, 41, 83), (-28, 36, 85), (-38, 36, 83))
_LIPS_UPPER = ((-26, -42, 88), (-16, -34, 96), (-6, -31, 100), (0, -33, 101))
_LIPS_LOWER = ((0, -55, 98), (-7, -54, 97), (-16, -50, 94))  # middle to the right corner
_INNER = ((-22, -42, 89), (-8, -40, 96), (0, -41, 97))
_INNER_LOWER = ((0, -44, 96), (-8, -44, 95))


def _mirrored(points: tuple[tuple[int, int, int], ...]) -> list[tuple[int, int, int]]:
    return [(-x, y, z) for x, y, z in reversed(points)]


def _jaw() -> list[tuple[float, float, float]]:
    """Points 0 to 16, from the person's right ear over the chin to the left."""
    u = np.linspace(-1, 1, 17)
    x = 72 * np.sin(u * np.pi / 2)
    y = -97 + 117 * np.abs(u) ** 1.8
    z = 88 - 74 * np.abs(u) ** 1.35
    return list(zip(x.tolist(), y.tolist(), z.tolist(), strict=True))


@cache
def face_template() -> NDArray[np.float32]:
    """(68, 3) metres, a face at rest."""
    eye_left = [(-x, y, z) for x, y, z in (_EYE[i] for i in (3, 2, 1, 0, 5, 4))]
    points = [
        *_jaw(),
        *_BROW, *_mirrored(_BROW),
        *_NOSE,
        *_NOSTRILS, *_mirrored(_NOSTRILS[:-1]),
        *_EYE, *eye_left,
        *_LIPS_UPPER, *_mirrored(_LIPS_UPPER[:-1]),
        *_mirrored(_LIPS_LOWER[1:]), *_LIPS_LOWER,
        *_INNER, *_mirrored(_INNER[:-1]),
        *_mirrored(_INNER_LOWER[1:]), *_INNER_LOWER,
    ]  # fmt: skip
    template = np.array(points, np.float32) / 1000
    assert template.shape == (POINTS, 3)
    return template


@cache
def face_expressions() -> NDArray[np.float32]:
    """(4, 68, 3) metres that each of `EXPRESSIONS` adds at 1."""
    moves = np.zeros((4, POINTS, 3), np.float32)
    opening, smile, brow, shut = moves
    jaw = np.cos(np.clip(np.linspace(-1, 1, 17) / 0.75, -1, 1) * np.pi / 2)  # the mandible, not the ears
    opening[:17, 1] = -0.034 * jaw
    opening[:17, 2] = -0.012 * jaw
    for point, share in (
        (55, 0.7),
        (56, 0.95),
        (57, 1.0),
        (58, 0.95),
        (59, 0.7),
        (65, 0.95),
        (66, 1.0),
        (67, 0.95),
    ):
        opening[point] = (0, -0.03 * share, -0.008 * share)
    opening[[48, 54, 60, 64], 1] = -0.01
    for point, sign in ((48, -1), (60, -1), (54, 1), (64, 1)):
        smile[point] = (0.008 * sign, 0.007, -0.003)
    for point, sign in ((49, -1), (59, -1), (53, 1), (55, 1)):
        smile[point] = (0.004 * sign, 0.002, 0)
    brow[17:27, 1] = (0.006, 0.009, 0.01, 0.01, 0.008, 0.008, 0.01, 0.01, 0.009, 0.006)
    shut[[37, 38, 43, 44], 1] = -0.0105
    shut[[40, 41, 46, 47], 1] = 0.001
    return moves
