"""One person's poses over a clip of unknown length, in chunks; long absences cost nothing."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_CHUNK_FRAMES = 256


class TrackStore:
    """Poses by frame number; frames arrive in any order, a chunk is allocated when its first frame is put.

    A row of a chunk is (V x and y, V scores, x1 y1 x2 y2). Chunks are anonymous memory maps: zero at first
    (which is what a missing person's scores are), and given back to the system as soon as they are let go,
    so that handing an hour on does not hold it twice.
    """

    __slots__ = ("_chunks", "_joints")

    def __init__(self, joints: int) -> None:
        self._joints = joints
        self._chunks: dict[int, Floats] = {}

    def put(self, frame: int, xy_px: Floats, score: Floats, box: tuple[float, float, float, float]) -> None:
        """Remember (V, 2), (V,) and x1 y1 x2 y2 of one frame; at least one joint has a score above 0."""
        number, row = divmod(frame, _CHUNK_FRAMES)
        chunk = self._chunks.get(number)
        if chunk is None:
            width = 3 * self._joints + 4
            memory = mmap.mmap(-1, _CHUNK_FRAMES * width * 4)
            chunk = np.frombuffer(memory, np.float32).reshape(_CHUNK_FRAMES, width)
            self._chunks[number] = chunk
        v = self._joints
        values = chunk[row]
        values[: 2 * v] = xy_px.ravel()
        values[2 * v : 3 * v] = score
        values[3 * v :] = box

    def move_to(self, xy_px: Floats, score: Floats, box_px: Floats) -> None:
        """Fill (T, V, 2), (T, V), (T, 4), NaN where missing, letting go of each chunk once copied."""
        v, frames = self._joints, len(score)
        for number, start in enumerate(range(0, frames, _CHUNK_FRAMES)):
            now = slice(start, min(start + _CHUNK_FRAMES, frames))
            chunk = self._chunks.pop(number, None)
            if chunk is None:
                xy_px[now], score[now], box_px[now] = np.nan, 0, np.nan
                continue
            rows = chunk[: now.stop - now.start]
            xy_px[now] = rows[:, : 2 * v].reshape(-1, v, 2)
            score[now] = rows[:, 2 * v : 3 * v]
            box_px[now] = rows[:, 3 * v :]
            missing = score[now] == 0  # (frames, V)
            xy_px[now][missing] = np.nan
            box_px[now][missing.all(axis=1)] = np.nan
