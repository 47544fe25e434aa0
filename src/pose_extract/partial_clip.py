"""What is known of a clip that is not finished: answers of its first frames, and how the model goes on.

Every `BLOCK_S` of work on a video leaves a block of answers on disk. Whoever is stopped, however hard, and
gives the same command again goes on behind the last whole block, and what comes out is the same, bit for bit:
the video is decoded again from its beginning, since times and damage are told by all of it, the answers are
taken from the blocks, and the model looks at the first frame that none of them holds.

Blocks lie in `CACHE/_partial/`, one directory a clip, and go when the clip's row is in the cache. They hold
what the network answered, so 1.6 kB a frame and person in 133 joints, 0.4 kB in 33.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from pose_extract.estimator import FramePeople
from poses.cache_files import write_whole

DIRECTORY = "_partial"
BLOCK_S = 20.0
State = Mapping[str, Any]
_ARRAYS = ("xy_px", "score", "box_px", "box_score")


def partial_directory(cache: Path, clip_id: str) -> Path:
    """Where the blocks of a clip lie; the name says nothing of the clip, which may be named anyhow."""
    return cache / DIRECTORY / hashlib.sha256(clip_id.encode()).hexdigest()[:24]


def forget_partial(cache: Path, clip_ids: Sequence[str]) -> None:
    """Remove the blocks of finished clips."""
    if not (cache / DIRECTORY).is_dir():
        return
    for clip_id in clip_ids:
        shutil.rmtree(partial_directory(cache, clip_id), ignore_errors=True)
    with suppress(OSError):  # others are not finished
        (cache / DIRECTORY).rmdir()


class PartialClip:
    """The blocks of one clip, read and written by the one process that works on it.

    Args:
        directory: of `partial_directory`.
        key: of whatever decides the answers; blocks of another key count for nothing and are removed.
        block_s: seconds of work from one block to the next.
        clock: tells seconds.
    """

    def __init__(
        self,
        directory: Path,
        key: str,
        block_s: float = BLOCK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory, self._key, self._block_s, self._clock = directory, key, block_s, clock
        self._written_s = clock()
        self._waiting: list[FramePeople] = []
        self._blocks = self._frames = 0
        self._works = True

    def answers(self) -> Iterator[tuple[list[FramePeople], State]]:
        """The answers of each block in order, and the state behind it; call it once, before anything else."""
        while (block := self._read(self._blocks)) is not None:
            self._blocks += 1
            self._frames += len(block[0])
            yield block
        if not self._blocks:
            shutil.rmtree(self._directory, ignore_errors=True)  # of another key, if anything
        for left in self._directory.glob("*.npz"):
            if int(left.stem) >= self._blocks:
                left.unlink(missing_ok=True)

    def add(self, people: Sequence[FramePeople], state: Callable[[], State]) -> None:
        """Take the answers of the next frames; now and then this writes a block.

        Args:
            people: of the frames that were answered.
            state: how the model goes on behind them.
        """
        if not self._works:
            return
        self._waiting += people
        if self._waiting and self._clock() - self._written_s >= self._block_s:
            try:
                self._write(state())
            except OSError:  # no room for blocks: the clip may well be finished without
                self._works = False
            self._waiting = []
            self._written_s = self._clock()

    def _write(self, state: State) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.concatenate([getattr(one, name) for one in self._waiting]) for name in _ARRAYS}
        told = {"key": self._key, "first": self._frames, "state": state}
        content = io.BytesIO()
        counts = np.array([len(one.score) for one in self._waiting], np.int32)
        np.savez(content, counts=counts, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)
        write_whole(self._directory, f"{self._blocks:06d}.npz", content.getbuffer())
        self._blocks += 1
        self._frames += len(self._waiting)

    def _read(self, number: int) -> tuple[list[FramePeople], State] | None:
        """A block; None where it is not there, not whole, or not the next one of this key."""
        path = self._directory / f"{number:06d}.npz"
        try:
            with np.load(path, allow_pickle=False) as file:
                told = json.loads(file["told"].tobytes())
                if told["key"] != self._key or told["first"] != self._frames:
                    return None
                bounds = np.cumsum(file["counts"])[:-1]
                parts = [np.split(file[name], bounds) for name in _ARRAYS]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        return [FramePeople(*frame) for frame in zip(*parts, strict=True)], told["state"]
