"""Boxes x1 y1 x2 y2: overlap, suppression, the way back to the frame, who in one frame is who in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]  # (P, 4)
Scores = NDArray[np.float32]  # (P,)


def areas(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    """(..., 4) -> (...); 0 where a box is turned inside out."""
    sides: NDArray[np.floating] = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def iou_matrix(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Intersection over union of each of (P, 4) with each of (Q, 4): (P, Q); 0 for two boxes without area."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = areas(np.concatenate([top_left, bottom_right], axis=-1))
    union = areas(a)[:, None] + areas(b)[None] - shared
    return np.where(union > 0, shared / np.where(union > 0, union, 1), 0)


def suppress(boxes: Boxes, scores: Scores, iou_threshold: float) -> NDArray[np.intp]:
    """Indices that greedy non-maximum suppression keeps, best first; ties by index."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        order = rest[iou_matrix(boxes[best : best + 1], boxes[rest])[0] <= iou_threshold]
    return np.array(kept, np.intp)


def to_frame(
    boxes: NDArray[np.floating], scale_xy: NDArray[np.float64], frame_hw: tuple[int, int]
) -> tuple[Boxes, NDArray[np.bool_]]:
    """Boxes of a letterboxed input (0 is its edge) to the frame's pixels (integers are pixel centres).

    Args:
        boxes: (P, 4).
        scale_xy: (2,) input pixels per frame pixel.
        frame_hw: the frame reaches from -0.5 to its size - 0.5; boxes are clipped to that.

    Returns:
        The boxes (P, 4), and which of them still have an area (P,).
    """
    height, width = frame_hw
    in_frame = boxes / np.tile(scale_xy, 2) - 0.5
    low, high = np.full(4, -0.5), np.array([width, height, width, height]) - 0.5
    clipped = np.clip(in_frame, low, high).astype(np.float32)
    return clipped, areas(clipped) > 0


def match(a: NDArray[np.floating], b: NDArray[np.floating], min_iou: float) -> list[tuple[int, int]]:
    """Pairs (index in a, index in b) of largest total overlap, none below `min_iou`; (P, 4) and (Q, 4)."""
    if not len(a) or not len(b):
        return []
    overlap = iou_matrix(a, b)
    if len(a) == len(b) == 1:  # most clips: spares the solver
        rows, columns = np.zeros(1, int), np.zeros(1, int)
    else:
        from scipy.optimize import linear_sum_assignment

        rows, columns = linear_sum_assignment(np.where(overlap >= min_iou, overlap, 0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if overlap[i, j] >= min_iou]
