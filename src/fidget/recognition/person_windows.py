"""Windows of one tracked person, and how well the person was seen.

Letters: M persons, T frames, V joints, W windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fidget.recognition.decisions import WindowSpan
from skeleton_models.clip_arrays import ClipArrays
from temporal_detection.time_grid import TimeGrid, windows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WindowLength:
    """How a person's time is cut; it checks itself once.

    Attributes:
        window_s: seconds that a recogniser sees at once.
        step_s: from one window to the next.
        least_seen: share of a window's frames in which the person must be seen.

    Raises:
        ValueError: numbers that cannot be meant.
    """

    window_s: float = 2.0
    step_s: float = 0.5
    least_seen: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.step_s <= self.window_s < np.inf or not 0 < self.least_seen <= 1:
            raise ValueError(
                "expected a window of some seconds, a step above 0 and no longer than it, and a share in "
                f"(0, 1], got {self.window_s:g} s, {self.step_s:g} s and {self.least_seen:g}"
            )


class PersonWindow(NamedTuple):
    """A window in which a person was seen.

    Attributes:
        first: its first frame.
        last: behind its last frame.
        span: its seconds.
    """

    first: int
    last: int
    span: WindowSpan


def person_windows(frame_time_s: Floats, seen: NDArray[np.bool_], length: WindowLength) -> list[PersonWindow]:
    """Windows of equal numbers of frames over a recording, those in which a person was there.

    Args:
        frame_time_s: (T,) seconds of the frames; T at least 2.
        seen: (T,) whether the person was seen.
        length: of windows and steps; in frames by the recording's mean distance of two frames.

    Raises:
        ValueError: fewer than two frames, or times that do not increase.
    """
    whole = TimeGrid(frame_time_s, 0, 1, len(frame_time_s))
    start_s, end_s = whole.span_s
    share = min(length.window_s / (end_s - start_s), 1.0)
    points = max(2, round(share * len(frame_time_s)))
    step = max(1, round(points * length.step_s / length.window_s))
    kept = []
    for grid in windows(frame_time_s, points, 1, 1 - step / points):
        frames = np.flatnonzero(grid.valid)
        first = int(grid.frames[frames[0]])
        last = int(grid.frames[frames[-1]]) + 1
        if seen[first:last].mean() >= length.least_seen:
            kept.append(PersonWindow(first, last, WindowSpan(*grid.span_s)))
    return kept


def seen_frames(score: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(T, V) joint scores to (T,): whether any joint was found."""
    found: NDArray[np.bool_] = (score > 0).any(axis=1)
    return found


def pose_quality(
    frame_time_s: Floats, score: NDArray[np.float32], most: int = 2000
) -> tuple[Floats, NDArray[np.float32]]:
    """Times and mean joint scores (T, V) of a person; of long recordings the means of `most` stretches."""
    mean = score.mean(axis=1)
    if len(mean) <= most:
        return frame_time_s.copy(), mean.astype(np.float32)
    bounds = np.arange(most + 1) * len(mean) // most
    counts = np.diff(bounds)
    means = np.add.reduceat(mean, bounds[:-1]) / counts
    middles = frame_time_s[bounds[:-1] + counts // 2]
    return middles, means.astype(np.float32)


def cut(poses: ClipArrays, person: int, first: int, last: int) -> ClipArrays:
    """One person of some frames: (1, last - first, V, C)."""
    return ClipArrays(
        poses.xyz[person : person + 1, first:last],
        poses.score[person : person + 1, first:last],
        poses.frame_hw,
    )
