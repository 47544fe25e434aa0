"""Frames as they come, the newest only: of a webcam, a stream of the network, or a file played in real time.

A reader thread keeps the newest frame only: whoever computes for longer than a frame lasts sees the next
one late, not all of them later and later. A camera or stream that breaks is opened again a few times.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from fidget.recognition.live import Arrived
from fidget.recognition.live_sources import Source, source_of

RECONNECTS = 5
FIRST_PAUSE_S = 1.0  # before the first try to open again; each further pause is twice as long
_WAIT_S = 0.5
_PATIENCE_S = 2.0  # with a reader that is in the middle of something


class StreamBrokenError(ValueError):
    """A camera, a stream or a file that broke while it was read; one line says why."""


class LiveFrames:
    """The newest frames of a source; a context manager.

    Args:
        source: number of a webcam, an address, a file; or a source that is not yet open.
        seconds: end after so long; 0 for never.
        reconnects: how often in a row a camera or stream that broke is opened again.
        say: told a line when a stream breaks and when it is there again.
        pause_s: before the first try.

    Attributes:
        source: that is read.
        dropped: frames that nobody looked at, since another came before.
        breaks: how often it broke and was there again.

    Raises:
        ValueError: the source does not open; names it.
    """

    def __init__(
        self,
        source: str | Source,
        seconds: float = 0.0,
        reconnects: int = RECONNECTS,
        say: Callable[[str], None] = lambda line: None,
        pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self.source = source_of(source) if isinstance(source, str) else source
        self._seconds, self._reconnects, self._say, self._pause_s = seconds, reconnects, say, pause_s
        self.dropped = self.breaks = 0
        self._newest: Arrived | None = None
        self._error = ""
        self._tries = 0  # since the last frame
        self._ended = False
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="live-frames", daemon=True)
        self._begin_s = 0.0
        self.source.open()

    def __enter__(self) -> LiveFrames:
        self._begin_s = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=_PATIENCE_S)  # one that waits for the network ends by itself, later

    def __iter__(self) -> Iterator[Arrived]:
        """Each frame once, the newest there is; ends with the source.

        Raises:
            StreamBrokenError: reading failed; says why.
        """
        while True:
            with self._changed:
                while self._newest is None and not self._ended and not self._is_over():
                    self._changed.wait(_WAIT_S)
                frame, self._newest = self._newest, None
            if frame is None or self._is_over():
                break
            yield frame
        if self._error:
            raise StreamBrokenError(self._error)

    def _is_over(self) -> bool:
        return bool(self._seconds) and time.perf_counter() - self._begin_s > self._seconds

    def _read(self) -> None:
        try:
            why = self._pass_on()
            while why and not self._stopping.is_set() and self._opened_again(why):
                why = self._pass_on()
        finally:
            self.source.close()
            with self._changed:
                self._ended = True
                self._changed.notify()

    def _pass_on(self) -> str:
        """Frames until there are no more; returns why they broke off, nothing where they ended."""
        broken = bool(self._error)
        try:
            for time_s, frame in self.source.frames(self._stopping):
                now_s = time.perf_counter()
                if self._stopping.is_set() or self._is_over():
                    return ""
                if broken:
                    broken, self._error, self._tries = False, "", 0
                    self.breaks += 1
                    self._say(f"{self.source.shown}: there again")
                with self._changed:
                    self.dropped += self._newest is not None
                    self._newest = Arrived(now_s - self._begin_s if time_s is None else time_s, frame, now_s)
                    self._changed.notify()
        except (ValueError, OSError) as error:
            return " ".join(str(error).split())
        return ""

    def _opened_again(self, why: str) -> bool:
        """Try to open a broken source; says each try."""
        shown = self.source.shown
        self._error = f"{shown}: the stream broke: {why}"
        while self.source.returns and self._tries < self._reconnects:
            pause_s = self._pause_s * 2**self._tries
            self._tries += 1
            count = f"try {self._tries} of {self._reconnects}"
            self._say(f"{shown}: the stream broke: {why}; opening it again in {pause_s:g} s, {count}")
            if self._stopping.wait(pause_s):
                return False
            try:
                self.source.open()
            except ValueError as error:
                why = str(error).removeprefix(f"{shown}: ")
                continue
            return True
        if self._tries:
            self._error += f"; it did not come back in {self._tries} tries"
        return False
