"""The face: 468 points of a mesh, of which 68 stand for the points of iBUG 300-W.

Per frame: the body's face joints give a rough region, a small detector finds the face in it, the mesh model
answers; the mesh's own region is used as long as it agrees. Kartynnik et al., Real-time facial surface
geometry from monocular video, 2019; numbers from MediaPipe's published graphs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.blaze_detector import FACE_DETECTOR, BlazeDetector
from pose_extract.blaze_input import CropInput
from pose_extract.blaze_regions import RIGHT, FollowLimits, angle_towards, square_region, still_fits
from pose_extract.estimator import FrameBgr
from pose_extract.geometry import Crop, apply
from pose_extract.litert_session import LiteRtSession
from pose_extract.plain_state import plain, restored

MESH_POINTS = 468
PRESENCE_THRESHOLD = 0.5
LIMITS = FollowLimits(turn_rad=math.radians(15), shift=0.1, scale=0.3, margin=-0.2)
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263

FACE68_OF_MESH = (
    # jaw, from the person's right ear to the left
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,
    # right brow, left brow
    71, 63, 105, 66, 107, 336, 296, 334, 293, 301,
    # ridge of the nose, nostrils
    168, 197, 5, 4, 75, 97, 2, 326, 305,
    # right eye, left eye
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    # outer lips, inner lips
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""Mesh vertex of each of the 68 points, in the order of iBUG 300-W."""


@dataclass(frozen=True, eq=False, slots=True)
class FaceLandmarks:
    """One face.

    Attributes:
        xy_px: (468, 2) float32.
        presence: confidence in 0..1 that the crop shows a face.
    """

    xy_px: NDArray[np.float32]
    presence: float

    @property
    def region(self) -> Crop:
        """Where the face is expected in the next frame."""
        eyes = self.xy_px[[RIGHT_EYE_CORNER, LEFT_EYE_CORNER]].tolist()
        return region_around(self.xy_px, eyes[0], eyes[1], scale=1.5)


class FaceTrack:
    """What is known of one person's face from the frame before."""

    def __init__(self) -> None:
        self.last: FaceLandmarks | None = None

    def state(self) -> list[Any] | None:
        """As JSON holds it."""
        return self.last and [plain(self.last.xy_px), self.last.presence]

    def restore(self, state: Sequence[Any] | None) -> None:
        """Go on from what `state` told."""
        self.last = FaceLandmarks(restored(state[0]), state[1]) if state else None


class FaceModels:
    """Face detector and mesh, loaded; `paths` holds face_detection_short_range and face_landmark."""

    def __init__(self, paths: Mapping[str, Path], threads: int = 1):
        self._detector = BlazeDetector(paths["face_detection_short_range"], FACE_DETECTOR, threads)
        self._session = LiteRtSession(paths["face_landmark"], threads=threads)
        self._input = CropInput(self._session)
        self._size = self._session.input_shape[0]

    def follow(self, frame_bgr: FrameBgr, head_px: NDArray[np.float32], track: FaceTrack) -> None:
        """Find the face in the next frame; `track.last` is the answer, None where there is none.

        Args:
            frame_bgr: the frame.
            head_px: (11, 2): the body model's face joints; NaN where not found.
            track: of this face; changed.
        """
        before, track.last = track.last, None
        rough = rough_region(head_px)
        if rough is None:
            return
        found = self._detector.detect(frame_bgr, rough)
        if not len(found):
            return
        # Eyes, nose, mouth and ears of the best face; the first two are the eyes.
        right_eye, left_eye = found.keypoints[0, :2].tolist()
        fresh = region_around(found.keypoints[0], right_eye, left_eye, scale=2.0, shift_down=-0.1)
        regions = [fresh]
        if before and still_fits(before.region, fresh, before.xy_px, LIMITS):
            regions.insert(0, before.region)
        for region in regions:
            track.last = self.landmarks(frame_bgr, region)
            if track.last:
                return

    def landmarks(self, frame_bgr: FrameBgr, region: Crop) -> FaceLandmarks | None:
        """The face in a region; None where the model sees none."""
        back = self._input.draw(frame_bgr, region)
        points, logit = self._session.run_views()
        presence = 1 / (1 + math.exp(-max(float(logit.ravel()[0]), -80.0)))
        if not presence >= PRESENCE_THRESHOLD:
            return None
        return FaceLandmarks(apply(back, points.reshape(MESH_POINTS, 3)[:, :2]), presence)


def rough_region(head_px: NDArray[np.float32]) -> Crop | None:
    """Three times the extent of the body model's face joints, turned with the eyes."""
    head = head_px.astype(np.float64)
    if not np.isfinite(head).all() or not np.ptp(head, axis=0).max() > 0:
        return None
    return region_around(head, head[5].tolist(), head[2].tolist(), scale=3.0)


def region_around(
    points_px: NDArray[np.floating],
    right_eye_px: list[float],
    left_eye_px: list[float],
    scale: float,
    shift_down: float = 0.0,
) -> Crop:
    """A square around the upright extent of points, turned so that the eyes are level."""
    low, high = points_px.min(axis=0).tolist(), points_px.max(axis=0).tolist()
    center = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2]
    size = (high[0] - low[0], high[1] - low[1])
    return square_region(center, size, angle_towards(right_eye_px, left_eye_px, RIGHT), scale, shift_down)
