"""Synthetic heads, faces and videos that the tests of faces share."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from fidget.faces.face_joining import Candidates
from fidget.frames.video_index import index_video
from fidget.reports.video_file import write_video
from pose_extract.blaze_detector import Detections
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout

HEAD = 24.0  # px from ear to ear
_COCO = {  # of a person facing the camera, in widths of the head from the nose
    "nose": (0, 0), "left_eye": (0.2, -0.2), "right_eye": (-0.2, -0.2), "left_ear": (0.5, -0.1),
    "right_ear": (-0.5, -0.1), "left_shoulder": (1.2, 1.4), "right_shoulder": (-1.2, 1.4),
    "left_hip": (0.8, 4.5), "right_hip": (-0.8, 4.5),
}  # fmt: skip


def people(noses, layout="coco17", clip_id="a", hw=(160, 240), width=HEAD, time_s=None) -> PoseClip:
    """A clip of people facing the camera; `noses` is (M, T, 2), NaN where the person is not there."""
    noses = np.asarray(noses, np.float32)
    joints = get_layout(layout).joints
    xy_px = np.full((*noses.shape[:2], len(joints), 2), np.nan, np.float32)
    for name, offset in _COCO.items():
        if name in joints:
            xy_px[:, :, joints.index(name)] = noses + width * np.array(offset, np.float32)
    for name in ("head_center", "face"):
        if name in joints:
            xy_px[:, :, joints.index(name)] = noses
    score = np.where(np.isfinite(xy_px[..., 0]), np.float32(0.9), np.float32(0))
    m, t = noses.shape[:2]
    return PoseClip(
        clip_id=clip_id,
        layout=get_layout(layout),
        xy_px=xy_px,
        score=score.astype(np.float32),
        box_px=np.full((m, t, 4), np.nan, np.float32),
        time_s=np.arange(t) / 25 if time_s is None else time_s,
        frame_hw=hw,
        fps=Fraction(25),
        track_ids=np.arange(m, dtype=np.int64) + 3,
    )


def faces_at(*middles, side=20.0, score=0.9) -> Candidates:
    """Faces of one frame, around these points."""
    middle = np.array(middles, np.float32).reshape(-1, 2)
    box = np.concatenate([middle - side / 2, middle + side / 2], axis=1)
    eyes = np.stack([middle + np.array(at) * side for at in ((-0.25, -0.2), (0.25, -0.2))], axis=1)
    return Candidates(box, eyes.astype(np.float32), np.full(len(middle), score, np.float32))


class BrightSquares:
    """In place of BlazeFace: bright squares on black are faces."""

    def detect(self, frame_bgr, region=None) -> Detections:
        import cv2

        count, _, stats, _ = cv2.connectedComponentsWithStats((frame_bgr[..., 0] > 128).astype(np.uint8))
        boxes = [(x, y, x + w - 1, y + h - 1) for x, y, w, h, area in stats[1:count] if area > 60]
        box = np.array(boxes, np.float32).reshape(-1, 4)
        middle, side = (box[:, :2] + box[:, 2:]) / 2, box[:, 2:] - box[:, :2]
        points = [middle + side * (-0.25, -0.2), middle + side * (0.25, -0.2)] + [middle] * 4
        keypoints = np.stack(points, axis=1).astype(np.float32)
        return Detections(box, keypoints, np.full(len(box), 0.8, np.float32))


def squares_video(path: Path, middles, hw=(160, 240), side=20) -> Path:
    """A video of bright squares on black; `middles` is T lists of points."""
    with write_video(path, hw, Fraction(25)) as video:
        for number, points in enumerate(middles):
            frame = np.zeros((*hw, 3), np.uint8)
            for x, y in points:
                left, top = round(x - side / 2), round(y - side / 2)
                frame[top : top + side, left : left + side] = 255
            video.add(number / 25, frame)
    return path


def cache_of(directory: Path, clips_and_videos) -> Path:
    """A pose cache of clips, as extracted from these videos."""
    clips_and_videos = list(clips_and_videos)
    layout = clips_and_videos[0][0].layout.name
    with CacheWriter(directory, CacheMetadata(layout, {}, {})) as writer:
        for clip, path in clips_and_videos:
            writer.add(encode_clip(clip, SourceStamp(str(path), path.stat().st_size, 1), None))
    return directory


def times_of(path: Path) -> np.ndarray:
    """Seconds at which a video's frames are shown."""
    return index_video(path).time_us / 1e6
