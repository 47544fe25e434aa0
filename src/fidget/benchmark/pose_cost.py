"""What the poses of some clips cost in bytes, and the videos they were found in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.low_bandwidth import weigh
from pose_extract.sources import VIDEO_SUFFIXES
from poses.cache_reader import PoseCache

_HEAD_NUMBERS = 16  # a row takes about as much room besides its joints as so many of them


@dataclass(frozen=True)
class Cost:
    """Bytes of some clips.

    Attributes:
        clips: how many.
        pose_bytes: their share of the cache's files.
        video_bytes: of the videos they come from, each once; 0 where a clip has no video that is known.
    """

    clips: int
    pose_bytes: int
    video_bytes: int


class PoseCosts:
    """Bytes clip by clip: the cache's files, shared out by the numbers that each clip has.

    Args:
        poses: the cache.

    Raises:
        NotACacheError: there is none.
    """

    def __init__(self, poses: Path) -> None:
        cache = PoseCache(poses)
        names = ("clip_id", "frames", "persons", "source_path", "source_bytes")
        ids, frames, persons, paths, sizes = (
            column.to_pylist() for column in cache.table(list(names)).columns
        )
        joints = len(cache.layout.joints)
        numbers = _HEAD_NUMBERS + np.array(frames, np.float64) * (1 + np.array(persons) * joints)
        self._bytes: NDArray[np.float64] = weigh(poses).bytes * numbers / max(numbers.sum(), 1)
        self._row_of = {clip_id: row for row, clip_id in enumerate(ids)}
        self._sources = list(zip(paths, sizes, strict=True))

    def of(self, clip_ids: Collection[str]) -> Cost:
        """The cost of some clips; those that the cache lacks cost nothing."""
        rows = [self._row_of[clip_id] for clip_id in clip_ids if clip_id in self._row_of]
        sources = dict(self._sources[row] for row in rows)
        videos = all(
            size > 0 and PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES
            for path, size in sources.items()
        )
        return Cost(len(rows), round(self._bytes[rows].sum()), sum(sources.values()) if videos else 0)
