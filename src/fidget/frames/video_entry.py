"""What is known of a video before any of its frames is wanted.

Axis letters: T frames that decode, P packets that hold them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pose_extract.upright import Orientation

Plan = Literal["seek", "count", "all"]
"""How frames are found.

`seek`: packets and frames are known one by one, decoding starts at a keyframe and leaves out what no other
frame needs. `count`: the container has no index of exact times, frames are counted as they decode. `all`: the
file is damaged or odd, it is read as extraction reads it.
"""

_NOTHING = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class VideoEntry:
    """One video, as it was found by reading it.

    Attributes:
        path: where it lies.
        bytes: its size then.
        mtime_ns: its time of last change then, nanoseconds since 1970.
        checksum: of its content, 32 hexadecimal digits; empty where the file could not be read.
        error: why no frame can be had, in one line; empty for a video.
        problem: what was wrong with a video whose frames can be had, in one line; else empty.
        plan: how its frames are found.
        stored_hw: height and width of the first frame as stored, pixels.
        orientation: what brings it upright.
        time_us: (T,) int64, when each frame is shown: what `pose_extract.video.VideoFrames` gives.
        packet_pts: (P,) int64, the container's presentation times in order of decoding; T of them in plan
            `seek`, none in the others.
        key_packets: numbers of the packets at which decoding can begin, ascending.
    """

    path: Path
    bytes: int = 0
    mtime_ns: int = 0
    checksum: str = ""
    error: str = ""
    problem: str = ""
    plan: Plan = "all"
    stored_hw: tuple[int, int] = (0, 0)
    orientation: Orientation = dataclasses.field(default_factory=Orientation)
    time_us: NDArray[np.int64] = dataclasses.field(default_factory=lambda: _NOTHING)
    packet_pts: NDArray[np.int64] = dataclasses.field(default_factory=lambda: _NOTHING)
    key_packets: NDArray[np.int64] = dataclasses.field(default_factory=lambda: _NOTHING)

    @property
    def frames(self) -> int:
        """How many decode, T."""
        return len(self.time_us)

    @property
    def frame_hw(self) -> tuple[int, int]:
        """Height and width of the upright frame, pixels."""
        height, width = self.stored_hw
        return (width, height) if self.orientation.transpose else (height, width)

    @property
    def key_frames(self) -> NDArray[np.int64]:
        """Numbers, in order of presentation, of the frames that `key_packets` hold."""
        return np.searchsorted(np.sort(self.packet_pts), self.packet_pts[self.key_packets])
