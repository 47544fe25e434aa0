"""The record every package hands on: the poses of one clip.

Axis letters, here and everywhere: N clips, M persons, T frames, V joints, C channels, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from poses.layout import Layout


@dataclass(frozen=True, eq=False)
class PoseClip:
    """The people of one clip, frame by frame; it checks itself once, so that nobody downstream has to.

    Coordinates are pixels of the upright frame (the container's rotation applied), pixel centres at
    integers, x to the right and y down. A joint that was not found has score 0 and NaN coordinates;
    a person who is not in a frame has score 0 at every joint and a NaN box. Nobody found = M is 0.

    Attributes:
        clip_id: path below the input root without suffix, POSIX slashes.
        layout: the joint set; its length is V.
        xy_px: (M, T, V, 2) float32.
        score: (M, T, V) float32 in 0..1.
        box_px: (M, T, 4) float32, x1 y1 x2 y2.
        time_s: (T,) float64, strictly increasing, from the container's timestamps.
        frame_hw: height and width of the upright frame.
        fps: nominal frame rate; times come from `time_s`, never from this.
        track_ids: (M,) int64, unique.
        z: (M, T, V) float32, the third coordinate of skeletons in space, in the unit of x and y; None where
            there are two. The source says which way its axes point.

    Raises:
        ValueError: a shape, a dtype or a value breaks the contract; the message names it.
    """

    clip_id: str
    layout: Layout
    xy_px: NDArray[np.float32]
    score: NDArray[np.float32]
    box_px: NDArray[np.float32]
    time_s: NDArray[np.float64]
    frame_hw: tuple[int, int]
    fps: Fraction
    track_ids: NDArray[np.int64]
    z: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        m, t, v = len(self.track_ids), len(self.time_s), len(self.layout.joints)
        self._expect("xy_px", self.xy_px, (m, t, v, 2), np.float32)
        self._expect("score", self.score, (m, t, v), np.float32)
        self._expect("box_px", self.box_px, (m, t, 4), np.float32)
        self._expect("time_s", self.time_s, (t,), np.float64)
        self._expect("track_ids", self.track_ids, (m,), np.int64)
        if self.z is not None:
            self._expect("z", self.z, (m, t, v), np.float32)
        self._expect_values()

    def _expect(self, name: str, array: object, shape: tuple[int, ...], dtype: type) -> None:
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
            got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(
                f"clip {self.clip_id!r}: {name} must be {np.dtype(dtype)} {shape} "
                f"(persons, frames, joints of {self.layout.name}), got {got}"
            )

    def _expect_values(self) -> None:
        problems = []
        if len(self.time_s) == 0:
            problems.append("a clip has at least one frame, got none")
        if not (np.all(np.isfinite(self.time_s)) and np.all(np.diff(self.time_s) > 0)):
            problems.append("time_s must be finite and strictly increasing")
        if not np.all((self.score >= 0) & (self.score <= 1)):
            problems.append("score must lie in 0..1")
        if not np.array_equal(np.isfinite(self.xy_px).all(axis=-1), self.score > 0):
            problems.append("xy_px must be finite where score > 0 and NaN where score is 0")
        if self.z is not None and not np.array_equal(np.isfinite(self.z), self.score > 0):
            problems.append("z must be finite where score > 0 and NaN where score is 0")
        if len(np.unique(self.track_ids)) != len(self.track_ids):
            problems.append(f"track_ids must be unique, got {self.track_ids.tolist()}")
        if min(self.frame_hw) < 1:
            problems.append(f"frame_hw must be positive, got {self.frame_hw}")
        if self.fps <= 0:
            problems.append(f"fps must be positive, got {self.fps}")
        if problems:
            raise ValueError(f"clip {self.clip_id!r}: " + "; ".join(problems))

    @property
    def persons(self) -> int:
        """Number of people, M."""
        return len(self.track_ids)

    @property
    def frames(self) -> int:
        """Number of frames, T."""
        return len(self.time_s)
