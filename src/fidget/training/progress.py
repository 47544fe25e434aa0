"""Where a training stands: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

_LIVE_EVERY_S, _PLAIN_EVERY_S = 0.25, 30.0


class Progress:
    """Tells the step, clips per second, the share of time spent waiting for data, and the time left.

    The time left is that of the training steps at the rate of this epoch so far.

    Args:
        say: takes a finished line.
        stream: where the live line goes, or the plain ones; None for neither.
    """

    def __init__(self, say: Callable[[str], None], stream: TextIO | None = None) -> None:
        self._say, self._stream = say, stream
        self._live = stream is not None and stream.isatty()
        self._every_s = _LIVE_EVERY_S if self._live else _PLAIN_EVERY_S
        self._next_s = time.monotonic() + self._every_s
        self._epoch = self._epochs = self._steps = self._clips_a_step = self._done = 0
        self._begin_s = time.monotonic()
        self._drawn = False

    def begin(self, epoch: int, epochs: int, steps: int, clips_a_step: int) -> None:
        """An epoch begins, the `epoch`-th from 1."""
        self._epoch, self._epochs, self._steps, self._clips_a_step = epoch, epochs, steps, clips_a_step
        self._done, self._begin_s = 0, time.monotonic()

    def step(self, waited_s: float) -> None:
        """One more step is done; `waited_s` is what the epoch has waited for batches so far."""
        self._done += 1
        now = time.monotonic()
        if self._stream is None or now < self._next_s:
            return
        self._next_s = now + self._every_s
        line = self.line(max(now - self._begin_s, 1e-9), waited_s)
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r{line[:width]:<{width}}")
            self._drawn = True
        else:
            self._stream.write(line + "\n")
        self._stream.flush()

    def line(self, spent_s: float, waited_s: float) -> str:
        """The one line."""
        left = self._steps * (self._epochs - self._epoch + 1) - self._done
        return (
            f"epoch {self._epoch}/{self._epochs}  step {self._done}/{self._steps}  "
            f"{self._done * self._clips_a_step / spent_s:.1f} clips/s  "
            f"data wait {100 * waited_s / spent_s:.1f} %  ETA {clock(left * spent_s / max(self._done, 1))}"
        )

    def say(self, line: str) -> None:
        """A line of its own, in the place of the live one."""
        self.close()
        self._say(line)

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._drawn and self._stream is not None:
            self._stream.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self._stream.flush()
            self._drawn = False


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
