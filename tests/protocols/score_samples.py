"""Score files that these tests share."""

from __future__ import annotations

import numpy as np

from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile

TREE = LabelTree("demo", ("nod", "shake", "tap", "kick", "rest"), ("head", "limb"), (0, 0, 1, 1, 1))


def make_scores(
    rng: np.random.Generator, clips: int = 12, method: str = "demo", tree: LabelTree = TREE
) -> ScoreFile:
    """Random probabilities and labels; never all labels 0."""
    classes = len(tree.actions)
    labels = rng.integers(classes, size=clips)
    labels[-1] = classes - 1
    logits = rng.normal(size=(clips, classes)) * 2
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ids = tuple(f"clip/{number:03d}é" for number in range(clips))
    return ScoreFile(tree, ids, labels.astype(np.int64), scores.astype(np.float32), method, "r1", "c1", 7)
