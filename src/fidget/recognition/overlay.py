"""A video with the skeletons and what was recognised of each person; without the picture in private mode."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.recognition.result import NOBODY, Person, Segment, VideoResult
from fidget.reports.drawing import put_label
from fidget.reports.overlay import Background, ClipPainter
from fidget.reports.video_file import write_video
from poses.clip import PoseClip

_LONGEST_SIDE_PX = 1280
_MOST_LINES = 6
_KEYFRAME_EVERY = 25  # frames: a page seeks often
_INK = {"sure": (120, 230, 140), "unsure": (80, 200, 255), "abstained": (190, 190, 190)}


def write_recognition_overlay(
    clip: PoseClip,
    source: Path | None,
    path: Path,
    result: VideoResult,
    private: bool,
    on_frames: Callable[[int], None] = lambda frames: None,
) -> str | None:
    """Write the overlay of a video, one frame in memory at a time.

    Args:
        clip: its poses.
        source: the video; None for a plain background.
        path: of the MP4; its time 0 is the clip's first frame.
        result: what was recognised.
        private: a plain background whatever the source: no picture is opened, and none is written.
        on_frames: called with the number of frames drawn since the last call.

    Returns:
        Why the picture is missing behind the skeletons, or None.

    Raises:
        OSError: the place cannot be written.
    """
    painter = ClipPainter(clip, _LONGEST_SIDE_PX)
    background = Background(clip, None if private else source, (painter.height, painter.width))
    size = (painter.height, painter.width)
    spoken = [_Spoken(_mark(person), person.segments) for person in result.persons]
    foot = "trained on simulated data" if result.simulated else ""
    with (
        closing(background.frames()) as frames,
        write_video(path, size, clip.fps, keyframe_every=_KEYFRAME_EVERY) as video,
    ):
        for index, frame in enumerate(frames):
            painted = painter.paint(frame, index)
            now_s = float(clip.time_s[index])
            _write(painted, [one for person in spoken for one in person.at(now_s)], foot)
            video.add(now_s, painted)
            on_frames(1)
    return background.note


def _mark(person: Person) -> str:
    """As the skeleton of the person is marked."""
    return person.name if person.track_id == NOBODY else f"#{person.track_id}"


class _Spoken:
    """What is said of one person at a time that only goes on."""

    def __init__(self, who: str, segments: tuple[Segment, ...]) -> None:
        self._who = who
        self._waiting = sorted(segments, key=lambda one: one.start_s, reverse=True)
        self._now: list[Segment] = []

    def at(self, now_s: float) -> list[tuple[str, str]]:
        """Text and status of each segment at a time."""
        while self._waiting and self._waiting[-1].start_s <= now_s:
            self._now.append(self._waiting.pop())
        self._now = [one for one in self._now if now_s < one.end_s]
        return [(f"{self._who} {one.words}  {one.probability:.2f}", one.status) for one in self._now]


def _write(frame_bgr: NDArray[np.uint8], lines: list[tuple[str, str]], foot: str) -> None:
    """Lines into the lower left corner, in place, the first on top."""
    height, width = frame_bgr.shape[:2]
    scale = float(np.clip(min(height, width) / 700, 0.4, 1.1))
    line, edge = round(34 * scale), round(12 * scale)
    shown = lines[:_MOST_LINES]
    ends = [(text, _INK[status]) for text, status in shown]
    if foot:
        ends.append((foot, _INK["abstained"]))
    for place, (text, ink) in enumerate(reversed(ends)):
        put_label(frame_bgr, text, edge, height - edge - place * line, scale, ink)
