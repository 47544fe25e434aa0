"""Directories become recordings: videos with what is known of them, feature files with their clocks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from pathlib import Path

from fidget.detection.inputs import short_side_of
from fidget.detection.recipe import DetectionRecipe
from fidget.detection.recordings import FeatureRecordings, VideoRecordings
from fidget.frames.person_crop import AROUND_PERSON
from fidget.frames.video_clips import VideoClips
from poses.cache_reader import PoseCache
from protocols.detection_table import DetectionTable
from weights.places import user_cache_dir


def open_videos(
    recipe: DetectionRecipe,
    videos: Path,
    poses: Path | None,
    names: Collection[str] | None,
    say: Callable[[str], None] = print,
) -> VideoRecordings:
    """The videos of a place; each is read once, and then known.

    Args:
        recipe: over frames.
        videos: a directory, or one file.
        poses: a pose cache of the same videos, to find persons in; None for none.
        names: the videos wanted; None for all.
        say: takes a line when reading begins and ends.

    Raises:
        ValueError: there is no video.
        OSError: what was found cannot be kept.
    """
    where = hashlib.sha256(str(videos.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    index = user_cache_dir() / "videos" / f"{where}.parquet"
    index.parent.mkdir(parents=True, exist_ok=True)

    def progress(done: int, todo: int) -> None:
        if done in (1, todo):
            say(f"videos read once: {done:,} of {todo:,} new ones")

    crop = AROUND_PERSON if recipe.input.person_crop else None
    clips = VideoClips(
        videos,
        names,
        index_file=index,
        short_side=short_side_of(recipe),
        poses=None if poses is None else PoseCache(poses),
        person_crop=crop,
        progress=progress,
    )
    return VideoRecordings(clips)


def open_features(recipe: DetectionRecipe, directory: Path, table: DetectionTable) -> FeatureRecordings:
    """The feature files of a directory, with the durations and frame rates of the annotations.

    Raises:
        ValueError: there is none, or they do not fit each other.
    """
    duration_s = dict(zip(table.video_ids, table.duration_s.tolist(), strict=True))
    fps = dict(zip(table.video_ids, table.fps, strict=True))
    told = recipe.input
    return FeatureRecordings(
        directory, duration_s, fps, told.feature_stride, told.clip_frames, told.channels_first
    )
