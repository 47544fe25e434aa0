"""Where a conversion stands: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time

_LIVE_EVERY_S, _PLAIN_EVERY_S = 0.25, 10.0


class Ticker:
    """Counts clips on stderr, with their rate, and the time left where their number is known.

    Args:
        clips: how many there will be, or None.
    """

    def __init__(self, clips: int | None = None) -> None:
        self._clips, self._done = clips, 0
        self._live = sys.stderr.isatty()
        self._every_s = _LIVE_EVERY_S if self._live else _PLAIN_EVERY_S
        self._begin_s = time.monotonic()
        self._next_s = self._begin_s + self._every_s

    def step(self) -> None:
        """One more clip is done."""
        self._done += 1
        now = time.monotonic()
        if now >= self._next_s:
            self._next_s = now + self._every_s
            line = self._line(now - self._begin_s)
            sys.stderr.write(f"\r{line:<70}" if self._live else line + "\n")
            sys.stderr.flush()

    def _line(self, spent_s: float) -> str:
        line = f"{self._done:,} clips, {self._done / spent_s:,.0f} a second"
        if self._clips:
            left_s = spent_s * max(self._clips - self._done, 0) / self._done
            line += f", {int(left_s) // 60}:{int(left_s) % 60:02d} min left"
        return line

    def close(self) -> None:
        """Clear the live line."""
        if self._live:
            sys.stderr.write("\r" + " " * 70 + "\r")
            sys.stderr.flush()
