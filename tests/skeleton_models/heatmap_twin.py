"""Heatmaps in plain numpy: what the kernel must equal. One Gaussian at a time, no shortcut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skeleton_models.heatmap import Drawing


def twin(
    points: NDArray[np.float32], drawing: Drawing, size_hw: tuple[int, int], flipped: bool = False
) -> NDArray[np.float32]:
    """(N, C, T, H, W) of points (N, M, T, V, 3)."""
    n, _, frames = points.shape[:3]
    maps = np.zeros((n, len(drawing.pairs), frames, *size_hw), np.float32)
    for row in range(n):
        for c, (a, b) in enumerate(drawing.pairs):
            for t in range(frames):
                for person in points[row, :, t]:
                    _draw(maps[row, c, t], person[a], person[b], drawing)
    return np.ascontiguousarray(maps[..., ::-1][:, drawing.mirror]) if flipped else maps


def _draw(
    plane: NDArray[np.float32], a: NDArray[np.float32], b: NDArray[np.float32], drawing: Drawing
) -> None:
    value = min(a[2], b[2])
    if not value >= drawing.min_score:
        return
    span = b[:2].astype(np.float64) - a[:2]
    if span @ span < 1:
        b, value = a, a[2]
        span = np.zeros(2)
    reach = np.float32(3) * drawing.sigma
    low, high = np.minimum(a[:2], b[:2]) - reach, np.maximum(a[:2], b[:2]) + reach
    x_0, y_0 = (max(int(edge), 0) for edge in low)
    x_1, y_1 = (min(int(edge) + 1, size) for edge, size in zip(high, plane.shape[::-1], strict=True))
    if x_0 >= x_1 or y_0 >= y_1:
        return
    grid = np.stack(np.meshgrid(np.arange(x_0, x_1), np.arange(y_0, y_1)), axis=-1)  # (h, w, 2)
    offset = grid - a[:2].astype(np.float64)
    along = np.clip(offset @ span / max(span @ span, 1e-9), 0, 1)[..., None]
    distance2 = ((offset - along * span) ** 2).sum(axis=-1)
    patch = value * np.exp(-distance2 / (2 * float(drawing.sigma) ** 2))
    plane[y_0:y_1, x_0:x_1] = np.maximum(plane[y_0:y_1, x_0:x_1], patch)
