"""The two small interfaces every pose model stands behind.

`PoseModel` answers for given boxes; `PoseEstimator` finds the people itself and may follow them from
frame to frame. Extraction talks to `PoseEstimator` only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from poses.layout import Layout

FrameBgr = NDArray[np.uint8]  # (H, W, 3), upright, blue first


@dataclass(frozen=True, eq=False, slots=True)
class FramePeople:
    """Everyone found in one frame, P people; P may be 0.

    Attributes:
        xy_px: (P, V, 2) float32, NaN where a joint was not found.
        score: (P, V) float32 in 0..1, 0 where a joint was not found.
        box_px: (P, 4) float32, x1 y1 x2 y2.
        box_score: (P,) float32 in 0..1, confidence that this is a person.
    """

    xy_px: NDArray[np.float32]
    score: NDArray[np.float32]
    box_px: NDArray[np.float32]
    box_score: NDArray[np.float32]

    @staticmethod
    def nobody(joints: int) -> FramePeople:
        """An empty frame of a layout with this many joints."""
        return FramePeople(
            np.empty((0, joints, 2), np.float32),
            np.empty((0, joints), np.float32),
            np.empty((0, 4), np.float32),
            np.empty((0,), np.float32),
        )


class PersonDetector(Protocol):
    """Boxes of people in one frame."""

    def detect(self, frame_bgr: FrameBgr) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Boxes (P, 4) x1 y1 x2 y2 in pixels and their scores (P,), best first."""
        ...


class PoseModel(Protocol):
    """Keypoints of people whose boxes are known: frames, boxes -> xy_px, score."""

    layout: Layout

    def estimate(
        self, frames_bgr: Sequence[FrameBgr], boxes_px: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """For each frame with boxes (P, 4): xy_px (P, V, 2) and score (P, V), batched across frames."""
        ...


class ClipEstimation(Protocol):
    """One clip on its way through a model; answers come in frame order and may lag behind the frames."""

    def push(self, frames_bgr: Sequence[FrameBgr]) -> list[FramePeople]:
        """Take the next frames; return whatever is finished by now."""
        ...

    def finish(self) -> list[FramePeople]:
        """No more frames: return the rest, so that every pushed frame has been answered once."""
        ...


@runtime_checkable
class ResumableClip(Protocol):
    """A `ClipEstimation` that another process can go on with."""

    def state(self) -> dict[str, Any]:
        """What has to be known to go on with the first frame that was not answered yet, as JSON holds it."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state, before the first `push`; frames that were not answered are pushed again."""
        ...


class PoseEstimator(Protocol):
    """A loaded model that finds people and their joints in video.

    Attributes:
        layout: joint set of the answers.
        batch: how many frames it likes to be handed at a time.
        weights: name -> SHA-256 of every weight file in use, for the cache's metadata.
        runtime: what really runs it, e.g. `litert 2.3.0 XNNPACK, 1 thread`.
    """

    layout: Layout
    batch: int
    weights: dict[str, str]
    runtime: str

    def start_clip(self) -> ClipEstimation:
        """Forget the last clip and begin a new one."""
        ...
