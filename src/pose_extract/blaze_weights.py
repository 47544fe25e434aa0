"""Which weights BlazePose needs for which joints."""

from __future__ import annotations

BODY_WEIGHTS = ("pose_detection", "pose_landmark_full")
HANDS_AND_FACE_WEIGHTS = (
    "palm_detection_full",
    "hand_landmark_full",
    "hand_recrop",
    "face_detection_short_range",
    "face_landmark",
)
BLAZEPOSE_LAYOUTS = {
    "blazepose33": BODY_WEIGHTS,
    "coco17": BODY_WEIGHTS,
    "coco_wholebody133": BODY_WEIGHTS + HANDS_AND_FACE_WEIGHTS,
}
"""Layouts BlazePose answers in, and the weights each needs; the first is its own."""
