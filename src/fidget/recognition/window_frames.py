"""Frames of windows that slide over a video: one pass through it, each frame decoded once.

Letters: K frames asked for, H height, W width.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from threading import Lock
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from fidget.frames.frame_clip import FramesRgb
from fidget.frames.sampled_decoding import read_frames, write_frames
from fidget.frames.upright_rgb import scaled_hw
from fidget.frames.video_entry import VideoEntry
from fidget.frames.video_index import index_video
from poses.cache_reader import PoseCache


def opened_video(source: Path, cache: PoseCache, clip_id: str) -> VideoEntry:
    """The video of a clip, indexed; it is not decoded for that where its poses are of the very same file.

    Args:
        source: the video.
        cache: of its poses.
        clip_id: its row.

    Raises:
        ValueError: it cannot be read, or has not the frames that the poses were extracted from.
    """
    row = cache.row(clip_id)
    known = None
    try:
        status = source.stat()
        if (status.st_size, status.st_mtime_ns) == (row.source.bytes, row.source.mtime_ns):
            known = row.time_us
    except OSError:
        pass  # `index_video` says what is wrong
    entry = index_video(source, known)
    if entry.error:
        raise ValueError(entry.error)
    if entry.frames != len(row.time_us):
        raise ValueError(
            f"{source}: expected the {len(row.time_us)} frames that its poses were extracted from, got "
            f"{entry.frames}: extract its poses again"
        )
    return entry


class WindowFrames:
    """A video's frames, read window after window; used as a context, several threads may read.

    While windows come in the order of their first frames, the video is decoded once, as far as the newest
    window reaches, and of what was decoded only what a window from here on may ask for stays in memory.
    Whoever asks for a frame behind that, or for one that was not announced, has it decoded again.

    Args:
        entry: the video.
        wanted: numbers of all frames that will be asked for, in any order and repeated or not.
        short_side: pictures are scaled down to this many pixels; None leaves them as large as they are.
        readers: windows that are read at the same time.

    Attributes:
        frame_hw: height and width of the pictures.
        decoded_again: frames that were asked for too late.
    """

    def __init__(
        self, entry: VideoEntry, wanted: NDArray[np.int64], short_side: int | None, readers: int = 1
    ) -> None:
        self.frame_hw = scaled_hw(entry.frame_hw, short_side)
        self.decoded_again = 0
        self._entry, self._short_side = entry, short_side
        self._wanted = np.unique(wanted)
        self._pictures: dict[int, NDArray[np.uint8]] = {}
        self._lows: deque[int] = deque(maxlen=readers + 1)  # first frames of the newest windows
        self._kept_from = 0
        self._lock = Lock()
        self._coming = write_frames(entry, self._wanted, self.frame_hw, self._place)

    def __enter__(self) -> WindowFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock, closing(self._coming):
            self._pictures.clear()

    @property
    def held(self) -> int:
        """Frames in memory."""
        return len(self._pictures)

    def read(self, numbers: NDArray[np.int64]) -> FramesRgb:
        """(K, H, W, 3) pictures of frame numbers (K,), upright and red first.

        Raises:
            ValueError: a picture cannot be had; names the video and the frame.
        """
        with self._lock:
            needed = np.unique(numbers)
            if needed[0] < self._kept_from or not np.isin(needed, self._wanted, assume_unique=True).all():
                self.decoded_again += len(needed)
                return read_frames(self._entry, numbers, self._short_side)
            missing = {int(number) for number in needed if int(number) not in self._pictures}
            while missing and (number := next(self._coming, None)) is not None:
                missing.discard(number)
            if missing:  # an error before, which ended the pass
                return read_frames(self._entry, numbers, self._short_side)
            found = np.stack([self._pictures[int(number)] for number in numbers])
            self._lows.append(int(needed[0]))
            if len(self._lows) == self._lows.maxlen:
                self._forget(min(self._lows))
            return found

    def _place(self, number: int) -> NDArray[np.uint8]:
        """Where a frame is written; one that nobody waits for any more goes nowhere."""
        picture = np.empty((*self.frame_hw, 3), np.uint8)
        if number >= self._kept_from:
            self._pictures[number] = picture
        return picture

    def _forget(self, before: int) -> None:
        if before > self._kept_from:
            self._kept_from = before
            for number in [one for one in self._pictures if one < before]:
                del self._pictures[number]


def all_frames(numbers: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Frame numbers of several windows in one array."""
    return np.concatenate([np.zeros(0, np.int64), *(one.reshape(-1) for one in numbers)])
