"""Who is who from frame to frame, who is the main subject, and who was never there.

Each frame's people are assigned to the tracks all at once (the Hungarian method) by how well box and joints
agree with where each track is expected: its last pose, moved on at a velocity that fades while it is out of
sight. People are kept in order of importance, see `Tracks`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_extract.agreement import Box, agreement_of, iou, moved, without_duplicates
from pose_extract.estimator import FramePeople
from pose_extract.track_store import TrackStore
from poses.layout import Layout

Floats = NDArray[np.float32]
# Agreement of a person with a track runs from 0 to 1; below this they are not the same.
_LEAST_AGREEMENT = 0.15
# Share of a new displacement in the velocity, what remains of it per frame out of sight, and what remains of
# the agreement of a track per frame out of sight.
_VELOCITY_GAIN = 0.4
_VELOCITY_FADE = 0.95
_SIGHT_FADE = 0.99
# Whoever appears where a lost person was last seen, with this overlap, is that person come back.
_SAME_PLACE_IOU = 0.5
# Seen this often, a person is no phantom in a clip of any length.
_SURE_SIGHTINGS = 5
# More people at a time than are asked for are followed, so that the main subject may come late.
_SPARE_TRACKS = 4


@dataclass(frozen=True, eq=False)
class Tracks:
    """The people of one clip, main subject first.

    A person's importance is the mean over all frames of (square root of the box's share of the frame) times
    centrality (1 at the centre of the frame, 0.5 at its corners), 0 where the person is absent: large,
    central and long seen.

    Attributes:
        xy_px: (M, T, V, 2) float32; NaN where a joint or the whole person is missing.
        score: (M, T, V) float32; 0 there.
        box_px: (M, T, 4) float32; NaN where the person is missing.
        track_ids: (M,) int64, numbered as the people came into sight.
    """

    xy_px: Floats
    score: Floats
    box_px: Floats
    track_ids: NDArray[np.int64]


class _Track:
    """One person who is being followed."""

    __slots__ = ("box", "id", "importance", "last_frame", "seen", "store", "velocity", "xy_px")

    def __init__(self, track_id: int, joints: int) -> None:
        self.id = track_id
        self.store = TrackStore(joints)
        self.box: Box = (0.0, 0.0, 0.0, 0.0)
        self.velocity = (0.0, 0.0)
        self.xy_px: Floats = np.empty((joints, 2), np.float32)
        self.last_frame = -1
        self.seen = 0
        self.importance = 0.0

    def expected_shift(self, frame: int) -> tuple[float, float]:
        """How far the person has moved since last seen, at a velocity that fades out of sight."""
        gap = frame - self.last_frame
        frames = 1.0 if gap == 1 else (1 - _VELOCITY_FADE**gap) / (1 - _VELOCITY_FADE)
        return self.velocity[0] * frames, self.velocity[1] * frames

    def add(self, frame: int, xy_px: Floats, score: Floats, box: Box, importance: float) -> None:
        if self.seen:
            gap = frame - self.last_frame
            step_x = (box[0] + box[2] - self.box[0] - self.box[2]) / (2 * gap)
            step_y = (box[1] + box[3] - self.box[1] - self.box[3]) / (2 * gap)
            x, y = self.velocity
            self.velocity = (x + _VELOCITY_GAIN * (step_x - x), y + _VELOCITY_GAIN * (step_y - y))
        self.box, self.xy_px, self.last_frame = box, xy_px.copy(), frame
        self.seen += 1
        self.importance += importance
        self.store.put(frame, xy_px, score, box)


class ClipTracker:
    """Follows the people of one clip: `update` once a frame, in order, then `finish` once.

    Two people of one frame are one where their bodies agree; the hands and faces of people who touch may well
    be one and the same to a model that looks for each on its own.

    A person who was out of sight for more than `max_gap_frames` is lost: whoever appears later is someone
    else, unless it is in the very place where the lost one was last seen: who leaves an interview and comes
    back sits down on the same chair.

    Memory grows with the frames of at most `2 * max_persons + 4` people, whatever the crowd: of tracks that
    have ended, only those that can still be among the most important are kept, and while `max_persons + 4`
    people are in sight, a newcomer is followed only if more important than one of them, whose track then
    ends.

    Raises:
        ValueError: sizes are not positive, or a frame's arrays do not have the layout's number of joints.
    """

    def __init__(
        self, layout: Layout, frame_hw: tuple[int, int], max_persons: int, max_gap_frames: int = 30
    ) -> None:
        if max_persons < 1 or max_gap_frames < 0 or min(frame_hw) < 1:
            raise ValueError(
                "tracking needs max_persons of at least 1, max_gap_frames of at least 0 and a frame of at "
                f"least one pixel, got {max_persons}, {max_gap_frames} and {frame_hw}"
            )
        self._layout = layout
        self._body = list(layout.parts.get("body", range(len(layout.joints))))
        self._frame_hw = frame_hw
        self._max_persons = max_persons
        self._max_gap_frames = max_gap_frames
        self._frames = 0
        self._born = 0
        self._live: list[_Track] = []
        self._ended: list[_Track] = []

    def update(self, people: FramePeople) -> None:
        """Take the people of the next frame."""
        frame = self._frames
        self._frames += 1
        self._end_lost(frame)
        p, v = len(people.score), len(self._layout.joints)
        if people.xy_px.shape != (p, v, 2) or people.score.shape != (p, v) or people.box_px.shape != (p, 4):
            raise ValueError(
                f"tracking in layout {self._layout.name!r} needs people as xy_px (P, {v}, 2), score (P, {v}) "
                f"and box_px (P, 4), got {people.xy_px.shape}, {people.score.shape} and {people.box_px.shape}"
            )
        if not p:
            return
        xy_px, score, boxes = self._sound(people)
        if len(boxes) > 1:
            body = self._body
            chosen = without_duplicates(xy_px[:, body], score[:, body], boxes, people.box_score)
            xy_px, score, boxes = xy_px[chosen], score[chosen], [boxes[i] for i in chosen]
        owners = _assign(self._live, frame, xy_px, boxes)
        for person, (owner, box) in enumerate(zip(owners, boxes, strict=True)):
            importance = self._importance(box)
            track = owner or self._returning(box) or self._new_track(importance)
            if track:
                track.add(frame, xy_px[person], score[person], box, importance)

    def finish(self) -> Tracks:
        """Everyone who counts, main subject first; the tracker is spent afterwards.

        Who was seen in fewer than `min(5, 1 + frames // 10)` frames is taken for a phantom and dropped: a
        clip of up to nine frames keeps all its people, one of 40 or more asks for five sightings.
        """
        needed = min(_SURE_SIGHTINGS, 1 + self._frames // 10)
        tracks = [track for track in self._ended + self._live if track.seen >= needed]
        self._live, self._ended = [], []
        tracks = sorted(tracks, key=lambda track: (-track.importance, track.id))[: self._max_persons]
        m, t, v = len(tracks), self._frames, len(self._layout.joints)
        xy_px = np.empty((m, t, v, 2), np.float32)
        score = np.empty((m, t, v), np.float32)
        box_px = np.empty((m, t, 4), np.float32)
        for person, track in enumerate(tracks):
            track.store.move_to(xy_px[person], score[person], box_px[person])
        return Tracks(xy_px, score, box_px, np.array([track.id for track in tracks], np.int64))

    def _sound(self, people: FramePeople) -> tuple[Floats, Floats, list[Box]]:
        """People with at least one joint, missing joints as NaN and score 0, boxes finite."""
        xy_px, score = people.xy_px, people.score
        found = (score > 0) & np.isfinite(xy_px[..., 0] + xy_px[..., 1])  # (P, V)
        if not found.all():
            xy_px = np.where(found[..., None], xy_px, np.float32(np.nan))
            score = np.where(found, score, np.float32(0))
        boxes = []
        kept = []
        for person, (x1, y1, x2, y2) in enumerate(people.box_px.tolist()):
            if not found[person].any():
                continue
            if not math.isfinite(x1 + y1 + x2 + y2):
                inside = xy_px[person][found[person]]
                (x1, y1), (x2, y2) = inside.min(axis=0).tolist(), inside.max(axis=0).tolist()
            kept.append(person)
            boxes.append((x1, y1, x2, y2))
        return (xy_px, score, boxes) if len(kept) == len(score) else (xy_px[kept], score[kept], boxes)

    def _importance(self, box: Box) -> float:
        """Of one person in one frame, see `Tracks`."""
        height, width = self._frame_hw
        x1, y1, x2, y2 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], width), min(box[3], height)
        size = math.sqrt(max(x2 - x1, 0.0) * max(y2 - y1, 0.0) / (width * height))
        off_center = math.hypot(x1 + x2 - width, y1 + y2 - height) / math.hypot(width, height)
        return size * (1 - 0.5 * min(off_center, 1.0))

    def _end_lost(self, frame: int) -> None:
        """Stop following who is out of sight for too long."""
        for track in [t for t in self._live if frame - t.last_frame > self._max_gap_frames + 1]:
            self._end(track)

    def _end(self, track: _Track) -> None:
        """Put a track aside, and keep of those only the ones that can still be among the chosen.

        Importance only grows, so an ended track with `max_persons` above it has no chance.
        """
        self._live.remove(track)
        self._ended.append(track)
        sure = [t for t in self._ended if t.seen >= _SURE_SIGHTINGS]
        sure = sorted(sure, key=lambda t: (-t.importance, t.id))[: self._max_persons]
        short_clip = self._frames <= 10 * _SURE_SIGHTINGS  # fewer sightings may still do
        self._ended = sure + [t for t in self._ended if short_clip and t.seen < _SURE_SIGHTINGS]

    def _returning(self, box: Box) -> _Track | None:
        """The lost person who was last seen here, followed again; None if there is none, or no room."""
        if not self._ended or len(self._live) >= self._max_persons + _SPARE_TRACKS:
            return None
        track = max(self._ended, key=lambda ended: iou(ended.box, box))
        if iou(track.box, box) < _SAME_PLACE_IOU:
            return None
        self._ended.remove(track)
        self._live.append(track)
        track.velocity = (0.0, 0.0)
        return track

    def _new_track(self, importance: float) -> _Track | None:
        """A track for a newcomer, or None where enough more important people are in sight."""
        if len(self._live) >= self._max_persons + _SPARE_TRACKS:
            least = min(self._live, key=lambda track: self._importance(track.box))
            if self._importance(least.box) >= importance:
                return None
            self._end(least)
        track = _Track(self._born, len(self._layout.joints))
        self._born += 1
        self._live.append(track)
        return track


def _assign(tracks: list[_Track], frame: int, xy_px: Floats, boxes: list[Box]) -> list[_Track | None]:
    """For each person the track it continues, by the best total agreement; None for newcomers."""
    if not tracks or not boxes:
        return [None] * len(boxes)
    if len(tracks) == len(boxes) == 1:  # the usual case, without numpy where boxes alone decide
        track = tracks[0]
        fade = _SIGHT_FADE ** (frame - track.last_frame - 1)
        if 0.5 * iou(moved(track.box, track.expected_shift(frame)), boxes[0]) * fade >= _LEAST_AGREEMENT:
            return [track]
    shifts = [track.expected_shift(frame) for track in tracks]
    expected = [moved(track.box, shift) for track, shift in zip(tracks, shifts, strict=True)]
    expected_xy = np.stack([track.xy_px for track in tracks]) + np.array(shifts, np.float32)[:, None]
    fades = np.array([_SIGHT_FADE ** (frame - track.last_frame - 1) for track in tracks])
    agreement = agreement_of(expected, expected_xy, boxes, xy_px) * fades[:, None]  # (N, P)
    agreement[agreement < _LEAST_AGREEMENT] = 0
    if min(agreement.shape) == 1:
        best = int(agreement.argmax())
        pairs = [(best // len(boxes), best % len(boxes))]
    else:
        from scipy.optimize import linear_sum_assignment

        pairs = list(zip(*linear_sum_assignment(agreement, maximize=True), strict=True))
    owners: list[_Track | None] = [None] * len(boxes)
    for track_index, person in pairs:
        if agreement[track_index, person] > 0:
            owners[person] = tracks[track_index]
    return owners
