"""Pictures in memory that is used again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pose_extract.estimator import FrameBgr

_KEPT_AT_MOST = 64


class PicturePool:
    """Arrays of one shape, each handed out again once nobody holds it any more.

    Fresh memory costs a page fault every 4 kB: a thousand for a picture of 1080x1296, half as much time as
    decoding it. Whoever holds a picture, or any view of one, holds its memory (numpy counts references
    to the array that owns it), so nobody has to give anything back. Use it from one thread; pictures may be
    dropped in another.
    """

    def __init__(self, height: int, width: int) -> None:
        self._shape = (height, width, 3)
        self._owners: list[FrameBgr] = []
        self._idle_references = 0

    def take(self) -> FrameBgr:
        """(H, W, 3) uint8, C-contiguous, with whatever it held before."""
        for index in range(len(self._owners)):
            if self._references(index) == self._idle_references:
                return self._owners[index][:]
        if len(self._owners) >= _KEPT_AT_MOST:
            return np.empty(self._shape, np.uint8)
        self._owners.append(np.empty(self._shape, np.uint8))
        self._idle_references = self._references(-1)
        return self._owners[-1][:]

    def _references(self, index: int) -> int:
        return sys.getrefcount(self._owners[index])
