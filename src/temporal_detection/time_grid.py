"""Between positions on a network's grid and seconds of the recording: the only such arithmetic there is.

Every frame has its own time, as the container or the pose cache says; a frame rate is never divided by.
Letters: F frames of a recording, T points of a grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TimeGrid:
    """Points at equal distances in frames of one recording; it checks itself once.

    Attributes:
        frame_time_s: (F,) seconds of every frame of the recording, strictly increasing.
        first_frame: the frame for which point 0 stands; a fraction lies between frames, as the middle of a
            feature made of an even number of frames does.
        stride_frames: frames from one point to the next; a fraction where a recording is resized to a number
            of points.
        points: T; those that stand for frames behind the last are padding.

    Raises:
        ValueError: fewer than two frames, times that do not increase, a stride that is not positive, or no
            point.
    """

    frame_time_s: Floats
    first_frame: float
    stride_frames: float
    points: int

    def __post_init__(self) -> None:
        times = np.asarray(self.frame_time_s, np.float64)
        object.__setattr__(self, "frame_time_s", times)
        if times.ndim != 1 or len(times) < 2:
            raise ValueError(f"time grid: expected the times of at least 2 frames, got shape {times.shape}")
        if not np.isfinite(times).all() or not (np.diff(times) > 0).all():
            bad = int(np.argmin(np.nan_to_num(np.diff(times), nan=-np.inf, posinf=-np.inf)))
            raise ValueError(
                f"time grid: expected frame times that increase, got {times[bad]:g} s then "
                f"{times[bad + 1]:g} s at frame {bad + 1}"
            )
        if not self.stride_frames > 0 or not np.isfinite([self.stride_frames, self.first_frame]).all():
            raise ValueError(
                f"time grid: expected a first frame and a positive stride, got {self.first_frame} and "
                f"{self.stride_frames}"
            )
        if self.points < 1:
            raise ValueError(f"time grid: expected at least 1 point, got {self.points}")

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(T,) whether a point stands for a frame that there is."""
        frames = self.first_frame + np.arange(self.points) * self.stride_frames
        return (frames > -1) & (frames < len(self.frame_time_s))

    @property
    def frames(self) -> NDArray[np.int64]:
        """(T,) the frame nearest to each point; padding repeats the last, or the first."""
        frames = np.rint(self.first_frame + np.arange(self.points) * self.stride_frames)
        return frames.clip(0, len(self.frame_time_s) - 1).astype(np.int64)

    def seconds(self, position: ArrayLike) -> Floats:
        """Seconds of grid positions, between frames by linear interpolation.

        Args:
            position: any shape; before the first frame and behind the last one the first and the last
                distance of two frames go on.
        """
        times = self.frame_time_s
        frame = self.first_frame + np.asarray(position, np.float64) * self.stride_frames
        before = np.floor(frame).clip(0, len(times) - 2)
        before = np.nan_to_num(before).astype(np.int64)
        found: Floats = times[before] + (frame - before) * (times[before + 1] - times[before])
        return found

    def positions(self, seconds: ArrayLike) -> Floats:
        """Grid positions of seconds, the inverse of `seconds`; any shape."""
        times = self.frame_time_s
        wanted = np.asarray(seconds, np.float64)
        before = (np.searchsorted(times, wanted, "right") - 1).clip(0, len(times) - 2)
        frame = before + (wanted - times[before]) / (times[before + 1] - times[before])
        found: Floats = (frame - self.first_frame) / self.stride_frames
        return found

    @property
    def span_s(self) -> tuple[float, float]:
        """Seconds that the grid covers: from its first point that is valid to behind its last."""
        valid = np.flatnonzero(self.valid)
        if not len(valid):
            raise ValueError(f"time grid: none of its {self.points} points stands for a frame")
        start, end = self.seconds([valid[0], valid[-1] + 1])
        return float(start), float(end)


def resized(frame_time_s: Floats, points: int) -> TimeGrid:
    """The whole recording on a fixed number of points, the middles of equal stretches of frames.

    Raises:
        ValueError: as `TimeGrid`.
    """
    stride = len(frame_time_s) / max(points, 1)
    return TimeGrid(frame_time_s, (stride - 1) / 2, stride, points)


def padded(frame_time_s: Floats, stride_frames: int, multiple: int = 1) -> TimeGrid:
    """The whole recording at a stride, with padding up to a multiple of so many points.

    Raises:
        ValueError: as `TimeGrid`.
    """
    needed = -(-len(frame_time_s) // stride_frames) if stride_frames > 0 else 1
    return TimeGrid(frame_time_s, 0, stride_frames, -(-needed // multiple) * multiple)


def windows(
    frame_time_s: Floats, points: int, stride_frames: int, overlap: float = 0.5
) -> Iterator[TimeGrid]:
    """Sliding windows that cover a recording.

    The last one is moved back to end with the recording; a recording shorter than a window is one window
    with padding.

    Args:
        frame_time_s: (F,) seconds of every frame.
        points: T of each window.
        stride_frames: frames from one point to the next.
        overlap: share of a window that the next one sees again, in [0, 1).

    Raises:
        ValueError: an overlap out of range, or as `TimeGrid`.
    """
    if not 0 <= overlap < 1:
        raise ValueError(f"windows: expected an overlap in [0, 1), got {overlap}")
    whole = TimeGrid(frame_time_s, 0, stride_frames, points)
    needed = -(-len(whole.frame_time_s) // stride_frames)  # points that the recording has
    step = max(1, round(points * (1 - overlap)))
    first = 0
    while first + points < needed:
        yield TimeGrid(frame_time_s, first * stride_frames, stride_frames, points)
        first += step
    yield TimeGrid(frame_time_s, max(0, needed - points) * stride_frames, stride_frames, points)
