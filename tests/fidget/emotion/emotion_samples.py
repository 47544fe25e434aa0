"""Small tables, score files and caches that the emotion tests share."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout
from protocols.emotion_table import EmotionTable
from protocols.label_tree import LabelTree

TREE = LabelTree("demo", ("nod", "shrug", "bow", "turn"), ("head", "body"), (0, 1, 0, 0))
EMOTIONS = ("happy", "sad")


def table_of(n: int = 40, seed: int = 0, simulated: bool = True, **more: object) -> EmotionTable:
    """Nodding goes with happy, bowing with sad."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    present = rng.random((n, 4)) < 0.2
    present[:, 0] |= (labels == 0) & (rng.random(n) < 0.8)
    present[:, 2] |= (labels == 1) & (rng.random(n) < 0.8)
    ids = tuple(f"c{number}" for number in range(n))
    return EmotionTable("demo", EMOTIONS, TREE, ids, labels, present, simulated=simulated, **more)


def face_clip(clip_id: str, smile: float, seed: int, persons: int = 1, face: bool = True) -> PoseClip:
    """People with 68 face points and shoulders; `smile` lifts the corners of the mouth."""
    layout = get_layout("coco_wholebody133")
    rng = np.random.default_rng(seed)
    frames = 10
    xy = rng.normal(0, 0.4, (persons, frames, len(layout.joints), 2))
    xy[:, :, layout.joints.index("left_shoulder")] += (160, 300)
    xy[:, :, layout.joints.index("right_shoulder")] += (40, 300)
    first = layout.joints.index("face-0")
    points = np.random.default_rng(9).uniform(70, 130, (68, 2))
    points[36], points[45] = (60, 90), (140, 90)
    points[[48, 54], 1] -= 12 * smile
    xy[:, :, first : first + 68] += points
    score = np.full(xy.shape[:3], 0.9, np.float32)
    if not face:
        score[:, :, first : first + 68] = 0
        xy[:, :, first : first + 68] = np.nan
    return PoseClip(
        clip_id, layout, xy.astype(np.float32), score, np.full((persons, frames, 4), np.nan, np.float32),
        np.arange(frames) / 25, (400, 300), Fraction(25), np.arange(persons),
    )  # fmt: skip


def face_cache(directory: Path, table: EmotionTable) -> Path:
    """A cache in which happy people smile; the first three clips lack something."""
    metadata = CacheMetadata("coco_wholebody133", {"some_model": "ab" * 32}, {"model": "simulated"})
    with CacheWriter(directory, metadata) as writer:
        for row, (clip_id, label) in enumerate(zip(table.clip_ids, table.labels, strict=True)):
            if row == 0:
                continue
            clip = face_clip(clip_id, 1.0 - label, row, persons=2 if row == 1 else 1, face=row != 2)
            writer.add(encode_clip(clip, SourceStamp("/nowhere.mp4", 1, 1), None))
    return directory
