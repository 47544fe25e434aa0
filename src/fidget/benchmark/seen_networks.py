"""What networks that know the seen classes only make of clips of all classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fidget.benchmark.features import ClipFeatures, run_features
from fidget.benchmark.finished_run import FinishedRun
from fidget.benchmark.unseen_tasks import UnseenTask
from fidget.training.data import check_clips
from protocols.label_vectors import LabelVectors
from protocols.protocol import Protocol
from protocols.recognition import Floats
from protocols.score_fusion import fuse
from protocols.scores import NO_LABEL, ScoreFile
from protocols.unseen_classes import feature_places, fit_feature_map
from protocols.unseen_split import on_tree


class SeenNetworks:
    """What the networks of all streams make of the clips.

    Args:
        runs: one a stream, over the seen classes.
        task: what is measured.
    """

    def __init__(self, runs: Sequence[FinishedRun], task: UnseenTask) -> None:
        self._runs, self.task = runs, task
        rules = runs[0].recipe.data.model_copy(update={"empty_classes": "keep"})
        # Labels of `train` index the seen classes, those of `test` all: each is looked at by itself.
        splits = {"train": task.task.source.splits["train"], "test": task.task.target}
        sets = check_clips(runs[0].clips, Protocol(task.task.name, task.split.tree, splits), rules)
        self._train, self.measured = sets["train"], sets["test"]
        found = [run_features(run, self.measured.clip_ids) for run in runs]
        self._features = np.hstack([one.features for one in found])
        self.scores = self._on_tree(found)

    def _on_tree(self, found: Sequence[ClipFeatures]) -> ScoreFile:
        """Probabilities over the whole tree: 0 of unseen classes."""
        first, ids = self._runs[0], self.measured.clip_ids
        unknown = np.full(len(ids), NO_LABEL, np.int64)
        files = [
            ScoreFile(
                self.task.task.source.tree, ids, unknown, np.exp(one.log_probs), first.recipe.name,
                cache_hash=first.clips.cache_hash, seed=first.recipe.train.seed,
            )
            for one in found
        ]  # fmt: skip
        scores = files[0] if len(files) == 1 else fuse(files)
        labels = dict(zip(ids, self.measured.labels.tolist(), strict=True))
        return on_tree(scores, self.task.split.tree, labels)

    def places(self, way: str, vectors: LabelVectors) -> Floats | None:
        """Where the measured clips lie among the vectors; None for those that probabilities give."""
        if way == "conse":
            return None
        names = self.task.task.source.tree.actions
        trained = np.hstack([run_features(run, self._train.clip_ids).features for run in self._runs])
        return feature_places(self._features, fit_feature_map(trained, self._train.labels, vectors.of(names)))

    def among_seen(self) -> float:
        """Mean class accuracy of the network alone: clips of seen classes, only these to choose from."""
        split = self.task.split
        rows = np.flatnonzero(np.isin(self.scores.labels, split.seen))
        if not rows.size:
            return float("nan")
        labels = np.searchsorted(split.seen, self.scores.labels[rows])
        own = self.scores.scores[rows][:, list(split.seen)]
        right = own.argmax(axis=1) == labels
        sizes = np.bincount(labels)
        return float((np.bincount(labels, right)[sizes > 0] / sizes[sizes > 0]).mean())
