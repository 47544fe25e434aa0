"""Frames as they come: of a webcam, an RTSP stream, or a file that is played in real time.

A reader thread keeps the newest frame only: whoever computes for longer than a frame lasts sees the next
one late, not all of them later and later.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.recognition.live import Arrived

_WEBCAM = re.compile(r"\d{1,3}")
_WAIT_S = 0.5
_Timed = Iterator[tuple[float, NDArray[np.uint8]]]


class LiveFrames:
    """The newest frames of a source; a context manager.

    Args:
        source: number of a webcam, `rtsp://...`, or a file.
        seconds: end after so long; 0 for never.

    Attributes:
        dropped: frames that nobody looked at, since another came before.

    Raises:
        ValueError: the source does not open; names it.
    """

    def __init__(self, source: str, seconds: float = 0.0) -> None:
        self._open, self._close = _opened(source)
        self._seconds = seconds
        self.dropped = 0
        self._newest: Arrived | None = None
        self._error: Exception | None = None
        self._ended = False
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="live-frames", daemon=True)

    def __enter__(self) -> LiveFrames:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=5)
        self._close()

    def __iter__(self) -> Iterator[Arrived]:
        """Each frame once, the newest there is; ends with the source.

        Raises:
            ValueError: reading failed; says why.
        """
        while True:
            with self._changed:
                while self._newest is None and not self._ended:
                    self._changed.wait(_WAIT_S)
                frame, self._newest = self._newest, None
            if frame is None:
                break
            yield frame
        if self._error is not None:
            raise ValueError(f"the stream broke: {self._error}") from self._error

    def _read(self) -> None:
        import av

        begin_s = time.perf_counter()
        try:
            for time_s, frame in self._open(self._stopping):
                now_s = time.perf_counter()
                if self._stopping.is_set() or (self._seconds and now_s - begin_s > self._seconds):
                    break
                with self._changed:
                    self.dropped += self._newest is not None
                    self._newest = Arrived(time_s, frame, now_s)
                    self._changed.notify()
        except (ValueError, OSError, av.error.FFmpegError) as error:
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()


def _opened(source: str) -> tuple[Callable[[threading.Event], _Timed], Callable[[], None]]:
    """What gives the frames of a source, and what closes it."""
    if _WEBCAM.fullmatch(source) or source.startswith(("rtsp://", "rtsps://")):
        return _camera(source)
    path = Path(source)
    if not path.is_file():
        raise ValueError(
            f"--live {source}: expected the number of a webcam, rtsp://... or a file; there is no such file"
        )
    return _file(path)


def _camera(source: str) -> tuple[Callable[[threading.Event], _Timed], Callable[[], None]]:
    """Frames of OpenCV's capture; their times are those of arrival."""
    import cv2

    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    if not capture.isOpened():
        capture.release()
        raise ValueError(f"--live {source}: the camera or stream does not open; check its number or address")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def frames(stopping: threading.Event) -> _Timed:
        begin_s = time.perf_counter()
        while not stopping.is_set():
            there, frame = capture.read()
            if not there:
                raise ValueError(f"{source} gives no more frames")
            yield time.perf_counter() - begin_s, np.asarray(frame, np.uint8)

    return frames, capture.release


def _file(path: Path) -> tuple[Callable[[threading.Event], _Timed], Callable[[], None]]:
    """Frames of a file at the times at which they would be shown."""
    from pose_extract.video import VideoFrames

    video = VideoFrames(path)

    def frames(stopping: threading.Event) -> _Timed:
        begin_s = first_s = None
        for time_us, frame in video:
            if begin_s is None or first_s is None:
                begin_s, first_s = time.perf_counter(), time_us / 1e6
            due_s = begin_s + time_us / 1e6 - first_s
            if stopping.wait(max(0.0, due_s - time.perf_counter())):
                return
            yield time_us / 1e6, frame

    return frames, video.close
