"""COCO-WholeBody's 133 joints out of the BlazePose family: body and feet, 68 face points, two hands of 21.

Body, big toes and heels come from the body model; it knows no small toes, so these have score 0. Joints of a
hand or face carry the confidence of their model that it is there at all; a hand or face that is not seen has
score 0 at every joint. Coordinates that lie far outside the frame are dropped as the body's are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose_extract.blaze_face import FACE68_OF_MESH, FaceModels, FaceTrack
from pose_extract.blaze_hands import HandLandmarks, HandModels, HandTrack
from pose_extract.blaze_landmarks import PoseLandmarks, drop_outside
from pose_extract.estimator import FrameBgr
from poses.layout import get_layout

WRIST_THRESHOLD = 0.1
"""No hand is looked for at a wrist whose score is below."""
SAME_HAND_DISTANCE = 0.25
"""Two answers whose joints lie closer on average, as a share of the hand's region, are one hand."""


class PersonParts:
    """Hands and face of one person, followed from frame to frame."""

    def __init__(self) -> None:
        self.left_hand = HandTrack(right=False)
        self.right_hand = HandTrack(right=True)
        self.face = FaceTrack()

    def state(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "left_hand": self.left_hand.state(), "right_hand": self.right_hand.state(),
            "face": self.face.state(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        self.left_hand.restore(state["left_hand"])
        self.right_hand.restore(state["right_hand"])
        self.face.restore(state["face"])


class WholeBodyParts:
    """The models of hands and face, loaded."""

    def __init__(self, paths: Mapping[str, Path], threads: int = 1):
        self._hands = HandModels(paths, threads)
        self._face = FaceModels(paths, threads)
        body, whole = get_layout("blazepose33"), get_layout("coco_wholebody133")
        self._arms = {
            side: [body.index(f"{side}_{joint}") for joint in ("wrist", "pinky", "index")]
            for side in ("left", "right")
        }
        self._head = slice(0, 11)
        self._first_of_hand = {side: whole.index(f"{side}_hand_root") for side in ("left", "right")}
        self._first_of_face = whole.index("face-0")

    def add(
        self,
        frame_bgr: FrameBgr,
        body: PoseLandmarks,
        parts: PersonParts,
        xy_px: NDArray[np.float32],
        score: NDArray[np.float32],
    ) -> None:
        """Find hands and face of one person and write them into xy_px (133, 2) and score (133,)."""
        frame_hw = frame_bgr.shape[:2]
        tracks = {"left": parts.left_hand, "right": parts.right_hand}
        for side, track in tracks.items():
            arm = self._arms[side]
            seen = body.score[arm[0]] >= WRIST_THRESHOLD
            arm_px = body.xy_px[arm] if seen else np.full((3, 2), np.nan, np.float32)
            self._hands.follow(frame_bgr, arm_px, track)
        _one_hand_is_not_two(parts, body.xy_px[self._arms["left"][0]], body.xy_px[self._arms["right"][0]])
        for side, track in tracks.items():
            hand = track.last
            points = hand.xy_px if hand else None
            _write(self._first_of_hand[side], 21, points, hand and hand.presence, frame_hw, xy_px, score)
        self._face.follow(frame_bgr, body.xy_px[self._head], parts.face)
        face = parts.face.last
        points = face.xy_px[list(FACE68_OF_MESH)] if face else None
        _write(self._first_of_face, 68, points, face and face.presence, frame_hw, xy_px, score)


def _write(
    first: int,
    count: int,
    points_px: NDArray[np.float32] | None,
    presence: float | None,
    frame_hw: tuple[int, ...],
    xy_px: NDArray[np.float32],
    score: NDArray[np.float32],
) -> None:
    joints = slice(first, first + count)
    if points_px is None or presence is None:
        xy_px[joints], score[joints] = np.nan, 0
        return
    xy_px[joints], score[joints] = drop_outside(points_px, np.full(count, presence, np.float32), frame_hw)


def _one_hand_is_not_two(
    parts: PersonParts, left_wrist_px: NDArray[np.float32], right_wrist_px: NDArray[np.float32]
) -> None:
    """Where both arms led to one hand, it stays with the arm whose wrist is nearer; the other has none."""
    left, right = parts.left_hand.last, parts.right_hand.last
    if left is None or right is None or not same_hand(left, right):
        return
    middle = (left.xy_px[0] + right.xy_px[0]) / 2
    if np.linalg.norm(left_wrist_px - middle) <= np.linalg.norm(right_wrist_px - middle):
        parts.right_hand.last = None
    else:
        parts.left_hand.last = None


def same_hand(a: HandLandmarks, b: HandLandmarks) -> bool:
    """Whether two answers of one frame show one hand."""
    distance = np.linalg.norm(a.xy_px - b.xy_px, axis=1).mean()
    return bool(distance < SAME_HAND_DISTANCE * min(a.region.size_px[0], b.region.size_px[0]) / 2)
