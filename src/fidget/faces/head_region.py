"""Where in each frame a person's head is: a square from the joints of the head, whatever the joint set.

The side follows what is known of the person's size: the spread of the head's joints, the distance between the
shoulders, the length of the trunk; the largest counts, as each of them shrinks in some view and none grows.
Shares are those of an adult (head 15 cm across the ears, shoulders 36 cm, trunk 50 cm).

Axis letters: M persons, T frames, V joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poses.clip import PoseClip
from poses.layout import Layout

SCORE_AT_LEAST = 0.3
"""Joints that an estimator is less sure of do not count: a guessed head leads to a guessed face."""

REGION_SCALE = 3.0
"""Side of the region as a share of the head's width: a face then takes about a third of it."""

_HEAD_WORDS = frozenset({"nose", "eye", "ear", "mouth", "face"})
_MIDDLES = frozenset({"head_center"})  # Kinect's one joint for the whole head
_WIDTH_OF_SHOULDERS = 0.4
_WIDTH_OF_TRUNK = 0.3


@dataclass(frozen=True, eq=False)
class HeadRegions:
    """The heads of one clip.

    Attributes:
        center_px: (M, T, 2) float32, middle of the head's joints; NaN where the head was not found.
        width_px: (M, T) float32, about the head's width; NaN likewise.
    """

    center_px: NDArray[np.float32]
    width_px: NDArray[np.float32]

    def box_px(self, person: int, frame: int) -> NDArray[np.float32]:
        """(4,) left, top, right, bottom of the square to look in, which may reach beyond the frame."""
        half = REGION_SCALE / 2 * self.width_px[person, frame]
        middle = self.center_px[person, frame]
        return np.concatenate([middle - half, middle + half]).astype(np.float32)


def head_joints(layout: Layout) -> tuple[int, ...]:
    """Indices of the joints that lie on the face or in the head's middle.

    Raises:
        ValueError: the layout has none; names it.
    """
    names = [joint.replace("-", "_").split("_") for joint in layout.joints]
    found = tuple(
        index
        for index, words in enumerate(names)
        if not _HEAD_WORDS.isdisjoint(words) or layout.joints[index] in _MIDDLES
    )
    if not found:
        raise ValueError(
            f"layout {layout.name!r} has no joint of the head (nose, eyes, ears, mouth, face, head_center): "
            "faces are looked for around these; extract poses in a layout with them, such as coco17"
        )
    return found


def head_regions(clip: PoseClip) -> HeadRegions:
    """The head of every person in every frame.

    Args:
        clip: poses in pixels of the upright frame.

    Raises:
        ValueError: the layout has no joint of the head, or the joints stand in space and not in the picture.
    """
    joints = head_joints(clip.layout)
    if clip.z is not None:
        raise ValueError(
            f"clip {clip.clip_id!r}: joints of {clip.layout.name!r} in space, not in pixels of a video: "
            "there is no place in the picture to look at; extract poses from the videos"
        )
    xy = _sure(clip, np.array(joints))  # (M, T, K, 2)
    counted = np.isfinite(xy[..., 0]).sum(axis=-1)  # (M, T)
    center = np.nansum(xy, axis=2) / np.maximum(counted, 1)[..., None]  # (M, T, 2)
    spread = np.where(np.isfinite(xy), xy, center[:, :, None]) - center[:, :, None]
    width = np.ptp(spread, axis=2).max(axis=-1) if len(joints) > 1 else np.zeros(counted.shape)
    width = np.maximum.reduce([width, *(np.nan_to_num(size) for size in _body_widths(clip))])  # (M, T)
    there = (counted > 0) & (width >= 1)
    return HeadRegions(
        np.where(there[..., None], center, np.nan).astype(np.float32),
        np.where(there, width, np.nan).astype(np.float32),
    )


def _sure(clip: PoseClip, joints: NDArray[np.intp]) -> NDArray[np.float64]:
    """(M, T, K, 2) of these joints; NaN where they are not found surely enough."""
    sure = clip.score[:, :, joints] >= SCORE_AT_LEAST
    return np.where(sure[..., None], clip.xy_px[:, :, joints], np.nan).astype(np.float64)


def _body_widths(clip: PoseClip) -> list[NDArray[np.float64]]:
    """(M, T) each: the head's width by the shoulders, and by the trunk; NaN where these are not found."""
    names = clip.layout.joints
    widths: list[NDArray[np.float64]] = []
    if not {"left_shoulder", "right_shoulder"} <= set(names):
        return widths
    shoulders = _sure(clip, np.array([names.index("left_shoulder"), names.index("right_shoulder")]))
    across = np.linalg.norm(shoulders[:, :, 0] - shoulders[:, :, 1], axis=-1)
    widths.append(_WIDTH_OF_SHOULDERS * across)
    if {"left_hip", "right_hip"} <= set(names):
        hips = _sure(clip, np.array([names.index("left_hip"), names.index("right_hip")]))
        along = np.linalg.norm(shoulders.mean(axis=2) - hips.mean(axis=2), axis=-1)
        widths.append(_WIDTH_OF_TRUNK * along)
    return widths
