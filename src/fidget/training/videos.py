"""The videos of a recipe over frames, opened as the recipe says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from fidget.frames.frame_cache import CacheForm, FrameCache
from fidget.frames.person_crop import AROUND_PERSON
from fidget.frames.video_clips import VideoClips
from fidget.training.frame_batches import preprocessing_of
from fidget.training.recipe import Recipe
from poses.cache_reader import PoseCache
from weights.places import user_cache_dir

INDEX = "videos.parquet"
_GIB = 1 << 30


@dataclass(frozen=True)
class VideoPlaces:
    """Where the videos of a run lie, and what helps to read them.

    Attributes:
        videos: a directory, or whatever else `extract-poses` takes as one argument.
        poses: directory of a pose cache of the same videos, for crops around persons; or None.
        frame_cache: directory of decoded frames, or None.
        frame_cache_gib: what they may take there, GiB.
    """

    videos: Path
    poses: Path | None = None
    frame_cache: Path | None = None
    frame_cache_gib: float = 20.0


def open_videos(
    recipe: Recipe,
    places: VideoPlaces,
    clip_ids: Collection[str] | None = None,
    say: Callable[[str], None] = print,
) -> VideoClips:
    """The clips of a recipe over frames. Every video that is new is read once, which is remembered.

    Args:
        recipe: says how frames are kept, how large, and whether persons are looked for.
        places: where everything lies.
        clip_ids: those wanted; all if None.
        say: takes a line when videos have to be read.

    Raises:
        ValueError: what the recipe needs is not among the places, or there are no videos.
        OSError: what was found of the videos cannot be kept.
    """
    check_places(recipe, places)
    form = recipe.input.frame_store
    cache = None
    if form != "video" and places.frame_cache is not None:
        cache = FrameCache(places.frame_cache, int(places.frame_cache_gib * _GIB), CacheForm(form))
    index = _index_file(places)
    index.parent.mkdir(parents=True, exist_ok=True)

    def progress(done: int, todo: int) -> None:
        if done in (1, todo):
            say(f"videos read once: {done:,} of {todo:,} new ones")

    return VideoClips(
        places.videos,
        clip_ids,
        index_file=index,
        short_side=short_side_of(recipe),
        cache=cache,
        poses=None if places.poses is None else PoseCache(places.poses),
        person_crop=AROUND_PERSON if recipe.input.person_crop else None,
        progress=progress,
    )


def check_places(recipe: Recipe, places: VideoPlaces) -> None:
    """See that there is what a recipe needs, and nothing that it would not use.

    Raises:
        ValueError: a pose cache or a directory for frames is missing, or of no use.
    """
    table = recipe.input
    if table.form == "frames_and_heatmap" and places.poses is None:
        raise ValueError("input.form = 'frames_and_heatmap' needs the poses of the videos: give --poses DIR")
    if table.person_crop and places.poses is None:
        raise ValueError("input.person_crop finds persons in a pose cache of the videos: give --poses DIR")
    if table.frame_store != "video" and places.frame_cache is None:
        raise ValueError(
            f"input.frame_store = {table.frame_store!r} keeps decoded frames: give --frame-cache DIR"
        )
    if table.frame_store == "video" and places.frame_cache is not None:
        raise ValueError(
            "--frame-cache is for recipes that keep frames: --set input.frame_store=jpeg (or raw), "
            "or leave it out"
        )


def short_side_of(recipe: Recipe) -> int | None:
    """Pixels that frames are scaled down to as they are read; None leaves them as large as they are."""
    table, published = recipe.input, preprocessing_of(recipe)
    if table.short_side:
        return int(table.short_side)
    if table.person_crop:
        return None  # what is cut out of them is smaller than they are
    return max(published.resize_short, published.size, table.test_size)


def _index_file(places: VideoPlaces) -> Path:
    """Beside the decoded frames, else in the user's cache under a name of the place's own."""
    if places.frame_cache is not None:
        return places.frame_cache / INDEX
    name = hashlib.sha256(str(places.videos.resolve()).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return user_cache_dir() / "videos" / f"{name}.parquet"
