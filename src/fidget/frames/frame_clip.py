"""One clip as networks over frames meet it: how long it is, and a way to its pictures.

Axis letters: K frames asked for, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FramesRgb = NDArray[np.uint8]  # (K, H, W, 3), red first


@dataclass(frozen=True)
class FrameClip:
    """A clip whose frames are read when they are asked for.

    Attributes:
        clip_id: its name.
        frames: how many decode.
        frame_hw: height and width of what `read` gives, pixels.
        read: frame numbers (K,), in any order and repeated or not, to their pictures, upright and red first;
            raises ValueError naming the video and the frame where a picture cannot be had.
        person_px: (4,) left, top, right, bottom of the region around the person over the whole clip, in the
            pixels of what `read` gives; None where no person is looked for, or none was found.
    """

    clip_id: str
    frames: int
    frame_hw: tuple[int, int]
    read: Callable[[NDArray[np.int64]], FramesRgb]
    person_px: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.frames < 1 or min(self.frame_hw) < 1:
            raise ValueError(
                f"clip {self.clip_id!r}: expected at least one frame with pixels, "
                f"got {self.frames} frames of {self.frame_hw[1]}x{self.frame_hw[0]}"
            )
