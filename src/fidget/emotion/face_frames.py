"""A clip's person and their face as two clips of frames, from one reading of the video.

Axis letters: K frames asked for, S side of a face, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fidget.emotion.video_recipe import FaceInputTable
from fidget.faces.face_crops import face_crops
from fidget.faces.face_tracks import FaceTrack
from fidget.frames.frame_clip import FrameClip, FramesRgb


@dataclass
class SharedFrames:
    """Frames of one clip that are read once for two uses; they are forgotten with it.

    Attributes:
        clip: whose.
        kept: frame number -> picture.
    """

    clip: FrameClip
    kept: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    def read(self, numbers: NDArray[np.int64]) -> FramesRgb:
        """(K, H, W, 3); what was read before is not read again.

        Raises:
            ValueError: a picture cannot be had.
        """
        missing = np.unique([number for number in numbers.tolist() if number not in self.kept])
        if len(missing):
            read = self.clip.read(missing.astype(np.int64))
            self.kept.update(zip(missing.tolist(), read, strict=True))
        return np.stack([self.kept[number] for number in numbers.tolist()])


def nearest_with_face(track: FaceTrack, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """(K,) the same frame numbers, but for frames without a face the nearest that was looked at and has one.

    Raises:
        ValueError: no frame has a face.
    """
    there = track.face_frames
    if not len(there):
        raise ValueError(f"{track.told()}: there is no face to use")
    numbers = np.asarray(numbers, np.int64)
    seen = np.isfinite(track.at(numbers)[0]).all(axis=1)
    nearest = there[np.abs(there[None] - numbers[:, None]).argmin(axis=1)]
    return np.where(seen, numbers, nearest)


def person_and_face(
    clip: FrameClip, track: FaceTrack | None, table: FaceInputTable, side: int, shares: bool
) -> tuple[FrameClip, FrameClip | None]:
    """The clip as it is, and its face as a clip of squares with as many frames.

    Args:
        clip: the person's frames.
        track: the face; None where nobody asks for it.
        table: how it is cut out.
        side: S, pixels.
        shares: both are asked for: frames are read once.
    """
    if track is None:
        return clip, None
    source = replace(clip, read=SharedFrames(clip).read) if shares else clip

    def read(numbers: NDArray[np.int64]) -> FramesRgb:
        chosen = nearest_with_face(track, numbers)
        return face_crops(track, source, chosen, side, margin=table.margin, aligned=table.aligned)

    return source, FrameClip(clip.clip_id, clip.frames, (side, side), read)
