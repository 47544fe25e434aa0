"""Tiny drawn films, and recipes that train on them in a second: what the tests of videos share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from fidget.emotion.simulated_films import FilmSettings, simulate_films
from fidget.emotion.video_recipe import EmotionRecipe, load_recipe
from fidget.faces.face_tracks import FaceTrack, Found
from fidget.faces.track_file import write_tracks
from poses.cache_reader import PoseCache
from protocols.emotion_sets import emotion_set
from protocols.emotion_table import EmotionTable, read_emotion_table
from protocols.trees import tree

CLIPS, FRAMES = 10, 6
TINY = (
    "input.frames=2", "input.size=32", "input.resize_short=36", "face_input.size=32",
    "face_input.resize_short=36", "train.epochs=2", "train.warmup_epochs=0", "train.batch_size=3",
    "train.threads=1", "head.segments=2", "head.attention_heads=2",
)  # fmt: skip
ENCODER = "{ width = 4, depths = [1, 1] }"
SMALL_OF = {
    "two_branch": "ma52pro_small",
    "face_branch": "ma52pro_small",
    "action_branch": "ma52pro_small",
    "vaanet": "vaanet_small",
    "emotion_fan": "emotion_fan_small",
}


def draw_films(directory: Path) -> None:
    """Films, and the boxes of their faces from the joints, so that no detector has to look."""
    simulate_films(directory, CLIPS, settings=FilmSettings(frames=FRAMES, fps=2, size=48))
    write_tracks(directory / "faces.parquet", [joint_track(directory, one) for one in ids_of(directory)])


def ids_of(directory: Path) -> tuple[str, ...]:
    """Of the films' cache."""
    return PoseCache(directory / "poses").clip_ids


def joint_track(directory: Path, clip_id: str, faces: bool = True) -> FaceTrack:
    """A face where the head's joints are; without `faces` none was found."""
    clip = PoseCache(directory / "poses").read(clip_id)
    frames = clip.xy_px.shape[1]
    first = clip.layout.joints.index("face-0")
    middle = np.nan_to_num(np.nanmean(clip.xy_px[0, :, first : first + 68], axis=1), nan=24.0)  # (T, 2)
    box = np.concatenate([middle - 4, middle + 4], axis=1).astype(np.float32)
    eyes = (middle[:, None] + np.array([(-2, -1), (2, -1)])).astype(np.float32)  # (T, 2, 2)
    found = np.full(frames, Found.DETECTED if faces else Found.NO_FACE, np.uint8)
    seen = np.ones(frames, np.float32)
    if not faces:
        box, eyes, seen = np.full_like(box, np.nan), np.full_like(eyes, np.nan), np.zeros_like(seen)
    time_s = clip.time_s.astype(np.float64)
    return FaceTrack(clip_id, 0, 0, clip.frame_hw, np.arange(frames), time_s, box, eyes, seen, found)


def films_table(directory: Path) -> EmotionTable:
    """Of the films; splits are drawn so that each has clips."""
    table = read_emotion_table(directory / "table.csv", emotion_set("mma82"), tree("mma82"))
    return replace(table, splits=("train",) * 6 + ("val",) * 2 + ("test",) * 2, subjects=())


def tiny_recipe(network: str, *overrides: str, full: bool = False) -> EmotionRecipe:
    """The small recipe of a network, or its full one, made tiny."""
    name = "" if full else SMALL_OF[network]
    known = load_recipe(network, name)
    given = [f"{name}.options={ENCODER}" for name in ("face", "action") if getattr(known, name).name]
    return load_recipe(network, name, (*TINY, *given, *overrides))
