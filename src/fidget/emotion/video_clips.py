"""The clips of an emotion table whose videos can be looked at: one person, with a face; the rest is named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fidget.emotion.video_batches import EmotionClip
from fidget.emotion.video_recipe import EmotionRecipe
from fidget.faces.clip_faces import ClipFaces
from fidget.faces.face_tracks import FaceTrack
from fidget.faces.track_file import read_tracks, write_tracks
from fidget.frames.simulated_videos import any_simulated
from fidget.frames.video_clips import VideoClips
from fidget.training.data import ClipSet, few
from fidget.training.videos import VideoPlaces, open_videos
from poses.cache_reader import PoseCache
from protocols.emotion_table import EmotionTable
from weights.places import user_cache_dir

SPLITS = ("train", "val", "test")
_KEPT_EVERY = 100  # clips, so that a stopped search loses few


@dataclass(frozen=True, eq=False)
class EmotionClips:
    """Where a network's clips are read.

    Attributes:
        table: of the clips that can be looked at.
        sets: split -> its clips, labelled with their emotions.
        left_out: what was left out and why, one line each.
        where: the videos' place, for messages.
        cache_hash: 16 hexadecimal digits; changes with videos, poses' regions and faces.
    """

    table: EmotionTable
    sets: dict[str, ClipSet]
    left_out: tuple[str, ...]
    where: str
    cache_hash: str
    videos: VideoClips
    tracks: Mapping[str, FaceTrack]
    rows: Mapping[str, int]

    def read(self, clip_id: str) -> EmotionClip:
        """One clip."""
        row = self.rows[clip_id]
        return EmotionClip(self.videos.read(clip_id), self.tracks.get(clip_id), self.table.present[row])


def open_emotion_clips(
    table: EmotionTable,
    recipe: EmotionRecipe,
    videos: Path,
    poses: Path,
    say: Callable[[str], None] = print,
    kept_faces: Path | None = None,
) -> EmotionClips:
    """See which clips can be looked at, and find their faces where the recipe needs them.

    Args:
        table: clips with emotions, micro-actions and splits.
        recipe: says what the network looks at, and what becomes of clips that cannot be.
        videos: a directory.
        poses: a pose cache of the same videos; it says who is where.
        say: takes a line when something takes long.
        kept_faces: where boxes of faces are kept, so that they are looked for once; None for the user's
            cache. No picture is stored.

    Raises:
        ValueError: no splits to train on and to score; no cache or a layout without a head; clips that are
            left out where the recipe refuses them; a split without a clip.
        OSError: a file cannot be read or written.
    """
    _expect_splits(table)
    cache = PoseCache(poses)
    found = open_videos(recipe.of_person(), VideoPlaces(videos, poses), set(table.clip_ids), say)
    left_out: dict[str, list[str]] = {}
    usable = []
    for clip_id in table.clip_ids:
        reason = _trouble(clip_id, found, cache)
        if reason:
            left_out.setdefault(reason, []).append(clip_id)
        else:
            usable.append(clip_id)
    tracks: dict[str, FaceTrack] = {}
    if recipe.looks_at_faces or recipe.data.same_clips:
        tracks, wrong = _faces(usable, cache, found, say, kept_faces or _kept_file(found, poses))
        left_out |= wrong
    without = {clip_id for ids in left_out.values() for clip_id in ids}
    told = tuple(f"{len(ids)} clips {reason}: {few(ids)}" for reason, ids in left_out.items())
    if told and recipe.data.left_out == "refuse":
        raise ValueError(f"{videos}: {'; '.join(told)}; or --set data.left_out=drop")
    rows = [row for row, clip_id in enumerate(table.clip_ids) if clip_id not in without]
    kept = table.rows(np.array(rows, np.int64))
    simulated = str(cache.metadata.settings.get("simulated")).lower() == "true" or any_simulated([videos])
    kept = replace(kept, simulated=kept.simulated or simulated)
    sets = {name: _clip_set(kept, name) for name in SPLITS if name in table.splits}
    empty = [name for name, one in sets.items() if not len(one)]
    if empty:
        raise ValueError(f"{videos}: no clip left of the splits {', '.join(empty)}: {'; '.join(told)}")
    content = [found.cache_hash, [(t.clip_id, t.box_xyxy_px.tolist()) for t in tracks.values()]]
    digest = hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    order = {clip_id: row for row, clip_id in enumerate(kept.clip_ids)}
    return EmotionClips(kept, sets, told, str(videos), digest, found, tracks, order)


def _expect_splits(table: EmotionTable) -> None:
    lacking = [name for name in ("train", "test") if name not in table.splits]
    if lacking:
        there = ", ".join(sorted(set(table.splits))) or "no column split"
        raise ValueError(
            f"{table.name}: training from videos needs clips of the splits train and test, got {there}; "
            "give the table a column split (train, val, test)"
        )


def _trouble(clip_id: str, videos: VideoClips, cache: PoseCache) -> str:
    """Why nobody can be looked at in a clip; empty where one person can."""
    if clip_id not in videos.status:
        return "without a video"
    if videos.status[clip_id] != "ok":
        return "whose video cannot be read"
    if clip_id not in cache:
        return "without poses"
    persons = cache.read(clip_id).persons
    if persons != 1:
        return "with several people, of whom the table names none" if persons else "without a person"
    return ""


def _faces(
    clip_ids: list[str], cache: PoseCache, videos: VideoClips, say: Callable[[str], None], kept: Path
) -> tuple[dict[str, FaceTrack], dict[str, list[str]]]:
    """The face of each clip's person, and the clips without."""
    known, others = _kept_faces(kept, videos)
    todo = [clip_id for clip_id in clip_ids if clip_id not in known]
    unseen: dict[str, str] = {}
    if todo:
        faces = ClipFaces(cache, videos)  # loads the detector
        say(f"faces looked for in {len(todo):,} clips, once; their boxes are kept in {kept}")
    for number, clip_id in enumerate(todo, 1):
        try:
            (known[clip_id],) = faces.tracks(clip_id)
        except ValueError as error:
            unseen[clip_id] = str(error)
        if number % _KEPT_EVERY == 0 or number == len(todo):
            write_tracks(kept, [*others, *known.values()])
            say(f"faces: {number:,} of {len(todo):,} clips")
    wrong: dict[str, list[str]] = {}
    if unseen:
        wrong[f"whose face cannot be looked for ({next(iter(unseen.values()))})"] = list(unseen)
    tracks = {clip_id: known[clip_id] for clip_id in clip_ids if clip_id in known}
    faceless = [clip_id for clip_id, track in tracks.items() if not len(track.face_frames)]
    if faceless:
        wrong["without a face"] = faceless
    return {clip_id: one for clip_id, one in tracks.items() if len(one.face_frames)}, wrong


def _kept_faces(kept: Path, videos: VideoClips) -> tuple[dict[str, FaceTrack], list[FaceTrack]]:
    """Faces that were found before: of clips that are here, and of others.

    Raises:
        ValueError: they are of other videos.
    """
    if not kept.is_file():
        return {}, []
    every = read_tracks(kept)
    found = {one.clip_id: one for one in every if videos.status.get(one.clip_id) == "ok"}
    for clip_id, track in found.items():
        entry = videos.entry(clip_id)
        last = int(track.frames[-1]) if len(track.frames) else 0
        if track.frame_hw != entry.frame_hw or last >= entry.frames:
            height, width = track.frame_hw
            raise ValueError(
                f"{kept}: faces of another video of clip {clip_id!r}: expected {entry.frames} frames of "
                f"{entry.frame_hw[1]}x{entry.frame_hw[0]}, got frame {last} of {width}x{height}; delete the "
                "file, or name another with --faces"
            )
    return found, [one for one in every if found.get(one.clip_id) is not one]


def _kept_file(videos: VideoClips, poses: Path) -> Path:
    """Of these very videos with these poses, in the user's cache."""
    checksums = sorted((clip_id, str(value)) for clip_id, value in videos.checksums.items())
    content = repr([str(poses.resolve()), checksums])
    name = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return user_cache_dir() / "faces" / f"{name}.parquet"


def _clip_set(table: EmotionTable, split: str) -> ClipSet:
    rows = [row for row, name in enumerate(table.splits) if name == split]
    return ClipSet(split, tuple(table.clip_ids[row] for row in rows), table.labels[np.array(rows, np.int64)])
