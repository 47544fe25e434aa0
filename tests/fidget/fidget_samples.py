"""Small caches and videos that these tests share."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import numpy as np

from fidget.reports.video_file import write_video
from poses.cache_schema import CacheMetadata, CacheRow, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout

HOSTILE = '<script>alert("1")</script>\n=2+2,"quoted"\u202e名'
GREY = 90


def clip_of(
    clip_id: str,
    frames: int = 6,
    persons: int = 1,
    hw: tuple[int, int] = (120, 160),
    layout: str = "coco17",
    at: tuple[float, float] = (50, 40),
) -> PoseClip:
    """Every joint of every person lies at `at` + person * 40 and steps 2 px to the right each frame."""
    joints = len(get_layout(layout).joints)
    xy_px = np.empty((persons, frames, joints, 2), np.float32)
    xy_px[...] = at
    xy_px[..., 0] += 40 * np.arange(persons)[:, None, None] + 2 * np.arange(frames)[None, :, None]
    xy_px += np.linspace(0, 3, joints)[:, None]  # apart by a little
    score = np.full(xy_px.shape[:3], 0.9, np.float32)
    return PoseClip(
        clip_id=clip_id,
        layout=get_layout(layout),
        xy_px=xy_px.astype(np.float32),
        score=score,
        box_px=np.full((persons, frames, 4), np.nan, np.float32),
        time_s=np.arange(frames) / 25 + np.arange(frames) ** 2 / 1000,  # not evenly spaced
        frame_hw=hw,
        fps=Fraction(25),
        track_ids=np.arange(persons, dtype=np.int64) + 7,
    )


def row_of(clip: PoseClip, source: Path | str = "/nowhere/a.mp4", error: str | None = None) -> CacheRow:
    path = Path(source)
    size = path.stat().st_size if path.exists() else 1
    return encode_clip(clip, SourceStamp(str(source), size, 1), error)


def write_cache(directory: Path, rows: Iterable[CacheRow], layout: str = "coco17") -> Path:
    metadata = CacheMetadata(layout, {"some_model": "ab" * 32}, {"model": "blazepose", "note": HOSTILE})
    with CacheWriter(directory, metadata) as writer:
        for row in rows:
            writer.add(row)
    return directory


def write_grey_video(path: Path, clip: PoseClip, frames: int | None = None) -> Path:
    """A plain grey video at the clip's times."""
    with write_video(path, clip.frame_hw, clip.fps) as video:
        for time_s in clip.time_s[:frames]:
            video.add(float(time_s), np.full((*clip.frame_hw, 3), GREY, np.uint8))
    return path


def decode(path: Path) -> tuple[list[float], list[np.ndarray]]:
    """Times in seconds and BGR frames of a video."""
    import av

    times, frames = [], []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            times.append(float(frame.pts * frame.time_base))
            frames.append(frame.to_ndarray(format="bgr24"))
    return times, frames
