"""What a face does, measured on its 68 landmarks: the offline stand-in for a face-expression network.

No published network stands behind this. DeepFace and its like need weights that are fetched; landmarks are in
the pose cache already (`coco_wholebody133`, filled by BlazeFace's mesh or by RTMPose). Lengths are shares of
the distance between the eyes' outer corners, and the face is turned upright first, so that they say little
about size and tilt. A result made from them must be called "face landmarks", not "DeepFace".

The points are numbered as in iBUG 300-W. Axis letters: T frames, V = 68 points, F measures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

POINTS = 68
MEASURES = (
    "right_eye_open", "left_eye_open", "right_brow_height", "left_brow_height", "brows_apart", "brow_tilt",
    "mouth_width", "mouth_open", "lips_open", "corner_lift", "corner_unevenness", "lip_to_nose",
    "chin_to_nose", "head_turn", "head_nod", "head_tilt",
)  # fmt: skip
SUMMARIES = ("mean", "spread", "high", "movement")

_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)


def face_measures(xy_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Measures of every frame; NaN where a point that they need is missing.

    Args:
        xy_px: (T, 68, 2) pixels, x to the right and y down; NaN for points that were not found.

    Returns:
        (T, F) float32.

    Raises:
        ValueError: another number of points.
    """
    if xy_px.ndim != 3 or xy_px.shape[1:] != (POINTS, 2):
        raise ValueError(f"face measures: expected points (T, {POINTS}, 2), got {xy_px.shape}")
    points = xy_px.astype(np.float64)
    across = points[:, 45] - points[:, 36]  # (T, 2), outer corner to outer corner
    size = np.linalg.norm(across, axis=1)  # (T,)
    size = np.where(size > 1, size, np.nan)
    tilt = np.arctan2(across[:, 1], across[:, 0])
    cos, sin = np.cos(-tilt), np.sin(-tilt)
    centred = points - points[:, 36:48].mean(axis=1, keepdims=True)
    x = (centred[..., 0] * cos[:, None] - centred[..., 1] * sin[:, None]) / size[:, None]  # (T, V)
    y = (centred[..., 0] * sin[:, None] + centred[..., 1] * cos[:, None]) / size[:, None]
    lip = (y[:, 51] + y[:, 57]) / 2
    right, left = lip - y[:, 48], lip - y[:, 54]  # above the middle of the lips
    columns = (
        _eye_open(y[:, _RIGHT_EYE]),
        _eye_open(y[:, _LEFT_EYE]),
        y[:, _RIGHT_EYE].mean(axis=1) - y[:, 17:22].mean(axis=1),
        y[:, _LEFT_EYE].mean(axis=1) - y[:, 22:27].mean(axis=1),
        x[:, 22] - x[:, 21],
        (y[:, 21] + y[:, 22] - y[:, 17] - y[:, 26]) / 2,
        x[:, 54] - x[:, 48],
        y[:, 57] - y[:, 51],
        y[:, 66] - y[:, 62],
        (right + left) / 2,
        np.abs(right - left),
        y[:, 51] - y[:, 33],
        y[:, 8] - y[:, 33],
        (x[:, 30] - (x[:, 2] + x[:, 14]) / 2),
        y[:, 30] - (y[:, 2] + y[:, 14]) / 2,
        tilt,
    )
    return np.stack(columns, 1).astype(np.float32)  # (T, F)


def _eye_open(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height of an eye's (T, 6) points: lids against each other."""
    height: NDArray[np.float64] = (y[:, 4] + y[:, 5] - y[:, 1] - y[:, 2]) / 2
    return height


def summed_up(measures: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """A clip's measures as one vector: mean, spread, 90th percentile and mean step from frame to frame.

    Args:
        measures: (T, F), NaN where unknown.

    Returns:
        (4F,) float32; None where fewer than two frames have all measures: such a clip has no face.
    """
    seen = measures[np.isfinite(measures).all(axis=1)].astype(np.float64)
    if len(seen) < 2:
        return None
    steps = np.abs(np.diff(seen, axis=0)).mean(axis=0)
    parts = (seen.mean(axis=0), seen.std(axis=0), np.quantile(seen, 0.9, axis=0), steps)
    return np.concatenate(parts).astype(np.float32)


def face_series(measures: NDArray[np.float32], frames: int) -> NDArray[np.float32] | None:
    """(frames, F) float32, evenly spaced among the frames with a face; None where fewer than two have one."""
    seen = measures[np.isfinite(measures).all(axis=1)]
    if len(seen) < 2:
        return None
    chosen = np.round(np.linspace(0, len(seen) - 1, frames)).astype(np.int64)
    return np.ascontiguousarray(seen[chosen], np.float32)
