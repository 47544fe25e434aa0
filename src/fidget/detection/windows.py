"""Windows of recordings with what is annotated in them: what a detector sees at once, and learns from it.

Letters: T points of a window, I instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protocols.detection_table import Instance
from skeleton_models.augment_draw import Stream
from skeleton_models.random_keys import Keys, uniform
from temporal_detection.time_grid import TimeGrid, padded, resized, windows

Floats = NDArray[np.float64]
_DRAWS = Stream.BUILDER + 64  # a stream of its own
_TRIALS = 200  # random parts looked at until one holds an instance, as OpenTAD has it


@dataclass(frozen=True, eq=False)
class Window:
    """A part of a recording.

    Attributes:
        recording: its id.
        grid: where its T points lie.
        seen: points that belong to it, from the first on; the others are padding.
    """

    recording: str
    grid: TimeGrid
    seen: int

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(T,) whether a point stands for a frame that the window shows."""
        shown: NDArray[np.bool_] = self.grid.valid & (np.arange(self.grid.points) < self.seen)
        return shown


class Annotated(NamedTuple):
    """What a window teaches.

    Attributes:
        segments: (I, 2) float32 starts and ends on the grid.
        labels: (I,) int64.
        cut: instances of them that reach beyond the window, and were cut.
        left_out: instances of which too little lies in the window.
    """

    segments: NDArray[np.float32]
    labels: NDArray[np.int64]
    cut: int
    left_out: int


@dataclass(frozen=True)
class WindowRules:
    """How recordings become windows.

    Attributes:
        points: T.
        stride: frames from one point to the next.
        how: `padding`, `resizing` or `sliding`.
        overlap: share of a sliding window that the next one sees again.
        kept_share: of an instance that has to lie in a window.
        crop: least and largest share of a recording no longer than a window that training sees.
    """

    points: int
    stride: int
    how: Literal["padding", "resizing", "sliding"]
    overlap: float = 0.5
    kept_share: float = 0.75
    crop: tuple[float, float] = (1.0, 1.0)


def annotate(window: Window, instances: Sequence[Instance], kept_share: float) -> Annotated:
    """The instances of a recording as a window shows them; those that overlap are all kept.

    Args:
        window: of the recording.
        instances: of the recording.
        kept_share: an instance stays, cut, if at least so much of it lies in the window.
    """
    times = np.array([(one.t_start_s, one.t_end_s) for one in instances], np.float64).reshape(-1, 2)
    labels = np.array([one.label for one in instances], np.int64)
    segments = window.grid.positions(times)  # (I, 2)
    inside = segments.clip(0, _end(window))
    share = _shares(segments, inside)
    there = share > 0
    kept = there & (share >= kept_share)
    cut = kept & (share < 1)
    return Annotated(
        inside[kept].astype(np.float32), labels[kept], int(cut.sum()), int((there & ~kept).sum())
    )


def _end(window: Window) -> float:
    """Behind the last point that the window shows."""
    return float(np.flatnonzero(window.valid)[-1] + 1) if window.valid.any() else 0.0


def _shares(segments: Floats, inside: Floats) -> Floats:
    """(..., I) share of each segment that remains; 0 for segments without length."""
    length = segments[..., 1] - segments[..., 0]
    found: Floats = (inside[..., 1] - inside[..., 0]) / np.where(length > 0, length, np.inf)
    return found.clip(0, 1)


def evaluation_windows(recording: str, frame_time_s: Floats, rules: WindowRules) -> list[Window]:
    """The windows that cover a recording; without any randomness."""
    if rules.how == "resizing":
        grids = [resized(frame_time_s, rules.points)]
    elif rules.how == "padding":
        grids = [padded(frame_time_s, rules.stride, rules.points)]
    else:
        grids = list(windows(frame_time_s, rules.points, rules.stride, rules.overlap))
    return [Window(recording, grid, grid.points) for grid in grids]


def training_samples(recording: str, frame_time_s: Floats, rules: WindowRules) -> list[int]:
    """Numbers of the windows as which a recording comes in an epoch; one unless they slide."""
    if rules.how != "sliding":
        return [0]
    return list(range(len(evaluation_windows(recording, frame_time_s, rules))))


def training_window(
    recording: str,
    frame_time_s: Floats,
    instances: Sequence[Instance],
    rules: WindowRules,
    number: int,
    key: Keys,
) -> Window:
    """A window to learn from; what is random in it comes from the key alone.

    With `padding` a recording longer than a window is cut at random, and of a shorter one a random share is
    seen (`crop`), so that some instance remains where there is any: ActionFormer's and OpenTAD's random
    truncation.

    Args:
        recording: its id.
        frame_time_s: (F,) seconds of its frames.
        instances: of it.
        rules: how.
        number: of the window, where they slide.
        key: (1,) of the recording and epoch.
    """
    if rules.how != "padding":
        return evaluation_windows(recording, frame_time_s, rules)[number]
    available = -(-len(frame_time_s) // rules.stride)  # points that the recording has
    draws = uniform(key, _DRAWS, _TRIALS + 1)[0]
    count = min(rules.points, available)
    if available <= rules.points and rules.crop != (1.0, 1.0):
        least = max(round(rules.crop[0] * available), 1)
        most = min(round(rules.crop[1] * available), available)
        count = least + int(draws[0] * (most - least + 1))
    starts = np.floor(draws[1:] * (available - count + 1)).astype(np.int64)  # (trials,)
    start = int(starts[0])
    if instances and count < available:
        whole = TimeGrid(frame_time_s, 0, rules.stride, available)
        times = np.array([(one.t_start_s, one.t_end_s) for one in instances], np.float64)
        segments = whole.positions(times)[None]  # (1, I, 2)
        inside = segments.clip(starts[:, None, None], (starts + count)[:, None, None])
        good = (_shares(segments, inside) >= rules.kept_share).any(1)
        start = int(starts[np.argmax(good)])
    grid = TimeGrid(frame_time_s, start * rules.stride, rules.stride, rules.points)
    return Window(recording, grid, count)
