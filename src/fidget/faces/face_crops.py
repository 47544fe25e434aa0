"""Pictures of a face, cut out of a video's frames when they are asked for; nothing is written.

Axis letters: K frames asked for, S side of a picture, H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from fidget.faces.face_tracks import FaceTrack
from fidget.frames.frame_clip import FrameClip
from fidget.frames.sampled_decoding import write_frames
from fidget.frames.video_entry import VideoEntry
from pose_extract.blaze_regions import RIGHT, angle_towards
from pose_extract.geometry import Crop, crop_matrix, warp

_BYTES_AT_ONCE = 128_000_000  # of whole frames in memory
_EYES_APART = (0.1, 0.2)  # of a picture's side: not turned below, fully turned above


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
        aligned: turn each picture so that the eyes are level; not in profile, where one hides the other.

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
    at_once = max(1, _BYTES_AT_ONCE // (3 * clip.frame_hw[0] * clip.frame_hw[1]))
    order = np.argsort(numbers, kind="stable")  # in which they are decoded
    for begin in range(0, len(order), at_once):
        rows = order[begin : begin + at_once]
        frames = clip.read(numbers[rows])  # (k, H, W, 3)
        for row, frame in zip(rows, frames, strict=True):
            pictures[row] = _cut(frame, boxes[row], eyes[row], scale, size, margin, aligned)
    return pictures


def each_face(
    track: FaceTrack, entry: VideoEntry, size: int, *, margin: float = 0.25, aligned: bool = False
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Frame number and face (S, S, 3) of every frame of a track that has one, in no set order.

    The video is decoded once and one frame of it is in memory. Arguments are as of `face_crops`.

    Args:
        track: where the face is.
        entry: the clip's video.
        size: S, pixels.
        margin: added on each side.
        aligned: turn each picture so that the eyes are level.

    Raises:
        ValueError: a frame does not decode.
    """
    numbers = track.face_frames
    boxes, eyes = track.at(numbers)
    row_of = {int(number): row for row, number in enumerate(numbers)}
    frame = np.empty((*entry.frame_hw, 3), np.uint8)
    for number in write_frames(entry, numbers, entry.frame_hw, lambda _: frame):
        row = row_of[number]
        yield number, _cut(frame, boxes[row], eyes[row], (1.0, 1.0), size, margin, aligned)


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
    angle = _turn(eyes * scale, side * scale[0]) if aligned else 0.0
    crop = Crop((float(middle[0]), float(middle[1])), (side * scale[0], side * scale[1]), angle)
    return _drawn(frame, crop, size)


def _turn(eyes: NDArray[np.floating], side: float) -> float:
    """Angle at which the eyes are level; nothing where they lie behind each other, as they do in profile."""
    apart = float(eyes[1, 0] - eyes[0, 0]) / side  # the right eye is on the left of a picture
    sure = min(max((apart - _EYES_APART[0]) / (_EYES_APART[1] - _EYES_APART[0]), 0.0), 1.0)
    right_eye, left_eye = eyes.tolist()
    return sure * angle_towards(right_eye, left_eye, RIGHT) if sure else 0.0


def _drawn(frame: NDArray[np.uint8], crop: Crop, size: int) -> NDArray[np.uint8]:
    """(S, S, 3): averaged over areas where it is made smaller, else bilinear."""
    import cv2

    finer = max(1, int(min(crop.size_px) / size))  # drawn so many times as large first, then averaged
    drawn = warp(frame, crop_matrix(crop, (finer * size, finer * size)), (finer * size, finer * size))
    if finer == 1:
        return drawn
    small: NDArray[np.uint8] = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return small
