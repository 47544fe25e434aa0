"""Times of frames: integer microseconds, strictly increasing, even where a container's are not."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_WAITING_AT_MOST = 8  # frames that may wait for the next good time: it bounds memory and delay


class FrameTimes:
    """Gives every frame a time, and counts those it had to place itself.

    Times a container states are kept as they are. A frame whose time is missing, not later than the one
    before, later than the one after, or absurdly far ahead is placed evenly between its neighbours. With
    more than `_WAITING_AT_MOST` such frames in a row the clock itself must have jumped: they follow the
    last good frame at the nominal frame duration, and what comes after keeps its distance to them.

    Args:
        step_us: nominal duration of a frame.
        gap_at_most_us: a step ahead longer than this is a damaged timestamp, not a pause.
    """

    def __init__(self, step_us: int, gap_at_most_us: int) -> None:
        self.placed_frames = 0
        self._step_us = step_us
        self._gap_at_most_us = gap_at_most_us

    def of(self, stated: Iterable[tuple[int | None, Item]]) -> Iterator[tuple[int, Item]]:
        """Frames with the times their container states (None where it states none) -> with their times."""
        last_us: int | None = None
        shift_us = 0
        waiting: list[tuple[int | None, Item]] = []
        for stated_us, item in _without_spikes(stated):
            time_us = None if stated_us is None else stated_us + shift_us
            if last_us is None:
                self.placed_frames += time_us is None
                last_us = time_us or 0
                yield last_us, item
            elif time_us is not None and len(waiting) < time_us - last_us <= self._gap_at_most_us:
                yield from self._spread(waiting, last_us, time_us)
                waiting.clear()
                last_us = time_us
                yield last_us, item
            else:
                waiting.append((stated_us, item))
                if len(waiting) > _WAITING_AT_MOST:
                    yield from self._follow(waiting, last_us)
                    last_us += len(waiting) * self._step_us
                    shift_us = shift_us if stated_us is None else last_us - stated_us
                    waiting.clear()
        if last_us is not None:
            yield from self._follow(waiting, last_us)

    def _spread(
        self, waiting: list[tuple[int | None, Item]], before_us: int, after_us: int
    ) -> Iterator[tuple[int, Item]]:
        parts = len(waiting) + 1
        for index, (_, item) in enumerate(waiting, start=1):
            self.placed_frames += 1
            yield before_us + (after_us - before_us) * index // parts, item

    def _follow(self, waiting: list[tuple[int | None, Item]], before_us: int) -> Iterator[tuple[int, Item]]:
        for index, (_, item) in enumerate(waiting, start=1):
            self.placed_frames += 1
            yield before_us + index * self._step_us, item


class ShownInOrder:
    """Times for containers that number frames as they are decoded, not as they are shown (AVI, bare streams).

    The frames shown are those decoded, so the n-th one shown has the n-th time in order of size.
    """

    def __init__(self) -> None:
        self._unused: list[int] = []

    def decoded(self, time: int | None) -> None:
        """A packet with this time went into the decoder without error."""
        if time is not None:
            heapq.heappush(self._unused, time)

    def shown(self) -> int | None:
        """A frame came out: its time, None if no packet had one."""
        return heapq.heappop(self._unused) if self._unused else None

    def forget(self, held: int) -> None:
        """The decoder can hold this many frames; what went in before them will not come out any more."""
        while len(self._unused) > held:
            heapq.heappop(self._unused)


def _without_spikes(stated: Iterable[tuple[int | None, Item]]) -> Iterator[tuple[int | None, Item]]:
    """The same, but a lone time that leaps ahead, so that the next one steps back, counts as missing."""
    before: int | None = None
    held: tuple[int | None, Item] | None = None
    for now in stated:
        if held is not None:
            time, item = held
            spike = None not in (before, now[0], time) and before < now[0] < time  # type: ignore[operator]
            yield (None, item) if spike else held
            before = before if spike or time is None else time
        held = now
    if held is not None:
        yield held
