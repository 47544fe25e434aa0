"""Videos and the poses that were extracted from them, read together.

Axis letters: M persons, T frames, V joints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fidget.frames.frame_clip import FrameClip
from fidget.training.data import ClipSource, PoseClips
from skeleton_models.clip_arrays import ClipArrays


class PosedClip(NamedTuple):
    """One clip.

    Attributes:
        pictures: its frames, read when they are asked for.
        poses: in all of its frames, pixels of the frames as extraction saw them.
    """

    pictures: FrameClip
    poses: ClipArrays

    def points(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """(M, T, V, 3) x and y in pixels of what `pictures` gives, and score, of the frames `numbers` (T,).

        A joint that was not found has score 0 and lies at 0.
        """
        xy, score = self.poses.xyz[:, numbers, :, :2], self.poses.score[:, numbers]  # (M, T, V, 2), (M, T, V)
        (height, width), (from_height, from_width) = self.pictures.frame_hw, self.poses.frame_hw
        scale = np.array([width / from_width, height / from_height], np.float32)
        found = np.isfinite(xy).all(-1) & (score > 0)
        moved = np.where(found[..., None], (xy + 0.5) * scale - 0.5, 0)
        return np.concatenate([moved, np.where(found, score, 0)[..., None]], -1).astype(np.float32)


class PosedVideos:
    """A `ClipSource` of clips that have a video and poses of the same frames.

    Args:
        videos: `fidget.frames.video_clips.VideoClips`, or another source of `FrameClip`.
        poses: of the same videos.

    Attributes:
        layout: of the joints.
        where, status, problems, remarks, without_person, checksums, cache_hash, simulated: see
            `ClipSource`.
    """

    def __init__(self, videos: ClipSource, poses: PoseClips) -> None:
        self._videos, self._poses = videos, poses
        self.layout = poses.layout
        self.where = f"{videos.where} with the poses {poses.where}"
        self.status: Mapping[str, str] = {
            clip_id: poses.status[clip_id] if status == "ok" else status
            for clip_id, status in videos.status.items()
            if clip_id in poses.status
        }
        self.problems, self.remarks = videos.problems, videos.remarks
        self.without_person = tuple(clip_id for clip_id in videos.without_person if clip_id in self.status)
        self.checksums = videos.checksums
        self.simulated = videos.simulated or poses.simulated
        both = f"{videos.cache_hash} {poses.cache_hash}"
        self.cache_hash = hashlib.sha256(both.encode()).hexdigest()[:16]

    def read(self, clip_id: str) -> PosedClip:
        """One clip.

        Raises:
            ValueError: the poses are not of the video's frames.
        """
        pictures, poses = self._videos.read(clip_id), self._poses.read(clip_id)
        assert isinstance(pictures, FrameClip)
        if len(poses.xyz) and poses.xyz.shape[1] != pictures.frames:
            raise ValueError(
                f"clip {clip_id!r}: expected poses in each of the video's {pictures.frames} frames, got "
                f"them in {poses.xyz.shape[1]}; extract the poses from these very videos"
            )
        return PosedClip(pictures, poses)
