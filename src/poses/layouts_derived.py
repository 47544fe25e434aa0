"""Joints that one set lacks and another can give: what a conversion may make of what."""

from __future__ import annotations

from collections.abc import Mapping

# How a joint that the source does not name is made of others: the mean of the first group that it has.
DERIVED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "neck": (("left_shoulder", "right_shoulder"), ("shoulder_center",)),
    "shoulder_center": (("left_shoulder", "right_shoulder"), ("neck",)),
    "mid_hip": (("left_hip", "right_hip"),),
    "spine": (("left_shoulder", "right_shoulder", "left_hip", "right_hip"),),
    "belly": (("left_shoulder", "right_shoulder", "left_hip", "right_hip"),),
    "head_center": (("left_ear", "right_ear"), ("face",)),
    "face": (("nose",), ("head_center",)),
    "mouth_left": (("face-54",),),
    "mouth_right": (("face-48",),),
    "face-54": (("mouth_left",),),
    "face-48": (("mouth_right",),),
    **{
        f"{side}_{joint}": ((f"{side}_{source}",),)
        for side in ("left", "right")
        for joint, source in (
            ("big_toe", "foot_index"),
            ("foot_index", "big_toe"),
            ("hand", "middle_finger1"),
            ("hand_tip", "middle_finger4"),
            ("thumb", "thumb2"),  # BlazePose's second knuckle; Kinect's thumb is the tip, thumb4
            ("index", "forefinger1"),
            ("pinky", "pinky_finger1"),
        )
    },
    "left_foot": (("left_big_toe",), ("left_foot_index",)),
    "right_foot": (("right_big_toe",), ("right_foot_index",)),
}

# A target that has one of these needs a source that has it.
BODY_JOINTS = frozenset(
    f"{side}_{joint}"
    for side in ("left", "right")
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
