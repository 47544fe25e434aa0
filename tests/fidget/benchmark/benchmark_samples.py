"""A tiny data set of three domains, and a recipe that trains on it in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.fidget.training.training_samples import RECIPE, TREE, synthetic_rows, write_cache

from protocols.clip_table import ClipTable

CLIPS = 36
DOMAINS = ("laboratory", "street", "home")
TINY = RECIPE.replace("epochs = 3", "epochs = 1").replace("dropout = 0.2", "dropout = 0.0")


def domain_table(simulated: bool = False) -> ClipTable:
    """Clips of three classes: twelve a domain, six train, three validate, three test."""
    numbers = np.arange(CLIPS)
    places = numbers // 3 % 4
    return ClipTable(
        "tiny",
        TREE,
        tuple(f"clip{number:02d}" for number in numbers),
        numbers % 3,
        tuple(("train", "train", "val", "test")[place] for place in places),
        tuple(DOMAINS[number // 12] for number in numbers),
        ("",) * CLIPS,
        simulated=simulated,
    )


def write_place(place: Path) -> Path:
    """A cache, its labels CSV and the recipe in a directory."""
    write_cache(place / "cache", synthetic_rows(CLIPS))
    (place / "tiny.toml").write_text(TINY)
    table = domain_table()
    lines = ["clip_id,label,split,class_name,group_name,domain"]
    for clip_id, label, split, domain in zip(
        table.clip_ids, table.labels.tolist(), table.splits, table.domains, strict=True
    ):
        group = TREE.groups[TREE.group_of[label]]
        lines.append(f"{clip_id},{label},{split},{TREE.actions[label]},{group},{domain}")
    (place / "cache-labels.csv").write_text("\n".join(lines) + "\n")
    return place
