"""Tiny videos with poses, and runs over frames, poses or both that were trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from tests.fidget.benchmark.shifted_samples import tiny
from tests.fidget.training.frame_samples import FRAME_RECIPE, SIDES, frames_of_clip, write_video
from tests.fidget.training.test_two_path_batches import RECIPE as TWO_PATHS

from fidget.training.data import PoseClips
from fidget.training.loop import train
from fidget.training.posed_videos import PosedVideos
from fidget.training.recipe import parse_recipe
from fidget.training.run import Machines
from fidget.training.videos import VideoPlaces, open_videos
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout
from protocols.protocol import Protocol, Split

HEIGHT, WIDTH, FPS, FRAMES = 36, 48, 12, 12
ONE_EPOCH = ("train.epochs=1", 'eval.splits=["val"]')


def posed(clip_id: str, frames: int, persons: int = 1, seed: int = 0) -> PoseClip:
    """People who stand in parts of the picture of their own, and move a little."""
    rng = np.random.default_rng(seed)
    left = 4 + 22 * np.arange(persons)
    xy_px = rng.uniform(0, 14, (persons, frames, 17, 2)) + np.stack([left, 0 * left + 8], 1)[:, None, None]
    low, high = xy_px.min(2), xy_px.max(2)
    return PoseClip(
        clip_id, get_layout("coco17"), xy_px.astype(np.float32),
        rng.uniform(0.5, 1, xy_px.shape[:3]).astype(np.float32),
        np.concatenate([low, high], -1).astype(np.float32), np.arange(frames) / FPS, (HEIGHT, WIDTH),
        Fraction(FPS), np.arange(persons) + 3,
    )  # fmt: skip


def write_poses(directory: Path, videos: Path, clips: Sequence[PoseClip]) -> Path:
    """A cache of these clips, each of the very file `<clip_id>.mp4`."""
    with CacheWriter(directory, CacheMetadata("coco17", {"m": "ab" * 32}, {})) as writer:
        for clip in clips:
            path = videos / f"{clip.clip_id}.mp4"
            status = path.stat()
            writer.add(encode_clip(clip, SourceStamp(str(path), status.st_size, status.st_mtime_ns), None))
    return directory


def write_samples(directory: Path, val: int = 20) -> tuple[Path, Path, Protocol]:
    """Videos, their poses, and a protocol of three training clips and `val` others."""
    names = [f"c{n}" for n in range(3 + val)]
    for number, name in enumerate(names):
        write_video(directory / "videos" / f"{name}.mp4", frames_of_clip(number, FRAMES), FPS)
    clips = [posed(name, FRAMES, seed=number) for number, name in enumerate(names)]
    poses = write_poses(directory / "poses", directory / "videos", clips)
    splits = {
        "train": Split(tuple(names[:3]), (0, 1, 2)),
        "val": Split(tuple(names[3:]), tuple(n % 3 for n in range(3, 3 + val))),
    }
    return directory / "videos", poses, Protocol("sides", SIDES, splits)


def train_kind(kind: str, place: tuple[Path, Path, Protocol], run: Path) -> Path:
    """A run over `poses`, the `whole` picture, the `person` in it, or `both` pictures and poses."""
    videos, poses, protocol = place
    more = (*ONE_EPOCH, "eval.test_clips=2")
    if kind == "poses":
        recipe = tiny(*ONE_EPOCH)
        clips = PoseClips(poses)
    elif kind == "both":
        recipe = parse_recipe(TWO_PATHS, kind, (*more, "input.person_crop=true"))
        pictures = open_videos(recipe, VideoPlaces(videos, poses), None, lambda _: None)
        clips = PosedVideos(pictures, PoseClips(poses))
    else:
        crop = f"input.person_crop={str(kind == 'person').lower()}"
        recipe = parse_recipe(FRAME_RECIPE, kind, (*more, crop, f"name={kind}", "eval.test_flip=true"))
        clips = open_videos(
            recipe, VideoPlaces(videos, poses if kind == "person" else None), None, lambda _: None
        )
    train(recipe, clips, protocol, run, Machines("cpu"), say=lambda _: None)
    return run
