"""Pictures of a face, cut out of a video's frames when they are asked for; nothing is written.

Axis letters: K frames asked for, S side of a picture, H height, W width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidget.faces.face_tracks import FaceTrack
from fidget.frames.frame_clip import FrameClip
from pose_extract.blaze_regions import RIGHT, angle_towards
from pose_extract.geometry import Crop, crop_matrix, warp

_READ_AT_ONCE = 8  # whole frames in memory


def face_crops(
    track: FaceTrack,
    clip: FrameClip,
    numbers: NDArray[np.int64],
    size: int,
    *,
    margin: float = 0.25,
    aligned: bool = False,
) -> NDArray[np.uint8]:
    """A person's face in some frames.

    Args:
        track: where the face is.
        clip: the same clip's frames, at any scale.
        numbers: (K,) frame numbers, in any order and repeated or not.
        size: S, pixels.
        margin: added on each side, as a share of the face's box, which reaches from brows to chin.
        aligned: turn each picture so that the eyes are level.

    Returns:
        (K, S, S, 3), red first; black beyond the frame.

    Raises:
        ValueError: a frame without a face, another clip's track, numbers out of range; or a frame that does
            not decode.
    """
    if track.clip_id != clip.clip_id:
        raise ValueError(
            f"expected frames of clip {track.clip_id!r}, whose face this is, got {clip.clip_id!r}"
        )
    if size < 1 or not 0 <= margin <= 10:
        raise ValueError(f"expected a size of 1 or more and a margin in 0..10, got {size} and {margin}")
    numbers = np.asarray(numbers, np.int64)
    boxes, eyes = track.at(numbers)
    without = numbers[~np.isfinite(boxes).all(axis=1)]
    if len(without):
        raise ValueError(
            f"clip {track.clip_id!r} person {track.track_id}: frame {without[0]} has no face; "
            f"{len(track.face_frames)} frames have one (FaceTrack.face_frames)"
        )
    scale = (clip.frame_hw[1] / track.frame_hw[1], clip.frame_hw[0] / track.frame_hw[0])
    pictures = np.empty((len(numbers), size, size, 3), np.uint8)
    for begin in range(0, len(numbers), _READ_AT_ONCE):
        rows = range(begin, min(begin + _READ_AT_ONCE, len(numbers)))
        frames = clip.read(numbers[rows.start : rows.stop])  # (k, H, W, 3)
        for row, frame in zip(rows, frames, strict=True):
            pictures[row] = _cut(frame, boxes[row], eyes[row], scale, size, margin, aligned)
    return pictures


def _cut(
    frame: NDArray[np.uint8],
    box: NDArray[np.float32],
    eyes: NDArray[np.float32],
    scale: tuple[float, float],
    size: int,
    margin: float,
    aligned: bool,
) -> NDArray[np.uint8]:
    """(S, S, 3) of one frame."""
    # Integers are pixel centres: (x + 1/2) scales, not x.
    middle = ((box[:2] + box[2:]) / 2 + 0.5) * scale - 0.5
    side = float((box[2:] - box[:2]).max()) * (1 + 2 * margin)
    angle = angle_towards(*(eyes * scale).tolist(), RIGHT) if aligned else 0.0
    crop = Crop((float(middle[0]), float(middle[1])), (side * scale[0], side * scale[1]), angle)
    return _drawn(frame, crop, size)


def _drawn(frame: NDArray[np.uint8], crop: Crop, size: int) -> NDArray[np.uint8]:
    """(S, S, 3): averaged over areas where it is made smaller, else bilinear."""
    import cv2

    finer = max(1, int(min(crop.size_px) / size))  # drawn so many times as large first, then averaged
    drawn = warp(frame, crop_matrix(crop, (finer * size, finer * size)), (finer * size, finer * size))
    if finer == 1:
        return drawn
    small: NDArray[np.uint8] = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small
