"""Reading video with PyAV: the frames that decode, when they are shown, upright.

Headers lie, so nothing here trusts them: frames are counted as they decode, their size is that of the
first one, and times are the container's timestamps of the frames themselves.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from pose_extract.frame_times import FrameTimes, ShownInOrder
from pose_extract.open_video import (
    MAX_PIXELS,
    UnreadableVideoError,
    checked_size,
    choose_stream,
    open_container,
    reason,
    unreadable,
)
from pose_extract.upright import Orientation, UprightConverter, display_matrix
from pose_extract.video_damage import Damage, truncation

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.video.stream import VideoStream

    from pose_extract.estimator import FrameBgr

__all__ = ["UnreadableVideoError", "VideoFrames", "VideoInfo"]

_DAMAGED_IN_A_ROW = 2000  # packets; then the rest of the stream is given up
_READ_ERRORS_IN_A_ROW = 10
_GAP_AT_MOST_US = 86_400_000_000  # a day
_FPS_IF_UNKNOWN = Fraction(25)  # FFmpeg's own assumption


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video once its first frame is decoded.

    Attributes:
        height: of the upright frame, pixels.
        width: of the upright frame, pixels; pixels count as stored, even where they are not square.
        fps: nominal frame rate, 25 where the container states none; times never come from it alone.
        rotation_deg: counter-clockwise turn that was applied, 0, 90, 180 or 270.
        duration_s: what the container states, None where it states nothing.
        codec: FFmpeg's name of the decoder.
        mirrored: whether the columns were flipped after the turn.
    """

    height: int
    width: int
    fps: Fraction
    rotation_deg: int
    duration_s: float | None
    codec: str
    mirrored: bool = False


class VideoFrames:
    """The frames of a video file, once through, in order of presentation.

    A context manager. Iterating yields `(time_us, frame_bgr)`: microseconds since the container's start
    (the earliest of its streams, so that audio and annotations stay in step; the first frame may come
    after 0), strictly increasing, and a uint8 array (H, W, 3), upright, blue first, C-contiguous, all of
    the size of the first. After the last frame `problem` says in one line what was wrong, or is None:
    damaged packets are skipped and counted, so is a file that ends before its container says.

    Sound, subtitles, data and cover pictures are ignored. Interlaced frames come as they are stored,
    transparency is dropped. Use it from one thread at a time.

    Args:
        path: a regular file in any container that FFmpeg reads; its name may be any name.
        threads: decoding threads. One is the cheapest per frame: a second saves a third of the wall time
            on two idle cores and costs an eighth more processor time.

    Raises:
        UnreadableVideoError: nothing there can be read as video.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 1) -> None:
        import av

        self._path = Path(path)
        self._bytes = checked_size(self._path)
        self._damage = Damage()
        self._problem: str | None = None
        self._container = open_container(self._path)
        try:
            self._stream = choose_stream(self._path, self._container)
            self._stream.codec_context.thread_count = threads
            self._decoded = self._decode()
            first = next(self._decoded, None)
            if first is None:
                raise self._no_frame()
        except av.FFmpegError as error:
            self._container.close()
            raise unreadable(self._path, reason(error), "check that it plays") from error
        except BaseException:
            self._container.close()
            raise
        self._first: VideoFrame | None = first
        orientation = Orientation.from_display_matrix(display_matrix(first))
        self._converter = UprightConverter(first.width, first.height, orientation)
        self._stored_size = (first.width, first.height)
        self.info = self._describe(first, orientation)

    @property
    def problem(self) -> str | None:
        """What was wrong with the file, in one line; known after the last frame."""
        return self._problem

    @property
    def _codec(self) -> str:
        return self._stream.codec_context.name

    def _no_frame(self) -> UnreadableVideoError:
        summary = self._damage.summary()
        came = f"a video ({self._codec}) of which no frame decodes" + f" ({summary})" * bool(summary)
        if not self._stream.codec_context.width:
            limit = MAX_PIXELS // 1_000_000
            return unreadable(
                self._path, came, f"its header states no picture size, or one above {limit} million pixels"
            )
        return unreadable(self._path, came, "check that it plays, or copy it again")

    def _describe(self, first: VideoFrame, orientation: Orientation) -> VideoInfo:
        height, width = first.height, first.width
        if orientation.transpose:
            height, width = width, height
        duration_us = self._container.duration
        return VideoInfo(
            height=height,
            width=width,
            fps=_nominal_fps(self._stream),
            rotation_deg=orientation.rotation_deg,
            duration_s=duration_us / 1e6 if duration_us and duration_us > 0 else None,
            codec=self._codec,
            mirrored=orientation.mirrored,
        )

    def __enter__(self) -> VideoFrames:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; frames that were handed out stay valid."""
        self._first = None
        self._decoded.close()
        self._container.close()

    def __iter__(self) -> Iterator[tuple[int, FrameBgr]]:
        """See the class; a second pass needs a second `VideoFrames`."""
        if self._first is None:
            raise ValueError(f"the frames of {str(self._path)!r} were read already: open it again")
        first, self._first = self._first, None
        origin_us = self._origin_us(first)
        return self._frames(self._stated(first, origin_us), origin_us)

    def _frames(
        self, stated: Iterator[tuple[int | None, VideoFrame]], origin_us: int
    ) -> Iterator[tuple[int, FrameBgr]]:
        import av

        step_us = max(1, round(1_000_000 / self.info.fps))
        times = FrameTimes(step_us, _GAP_AT_MOST_US)
        frames = 0
        last_us = last_step_us = 0
        for time_us, frame in times.of(stated):
            try:
                picture = self._converter.convert(frame)
            except av.FFmpegError:
                self._damage.unconverted_frames += 1
                continue
            frames += 1
            last_us, last_step_us = time_us, self._duration_us(frame) or step_us
            yield time_us, picture
        self._damage.placed_frames = times.placed_frames
        end_us = last_us + last_step_us + origin_us
        cut = truncation(self._container, self._stream, frames, end_us, step_us)
        self._problem = "; ".join(filter(None, (cut, self._damage.summary()))) or None

    def _origin_us(self, first: VideoFrame) -> int:
        """The container's start; the first frame where that is absurd. Codec delay does not count."""
        start_us = max(self._container.start_time or 0, 0)
        first_us = self._stated_us(first)
        if first_us is None or 0 <= first_us - start_us <= _GAP_AT_MOST_US:
            return start_us
        return first_us

    def _stated_us(self, frame: VideoFrame) -> int | None:
        """The frame's presentation time on the container's clock, rounded to microseconds."""
        return None if frame.pts is None else _to_us(frame.pts, self._stream.time_base)

    def _duration_us(self, frame: VideoFrame) -> int:
        duration_us = _to_us(max(frame.duration or 0, 0), self._stream.time_base)
        return min(duration_us, _GAP_AT_MOST_US)

    def _stated(self, first: VideoFrame, origin_us: int) -> Iterator[tuple[int | None, VideoFrame]]:
        frame: VideoFrame | None = first
        del first
        while frame is not None:
            time_us = self._stated_us(frame)
            self._damage.corrupt_frames += frame.is_corrupt
            if (frame.width, frame.height) != self._stored_size:
                self._damage.note_size(self._stored_size, (frame.width, frame.height))
            yield (None if time_us is None else time_us - origin_us), frame
            frame = next(self._decoded, None)

    def _decode(self) -> Generator[VideoFrame, None, None]:
        import av

        decoder = self._stream.codec_context
        in_order = ShownInOrder() if self._counts_decoding() else None
        in_a_row = 0
        for packet in self._packets():
            try:
                frames = decoder.decode(packet)
            except av.FFmpegError:
                self._damage.skipped_packets += 1
                in_a_row += 1
                if in_a_row >= _DAMAGED_IN_A_ROW:
                    self._damage.stopped = f"given up after {in_a_row} damaged packets in a row"
                    return
                continue
            if in_order is not None:
                in_order.decoded(packet.dts if packet else None)
                for frame in frames:
                    frame.pts = in_order.shown()
                in_order.forget(decoder.reorder_depth + decoder.delay + 1)
            if frames:
                in_a_row = 0
                yield from frames

    def _counts_decoding(self) -> bool:
        """Whether the container states no times of showing; FFmpeg's guess at them may be out of order."""
        return self._container.format.name == "avi" or self._container.start_time is None

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Packets of the stream; None at the end asks the decoder for what it still holds."""
        import av

        read = errors = 0
        while errors < _READ_ERRORS_IN_A_ROW and not self._damage.stopped:
            try:
                for packet in self._container.demux(self._stream):
                    if not packet.size:  # a dropped frame, or PyAV's mark of the end
                        continue
                    errors = 0
                    read += 1
                    if read > self._bytes:
                        self._damage.stopped = "given up: its index lists more packets than it has bytes"
                        break
                    yield packet
                break
            except av.FFmpegError as error:
                errors += 1
                self._damage.read_error = reason(error)
        yield None


def _nominal_fps(stream: VideoStream) -> Fraction:
    """FFmpeg's guess, unless it is a clock's rate (variable frame rate): then the average."""
    guessed, average = stream.guessed_rate, stream.average_rate
    if guessed and 0 < guessed <= 240:
        return Fraction(guessed)
    if average and Fraction(1, 3600) <= average <= 10_000:
        return Fraction(average)
    return _FPS_IF_UNKNOWN


def _to_us(ticks: int, time_base: Fraction | None) -> int:
    if not time_base:
        return 0
    scale = 2_000_000 * time_base.numerator
    return (ticks * scale + time_base.denominator) // (2 * time_base.denominator)
