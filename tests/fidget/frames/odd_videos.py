"""Videos for the tests of frames: pictures that differ from frame to frame, in many ways of being stored."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.pose_extract import hostile_videos
from tests.pose_extract.hostile_videos import VARIABLE_TICKS, write_video

from pose_extract.video import VideoFrames

_ALT_REF = {"g": "15", "deadline": "good", "cpu-used": "8", "lag-in-frames": "10", "auto-alt-ref": "1"}
_TURNED, _TRANSVERSE, _MIRRORED = (
    hostile_videos.MATRICES[name] for name in ("turned_90", "transverse", "mirrored")
)

CODED: dict[str, dict[str, Any]] = {
    "b_frames.mp4": {"frames": 40, "options": {"bf": "3", "g": "12"}},
    "long_gop.mp4": {
        "frames": 80,
        "options": {"x264-params": "bframes=2:b-adapt=0:b-pyramid=none:keyint=250:scenecut=0"},
    },
    "pyramid_open.mkv": {
        "frames": 60,
        "options": {"x264-params": "bframes=5:b-pyramid=normal:keyint=25:open-gop=1:scenecut=0"},
    },
    "open.mp4": {"frames": 50, "options": {"x264-params": "bframes=3:keyint=15:open-gop=1:scenecut=0"}},
    "intra_refresh.mkv": {"frames": 50, "options": {"x264-params": "intra-refresh=1:keyint=15:bframes=0"}},
    "only_keyframes.mp4": {"frames": 30, "options": {"g": "1"}},
    "mpeg4.mp4": {"frames": 50, "codec": "mpeg4", "options": {"bf": "2", "g": "12"}},
    "mpeg2.mkv": {"frames": 50, "codec": "mpeg2video", "options": {"bf": "2", "g": "12"}},
    "vp9.webm": {"frames": 40, "options": _ALT_REF},
    "vp8.webm": {"frames": 40, "codec": "libvpx", "options": _ALT_REF},
    "variable.mp4": {"frames": 12, "ticks": VARIABLE_TICKS, "options": {"bf": "3", "g": "4"}},
    "turned.mp4": {"frames": 20, "matrix": _TURNED, "options": {"bf": "2", "g": "6"}},
    "transverse.mp4": {"frames": 3, "matrix": _TRANSVERSE},
    "mirrored.mp4": {"frames": 3, "matrix": _MIRRORED},
    "odd.mp4": {"size": (63, 47), "pixel_format": "yuv444p"},
    "portrait.mp4": {"size": (48, 96)},
    "grey.mkv": {"codec": "ffv1", "pixel_format": "gray"},
    "ten_bits.mkv": {"codec": "ffv1", "pixel_format": "yuv420p10le"},
    "interlaced.mp4": {"options": {"flags": "+ildct+ilme", "x264-params": "tff=1"}},
    "fragmented.mp4": {"container_options": {"movflags": "frag_keyframe+empty_moov"}, "options": {"g": "8"}},
    "one.mp4": {"frames": 1},
    "plain.avi": {},
    "plain.ts": {},
    "plain.gif": {},
}  # fmt: skip


def write_coded(path: Path) -> Path:
    """The video of `CODED` that has this name."""
    return write_video(path, **CODED[path.name])


def all_frames(path: Path, at_most: int | None = None) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Times (T,) and RGB pictures (T, H, W, 3) as extraction sees them."""
    with VideoFrames(path) as video:
        frames = [(time_us, bgr[..., ::-1].copy()) for time_us, bgr in islice(video, at_most)]
    times, pictures = zip(*frames, strict=True)
    return np.array(times, np.int64), np.stack(pictures)


def damaged_videos(directory: Path) -> list[Path]:
    """Cut off, or with a stretch overwritten; some frames of each decode."""
    made = []
    rng = np.random.default_rng(5)
    for name in ("cut.mp4", "cut.mkv", "hurt.mp4", "hurt.mkv"):
        front = {"movflags": "faststart"} if name.endswith("mp4") else {}
        path = write_video(directory / name, 30, options={"g": "6", "crf": "20"}, container_options=front)
        data = bytearray(path.read_bytes())
        middle = len(data) * 3 // 4
        if name.startswith("cut"):
            del data[middle:]
        else:
            data[middle : middle + 200] = rng.bytes(200)
        path.write_bytes(data)
        made.append(path)
    return made
