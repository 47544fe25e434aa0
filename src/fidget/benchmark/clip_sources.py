"""Where the clips of a benchmark are read: poses for methods over joints, videos for those over frames."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from fidget.training.data import ClipSource, PoseClips
from fidget.training.recipe import FrameRecipe, Recipe
from fidget.training.videos import VideoPlaces, open_videos


@dataclass(frozen=True)
class BenchmarkVideos:
    """The videos of a benchmark.

    Attributes:
        places: where they lie, and what helps to read them.
        clip_ids: those that are labelled; whatever else lies there is not looked at.
    """

    places: VideoPlaces
    clip_ids: frozenset[str]

    def places_of(self, recipe: Recipe) -> VideoPlaces:
        """What of the places is for a recipe: methods that keep no frames have no use for a frame cache."""
        if recipe.input.frame_store == "video":
            return replace(self.places, frame_cache=None)
        return self.places

    def open(self, recipe: Recipe, say: Callable[[str], None] = print) -> ClipSource:
        """The clips of a recipe over frames.

        Raises:
            ValueError: what the recipe needs is not among the places, or there are no videos.
            OSError: what was found of the videos cannot be kept.
        """
        places = self.places_of(recipe)
        videos = open_videos(recipe, places, self.clip_ids, say)
        if recipe.input.form == "frames_and_heatmap" and places.poses is not None:
            from fidget.training.posed_videos import PosedVideos

            return PosedVideos(videos, PoseClips(places.poses, recipe.input.layout))
        return videos


def open_clips(
    recipe: Recipe,
    poses: Path | None,
    videos: BenchmarkVideos | None,
    say: Callable[[str], None] = print,
) -> ClipSource:
    """The clips of a recipe, of whichever kind it takes.

    Raises:
        ValueError: the recipe's kind of clips was not given, or does not fit it.
    """
    if isinstance(recipe, FrameRecipe):
        if videos is None:
            raise ValueError(f"recipe {recipe.name} is over frames: expected videos, got none")
        return videos.open(recipe, say)
    if poses is None:
        raise ValueError(f"recipe {recipe.name} is over poses: expected a pose cache, got none")
    return PoseClips(poses, recipe.input.layout)


def content_hash(clips: ClipSource) -> str:
    """16 hexadecimal digits that change with any clip's content, however it is read."""
    content = repr(sorted((name, str(checksum)) for name, checksum in clips.checksums.items()))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
