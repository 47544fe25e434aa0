"""From faces found frame by frame to one person's face over time.

A face is taken only where it lies on this person's head: one that lies on another person's head, or beside
every head, is counted and never used, and neither is one of several on the same head unless it continues the
face of the frames before. Where people pass each other a tracker of bodies may exchange them: a face that was
on another body before is not taken either. Short gaps are filled in, long ones stay without a face.

Axis letters: M persons, T frames looked at, D faces in one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fidget.faces.face_tracks import FaceTrack, Found
from fidget.faces.head_region import HeadRegions
from poses.clip import PoseClip

_ON_HEAD = 0.75  # heads from the middle of a head's joints, at most
_SIZES = (0.4, 3.0)  # sides of a face's box, in widths of the head
_SAME_FACE, _OTHER_FACE = 0.4, 0.2  # overlap with the face before: at least, and what another has at most
_KERNEL_REACH = 3.0  # standard deviations


@dataclass(frozen=True)
class TrackSettings:
    """How faces are looked for and joined.

    Attributes:
        max_fps: frames a second that are looked at; None looks at all.
        gap_s: longest time between two detected faces that is filled in, seconds.
        smooth_s: standard deviation of the weights that even the path out, seconds; 0 leaves it as found.

    Raises:
        ValueError: a number out of its range.
    """

    max_fps: float | None = None
    gap_s: float = 0.5
    smooth_s: float = 0.08

    def __post_init__(self) -> None:
        if self.max_fps is not None and not 0 < self.max_fps < float("inf"):
            raise ValueError(f"max_fps: expected frames a second above 0, got {self.max_fps}")
        if not (0 <= self.gap_s <= 60 and 0 <= self.smooth_s <= 10):
            raise ValueError(
                f"expected gap_s in 0..60 and smooth_s in 0..10 seconds, got {self.gap_s} and {self.smooth_s}"
            )

    @property
    def longest_gap_s(self) -> float:
        """Of two neighbours with a face: `gap_s`, or one and a half steps where few frames are looked at."""
        return self.gap_s if self.max_fps is None else max(self.gap_s, 1.5 / self.max_fps)


@dataclass(frozen=True, eq=False)
class Candidates:
    """The faces of one frame in the region of one head.

    Attributes:
        box_px: (D, 4) float32, left top right bottom in the upright frame, surest first.
        eyes_px: (D, 2, 2) float32, right and left eye.
        score: (D,) float32 in 0..1.
    """

    box_px: NDArray[np.float32]
    eyes_px: NDArray[np.float32]
    score: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.score)


@dataclass(frozen=True)
class Heads:
    """The heads of all people in one frame, and which of them is meant.

    Attributes:
        center_px: (M, 2) float32; NaN where a head was not found.
        width_px: (M,) float32.
        person: row of the one that is meant.
    """

    center_px: NDArray[np.float32]
    width_px: NDArray[np.float32]
    person: int


@dataclass(frozen=True)
class Choice:
    """Which of a frame's faces is the person's.

    Attributes:
        found: detected, or why none is.
        row: of the candidates; -1 for none.
    """

    found: Found
    row: int = -1


def choose_face(faces: Candidates, heads: Heads, before_px: NDArray[np.float32] | None) -> Choice:
    """The face that lies on this person's head, if there is one and no more than one.

    Args:
        faces: of one frame, in this head's region.
        heads: of all people of the frame.
        before_px: (4,) this person's face shortly before, or None.
    """
    width = heads.width_px[heads.person]
    if not np.isfinite(width):
        return Choice(Found.NO_HEAD)
    if not len(faces):
        return Choice(Found.NO_FACE)
    middles = (faces.box_px[:, :2] + faces.box_px[:, 2:]) / 2  # (D, 2)
    sides = (faces.box_px[:, 2:] - faces.box_px[:, :2]).max(axis=1)  # (D,)
    # How far each face is from each head, in heads.
    away = np.linalg.norm(middles[:, None] - heads.center_px, axis=-1) / heads.width_px  # (D, M)
    own = away[:, heads.person]
    others = np.delete(away, heads.person, axis=1)
    nearer = np.where(np.isfinite(others), others, np.inf).min(axis=1, initial=np.inf) < own
    fits = (sides >= _SIZES[0] * width) & (sides <= _SIZES[1] * width)
    on_head = np.flatnonzero((own <= _ON_HEAD) & fits & ~nearer)
    if not len(on_head):
        return Choice(Found.ELSEWHERE)
    if len(on_head) == 1:
        return Choice(Found.DETECTED, int(on_head[0]))
    if before_px is not None:
        shared = overlaps(before_px, faces.box_px[on_head])
        order = np.argsort(-shared)
        if shared[order[0]] >= _SAME_FACE and shared[order[1]] <= _OTHER_FACE:
            return Choice(Found.DETECTED, int(on_head[order[0]]))
    return Choice(Found.SEVERAL)


def overlaps(box_px: NDArray[np.float32], boxes_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """(D,) intersection over union of one box (4,) with boxes (D, 4)."""
    low, high = np.maximum(box_px[:2], boxes_px[:, :2]), np.minimum(box_px[2:], boxes_px[:, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(boxes_px[:, 2:] - boxes_px[:, :2], axis=1) + np.prod(box_px[2:] - box_px[:2])
    ratio: NDArray[np.float32] = (shared / np.maximum(areas - shared, 1e-9)).astype(np.float32)
    return ratio


def join_faces(
    clip: PoseClip,
    frames: NDArray[np.int64],
    faces: Sequence[Sequence[Candidates]],
    regions: HeadRegions,
    settings: TrackSettings,
) -> tuple[FaceTrack, ...]:
    """Everyone's track from what was found frame by frame.

    Args:
        clip: whose people these are.
        frames: (T,) numbers that were looked at, ascending.
        faces: M x T, each in the region of that person's head.
        regions: where the heads are.
        settings: how to join.
    """
    m, t = clip.persons, len(frames)
    time_s = clip.time_s[frames]
    values = np.full((m, t, 8), np.nan, np.float32)  # box, right eye, left eye
    score, found = np.zeros((m, t), np.float32), np.empty((m, t), np.uint8)
    for person in range(m):
        last = -1
        for row, number in enumerate(frames):
            heads = Heads(regions.center_px[:, number], regions.width_px[:, number], person)
            there = faces[person][row]
            recent = last >= 0 and time_s[row] - time_s[last] <= settings.longest_gap_s + 1e-6
            choice = choose_face(there, heads, values[person, last, :4] if recent else None)
            found[person, row] = choice.found
            if choice.row >= 0:
                values[person, row, :4] = there.box_px[choice.row]
                values[person, row, 4:] = there.eyes_px[choice.row].ravel()
                score[person, row], last = there.score[choice.row], row
    exchanged = exchanged_faces(values[..., :4], time_s, settings.longest_gap_s)
    values[exchanged], score[exchanged], found[exchanged] = np.nan, 0, Found.EXCHANGED
    tracks = []
    for person in range(m):
        _fill_gaps(values[person], score[person], found[person], time_s, settings.longest_gap_s)
        _smooth(values[person], time_s, settings)
        tracks.append(
            FaceTrack(
                clip.clip_id,
                person,
                int(clip.track_ids[person]),
                clip.frame_hw,
                frames,
                time_s,
                values[person, :, :4],
                values[person, :, 4:].reshape(t, 2, 2),
                score[person],
                found[person],
                settings.longest_gap_s,
            )
        )
    return tuple(tracks)


def exchanged_faces(
    boxes_px: NDArray[np.float32], time_s: NDArray[np.float64], gap_s: float
) -> NDArray[np.bool_]:
    """(M, T) where a person's body has a face that was another's before: the poses changed places.

    Faces are followed by overlap alone. One belongs to the person on whose head it first was; as long as it
    is followed, it is no other's.

    Args:
        boxes_px: (M, T, 4) the face on each head; NaN where there is none.
        time_s: (T,).
        gap_s: longest time for which a face that is not seen may be followed.
    """
    owners: list[int] = []
    last_px, last_s = np.empty((0, 4), np.float32), np.empty(0)
    exchanged = np.zeros(boxes_px.shape[:2], bool)
    for row in range(boxes_px.shape[1]):
        recent = time_s[row] - last_s <= gap_s + 1e-6
        for person in np.flatnonzero(np.isfinite(boxes_px[:, row]).all(axis=1)):
            box = boxes_px[person, row]
            shared = np.where(recent, overlaps(box, last_px), 0)
            if len(shared) and shared.max() >= _SAME_FACE:
                face = int(shared.argmax())
                recent[face] = False  # it is on one head only
                last_px[face], last_s[face] = box, time_s[row]
                exchanged[person, row] = owners[face] != person
            else:
                owners.append(int(person))
                last_px, last_s = np.vstack([last_px, box]), np.append(last_s, time_s[row])
                recent = np.append(recent, False)
        keep = time_s[row] - last_s <= gap_s + 1e-6
        owners = [owner for owner, kept in zip(owners, keep, strict=True) if kept]
        last_px, last_s = last_px[keep], last_s[keep]
    return exchanged


def _fill_gaps(
    values: NDArray[np.float32],
    score: NDArray[np.float32],
    found: NDArray[np.uint8],
    time_s: NDArray[np.float64],
    gap_s: float,
) -> None:
    """Fill frames in which simply nothing was found between two near ones, in place."""
    known = np.flatnonzero(found == Found.DETECTED)
    for low, high in pairwise(known):
        inner = slice(low + 1, high)
        silent = np.isin(found[inner], (Found.NO_HEAD, Found.NO_FACE)).all()
        if high - low == 1 or not silent or time_s[high] - time_s[low] > gap_s + 1e-6:
            continue
        share = (time_s[inner] - time_s[low]) / (time_s[high] - time_s[low])
        values[inner] = values[low] + share[:, None] * (values[high] - values[low])
        score[inner], found[inner] = min(score[low], score[high]), Found.INTERPOLATED


def _smooth(values: NDArray[np.float32], time_s: NDArray[np.float64], settings: TrackSettings) -> None:
    """Weighted means over neighbouring frames of the same run, in place."""
    there = np.isfinite(values).all(axis=1)
    if settings.smooth_s == 0 or not there.any():
        return
    rows = np.flatnonzero(there)
    apart = (np.diff(rows) > 1) | (np.diff(time_s[rows]) > settings.longest_gap_s + 1e-6)
    for run in np.split(rows, np.flatnonzero(apart) + 1):
        raw, times = values[run].astype(np.float64), time_s[run]
        low = np.searchsorted(times, times - _KERNEL_REACH * settings.smooth_s)
        high = np.searchsorted(times, times + _KERNEL_REACH * settings.smooth_s, side="right")
        for place, (begin, end) in enumerate(zip(low, high, strict=True)):
            # As far to one side as to the other, so that the ends are not drawn inwards.
            reach = min(place - begin, end - 1 - place)
            part = slice(place - reach, place + reach + 1)
            weight = np.exp(-0.5 * ((times[part] - times[place]) / settings.smooth_s) ** 2)
            values[run[place]] = (weight / weight.sum()) @ raw[part]
