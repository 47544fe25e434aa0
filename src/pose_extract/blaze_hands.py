"""Hands: 21 joints each, looked for at the wrists that the body model found.

Per hand and frame: the body's wrist, little and index finger give a rough region; a small model places the
hand in it; the landmark model answers. As long as the last frame's joints agree with that place, the region
they span is used instead, which is steadier. Where the model sees no hand, the palm detector looks around
the wrist. Zhang et al., MediaPipe Hands, 2020; numbers from MediaPipe's published graphs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.blaze_detector import PALM_DETECTOR, BlazeDetector
from pose_extract.blaze_input import CropInput
from pose_extract.blaze_regions import (
    DOWN,
    FollowLimits,
    aligned_crop,
    angle_towards,
    square_region,
    still_fits,
    turned_box,
)
from pose_extract.estimator import FrameBgr
from pose_extract.geometry import Crop, apply
from pose_extract.litert_session import LiteRtSession
from pose_extract.plain_state import plain, restored

HAND_JOINTS = 21
PRESENCE_THRESHOLD = 0.5
LIMITS = FollowLimits(turn_rad=math.radians(40), shift=0.2, scale=0.4, margin=-0.1)
PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Joints that span the next region: a bent finger does not move them much."""
KNUCKLES = (5, 9, 13)
PALM_EVERY_FRAMES = 10
"""The palm detector is asked about one missing hand at most this often."""
PALM_REACH = 1.3
"""The palm detector looks at the rough region enlarged by this."""


@dataclass(frozen=True, eq=False, slots=True)
class HandLandmarks:
    """One hand.

    Attributes:
        xy_px: (21, 2) float32: wrist, then thumb to little finger, four joints each, towards the tip.
        presence: confidence in 0..1 that the crop shows a hand.
        right: how much the model takes it for a right hand, 0..1.
    """

    xy_px: NDArray[np.float32]
    presence: float
    right: float

    @property
    def region(self) -> Crop:
        """Where the hand is expected in the next frame."""
        knuckles = self.xy_px[list(KNUCKLES)].astype(np.float64)
        towards = ((knuckles[0] + knuckles[2]) / 2 + knuckles[1]) / 2
        angle = angle_towards(self.xy_px[0].tolist(), towards.tolist())
        center, size = turned_box(self.xy_px[list(PALM)].astype(np.float64), angle)
        return square_region(center, size, angle, scale=2.0, shift_down=-0.1)


class HandTrack:
    """What is known of one hand of one person from the frames before."""

    def __init__(self, right: bool):
        self.right = right
        self.last: HandLandmarks | None = None
        self.frames_since_palm = PALM_EVERY_FRAMES

    def state(self) -> dict[str, Any]:
        """As JSON holds it."""
        hand = self.last and [plain(self.last.xy_px), self.last.presence, self.last.right]
        return {"hand": hand, "frames_since_palm": self.frames_since_palm}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        hand = state["hand"]
        self.last = HandLandmarks(restored(hand[0]), hand[1], hand[2]) if hand else None
        self.frames_since_palm = state["frames_since_palm"]


class HandModels:
    """The three models of hands, loaded from palm_detection_full, hand_recrop and hand_landmark_full."""

    def __init__(self, paths: Mapping[str, Path], threads: int = 1):
        self._palms = BlazeDetector(paths["palm_detection_full"], PALM_DETECTOR, threads)
        self._recrop = LiteRtSession(paths["hand_recrop"], threads=threads)
        self._recrop_input = CropInput(self._recrop)
        self._landmark = LiteRtSession(paths["hand_landmark_full"], outputs=(0, 1, 2), threads=threads)
        self._landmark_input = CropInput(self._landmark)

    def follow(self, frame_bgr: FrameBgr, arm_px: NDArray[np.float32], track: HandTrack) -> None:
        """Find the hand of one arm in the next frame; `track.last` is the answer, None where there is none.

        Args:
            frame_bgr: the frame.
            arm_px: (3, 2): wrist, little finger, index finger of the body model.
            track: of this hand; changed.
        """
        rough = rough_region(arm_px)
        before, track.last = track.last, None
        track.frames_since_palm += 1
        if rough is None:
            return
        fresh = self._placed(frame_bgr, rough)
        regions = [fresh] if fresh else []
        if before:  # first where it fits, else as a second chance
            fits = fresh is not None and still_fits(before.region, fresh, before.xy_px, LIMITS)
            regions.insert(0 if fits else 1, before.region)
        for region in regions:
            track.last = self.landmarks(frame_bgr, region)
            if track.last:
                return
        if track.frames_since_palm >= PALM_EVERY_FRAMES:
            track.frames_since_palm = 0
            palm = self._palm_near(frame_bgr, rough)
            hand = palm and self.landmarks(frame_bgr, palm)
            # The detector may have found the person's other hand, which often lies near.
            if hand and (hand.right > 0.5) == track.right:
                track.last = hand

    def landmarks(self, frame_bgr: FrameBgr, region: Crop) -> HandLandmarks | None:
        """The hand in a region; None where the model sees none."""
        back = self._landmark_input.draw(frame_bgr, region)
        points, flag, handedness = self._landmark.run_views()
        presence = float(flag[0, 0])
        if not presence >= PRESENCE_THRESHOLD:
            return None
        xy_px = apply(back, points.reshape(HAND_JOINTS, 3)[:, :2])
        return HandLandmarks(xy_px, min(presence, 1.0), float(handedness[0, 0]))

    def _placed(self, frame_bgr: FrameBgr, rough: Crop) -> Crop | None:
        """The hand's own region inside the rough one: its middle, and a point towards the wrist."""
        back = self._recrop_input.draw(frame_bgr, rough)
        (points,) = self._recrop.run_views()
        center, wrist = apply(back, points.reshape(2, 2)).tolist()
        if not math.dist(center, wrist) > 0:
            return None
        return aligned_crop(center, wrist, direction=DOWN, shift_down=-0.1)

    def _palm_near(self, frame_bgr: FrameBgr, rough: Crop) -> Crop | None:
        side = rough.size_px[0] * PALM_REACH
        found = self._palms.detect(frame_bgr, Crop(rough.center_px, (side, side)))
        if not len(found):
            return None
        middles = (found.box[:, :2] + found.box[:, 2:]) / 2
        nearest = int(np.linalg.norm(middles - rough.center_px, axis=1).argmin())
        return region_of_palm(found.box[nearest], found.keypoints[nearest])


def rough_region(arm_px: NDArray[np.float32]) -> Crop | None:
    """The region around the middle finger's knuckle as the body model's wrist and fingers tell it."""
    wrist, pinky, index = arm_px.astype(np.float64)
    middle = (2 * index + pinky) / 3
    if not math.dist(middle, wrist) > 0:  # NaN where the body model did not find one of them
        return None
    return aligned_crop(middle.tolist(), wrist.tolist(), scale=2.7, direction=DOWN, shift_down=-0.1)


def region_of_palm(box: NDArray[np.float32], keypoints: NDArray[np.float32]) -> Crop:
    """The hand's region from a palm: box (4,), keypoints (7, 2), wrist first, middle knuckle third."""
    x1, y1, x2, y2 = box.tolist()
    angle = angle_towards(keypoints[0].tolist(), keypoints[2].tolist())
    size = (x2 - x1, y2 - y1)
    return square_region(((x1 + x2) / 2, (y1 + y2) / 2), size, angle, scale=2.6, shift_down=-0.5)
