"""One person's poses over a clip of unknown length, in chunks; long absences cost nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_CHUNK_FRAMES = 256


class TrackStore:
    """Poses by frame number; frames arrive in any order, a chunk is allocated when its first frame is put."""

    __slots__ = ("_chunks", "_joints")

    def __init__(self, joints: int) -> None:
        self._joints = joints
        self._chunks: dict[int, tuple[Floats, Floats, Floats]] = {}

    def put(self, frame: int, xy_px: Floats, score: Floats, box: tuple[float, float, float, float]) -> None:
        """Remember (V, 2), (V,) and x1 y1 x2 y2 of one frame."""
        number, row = divmod(frame, _CHUNK_FRAMES)
        chunk = self._chunks.get(number)
        if chunk is None:
            chunk = (
                np.full((_CHUNK_FRAMES, self._joints, 2), np.nan, np.float32),
                np.zeros((_CHUNK_FRAMES, self._joints), np.float32),
                np.full((_CHUNK_FRAMES, 4), np.nan, np.float32),
            )
            self._chunks[number] = chunk
        chunk[0][row] = xy_px
        chunk[1][row] = score
        chunk[2][row] = box

    def move_to(self, xy_px: Floats, score: Floats, box_px: Floats) -> None:
        """Fill (T, V, 2), (T, V) and (T, 4), letting go of each chunk once it is copied."""
        frames = len(score)
        for number, start in enumerate(range(0, frames, _CHUNK_FRAMES)):
            stop = min(start + _CHUNK_FRAMES, frames)
            chunk = self._chunks.pop(number, None)
            xy_px[start:stop] = np.nan if chunk is None else chunk[0][: stop - start]
            score[start:stop] = 0 if chunk is None else chunk[1][: stop - start]
            box_px[start:stop] = np.nan if chunk is None else chunk[2][: stop - start]
