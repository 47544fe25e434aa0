"""One person's face over a clip: where it is in each frame that was looked at, and why it is in no other.

Axis letters: T frames looked at, K frame numbers asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Found(IntEnum):
    """How a frame came by its face, or why it has none."""

    DETECTED = 0
    INTERPOLATED = 1
    NO_HEAD = 2
    NO_FACE = 3
    SEVERAL = 4
    ELSEWHERE = 5
    EXCHANGED = 6

    @property
    def told(self) -> str:
        """In words."""
        return _WORDS[self]


_WORDS = {
    Found.DETECTED: "detected",
    Found.INTERPOLATED: "interpolated",
    Found.NO_HEAD: "head not found",
    Found.NO_FACE: "no face",
    Found.SEVERAL: "several faces",
    Found.ELSEWHERE: "face not on this person's head",
    Found.EXCHANGED: "another person's face on this body",
}


@dataclass(frozen=True, eq=False)
class FaceTrack:
    """A person's face in the frames that were looked at.

    Attributes:
        clip_id: of the clip.
        person: row in the clip's poses.
        track_id: of the person, as in the pose cache.
        frame_hw: height and width of the upright frame.
        frames: (T,) int64, numbers, ascending.
        time_s: (T,) float64.
        box_xyxy_px: (T, 4) float32 in the upright frame; NaN where there is no face.
        eyes_xy_px: (T, 2, 2) float32, the person's right and left eye; NaN where there is no face.
        score: (T,) float32, the detector's; 0 where there is no face.
        found: (T,) uint8 of `Found`.
        longest_gap_s: between two frames with a face, up to which `at` fills in.

    Raises:
        ValueError: shapes or values that contradict each other.
    """

    clip_id: str
    person: int
    track_id: int
    frame_hw: tuple[int, int]
    frames: NDArray[np.int64]
    time_s: NDArray[np.float64]
    box_xyxy_px: NDArray[np.float32]
    eyes_xy_px: NDArray[np.float32]
    score: NDArray[np.float32]
    found: NDArray[np.uint8]
    longest_gap_s: float = 0.5

    def __post_init__(self) -> None:
        t = len(self.frames)
        shapes = [self.time_s.shape, self.box_xyxy_px.shape, self.eyes_xy_px.shape, self.score.shape]
        if [*shapes, self.found.shape] != [(t,), (t, 4), (t, 2, 2), (t,), (t,)]:
            raise ValueError(f"clip {self.clip_id!r}: expected arrays of {t} frames, got {shapes}")
        there = self.found <= Found.INTERPOLATED
        whole = np.isfinite(self.box_xyxy_px).all(axis=1) & np.isfinite(self.eyes_xy_px).all(axis=(1, 2))
        if not (np.array_equal(there, whole) and np.array_equal(there, self.score > 0)):
            raise ValueError(f"clip {self.clip_id!r}: box, eyes, score and how a face was found disagree")
        if t and (self.found.max() > max(Found) or np.any(np.diff(self.frames) <= 0)):
            raise ValueError(f"clip {self.clip_id!r}: expected ascending frames and known ways of finding")

    @property
    def face_frames(self) -> NDArray[np.int64]:
        """(K,) numbers of the frames with a face."""
        return self.frames[self.found <= Found.INTERPOLATED]

    def sampled(self, count: int) -> NDArray[np.int64]:
        """(count,) frame numbers evenly spaced among those with a face, repeated where there are fewer.

        Raises:
            ValueError: there is none; says why.
        """
        there = self.face_frames
        if not len(there):
            raise ValueError(f"{self.told()}: there is no frame to take its face from")
        chosen: NDArray[np.int64] = there[np.linspace(0, len(there) - 1, count).round().astype(int)]
        return chosen

    def counts(self) -> dict[Found, int]:
        """Frames by how they came by their face, or why they have none."""
        return {way: int((self.found == way).sum()) for way in Found}

    def at(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Boxes (K, 4) and eyes (K, 2, 2) in frames of these numbers, looked at or between two such.

        NaN where there is no face, or none near enough on both sides.
        """
        numbers = np.asarray(numbers, np.int64)
        values = np.full((len(numbers), 8), np.nan, np.float32)
        if len(self.frames):
            rows = np.concatenate([self.box_xyxy_px, self.eyes_xy_px.reshape(-1, 4)], axis=1)  # (T, 8)
            after = np.searchsorted(self.frames, numbers)
            inside = (numbers >= self.frames[0]) & (numbers <= self.frames[-1])
            high = np.clip(after, 0, len(self.frames) - 1)
            low = np.where(self.frames[high] == numbers, high, np.maximum(high - 1, 0))
            near = self.time_s[high] - self.time_s[low] <= self.longest_gap_s + 1e-6
            step = np.maximum(self.frames[high] - self.frames[low], 1)
            share = ((numbers - self.frames[low]) / step)[:, None].astype(np.float32)
            mixed = (1 - share) * rows[low] + share * rows[high]
            values = np.where((inside & near)[:, None], mixed, values).astype(np.float32)
        return values[:, :4], values[:, 4:].reshape(-1, 2, 2)

    def told(self) -> str:
        """The counts in one line."""
        counts = self.counts()
        faces = counts[Found.DETECTED] + counts[Found.INTERPOLATED]
        said = (
            f"clip {self.clip_id!r} person {self.track_id}: {faces} of {len(self.frames)} frames with a face"
        )
        more = [f"{counts[way]} {way.told}" for way in Found if counts[way] and way is not Found.DETECTED]
        return f"{said} ({', '.join(more)})" if more else said
