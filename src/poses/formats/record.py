"""What readers yield and writers take, and the steps every foreign format shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poses.clip import PoseClip
from poses.layout import LAYOUTS, Layout

DEFAULT_FPS = Fraction(30)
SPATIAL_FRAME_HW = (1, 1)  # there is no picture that these coordinates are pixels of
# Joints of one clip, over all persons and frames: two people's whole bodies for three hours.
MAX_JOINTS = 100_000_000
# Called with a clip id and one line on what is wrong with it; the reader goes on with the next clip.
OnBroken = Callable[[str, str], None]


class FormatError(ValueError):
    """A file does not hold what its format promises; the message says what was expected and what came."""


@dataclass(frozen=True)
class LabelledClip:
    """One clip of a file, with what else the file says about it.

    Attributes:
        clip: the poses.
        label: class index, where the format has one.
        splits: names of the splits that list the clip.
        notes: what the reader had to assume or change, one short sentence each.
        class_name: name of the label, where the format has one.
    """

    clip: PoseClip
    label: int | None = None
    splits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    class_name: str | None = None


@dataclass
class RawClip:
    """Arrays as a foreign file has them; `finish` turns them into a clip.

    Attributes:
        xy: (M, T, V, 2) any float, missing joints as zeros, NaN or whatever the score says.
        score: (M, T, V), or None where the format has none: then joints at exactly 0, 0 are missing.
        box_px: (M, T, 4), or None: then the box around the joints.
        time_s: (T,), or None: then frame number / fps.
        frame_hw: None where the format has no frame size: then what holds all joints.
        fps: None: 30, noted.
        track_ids: (M,), or None: 0, 1, ...
        z: (M, T, V), or None where there are two axes.
    """

    clip_id: str
    layout: Layout
    xy: NDArray[Any]
    score: NDArray[Any] | None
    box_px: NDArray[Any] | None = None
    time_s: NDArray[Any] | None = None
    frame_hw: tuple[int, int] | None = None
    fps: Fraction | None = None
    track_ids: NDArray[Any] | None = None
    notes: list[str] = field(default_factory=list)
    z: NDArray[Any] | None = None

    def finish(
        self, label: int | None = None, splits: tuple[str, ...] = (), class_name: str | None = None
    ) -> LabelledClip:
        """The clip, its people without a single joint dropped, with notes on what had to be assumed.

        Raises:
            ValueError: the arrays do not make a clip; the message names the clip.
        """
        coordinates, score = self._joints()
        present = np.flatnonzero((score > 0).any(axis=(1, 2)))
        coordinates, score = coordinates[present], score[present]  # (M, T, V, 2 or 3), (M, T, V)
        xy_px = coordinates[..., :2]
        track_ids = np.arange(len(present)) if self.track_ids is None else np.asarray(self.track_ids)[present]
        if self.box_px is None:
            box_px = boxes_around(xy_px)
        else:
            box_px = np.asarray(self.box_px, np.float32)[present]
            box_px[~(score > 0).any(axis=-1)] = np.nan
        fps = self.fps
        if fps is None:
            fps = DEFAULT_FPS
            if self.time_s is None:
                self.notes.append(f"no frame rate in the file: {fps} frames per second assumed")
        frames = xy_px.shape[1]
        time_s = np.arange(frames) / float(fps) if self.time_s is None else self.time_s
        clip = PoseClip(
            clip_id=self.clip_id,
            layout=self.layout,
            xy_px=np.ascontiguousarray(xy_px),
            score=np.ascontiguousarray(score),
            box_px=np.ascontiguousarray(box_px, dtype=np.float32),
            time_s=np.asarray(time_s, np.float64),
            frame_hw=self.frame_hw or self._frame_hw(xy_px),
            fps=fps,
            track_ids=np.asarray(track_ids, np.int64),
            z=None if self.z is None else np.ascontiguousarray(coordinates[..., 2]),
        )
        if is_normalised(clip):
            self.notes.append("coordinates look normalised (all below 4): kept as they are")
        return LabelledClip(clip, label, splits, tuple(self.notes), class_name)

    def _joints(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coordinates and scores by the house rule: missing is score 0 and NaN."""
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and missing
            xy_px = np.array(self.xy, dtype=np.float32)
            if self.z is not None:
                xy_px = np.concatenate([xy_px, np.asarray(self.z, np.float32)[..., None]], axis=-1)
        finite = np.isfinite(xy_px).all(axis=-1)
        if self.score is None:
            score = (finite & (xy_px != 0).any(axis=-1)).astype(np.float32)
        else:
            with np.errstate(over="ignore"):
                score = np.array(self.score, dtype=np.float32)
            above, below = int((score > 1).sum()), int((score < 0).sum())
            if above:
                self.notes.append("scores above 1 set to 1")
            if below:
                self.notes.append("scores below 0 set to 0 (joint missing)")
            score = np.where(finite & (score > 0), np.minimum(score, np.float32(1)), np.float32(0))
        xy_px[score == 0] = np.nan
        return xy_px, score

    def _frame_hw(self, xy_px: NDArray[np.float32]) -> tuple[int, int]:
        """The smallest frame that holds all joints."""
        self.notes.append("no frame size in the file: the smallest frame that holds all joints taken")
        visible = xy_px[np.isfinite(xy_px[..., 0])]
        width, height = (int(side) + 1 for side in np.minimum(visible.max(axis=0, initial=0), 2**31 - 256))
        return height, width


def boxes_around(xy_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """(M, T, 4) smallest boxes around the joints of (M, T, V, 2); NaN where there is none."""
    visible = np.isfinite(xy_px)
    low = np.where(visible, xy_px, np.float32(np.inf)).min(axis=2)
    high = np.where(visible, xy_px, np.float32(-np.inf)).max(axis=2)
    box_px = np.concatenate([low, high], axis=-1)
    box_px[~np.isfinite(box_px).all(axis=-1)] = np.nan
    return box_px


def is_normalised(clip: PoseClip) -> bool:
    """Whether every coordinate is below 4 in size: no pixels, but fractions of a frame or of a person.

    Points in space are in units of length, never pixels.
    """
    if clip.z is not None:
        return False
    visible = clip.xy_px[np.isfinite(clip.xy_px)]
    return bool(visible.size) and bool(np.abs(visible).max() < 4)


def expect_joint_count(count: int, layout: Layout, where: str) -> None:
    """Raise FormatError unless `count` is the layout's number of joints, naming the layouts that fit."""
    if count != len(layout.joints):
        fitting = [name for name, known in LAYOUTS.items() if len(known.joints) == count]
        hint = f"layouts with {count}: {', '.join(fitting)}" if fitting else f"no known layout has {count}"
        raise FormatError(
            f"{where}: layout {layout.name} has {len(layout.joints)} joints, the file has {count} ({hint}); "
            "name the layout the file was made with"
        )


def expect_size(persons: int, frames: int, layout: Layout, where: str) -> None:
    """Raise FormatError where a few lines of text would ask for gigabytes."""
    if persons * frames * len(layout.joints) > MAX_JOINTS:
        raise FormatError(
            f"{where}: {persons} persons in {frames} frames are more than one clip can hold; "
            "check that track ids last from frame to frame, or split the clip"
        )


def field_of(record: object, key: str, kind: type | tuple[type, ...], where: str) -> Any:
    """`record[key]`, checked to be of `kind`; FormatError says what was found instead."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    wanted = " or ".join(one.__name__ for one in kinds)
    if not isinstance(record, Mapping):
        raise FormatError(f"{where}: expected an object with {key!r}, got {type(record).__name__}")
    if key not in record:
        raise FormatError(
            f"{where}: expected the key {key!r} ({wanted}), found {sorted(map(str, record))[:12]}"
        )
    value = record[key]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise FormatError(f"{where}: expected {key!r} to be {wanted}, got {type(value).__name__}")
    return value


def shortest(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64 numbers that print briefly (0.1, not 0.10000000149) and read back as the same float32."""
    exact = values.astype(np.float64)
    short = exact.copy()
    left = np.ones(values.shape, np.bool_)
    for decimals in (4, 6, 8):
        rounded = np.round(exact, decimals)
        fits = left & (rounded.astype(np.float32) == values)
        short[fits] = rounded[fits]
        left &= ~fits
        if not left.any():
            return short
    short[left] = values[left].astype("U").astype(np.float64)  # always right, and slow
    return short


def zeroed(clip: PoseClip) -> NDArray[np.float32]:
    """(M, T, V, 2) coordinates with the missing joints at exactly 0, 0, as most formats want them."""
    return np.where(np.isfinite(clip.xy_px), clip.xy_px, np.float32(0))
