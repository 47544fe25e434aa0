"""Writing a small video: H.264 where this FFmpeg has an encoder, frames at given times, whole or not at all."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av
    import av.video

ENCODERS = ("libx264", "libopenh264", "mpeg4")
_TICK = Fraction(
    1, 60_000
)  # MPEG-4 part 2 allows at most 65,535 ticks a second; 25, 30, 29.97 and 60 fit exactly


def video_encoder() -> str:
    """The first of `ENCODERS` that this FFmpeg really has."""
    import av

    for name in ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            continue
        return name
    raise ValueError(
        f"expected FFmpeg with one of {', '.join(ENCODERS)}; reinstall PyAV: pip install --force-reinstall av"
    )


class VideoFile:
    """An MP4 being written, as a context manager; it takes its name only when it is complete.

    Args:
        path: the file, replaced if it exists; its directory is made.
        height: of the frames, pixels; an odd size gains one black row in the file.
        width: likewise.
        fps: nominal rate, for players that show one; the times given with the frames count.
        encoder: one of `ENCODERS`, or None for the first at hand.

    Raises:
        OSError: the place cannot be written.
        ValueError: a frame of another shape, or times that do not increase.
    """

    def __init__(
        self, path: Path, height: int, width: int, fps: Fraction, encoder: str | None = None
    ) -> None:
        self.path = path
        self.frames = 0
        self.encoder = encoder or video_encoder()
        self._hw = (height, width)
        self._fps = fps
        self._part = path.with_name(f".{path.name[-100:]}.{os.getpid()}.part")
        self._container: av.container.OutputContainer | None = None
        self._stream: av.video.VideoStream
        self._last_tick = -1
        self._first_s = 0.0

    def __enter__(self) -> VideoFile:
        import av

        self.path.parent.mkdir(parents=True, exist_ok=True)
        height, width = self._hw
        self._container = av.open(str(self._part), "w", format="mp4", options={"movflags": "faststart"})
        stream = self._container.add_stream(self.encoder, rate=self._fps.limit_denominator(1001))
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TICK
        stream.codec_context.thread_count = 1  # the same bytes on any number of cores
        if self.encoder == "libx264":
            stream.options = {"crf": "20", "preset": "veryfast"}
        else:
            stream.bit_rate = max(400_000, height * width * 4)
        self._stream = stream
        return self

    def add(self, time_s: float, frame_bgr: NDArray[np.uint8]) -> None:
        """Append a frame (H, W, 3); the first one's time becomes the file's zero."""
        import av

        if self._container is None:
            raise ValueError(f"{self.path}: expected to be used in a with statement")
        if frame_bgr.shape != (*self._hw, 3):
            raise ValueError(
                f"{self.path}: expected a frame of shape {(*self._hw, 3)}, got {frame_bgr.shape}"
            )
        if self.frames == 0:
            self._first_s = time_s
        tick = round((time_s - self._first_s) / _TICK)
        if tick <= self._last_tick:
            raise ValueError(
                f"{self.path}: expected times that increase, got {time_s} s at frame {self.frames}"
            )
        height, width = self._hw
        even_bgr = (
            np.pad(frame_bgr, ((0, height % 2), (0, width % 2), (0, 0)))
            if height % 2 or width % 2
            else frame_bgr
        )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even_bgr), format="bgr24")
        frame.pts, frame.time_base = tick, _TICK
        self._container.mux(self._stream.encode(frame))
        self._last_tick = tick
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._container is None:
            return
        container, self._container = self._container, None
        try:
            if kind is None:
                container.mux(self._stream.encode(None))
            container.close()
            if kind is None:
                os.replace(self._part, self.path)
        finally:
            self._part.unlink(missing_ok=True)
