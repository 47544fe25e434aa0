"""How a job tells where it stands: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import shutil
import time
from collections import deque
from typing import TextIO

_LIVE_EVERY_S = 0.25
_PLAIN_EVERY_S = 10.0
_RATE_WINDOW_S = 20.0


class Progress:
    """Counts clips, frames and bytes; prints clips done, frames per second and the time left.

    The time left follows from the share of bytes done: the one thing known of every clip beforehand.

    Args:
        clips: clips to do.
        source_bytes: their size in all.
        stream: where to print.
        quiet: print nothing.
    """

    def __init__(self, clips: int, source_bytes: int, stream: TextIO, quiet: bool = False) -> None:
        self._clips, self._bytes = clips, source_bytes
        self._stream, self._quiet = stream, quiet
        self._live = stream.isatty()
        self._begin_s = time.monotonic()
        self._next_s = self._begin_s + (_LIVE_EVERY_S if self._live else _PLAIN_EVERY_S)
        self._recent: deque[tuple[float, int]] = deque([(self._begin_s, 0)])
        self.clips_done = self.clips_failed = self.frames_done = self.bytes_done = 0

    def add_frames(self, frames: int) -> None:
        """So many more frames are finished."""
        self.frames_done += frames

    def add_clip(self, source_bytes: int, failed: bool) -> None:
        """One more clip is finished."""
        self.clips_done += 1
        self.clips_failed += failed
        self.bytes_done += source_bytes

    def frames_per_s(self) -> float:
        """Over the last twenty seconds."""
        now = time.monotonic()
        self._recent.append((now, self.frames_done))
        while now - self._recent[0][0] > _RATE_WINDOW_S and len(self._recent) > 2:
            self._recent.popleft()
        begin_s, begin_frames = self._recent[0]
        return (self.frames_done - begin_frames) / max(now - begin_s, 1e-9)

    def seconds_left(self) -> float | None:
        """From the share of bytes done so far; None before the first clip."""
        if not self.bytes_done:
            return None
        spent_s = time.monotonic() - self._begin_s
        return spent_s * max(self._bytes - self.bytes_done, 0) / self.bytes_done

    def draw(self) -> None:
        """Print where the job stands, if it is time to."""
        now = time.monotonic()
        if self._quiet or now < self._next_s:
            return
        self._next_s = now + (_LIVE_EVERY_S if self._live else _PLAIN_EVERY_S)
        line = self.line()
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r{line[:width]:<{width}}")
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def line(self) -> str:
        """The one line."""
        left_s = self.seconds_left()
        eta = "--:--:--" if left_s is None else _clock(left_s)
        failed = f"  {self.clips_failed} failed" if self.clips_failed else ""
        return (
            f"{self.clips_done}/{self._clips} clips  {self.frames_done} frames  "
            f"{self.frames_per_s():.1f} frames/s  ETA {eta}{failed}"
        )

    def say(self, message: str) -> None:
        """Print a line of its own, above the live one."""
        if self._live and not self._quiet:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + " " * width + "\r")
        self._stream.write(message + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._live and not self._quiet:
            self._stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
