"""Trimmed clips pasted into motionless tracks: more to train a detector with, where recordings are few.

A track is the rest pose of its first clip, held, with the jitter that the estimator had on that clip. Clips
of one person are laid onto it one after the other, moved and scaled so that their trunks lie on the track's;
in the pauses the body glides from where one clip left it to rest, and to where the next one begins. That is
no recording: ids begin with `pasted/`, and the table's note says what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from poses.cache_reader import PoseCache
from poses.clip import PoseClip
from protocols.clip_table import ClipTable
from protocols.detection_table import DetectionTable, Instance

PREFIX = "pasted/"
NOTE = "trimmed clips pasted into motionless tracks, not recordings"
_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_FIRST_SHARE = 0.1  # of a clip, in which the body is about at rest
_DEVIATION = 1.3 / np.sqrt(6)  # of white noise, from the median size of its second differences in x and y

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PastedTrack:
    """One track.

    Attributes:
        clip: its poses; one person.
        instances: what was pasted, in order.
        pasted: ids of the clips, in the same order; the first gave the rest pose too.
    """

    clip: PoseClip
    instances: tuple[Instance, ...]
    pasted: tuple[str, ...]


def paste_clips(
    track_id: str,
    clips: Sequence[PoseClip],
    labels: Sequence[int],
    frames: int,
    rng: np.random.Generator,
    glide_s: float = 0.4,
) -> PastedTrack:
    """Clips one after the other on a motionless track, in pauses of random lengths.

    Args:
        track_id: of the new track.
        clips: of one joint set, each with somebody in it; the first says frame rate, picture and rest pose.
        labels: what is done in each.
        frames: T of the track; the clips and a glide on both sides of each have to find room.
        rng: draws the pauses and the jitter.
        glide_s: seconds in which the body goes from rest to a clip's first pose, and back.

    Returns:
        Poses of T frames at the first clip's rate, and an instance for each clip, from its first frame to
        behind its last.

    Raises:
        ValueError: no clip, nobody in one, another joint set, poses in space, labels of another number, too
            few frames.
    """
    _check(track_id, clips, labels)
    first = clips[0]
    fps = float(first.fps)
    parts = [_resampled(clip, fps) for clip in clips]
    glide = max(1, round(glide_s * fps))
    needed = sum(len(score) for _, score in parts) + 2 * glide * len(parts)
    if frames < needed:
        raise ValueError(
            f"track {track_id!r}: expected at least {needed} frames for {len(parts)} clips with "
            f"{glide} frames of gliding around each, got {frames}; paste fewer clips or make it longer"
        )
    rest_xy, rest_score = _rest(*parts[0])
    xy, score = _motionless(rest_xy, rest_score, _jitter(*parts[0]), frames, rng)
    pauses = _pauses(frames - needed, len(parts) + 1, rng)
    at = int(pauses[0])
    instances = []
    for (part_xy, part_score), label, pause in zip(parts, labels, pauses[1:], strict=True):
        start, end = at + glide, at + glide + len(part_score)
        moved = _onto(part_xy, part_score, rest_xy, rest_score, first)
        xy[start:end], score[start:end] = moved, part_score
        share = ((np.arange(glide) + 1) / (glide + 1)).astype(np.float32)
        _glide(xy[at:start], score[at:start], moved[0], part_score[0], share)
        _glide(xy[end : end + glide], score[end : end + glide], moved[-1], part_score[-1], share[::-1])
        instances.append(Instance(track_id, start / fps, end / fps, int(label)))
        at = end + glide + int(pause)
    clip = PoseClip(
        clip_id=track_id,
        layout=first.layout,
        xy_px=xy[None],
        score=score[None],
        box_px=_boxes(xy)[None],
        time_s=np.arange(frames) / fps,
        frame_hw=first.frame_hw,
        fps=first.fps,
        track_ids=np.zeros(1, np.int64),
    )
    return PastedTrack(clip, tuple(instances), tuple(one.clip_id for one in clips))


def pasted_tracks(
    cache: PoseCache,
    table: ClipTable,
    number: int,
    clips_a_track: tuple[int, int] = (2, 5),
    pause_s: float = 1.0,
    seed: int = 0,
    split: str = "train",
) -> Iterator[PastedTrack]:
    """Tracks of a cache's trimmed clips, one person in each; a clip may be in several tracks.

    Only the clips of one track are in memory. A track depends on its number, the seed, and the table.

    Args:
        cache: of the clips.
        table: their labels, splits and, where they are known, subjects; without, the clips of a track may
            show several people.
        number: of tracks.
        clips_a_track: fewest and most; fewer where a person has fewer, no clip is twice in a track.
        pause_s: mean length of the pauses.
        seed: of all draws.
        split: whose clips are taken.

    Raises:
        ValueError: no labelled clip of the split is in the cache, or counts that are none.
    """
    least, most = clips_a_track
    if number < 0 or not 1 <= least <= most:
        raise ValueError(
            f"expected a number of tracks from 0 and 1 <= fewest <= most clips, got {number}, {clips_a_track}"
        )
    rows = [row for row in table.rows(split) if table.clip_ids[row] in cache]
    if not rows:
        raise ValueError(f"{table.name}: no labelled clip of {split!r} is in the pose cache")
    people: dict[str, list[int]] = {}
    for row in rows:
        people.setdefault(table.subjects[row], []).append(int(row))
    for i in range(number):
        track_id = f"{PREFIX}{table.name}/{i + 1:06d}"
        rng = np.random.default_rng([seed, crc32(track_id.encode())])
        own = people[table.subjects[rows[int(rng.integers(len(rows)))]]]
        count = min(int(rng.integers(least, most + 1)), len(own))
        chosen = [own[int(at)] for at in rng.permutation(len(own))[:count]]
        clips = [cache.read(table.clip_ids[row]) for row in chosen]
        kept = [
            (clip, int(table.labels[row])) for clip, row in zip(clips, chosen, strict=True) if clip.persons
        ]
        if not kept:
            continue
        fps = float(kept[0][0].fps)
        moving_s = sum(clip.frames / float(clip.fps) for clip, _ in kept)
        pauses_s = rng.exponential(pause_s, len(kept) + 1).sum() + len(kept) * 0.8
        frames = int(np.ceil((moving_s + pauses_s) * fps)) + 3 * len(kept)
        yield paste_clips(track_id, [clip for clip, _ in kept], [label for _, label in kept], frames, rng)


def table_of_tracks(tracks: Iterable[PastedTrack], table: ClipTable, split: str = "train") -> DetectionTable:
    """What happens in pasted tracks, in the labels of the clips' table; its note says what they are.

    Poses are let go: of each track only the times are kept.
    """
    of_clip = dict(zip(table.clip_ids, zip(table.domains, table.subjects, strict=True), strict=True))
    ids, duration_s, fps, people, instances = [], [], [], [], []
    for one in tracks:
        ids.append(one.clip.clip_id)
        duration_s.append(one.clip.frames / float(one.clip.fps))
        fps.append(one.clip.fps)
        people.append(of_clip.get(one.pasted[0], ("", "")))
        instances += one.instances
    return DetectionTable(
        f"{table.name}, pasted",
        table.tree,
        tuple(ids),
        np.array(duration_s),
        tuple(fps),
        (split,) * len(ids),
        tuple(domain for domain, _ in people),
        tuple(subject for _, subject in people),
        tuple(instances),
        simulated=table.simulated,
        note=NOTE,
    )


def _check(track_id: str, clips: Sequence[PoseClip], labels: Sequence[int]) -> None:
    if not clips or len(labels) != len(clips):
        raise ValueError(
            f"track {track_id!r}: expected clips, a label for each; got {len(clips)} and {len(labels)}"
        )
    for clip in clips:
        if clip.layout.name != clips[0].layout.name:
            raise ValueError(
                f"track {track_id!r}: expected joints of {clips[0].layout.name} as the first clip has, "
                f"{clip.clip_id!r} has {clip.layout.name}"
            )
        if clip.z is not None:
            raise ValueError(f"track {track_id!r}: expected poses in pictures, {clip.clip_id!r} is in space")
        if not clip.persons or not (clip.score[0] > 0).any():
            raise ValueError(f"track {track_id!r}: nobody is in {clip.clip_id!r}; leave it out")


def _resampled(clip: PoseClip, fps: float) -> tuple[Floats, Floats]:
    """The first person at a frame rate, the nearest frame each: (t, V, 2) and (t, V)."""
    time_s = clip.time_s - clip.time_s[0]
    length = max(1, round(clip.frames / float(clip.fps) * fps))
    wanted = np.arange(length) / fps
    right = np.clip(np.searchsorted(time_s, wanted), 1, max(clip.frames - 1, 1))
    nearer = np.abs(time_s[right - 1] - wanted) <= np.abs(time_s[np.minimum(right, clip.frames - 1)] - wanted)
    rows = np.minimum(np.where(nearer, right - 1, right), clip.frames - 1)
    return clip.xy_px[0, rows], clip.score[0, rows]


def _rest(xy: Floats, score: Floats) -> tuple[Floats, Floats]:
    """Where the joints are when a clip begins, (V, 2) and (V,); what is not found then, when it first is."""
    begin = max(3, round(_FIRST_SHARE * len(score)))
    rest_xy, rest_score = np.full(xy.shape[1:], np.nan, np.float32), np.zeros(xy.shape[1], np.float32)
    for joint in np.flatnonzero((score > 0).any(axis=0)):
        found = np.flatnonzero(score[:, joint] > 0)
        early = found[found < begin] if (found < begin).any() else found[:1]
        rest_xy[joint] = np.median(xy[early, joint], axis=0)
        rest_score[joint] = np.median(score[early, joint])
    return rest_xy, rest_score


def _jitter(xy: Floats, score: Floats) -> Floats:
    """(V,) pixels: how much each joint trembles from frame to frame, apart from its motion."""
    there = score > 0
    whole = there[2:] & there[1:-1] & there[:-2]  # (t - 2, V)
    second = np.abs(xy[2:] - 2 * xy[1:-1] + xy[:-2]).mean(axis=-1)
    out = np.zeros(xy.shape[1], np.float32)
    for joint in np.flatnonzero(whole.any(axis=0)):
        out[joint] = _DEVIATION * np.median(second[whole[:, joint], joint])
    return out


def _motionless(
    rest_xy: Floats, rest_score: Floats, jitter: Floats, frames: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """A pose held over T frames, trembling: (T, V, 2) and (T, V)."""
    xy = rest_xy + jitter[:, None] * rng.standard_normal((frames, *rest_xy.shape), np.float32)
    return xy.astype(np.float32), np.tile(rest_score, (frames, 1))


def _pauses(spare: int, number: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Whole frames at random that add up to `spare`."""
    cuts = np.sort(rng.integers(0, spare + 1, number - 1))
    pauses: NDArray[np.int64] = np.diff(np.concatenate([[0], cuts, [spare]]))
    return pauses


def _onto(xy: Floats, score: Floats, rest_xy: Floats, rest_score: Floats, first: PoseClip) -> Floats:
    """A clip moved and scaled so that its trunk, when it begins, lies on the rest pose's."""
    own_xy, own_score = _rest(xy, score)
    common = (own_score > 0) & (rest_score > 0)
    trunk = np.isin(np.array(first.layout.joints), _TRUNK) & common
    anchors = trunk if trunk.sum() >= 2 else common
    if not anchors.any():
        return xy
    here, there = own_xy[anchors], rest_xy[anchors]
    middle, target = here.mean(axis=0), there.mean(axis=0)
    size, wanted = (np.linalg.norm(at - at.mean(axis=0), axis=1).mean() for at in (here, there))
    scale = wanted / size if size > 0 and wanted > 0 else 1.0
    return ((xy - middle) * scale + target).astype(np.float32)


def _glide(xy: Floats, score: Floats, pose_xy: Floats, pose_score: Floats, share: Floats) -> None:
    """Lead a resting track towards a pose, in place; joints that the pose lacks stay at rest."""
    both = (pose_score > 0) & (score[0] > 0)
    weight = share[:, None]
    score[:, both] = (1 - weight) * score[:, both] + weight * pose_score[both]
    xy[:, both] = (1 - weight[..., None]) * xy[:, both] + weight[..., None] * pose_xy[both]


def _boxes(xy: Floats) -> Floats:
    """(T, 4) around what is there; NaN where nothing is."""
    found = np.isfinite(xy[..., :1])
    low = np.where(found, xy, np.inf).min(axis=1)
    high = np.where(found, xy, -np.inf).max(axis=1)
    boxes = np.concatenate([low, high], axis=1)
    boxes[~found.any(axis=(1, 2))] = np.nan
    return boxes.astype(np.float32)
