"""Tiny untrimmed recordings: poses by the simulator, drawn videos, features in which actions are plain."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from fidget.benchmark.simulator.untrimmed import simulate_untrimmed
from fidget.detection.recipe import DetectionRecipe, parse_recipe
from fidget.reports.video_file import write_video
from protocols.detection_table import DetectionTable, Instance
from protocols.detection_tables import read_detection_table
from protocols.label_tree import LabelTree

TREE = LabelTree("two", ("nod", "wave"), ("head", "hand"), (0, 1))
SPLITS = ("train",) * 6 + ("val",) * 2 + ("test",)
CHANNELS = 8

FEATURE_RECIPE = """
name = "tiny_features"

[model]
name = "actionformer"
options = { width = 16, arch = [1, 0, 2], window = 5, path_drop = 0.0 }

[input]
form = "features"
points = 32
training = "padding"
evaluation = "padding"

[train]
epochs = 2
batch_size = 3
optimizer = "adamw"
learning_rate = 3e-3
threads = 1

[nms]
before = 100
most = 20
"""


def feature_recipe(**changes: object) -> DetectionRecipe:
    """The tiny recipe with changes such as `train__epochs=3`."""
    recipe = parse_recipe(FEATURE_RECIPE, "test")
    for key, value in changes.items():
        table, _, name = key.partition("__")
        if name:
            changed = getattr(recipe, table).model_copy(update={name: value})
            recipe = recipe.model_copy(update={table: changed})
        else:
            recipe = recipe.model_copy(update={table: value})
    return recipe


def table_of(instances: list[Instance], count: int = len(SPLITS), duration_s: float = 10.0) -> DetectionTable:
    """Recordings `r0`, `r1`, ... of ten seconds."""
    return DetectionTable(
        "tiny", TREE, tuple(f"r{n}" for n in range(count)), np.full(count, duration_s),
        (Fraction(4),) * count, SPLITS[:count], ("",) * count, ("",) * count, tuple(instances),
        simulated=True,
    )  # fmt: skip


def feature_samples(directory: Path) -> DetectionTable:
    """Files of 40 features each: channel 0 is high in a nod, channel 1 in a wave; both at once in some."""
    directory.mkdir(parents=True, exist_ok=True)
    instances = []
    for number in range(len(SPLITS)):
        rng = np.random.default_rng(number)
        features = rng.normal(0, 0.3, (40, CHANNELS)).astype(np.float32)
        for label in range(2):
            start = int(rng.integers(2, 26))
            features[start : start + 8, label] += 3
            instances.append(Instance(f"r{number}", start / 4, (start + 8) / 4, label))
        np.save(directory / f"r{number}.npy", features)
    return table_of(instances)


def pose_samples(directory: Path, count: int = 8) -> tuple[Path, DetectionTable]:
    """A simulated pose cache, and its table."""
    made = simulate_untrimmed(directory / "poses", count)
    return made.directory, read_detection_table("instances", made.labels)


def video_samples(directory: Path, count: int = len(SPLITS)) -> DetectionTable:
    """Videos of 40 frames at 20 frames a second: a square lights up in a nod, another one in a wave."""
    directory.mkdir(parents=True, exist_ok=True)
    instances = []
    for number in range(count):
        rng = np.random.default_rng(number)
        starts = rng.integers(2, 25, 2)
        with write_video(directory / f"r{number}.mp4", (48, 64), Fraction(20)) as video:
            for index in range(40):
                picture = rng.integers(0, 40, (48, 64, 3)).astype(np.uint8)
                for label, start in enumerate(starts):
                    if start <= index < start + 10:
                        picture[10:30, 8 + 28 * label : 28 + 28 * label] = 230
                video.add(index / 20, picture)
        instances += [
            Instance(f"r{number}", float(start) / 20, float(start + 10) / 20, label)
            for label, start in enumerate(starts)
        ]
    return table_of(instances, count, 2.0)
