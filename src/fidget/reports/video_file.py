"""Writing a video: H.264 where this FFmpeg has an encoder, frames at given times, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from poses.whole_file import replacing

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video import VideoStream

ENCODERS = ("libx264", "libopenh264", "mpeg4")
# MPEG-4 part 2 allows at most 65,535 ticks a second; 25, 30, 29.97 and 60 fps fit this one exactly.
_TICK = Fraction(1, 60_000)


def video_encoder() -> str:
    """The first of `ENCODERS` that this FFmpeg really has; ValueError when it has none."""
    import av

    for name in ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except ValueError:
            continue
        return name
    raise ValueError(
        f"expected FFmpeg with one of {', '.join(ENCODERS)}, got none: reinstall PyAV (pip install av)"
    )


class VideoFile:
    """An open MP4; made by `write_video`.

    Attributes:
        path: the name it will have.
        frames: written so far.
    """

    def __init__(
        self,
        path: Path,
        container: OutputContainer,
        hw: tuple[int, int],
        fps: Fraction,
        encoder: str,
        keyframe_every: int | None = None,
    ) -> None:
        self.path = path
        self.frames = 0
        self._container = container
        self._hw = hw
        rate = min(max(fps, Fraction(1)), Fraction(1000)).limit_denominator(1001)
        stream = cast("VideoStream", container.add_stream(encoder, rate=rate))
        stream.height, stream.width = hw[0] + hw[0] % 2, hw[1] + hw[1] % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = _TICK
        stream.codec_context.thread_count = 2  # a fixed number: the same bytes on any machine
        if encoder == "libx264":
            # Its macroblock tree reads memory that nothing was written to: other bytes in every run.
            stream.options = {"crf": "20", "preset": "veryfast", "x264-params": "mbtree=0"}
        else:
            stream.bit_rate = max(400_000, hw[0] * hw[1] * 4)
        if keyframe_every is not None:
            stream.codec_context.gop_size = keyframe_every
        self._stream = stream
        self._last_tick = -1
        self._first_s = 0.0

    def add(self, time_s: float, frame_bgr: NDArray[np.uint8]) -> None:
        """Append a frame (H, W, 3); the first one's time becomes the file's zero.

        Raises:
            ValueError: a frame of another shape, or a time that does not increase.
        """
        import av

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
        odd_h, odd_w = self._hw[0] % 2, self._hw[1] % 2
        if odd_h or odd_w:
            frame_bgr = np.pad(frame_bgr, ((0, odd_h), (0, odd_w), (0, 0)))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame_bgr), format="bgr24")
        frame.pts, frame.time_base = tick, _TICK
        self._container.mux(self._stream.encode(frame))
        self._last_tick = tick
        self.frames += 1

    def finish(self) -> None:
        """Flush the encoder; ValueError for a video without frames."""
        if self.frames == 0:
            raise ValueError(f"{self.path}: expected at least one frame, got none")
        self._container.mux(self._stream.encode(None))


@contextmanager
def write_video(
    path: Path,
    hw: tuple[int, int],
    fps: Fraction,
    encoder: str | None = None,
    keyframe_every: int | None = None,
    title: str = "",
) -> Iterator[VideoFile]:
    """Write an MP4 that takes its name only when it is complete.

    Args:
        path: the file, replaced if it exists; its directory is made.
        hw: height and width of the frames; an odd size gains one black row or column in the file.
        fps: nominal rate, for players that show one; the times given with the frames count.
        encoder: one of `ENCODERS`, or None for the first at hand.
        keyframe_every: most frames between two that decode by themselves; None leaves it to the encoder.
        title: the container's, none where empty.

    Raises:
        OSError: the place cannot be written, or the encoder fails.
    """
    import av

    with replacing(path) as part:
        name = str(part.absolute())  # FFmpeg takes `a:b` for a protocol, `/a:b` for a file
        try:
            with av.open(name, "w", format="mp4", options={"movflags": "faststart"}) as container:
                if title:
                    container.metadata["title"] = title
                video = VideoFile(path, container, hw, fps, encoder or video_encoder(), keyframe_every)
                yield video
                video.finish()
        except av.error.FFmpegError as error:
            raise OSError(f"{path}: cannot be written: {error.strerror}") from error
