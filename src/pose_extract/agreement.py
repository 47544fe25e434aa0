"""How well boxes and joints of people agree: with where they are expected, and with each other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Box = tuple[float, float, float, float]

# A joint this far off, in units of the square root of the box's area, agrees by exp(-1/2).
_JOINT_FALLOFF = 0.15
# Fewer common joints than this say nothing; boxes decide alone.
_LEAST_COMMON_JOINTS = 3
# Two people of one frame are one if half of their common joints are this close, in the same unit.
_SAME_JOINT = 0.08
_SAME_BOX_IOU = 0.7


def agreement_of(
    expected: list[Box], expected_xy: Floats, boxes: list[Box], xy_px: Floats
) -> NDArray[np.float64]:
    """Mean of box overlap and joint similarity of N expected people with P found ones.

    Args:
        expected: N boxes.
        expected_xy: (N, V, 2), NaN where a joint is missing.
        boxes: P boxes.
        xy_px: (P, V, 2), NaN where a joint is missing.

    Returns:
        (N, P) in 0..1.
    """
    overlap = np.array([[iou(a, b) for b in boxes] for a in expected])  # (N, P)
    size = np.array([[math.sqrt(_area(a) * _area(b)) for b in boxes] for a in expected])
    square = ((expected_xy[:, None] - xy_px) ** 2).sum(axis=-1)  # (N, P, V), NaN where one lacks the joint
    similar = np.exp(-square / (2 * _JOINT_FALLOFF**2 * np.maximum(size, 1.0))[..., None])
    common = np.isfinite(square)
    count = common.sum(axis=-1)
    joints = np.where(common, similar, 0).sum(axis=-1) / np.maximum(count, 1)
    mean: NDArray[np.float64] = 0.5 * (overlap + np.where(count >= _LEAST_COMMON_JOINTS, joints, overlap))
    return mean


def without_duplicates(xy_px: Floats, score: Floats, boxes: list[Box], box_score: Floats) -> list[int]:
    """Indices of the people who are left when one person found twice counts once, the surer finding."""
    sureness = box_score * score.sum(axis=-1)
    kept: list[int] = []
    for person in np.argsort(-sureness, kind="stable").tolist():
        if not any(_same(xy_px[person], xy_px[other], boxes[person], boxes[other]) for other in kept):
            kept.append(person)
    return sorted(kept)


def _same(xy_px: Floats, other_xy_px: Floats, box: Box, other_box: Box) -> bool:
    """Whether two findings of one frame are one person: by their joints, or by boxes if those say nothing."""
    overlap = iou(box, other_box)
    if overlap == 0:
        return False
    distance = np.hypot(*(xy_px - other_xy_px).T)  # (V,)
    distance = distance[np.isfinite(distance)]
    if len(distance) < _LEAST_COMMON_JOINTS:
        return overlap > _SAME_BOX_IOU
    return bool(np.median(distance) < _SAME_JOINT * math.sqrt(min(_area(box), _area(other_box))))


def moved(box: Box, shift: tuple[float, float]) -> Box:
    """The box, shifted by x and y."""
    return box[0] + shift[0], box[1] + shift[1], box[2] + shift[0], box[3] + shift[1]


def _area(box: Box) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def iou(a: Box, b: Box) -> float:
    """Area of the intersection over that of the union."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (_area(a) + _area(b) - common)
