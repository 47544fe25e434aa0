"""A video that shows what a detector found: frames, skeletons if there are any, names of actions."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.detection.inference import Found
from fidget.reports.drawing import label_width_px, put_label
from fidget.reports.overlay import Background, ClipPainter
from fidget.reports.video_file import write_video
from poses.clip import PoseClip
from protocols.label_tree import LabelTree

_MOST_NAMED = 6
_LONGEST_SIDE_PX = 1280
_INK = (80, 220, 255)


def overlay_of_poses(
    clip: PoseClip, source: Path | None, found: Found, tree: LabelTree, least_score: float, path: Path
) -> str | None:
    """Write the overlay of a recording with poses; returns why the picture is missing behind them, or None.

    Args:
        clip: the poses.
        source: the video, None for a plain background.
        found: its segments.
        tree: names of the actions.
        least_score: of what is shown.
        path: of the MP4.

    Raises:
        OSError: the place cannot be written.
    """
    painter = ClipPainter(clip, _LONGEST_SIDE_PX)
    background = Background(clip, source, (painter.height, painter.width))
    size = (painter.height, painter.width)
    with closing(background.frames()) as frames, write_video(path, size, clip.fps) as video:
        for index, frame in enumerate(frames):
            painted = painter.paint(frame, index)
            name_actions(painted, float(clip.time_s[index]), found, tree, least_score)
            video.add(float(clip.time_s[index]), painted)
    return background.note


def overlay_of_video(source: Path, found: Found, tree: LabelTree, least_score: float, path: Path) -> None:
    """Write the overlay of a video without poses; arguments as of `overlay_of_poses`.

    Raises:
        OSError: the place cannot be written.
        UnreadableVideoError: the video does not open.
    """
    from pose_extract.video import VideoFrames

    with VideoFrames(source) as video:
        size = (video.info.height, video.info.width)
        with write_video(path, size, video.info.fps) as written:
            for time_us, frame in video:
                time_s = time_us / 1e6
                painted = frame if frame.flags.writeable else frame.copy()
                name_actions(painted, time_s, found, tree, least_score)
                written.add(time_s, painted)


def name_actions(
    frame_bgr: NDArray[np.uint8], time_s: float, found: Found, tree: LabelTree, least_score: float
) -> None:
    """Write the names of what happens at a time into the lower left corner, surest first, in place."""
    now = (found.span_s[:, 0] <= time_s) & (time_s < found.span_s[:, 1]) & (found.score >= least_score)
    named: dict[int, int] = {}  # each action once, by its surest segment
    for row in np.flatnonzero(now):
        named.setdefault(int(found.label[row]), int(row))
    height, width = frame_bgr.shape[:2]
    scale = float(np.clip(min(height, width) / 700, 0.4, 1.2))
    line = round(34 * scale)
    most = min(_MOST_NAMED, max(1, round(0.4 * height / line)))
    for place, (label, row) in enumerate(list(named.items())[:most]):
        start, end = found.span_s[row]
        text = f"{tree.actions[label]}  {start:.1f}-{end:.1f} s  {found.score[row]:.2f}"
        if label_width_px(text, scale) > width - round(24 * scale):
            text = tree.actions[label]  # a tiny picture has no room for the rest
        put_label(frame_bgr, text, round(12 * scale), height - round(12 * scale) - place * line, scale, _INK)
