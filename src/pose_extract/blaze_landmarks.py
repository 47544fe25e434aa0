"""The BlazePose landmark model: 33 body joints in a rotated square, and where to look in the next frame.

Bazarevsky et al., BlazePose: On-device real-time body pose tracking, 2020; numbers from MediaPipe's published
graphs. The model answers 39 points: 33 joints and 6 auxiliary ones, of which two (the middle of the hips and
a point on the circle around the whole body) span the next region.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.blaze_input import CropInput
from pose_extract.blaze_regions import aligned_crop
from pose_extract.estimator import FrameBgr
from pose_extract.geometry import Crop, apply
from pose_extract.litert_session import LiteRtSession
from pose_extract.plain_state import plain, restored

JOINTS = 33
POINTS = 35  # the joints and the two points that span the next region
VALUES = 5  # x, y, z, visibility, presence
HEATMAP_KERNEL = 7
HEATMAP_MIN_CONFIDENCE = 0.5
REGION_SCALE = 1.25
PRESENCE_THRESHOLD = 0.5
OUTSIDE_SHARE = 0.1
"""Joints further outside the frame than this share of its shorter side are not found (score 0)."""


@dataclass(frozen=True, eq=False, slots=True)
class PoseLandmarks:
    """One person's answer.

    Attributes:
        xy_px: (33, 2) float32, NaN where the score is 0.
        score: (33,) float32: the lower of visibility (not hidden) and presence (inside the crop), 0 for
            joints far outside the frame.
        presence: confidence in 0..1 that the crop shows a person.
        span_px: middle of the hips and a point on the circle around the body, x y x y.
    """

    xy_px: NDArray[np.float32]
    score: NDArray[np.float32]
    presence: float
    span_px: tuple[float, float, float, float]

    @property
    def region(self) -> Crop:
        """The region that this answer spans."""
        return aligned_crop(self.span_px[:2], self.span_px[2:], REGION_SCALE)

    def state(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "xy_px": plain(self.xy_px), "score": plain(self.score),
            "presence": self.presence, "span_px": list(self.span_px),
        }  # fmt: skip

    @staticmethod
    def of_state(state: Mapping[str, Any]) -> PoseLandmarks:
        """What `state` told."""
        x1, y1, x2, y2 = state["span_px"]
        return PoseLandmarks(
            restored(state["xy_px"]), restored(state["score"]), state["presence"], (x1, y1, x2, y2)
        )


class PoseLandmarkModel:
    """The landmark model, loaded without the segmentation mask and the world coordinates."""

    def __init__(self, path: Path, threads: int = 1):
        self._session = LiteRtSession(path, outputs=(0, 1, 3), threads=threads)
        self._input = CropInput(self._session)
        self._size = self._session.input_shape[0]

    def landmarks(self, frame_bgr: FrameBgr, region: Crop) -> PoseLandmarks | None:
        """The person in a region; None where the model sees nobody."""
        back = self._input.draw(frame_bgr, region)
        points, flag, heatmap = self._session.run_views()
        presence = float(flag[0, 0])
        if not presence >= PRESENCE_THRESHOLD:
            return None
        values = points[0, : POINTS * VALUES].reshape(POINTS, VALUES)
        xy = refine_from_heatmap(values[:, :2] / self._size, heatmap[0])
        xy_px = apply(back, xy * np.float32(self._size))
        score = _sigmoid(values[:JOINTS, 3:5].min(axis=1))
        span_px = tuple(xy_px[JOINTS:].ravel().tolist())
        if not math.dist(span_px[:2], span_px[2:]) > 0:
            return None
        joints, score = drop_outside(xy_px[:JOINTS], score, frame_bgr.shape[:2])
        return PoseLandmarks(joints, score, presence, span_px)


class SteadyRegion:
    """The region a person is looked for in, steadied from frame to frame by a One-Euro filter.

    A region that trembles makes the joints tremble: the model's answer depends on how its crop lies. The
    two points that span the region are filtered (Casiez et al., 1 Euro filter, 2012, equations 1 to 6) with
    the constants of MediaPipe's published graph, speeds counted in region sides. The keypoints are not
    filtered. A step is 1/30 s whatever the clip's frame rate, as the estimator is not told it.
    """

    MIN_CUTOFF_HZ, BETA, DERIVATIVE_CUTOFF_HZ, RATE_HZ = 0.01, 10.0, 1.0, 30.0

    def __init__(self, span_px: Sequence[float]):
        self._raw, self._steady = list(span_px), list(span_px)
        self._speed = [0.0] * len(span_px)

    def update(self, span_px: Sequence[float]) -> Crop:
        """Take the points of one frame; the region for the next."""
        side = 2 * math.dist(span_px[:2], span_px[2:])
        damping = self._share(self.DERIVATIVE_CUTOFF_HZ)
        for at, value in enumerate(span_px):
            speed = (value - self._raw[at]) / side * self.RATE_HZ
            self._speed[at] += damping * (speed - self._speed[at])
            share = self._share(self.MIN_CUTOFF_HZ + self.BETA * abs(self._speed[at]))
            self._steady[at] += share * (value - self._steady[at])
        self._raw = list(span_px)
        return self.region

    @property
    def region(self) -> Crop:
        """The latest one."""
        return aligned_crop(self._steady[:2], self._steady[2:], REGION_SCALE)

    def state(self) -> list[list[float]]:
        """As JSON holds it."""
        return [list(self._raw), list(self._steady), list(self._speed)]

    @staticmethod
    def of_state(state: Sequence[Sequence[float]]) -> SteadyRegion:
        """What `state` told."""
        steady = SteadyRegion(state[0])
        steady._steady, steady._speed = list(state[1]), list(state[2])
        return steady

    def _share(self, cutoff_hz: float) -> float:
        """How much of a new value counts, of an exponential filter with this cutoff."""
        return 1 / (1 + self.RATE_HZ / (2 * math.pi * cutoff_hz))


def refine_from_heatmap(
    xy: NDArray[np.float32],
    heatmap: NDArray[np.float32],
    kernel: int = HEATMAP_KERNEL,
    min_confidence: float = HEATMAP_MIN_CONFIDENCE,
) -> NDArray[np.float32]:
    """Move each point to the centre of mass of its heatmap around it, where the heatmap is sure enough.

    Args:
        xy: (J, 2) in 0..1 of the crop.
        heatmap: (h, w, J or more) logits; those beyond the J-th do not count.
        kernel: side of the window around the point, in heatmap pixels, cut off at the edges.
        min_confidence: a window whose highest probability is below leaves the point where it was.

    Returns:
        (J, 2) in 0..1; a point outside the heatmap stays.
    """
    height, width, heatmaps = heatmap.shape
    last = np.array((width - 1, height - 1))
    step_x, step_y = _window(kernel)  # (kernel * kernel,) each
    cell = np.floor(xy * (last + 1).astype(np.float32)).astype(np.int64)  # (J, 2)
    columns, rows = cell[:, :1] + step_x, cell[:, 1:] + step_y  # (J, kernel * kernel)
    safe_columns = np.minimum(np.maximum(columns, 0), last[0])
    safe_rows = np.minimum(np.maximum(rows, 0), last[1])
    places = (safe_rows * width + safe_columns) * heatmaps + np.arange(len(xy))[:, None]
    weight = _sigmoid(heatmap.reshape(-1).take(places))
    weight *= (safe_columns == columns) & (safe_rows == rows)
    moments = weight @ np.stack([step_x, step_y, np.ones_like(step_x)], axis=1).astype(np.float32)  # (J, 3)
    sure = (weight.max(axis=1) >= min_confidence) & ((cell >= 0) & (cell <= last)).all(axis=1)
    mass = cell + moments[:, :2] / np.maximum(moments[:, 2:], np.float32(1e-30))
    refined: NDArray[np.float32] = np.where(sure[:, None], mass / (last + 1), xy).astype(np.float32)
    return refined


@lru_cache(maxsize=4)
def _window(kernel: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Steps from a window's middle to each of its cells, x and y."""
    step_y, step_x = np.mgrid[:kernel, :kernel] - (kernel - 1) // 2
    return step_x.ravel(), step_y.ravel()


def drop_outside(
    xy_px: NDArray[np.float32], score: NDArray[np.float32], frame_hw: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Joints far outside the frame are guesses: score 0 and NaN. Those just outside stay."""
    height, width = frame_hw[:2]
    margin = OUTSIDE_SHARE * min(height, width)
    outside = ((xy_px < -margin) | (xy_px > (width - 1 + margin, height - 1 + margin))).any(axis=-1)
    outside |= ~np.isfinite(xy_px).all(axis=-1)
    score = np.where(outside, np.float32(0), score)
    return np.where((score > 0)[..., None], xy_px, np.float32(np.nan)), score


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.float32(1) / (np.float32(1) + np.exp(-np.maximum(logits, np.float32(-80))))
