"""What an engine reports while it works through clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pose_extract.sources import VideoSource
from poses.cache_schema import CacheRow


@dataclass(frozen=True)
class WorkerReady:
    """A worker has loaded its model; `runtime` is what really runs it, read back."""

    runtime: str


@dataclass(frozen=True)
class FramesDone:
    """So many more frames have been answered somewhere."""

    frames: int


@dataclass(frozen=True, eq=False)
class ClipDone:
    """A clip is finished, one way or the other."""

    row: CacheRow


@dataclass(frozen=True)
class StillWorking:
    """Nothing new; gives the job a moment to draw its progress and to look whether to stop."""


Event = WorkerReady | FramesDone | ClipDone | StillWorking


class WorkerSetupError(RuntimeError):
    """A worker could not load its model; the message is the worker's own."""


class Engine(Protocol):
    """Runs `extract_clip` over many clips, somewhere."""

    def run(self, sources: Sequence[VideoSource], stopping: Callable[[], bool]) -> Iterator[Event]:
        """Yield events until every source has a ClipDone.

        Once `stopping()` is true no further clip is begun, and those in flight are finished.
        """
        ...
