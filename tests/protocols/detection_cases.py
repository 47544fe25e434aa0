"""Annotated segments and detections of them, made from numbers: the same wherever originals were run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocols.detection_table import Instance
from protocols.detections import Detections
from protocols.label_tree import LabelTree

TREE = LabelTree("eight", tuple(f"action {n}" for n in range(8)), ("a", "b", "c"), (0, 0, 0, 1, 1, 2, 2, 2))
VIDEOS = tuple(f"video {n}" for n in range(60))


def annotated(seed: int = 0) -> list[Instance]:
    """200 instances of seven of the eight actions; some overlap, some are there twice, one has no length."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(200):
        video, label = VIDEOS[rng.integers(len(VIDEOS) - 5)], int(rng.integers(7))
        start, length = rng.uniform(0, 10), rng.lognormal(0.5, 0.6)
        found.append(Instance(video, float(start), float(start + length), label))
    doubled = [
        Instance(one.video_id, one.t_start_s + 4e-4, one.t_end_s - 3e-4, one.label) for one in found[:12]
    ]
    return [*found, *doubled, Instance(VIDEOS[0], 3.0, 3.0, 1)]


def detected(
    instances: Sequence[Instance], tree: LabelTree = TREE, seed: int = 1, decimals: int | None = None
) -> Detections:
    """Four detections around every instance, some of them of other classes, and as many anywhere.

    Args:
        instances: what is detected.
        tree: of the labels.
        seed: of the detections.
        decimals: of the scores; None gives scores that all differ.
    """
    rng = np.random.default_rng(seed)
    videos = [*sorted({one.video_id for one in instances}), "a video that nobody annotated"]
    rows: list[tuple[str, float, float, int]] = []
    for one in instances:
        length = max(one.t_end_s - one.t_start_s, 0.1)
        for _ in range(4):
            start = one.t_start_s + rng.normal(0, 0.2) * length
            label = one.label if rng.random() < 0.6 else int(rng.integers(len(tree.actions)))
            rows.append((one.video_id, start, start + length * rng.lognormal(0, 0.25), label))
        for _ in range(4):
            start = rng.uniform(0, 10)
            action = int(rng.integers(len(tree.actions)))
            rows.append((videos[rng.integers(len(videos))], start, start + rng.lognormal(0.5, 0.6), action))
    order = rng.permutation(len(rows))
    scores = (rng.permutation(len(rows)) + 1) / (len(rows) + 1)
    if decimals is not None:
        scores = np.round(scores, decimals)
    chosen = [rows[n] for n in order]
    return Detections(
        tree,
        tuple(row[0] for row in chosen),
        np.array([row[1] for row in chosen]),
        np.array([row[2] for row in chosen]),
        np.array([row[3] for row in chosen], np.int64),
        scores,
        "made from numbers",
    )
