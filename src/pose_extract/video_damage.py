"""What was wrong with a video, counted while it is read and put into one line at the end."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream


@dataclass
class Damage:
    """Counts of what did not go well.

    Attributes:
        skipped_packets: packets the decoder refused.
        corrupt_frames: frames that came, but marked as damaged by the decoder.
        unconverted_frames: frames that decoded to no known pixel format, left out.
        placed_frames: frames whose time the container does not state usably.
        resized_frames: frames of another size than the first, scaled to it.
        read_error: the last thing that went wrong in reading the file, not in decoding it.
        stopped: why reading was given up before the end.
    """

    skipped_packets: int = 0
    corrupt_frames: int = 0
    unconverted_frames: int = 0
    placed_frames: int = 0
    resized_frames: int = 0
    read_error: str = ""
    stopped: str = ""
    _sizes: str = ""

    def note_size(self, first: tuple[int, int], now: tuple[int, int]) -> None:
        """A frame, width and height as stored, that is not of the first one's size."""
        self._sizes = self._sizes or f"from {first[0]}x{first[1]} to {now[0]}x{now[1]}"
        self.resized_frames += 1

    def summary(self) -> str:
        """All of it in one line, empty where all went well."""
        counts = (
            (self.skipped_packets, "damaged packet{s} skipped"),
            (self.corrupt_frames, "frame{s} decoded with damage"),
            (self.unconverted_frames, "frame{s} left out for an unknown pixel format"),
            (
                self.placed_frames,
                "frame{s} without a usable timestamp, placed by neighbours and frame rate",
            ),
            (self.resized_frames, f"frame{{s}} scaled, the picture size changes {self._sizes}"),
        )
        parts = [f"{n} {text.format(s='s' * (n != 1))}" for n, text in counts if n]
        if self.read_error:
            parts.append(f"reading met: {self.read_error}")
        if self.stopped:
            parts.append(self.stopped)
        return "; ".join(parts)


def truncation(
    container: InputContainer, stream: VideoStream, frames: int, end_us: int, step_us: int
) -> str | None:
    """One line if the last frame ends clearly before the container says that the video does.

    What states the end, best first: the stream's own duration (the smaller of it and the container's,
    since an edit list may show less than is stored), Matroska's DURATION tag, the container's duration.
    The last counts other streams too, so sound that lasts a little longer than the picture passes. A
    container that states no length (a transport stream, a live recording) shows no cut.

    Args:
        container: open, read to its end.
        stream: the stream that was read.
        frames: how many came.
        end_us: when the last one ends, on the container's clock.
        step_us: nominal duration of a frame.
    """
    expected_us, tolerance_us = _stated_end_us(container, stream, step_us)
    if expected_us is None or expected_us - end_us <= tolerance_us:
        return None
    missing = max(1, round((expected_us - end_us) / step_us))
    return (
        f"truncated: {frames} frames decoded, about {frames + missing} expected by the container's duration"
    )


def _stated_end_us(container: InputContainer, stream: VideoStream, step_us: int) -> tuple[int | None, int]:
    tight_us = step_us * 3 // 4 + 2_000  # Matroska rounds to milliseconds
    start_us = container.start_time or 0
    length_us = container.duration if container.duration and container.duration > 0 else None
    if stream.duration and stream.duration > 0 and stream.time_base:
        begin = stream.start_time or 0
        by_stream_us = int((begin + stream.duration) * stream.time_base * 1_000_000)
        return min(by_stream_us, start_us + length_us if length_us else by_stream_us), tight_us
    tagged_us = _clock_us(stream.metadata.get("DURATION", ""))
    if tagged_us:
        return tagged_us, tight_us
    if length_us is None:
        return None, 0
    # Matroska and flv count it from 0, not from the first frame.
    by_container_us = length_us + min(start_us, 0)
    if len(container.streams) == 1:
        return by_container_us, tight_us
    return by_container_us, max(1_000_000, length_us // 20)


def _clock_us(text: str) -> int:
    """`00:00:02.033000000` in microseconds, 0 if it is nothing like it."""
    parts = text.strip().split(":")
    if len(parts) != 3:
        return 0
    try:
        hours, minutes, seconds = (Fraction(part) for part in parts)
    except (ValueError, ZeroDivisionError):
        return 0
    return int((hours * 3600 + minutes * 60 + seconds) * 1_000_000)
