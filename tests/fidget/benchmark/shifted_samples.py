"""A tiny synthetic data set with two domains: people who move one limb, filmed frontally or from aside."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tests.fidget.training.training_samples import write_cache

from fidget.training.loop import train
from fidget.training.recipe import Recipe, parse_recipe
from fidget.training.run import Machines
from poses.cache_schema import CacheRow, SourceStamp
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout
from protocols.clip_table import ClipTable
from protocols.label_tree import LabelTree

TREE = LabelTree(
    "limbs",
    ("left arm", "right arm", "left leg", "right leg", "head"),
    ("arms", "legs", "head"),
    (0, 0, 1, 1, 2),
)
_MOVED = ((7, 9), (8, 10), (13, 15), (14, 16), (0, 1, 2, 3, 4))  # joints of coco17
_STANDING = np.array(
    [[0, -60], [-3, -63], [3, -63], [-6, -60], [6, -60], [-15, -45], [15, -45], [-20, -25], [20, -25],
     [-20, -5], [20, -5], [-9, 0], [9, 0], [-9, 25], [9, 25], [-9, 50], [9, 50]], float,
)  # fmt: skip

RECIPE = """
name = "tiny"
[model]
name = "stgcnpp"
options = { base_channels = 8, num_stages = 3, inflate_stages = [2], down_stages = [3], dropout = 0.0 }
[input]
form = "graph"
frames = 12
[train]
epochs = 12
batch_size = 8
learning_rate = 0.05
threads = 1
[data]
empty_classes = "keep"
"""


def tiny(*overrides: str) -> Recipe:
    return parse_recipe(RECIPE, "tiny", overrides)


def limb_clip(clip_id: str, label: int, domain: str, rng: np.random.Generator) -> PoseClip:
    """Frontal and lively in the laboratory; narrower, tilted, noisy and slower in the street."""
    street = domain == "street"
    frames = 16
    body = _STANDING * rng.uniform(0.9, 1.1, (1, 2))
    if street:
        angle = 0.15
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        body = (body * [0.8, 1.0] + [0.05, 0.0] * np.abs(body[:, 1:])) @ turn
    speed = rng.uniform(0.5, 0.8) * (0.8 if street else 1.0)
    wave = np.sin(speed * np.arange(frames) + rng.uniform(0, 6))
    xy_px = np.repeat(body[None], frames, 0) + rng.normal(0, 1.0 if street else 0.7, (frames, 17, 2))
    for joint in _MOVED[label]:
        xy_px[:, joint] += (10 if street else 14) * wave[:, None] * [0.6, 1.0]
    xy_px = (xy_px + 150)[None].astype(np.float32)
    score = rng.uniform(0.3, 1, (1, frames, 17)).astype(np.float32)
    return PoseClip(
        clip_id, get_layout("coco17"), xy_px, score, np.full((1, frames, 4), np.nan, np.float32),
        np.arange(frames) / 25, (300, 300), Fraction(25), np.zeros(1, np.int64),
    )  # fmt: skip


def limb_table(seed: int = 0) -> tuple[ClipTable, list[CacheRow]]:
    """80 + 10 + 20 clips of the laboratory, 60 + 100 of the street, whose test part has mostly arms."""
    rng = np.random.default_rng(seed)
    ids, labels, splits, domains, rows = [], [], [], [], []
    plan = [
        ("laboratory", "train", np.repeat(np.arange(5), 16)),
        ("laboratory", "val", np.repeat(np.arange(5), 2)),
        ("laboratory", "test", np.repeat(np.arange(5), 4)),
        ("street", "train", np.concatenate([np.repeat(np.arange(4), 12), np.repeat(4, 3)])),
        ("street", "test", np.repeat(np.arange(5), (45, 30, 10, 10, 5))),
    ]
    for domain, split, of in plan:
        for number, label in enumerate(of):
            clip_id = f"{domain}/{split}_{number:03d}"
            rows.append(
                encode_clip(limb_clip(clip_id, int(label), domain, rng), SourceStamp(f"/s/{clip_id}", 1, 1))
            )
            ids.append(clip_id)
            labels.append(int(label))
            splits.append(split)
            domains.append(domain)
    table = ClipTable(
        "limbs", TREE, tuple(ids), np.array(labels, np.int64), tuple(splits), tuple(domains),
        ("",) * len(ids), simulated=True,
    )  # fmt: skip
    return table, rows


class LimbRun(NamedTuple):
    """Clips, their poses, and the run that the laboratory trained."""

    table: ClipTable
    poses: Path
    run: Path


def trained_run(directory: Path) -> LimbRun:
    """A second or two of training; most of the laboratory's clips are then known, few of the street's."""
    table, rows = limb_table()
    poses = write_cache(directory / "cache", rows)
    protocol = table.protocol("limbs/laboratory", "laboratory")
    train(tiny(), poses, protocol, directory / "run", Machines("cpu"), say=lambda _: None)
    return LimbRun(table, poses, directory / "run")
