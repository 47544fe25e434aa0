"""Score files of two simulated methods that are good at different classes."""

from __future__ import annotations

import numpy as np

from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile

TREE = LabelTree("demo", ("nod", "shake", "tap", "wave"), ("head", "limb"), (0, 0, 1, 1))
STRENGTHS = ((3.0, 3.0, 0.5, 0.5), (0.5, 0.5, 3.0, 3.0), (1.0, 1.0, 1.0, 1.0))  # of each method, by class


def make_files(clips: int, seed: int, methods: int = 2, sure: tuple[float, ...] = (1.0, 1.0, 1.0)) -> list:
    """Logits are normal; the label's is raised by the method's strength, then all are scaled by `sure`."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=clips)
    labels[:4] = range(4)
    files = []
    for method in range(methods):
        logits = rng.normal(size=(clips, 4))
        logits[np.arange(clips), labels] += np.array(STRENGTHS[method])[labels]
        raised = np.exp(sure[method] * logits)
        scores = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
        ids = tuple(f"{seed}/{clip}" for clip in range(clips))
        files.append(ScoreFile(TREE, ids, labels, scores, ("rgb", "pose", "bone")[method]))
    return files


def shuffled(scores: ScoreFile, seed: int = 0) -> ScoreFile:
    """The same clips in another order."""
    order = np.random.default_rng(seed).permutation(len(scores))
    ids = tuple(scores.clip_ids[row] for row in order)
    return ScoreFile(
        scores.tree, ids, scores.labels[order], scores.scores[order], scores.method, split=scores.split
    )
