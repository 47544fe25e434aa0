"""Looking for faces: BlazeFace in the region of each head, in the frames that are asked for.

Frames are decoded one at a time and none is kept, so that memory does not grow with the video.

Axis letters: M persons, T frames looked at, D faces in one region, H height, W width.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fidget.faces.face_joining import Candidates, TrackSettings, join_faces
from fidget.faces.face_tracks import FaceTrack
from fidget.faces.head_region import head_regions
from fidget.frames.sampled_decoding import write_frames
from fidget.frames.video_entry import VideoEntry
from pose_extract.blaze_detector import FACE_DETECTOR, BlazeDetector
from poses.clip import PoseClip

WEIGHT = "face_detection_short_range"
_NOBODY = Candidates(np.empty((0, 4), np.float32), np.empty((0, 2, 2), np.float32), np.empty(0, np.float32))
_TIMES_AGREE_S = 2e-6
_SMALLEST_PX = 8  # sides of a region in which anything could be seen


def load_face_detector(threads: int = 1) -> BlazeDetector:
    """BlazeFace, short range.

    Raises:
        MissingWeightError: its file is not on this machine; says which command fetches it.
        HashMismatchError: another file lies there.
    """
    from weights.fetch import find_weight

    return BlazeDetector(find_weight(WEIGHT), FACE_DETECTOR, threads)


def find_faces(
    frame_rgb: NDArray[np.uint8], region_px: NDArray[np.float32], detector: BlazeDetector
) -> Candidates:
    """The faces in a region of a frame, surest first.

    Args:
        frame_rgb: (H, W, 3).
        region_px: (4,) left, top, right, bottom; may reach beyond the frame.
        detector: of faces.
    """
    import cv2

    height, width = frame_rgb.shape[:2]
    x0, y0 = max(math.floor(region_px[0]), 0), max(math.floor(region_px[1]), 0)
    x1, y1 = min(math.ceil(region_px[2]), width), min(math.ceil(region_px[3]), height)
    if min(x1 - x0, y1 - y0) < _SMALLEST_PX:
        return _NOBODY
    cut = np.asarray(cv2.cvtColor(frame_rgb[y0:y1, x0:x1], cv2.COLOR_RGB2BGR), np.uint8)
    found = detector.detect(cut)
    corner = np.array([x0, y0], np.float32)
    if not len(found):
        return _NOBODY
    # The first two of its six points are the eyes, the person's right one first.
    return Candidates(found.box + np.tile(corner, 2), found.keypoints[:, :2] + corner, found.score)


def frames_to_look_at(time_s: NDArray[np.float64], max_fps: float | None) -> NDArray[np.int64]:
    """(T,) numbers of the frames: all, or the first one at or after each tick of so many a second."""
    if max_fps is None:
        return np.arange(len(time_s))
    tick = np.floor((time_s - time_s[0]) * max_fps + 1e-6).astype(np.int64)
    return np.flatnonzero(np.diff(tick, prepend=-1))


def check_same_video(clip: PoseClip, entry: VideoEntry) -> None:
    """See that a video is the one whose poses these are, as far as its frames tell.

    Raises:
        ValueError: it cannot be read, or differs in frames, times or size; names the clip and the video.
    """
    if entry.error:
        raise ValueError(f"clip {clip.clip_id!r}: {entry.error}")
    (height, width), (video_h, video_w) = clip.frame_hw, entry.frame_hw
    ours = f"{clip.frames} frames of {width}x{height}"
    theirs = f"{entry.frames} of {video_w}x{video_h}"
    differs = ours if (entry.frames, entry.frame_hw) != (clip.frames, clip.frame_hw) else ""
    if not differs:
        apart_s = np.abs(entry.time_us / 1e6 - clip.time_s).max()
        if apart_s > _TIMES_AGREE_S:
            differs, theirs = "the same times", f"frames shown up to {apart_s:.3f} s earlier or later"
    if differs:
        raise ValueError(
            f"clip {clip.clip_id!r}: {str(entry.path)!r} is another video than its poses are from: expected "
            f"{differs}, got {theirs}; give the videos that were extracted, or extract these"
        )


def track_faces(
    clip: PoseClip, entry: VideoEntry, detector: BlazeDetector, settings: TrackSettings | None = None
) -> tuple[FaceTrack, ...]:
    """The face of every person of a clip, over its video.

    Args:
        clip: poses, in pixels of the upright frame.
        entry: its video.
        detector: of faces.
        settings: how many frames, and how faces are joined.

    Returns:
        One track a person, in the clip's order; empty where the clip has nobody.

    Raises:
        ValueError: another video, one that does not decode, or a layout without joints of the head.
    """
    settings = settings or TrackSettings()
    regions = head_regions(clip)
    check_same_video(clip, entry)
    if not clip.persons:
        return ()
    looked_at = frames_to_look_at(clip.time_s, settings.max_fps)
    row_of = {int(number): row for row, number in enumerate(looked_at)}
    found = [[_NOBODY] * len(looked_at) for _ in range(clip.persons)]
    some_head = np.isfinite(regions.width_px[:, looked_at]).any(axis=0)
    frame = np.empty((*entry.frame_hw, 3), np.uint8)
    for number in write_frames(entry, looked_at[some_head], entry.frame_hw, lambda _: frame):
        for person in np.flatnonzero(np.isfinite(regions.width_px[:, number])):
            region = regions.box_px(int(person), number)
            found[person][row_of[number]] = find_faces(frame, region, detector)
    return join_faces(clip, looked_at, found, regions, settings)
