"""A tiny synthetic data set: people of random build who wave differently in each class."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from fidget.training.recipe import Recipe, parse_recipe
from poses.cache_schema import CacheMetadata, CacheRow, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout
from protocols.label_tree import LabelTree
from protocols.protocol import Protocol, Split

TREE = LabelTree("synthetic", ("still", "wave", "nod"), ("none", "moves"), (0, 1, 1))


def synthetic_clip(
    clip_id: str, label: int, rng: np.random.Generator, layout: str = "coco17", persons: int = 1
) -> PoseClip:
    """A clip whose class is the speed at which some joints swing."""
    joints = get_layout(layout)
    frames = int(rng.integers(12, 20))
    shape = (persons, frames, len(joints.joints))
    place = rng.uniform(20, 90, (persons, 1, shape[2], 2)) + 10 * np.arange(persons)[:, None, None, None]
    swing = 12 * np.sin(label * np.arange(frames) / 2 + rng.uniform(0, 6))[None, :, None, None]
    xy_px = (place + swing * (np.arange(shape[2]) % 3 == label)[:, None]).astype(np.float32)
    score = rng.uniform(0.3, 1, shape).astype(np.float32)
    score[rng.uniform(size=shape) < 0.05] = 0
    xy_px[score == 0] = np.nan
    return PoseClip(
        clip_id=clip_id,
        layout=joints,
        xy_px=xy_px,
        score=score,
        box_px=np.full((*shape[:2], 4), np.nan, np.float32),
        time_s=np.arange(frames) / 25,
        frame_hw=(120, 120),
        fps=Fraction(25),
        track_ids=np.arange(persons, dtype=np.int64),
    )


def synthetic_rows(
    clips: int = 18, layout: str = "coco17", seed: int = 0, persons: int = 1
) -> list[CacheRow]:
    """Clips `clip00`, `clip01`, ... of classes 0, 1, 2, 0, ..."""
    rng = np.random.default_rng(seed)
    return [
        encode_clip(
            synthetic_clip(f"clip{number:02d}", number % 3, rng, layout, persons),
            SourceStamp(f"/synthetic/{number}", 1, 1),
        )
        for number in range(clips)
    ]


def write_cache(directory: Path, rows: list[CacheRow], layout: str = "coco17") -> Path:
    with CacheWriter(directory, CacheMetadata(layout, {"synthetic": "ab" * 32}, {})) as writer:
        for row in rows:
            writer.add(row)
    return directory


def protocol_of(clips: int = 18, val: int = 3, test: int = 3) -> Protocol:
    """The first clips train, then those of val and test."""
    numbers = {
        "train": range(clips - val - test),
        "val": range(clips - val - test, clips - test),
        "test": range(clips - test, clips),
    }
    splits = {
        name: Split(tuple(f"clip{n:02d}" for n in part), tuple(n % 3 for n in part))
        for name, part in numbers.items()
        if len(part)
    }
    return Protocol("synthetic", TREE, splits)


RECIPE = """
name = "tiny"
[model]
name = "stgcnpp"
options = { base_channels = 16, num_stages = 3, inflate_stages = [2], down_stages = [3], dropout = 0.2 }
[input]
form = "graph"
frames = 8
[train]
epochs = 3
batch_size = 4
learning_rate = 0.01
threads = 1
"""


def tiny_recipe(*overrides: str) -> Recipe:
    """A small ST-GCN++ on joints."""
    return parse_recipe(RECIPE, "tiny", overrides)
