"""An overlay video: a clip's own frames at its own times, with skeletons, track ids and the time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.reports.drawing import PLAIN_BGR, SkeletonPen, draw_person, person_size_px, put_label
from fidget.reports.video_file import VideoFile, write_video
from poses.clip import PoseClip

LONGEST_SIDE_PX = 1440
_TINY_PX = 64
_THINNEST_PX = 16


@dataclass(frozen=True)
class Overlay:
    """What was written for a clip.

    Attributes:
        path: the video; None when only thumbnails were asked for.
        frames: in it.
        note: why some or all frames have no picture behind them, or None.
        thumbnails: (h, w, 3) BGR frames with their skeletons, at the times asked for.
    """

    path: Path | None
    frames: int
    note: str | None
    thumbnails: list[NDArray[np.uint8]] = field(repr=False)


class Background:
    """The frames behind a clip's poses: its video where that can be had, else a plain colour.

    Attributes:
        note: set while iterating, once something is missing.
    """

    def __init__(self, clip: PoseClip, source: Path | None, plain_hw: tuple[int, int]) -> None:
        self._clip = clip
        self._source = source
        self._plain_hw = plain_hw
        self.note: str | None = None

    def frames(self) -> Generator[NDArray[np.uint8], None, None]:
        """As many frames (H, W, 3) as the clip has: upright ones of the video, plain ones of `plain_hw`."""
        done = 0
        if self._source is not None:
            for frame_bgr in self._decoded(self._source):
                yield frame_bgr
                done += 1
                if done == self._clip.frames:
                    return
            where = "plain background" if done == 0 else f"plain background from frame {done} on"
            self.note = f"{where}: {self.note or f'{self._source} has only {done} frames'}"
        plain = np.empty((*self._plain_hw, 3), np.uint8)
        for _ in range(done, self._clip.frames):
            plain[:] = PLAIN_BGR
            yield plain

    def _decoded(self, source: Path) -> Iterator[NDArray[np.uint8]]:
        from pose_extract.video import UnreadableVideoError, VideoFrames

        if not source.is_file():
            self.note = f"{source} is not there"
            return
        try:
            with VideoFrames(source) as video:
                if (video.info.height, video.info.width) != self._clip.frame_hw:
                    expected = "x".join(map(str, self._clip.frame_hw[::-1]))
                    self.note = (
                        f"{source} is {video.info.width}x{video.info.height}, the poses are of {expected}"
                    )
                    return
                for _, frame_bgr in video:
                    yield frame_bgr if frame_bgr.flags.writeable else frame_bgr.copy()
                self.note = video.problem
        except (UnreadableVideoError, OSError) as error:
            self.note = " ".join(str(error).split())


class ClipPainter:
    """Draws one clip's people on its frames, scaled so that the longer side is `longest_side_px` at most.

    Coordinates that are no pixels lie in a tiny frame; that is scaled up to something one can see.

    Attributes:
        height: of the drawn frames, pixels.
        width: likewise.
    """

    def __init__(self, clip: PoseClip, longest_side_px: int = LONGEST_SIDE_PX) -> None:
        height, width = clip.frame_hw
        longest = max(height, width)
        self.scale = longest_side_px / longest if not _TINY_PX <= longest <= longest_side_px else 1.0
        self.height, self.width = (
            max(_THINNEST_PX, round(height * self.scale)),
            max(_THINNEST_PX, round(width * self.scale)),
        )
        self._clip = clip
        self._pen = SkeletonPen.of(clip.layout)
        middle = [_middle_size_px(clip, person) for person in range(clip.persons)]
        self._size_px = [size * self.scale for size in middle]
        self._text = float(np.clip(min(self.height, self.width) / 900, 0.4, 1.2))

    def paint(self, frame_bgr: NDArray[np.uint8], index: int, labels: bool = True) -> NDArray[np.uint8]:
        """The frame of this index with everyone in it; drawn in place where no scaling is needed."""
        import cv2

        if frame_bgr.shape[:2] != (self.height, self.width):
            much_smaller = frame_bgr.shape[0] > 1.5 * self.height
            how = cv2.INTER_AREA if much_smaller else cv2.INTER_LINEAR  # the former is slow
            frame_bgr = np.asarray(
                cv2.resize(frame_bgr, (self.width, self.height), interpolation=how), np.uint8
            )
        for person in range(self._clip.persons - 1, -1, -1):  # the main subject last, on top
            score = self._clip.score[person, index]
            xy_px = (
                self._clip.xy_px[person, index] + 0.5
            ) * self.scale - 0.5  # (V, 2), pixel centres at integers
            draw_person(frame_bgr, self._pen, xy_px, score, self._size_px[person])
            if labels and (score > 0).any():
                self._name(frame_bgr, person, xy_px, score)
        if labels:
            size = round(30 * self._text)
            put_label(frame_bgr, f"{self._clip.time_s[index]:.3f} s", size // 2, size, self._text)
        return frame_bgr

    def _name(
        self,
        frame_bgr: NDArray[np.uint8],
        person: int,
        xy_px: NDArray[np.float32],
        score: NDArray[np.float32],
    ) -> None:
        top = xy_px[score > 0].min(axis=0)
        size = 30 * self._text
        x = int(np.clip(top[0], 2, max(2, self.width - 2 * size)))
        y = int(np.clip(top[1] - size / 2, 2.2 * size, max(2.2 * size, self.height - 4)))
        put_label(frame_bgr, f"#{self._clip.track_ids[person]}", x, y, self._text)


def _middle_size_px(clip: PoseClip, person: int) -> float:
    """Typical extent of a person, from at most 32 frames, so that lines keep their width through a clip."""
    looked = np.unique(np.linspace(0, clip.frames - 1, min(32, clip.frames)).astype(int))
    sizes = [person_size_px(clip.xy_px[person, t], clip.score[person, t]) for t in looked]
    there = [size for size in sizes if size > 0]
    return float(np.median(there)) if there else 0.0


def write_overlay(
    clip: PoseClip,
    source: Path | None,
    path: Path | None,
    thumbnail_frames: Sequence[int] = (),
    thumbnail_px: int = 240,
    encoder: str | None = None,
    on_frames: Callable[[int], None] = lambda frames: None,
) -> Overlay:
    """Write a clip's overlay video, one frame in memory at a time.

    Args:
        clip: the poses, smoothed or not.
        source: the video they came from, or None for a plain background.
        path: where to write the MP4, or None to make only the thumbnails.
        thumbnail_frames: indices of frames to also return small.
        thumbnail_px: their height.
        encoder: see `write_video`.
        on_frames: called with the number of frames drawn since the last call.

    Raises:
        OSError: the place cannot be written.
    """
    painter = ClipPainter(clip)
    small_px = min(thumbnail_px / painter.height, 1.0) * max(painter.height, painter.width)
    small = ClipPainter(clip, max(1, round(small_px)))
    background = Background(clip, source, (painter.height, painter.width))
    thumbnails: dict[int, NDArray[np.uint8]] = {}
    needed = clip.frames if path is not None else max(thumbnail_frames, default=-1) + 1
    with closing(background.frames()) as frames, _video(path, painter, clip, encoder) as video:
        for index, frame_bgr in enumerate(islice(frames, needed)):
            if index in thumbnail_frames:
                thumbnails[index] = small.paint(frame_bgr.copy(), index, labels=False)
            if video is not None:
                video.add(float(clip.time_s[index]), painter.paint(frame_bgr, index))
            on_frames(1)
    kept = [thumbnails[index] for index in thumbnail_frames]
    return Overlay(path, 0 if path is None else needed, background.note, kept)


def _video(
    path: Path | None, painter: ClipPainter, clip: PoseClip, encoder: str | None
) -> AbstractContextManager[VideoFile | None]:
    return (
        nullcontext()
        if path is None
        else write_video(path, (painter.height, painter.width), clip.fps, encoder)
    )
