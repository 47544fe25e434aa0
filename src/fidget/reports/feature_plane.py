"""Features of measured clips on a plane, from what adaptation left beside the training runs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.reports.cell_groups import CellGroup
from fidget.reports.class_results import scores_of
from fidget.reports.tsne import tsne
from protocols.scores import ScoreFile

POINTS = 800
_MOST_CHOICES = 256  # of one file for each stream
_SAME = 0.05  # mean difference of probabilities up to which features belong to a score file


@dataclass(frozen=True, eq=False)
class FeaturePlane:
    """Clips of one network on a plane.

    Attributes:
        method: of the network.
        seed: of its training.
        clips: N in all, before some were taken.
        places: (P, 2) of the clips that were taken.
        clip_ids: P.
        actions: P names of their classes.
        groups: P names of their body groups, empty where there are none.
        domains: P names of their domain, or task.
        simulated: whether any comes from a simulator.
    """

    method: str
    seed: int
    clips: int
    places: NDArray[np.float64]
    clip_ids: tuple[str, ...]
    actions: tuple[str, ...]
    groups: tuple[str, ...]
    domains: tuple[str, ...]
    simulated: bool


def feature_plane(directory: Path, groups: Sequence[CellGroup], points: int = POINTS) -> FeaturePlane | None:
    """The plane of the first network that has features of its measured clips; None where none has.

    Features are taken where their probabilities are those of the cell's score file: others beside the same
    run belong to adapted networks.
    """
    by_run: dict[str, list[CellGroup]] = {}
    for group in groups:
        if group.plain and group.cells[0].run:
            by_run.setdefault(group.cells[0].run, []).append(group)
    for run, of_run in sorted(by_run.items(), key=lambda item: -len(item[1])):
        found = [(group, *pair) for group in of_run if (pair := _features_of(directory, run, group))]
        if found:
            return _plane(found, points)
    return None


def _features_of(directory: Path, run: str, group: CellGroup) -> tuple[ScoreFile, NDArray[np.float32]] | None:
    """Score file and (N, D) features of a cell's clips; features of several streams stand side by side."""
    scores = scores_of(directory, group.cells[0].scores)
    if scores is None or not len(scores):
        return None
    folders = [directory / run, *sorted((directory / run).glob("*"))]
    streams = [found for folder in folders if (found := list(_stored(folder / "features", scores)))]
    best: tuple[float, list[NDArray[np.float32]]] | None = None
    for chosen in islice(product(*streams), _MOST_CHOICES) if streams else ():
        said = np.mean([probabilities for _, probabilities in chosen], axis=0)  # as streams are fused
        apart = float(np.abs(said - scores.scores).sum(axis=1).mean())
        if best is None or apart < best[0]:
            best = (apart, [features for features, _ in chosen])
    if best is None or best[0] > _SAME:
        return None
    return scores, np.concatenate(best[1], axis=1)


def _stored(folder: Path, scores: ScoreFile) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Features and probabilities of the clips of a score file, as `fidget.benchmark.features` left them.

    There are several where the network was adapted; damaged files and those of other clips are passed over.
    """
    for file in sorted(folder.glob("*.npz")):
        try:
            with np.load(file, allow_pickle=False) as stored:
                lines = stored["clip_ids"].tobytes().decode("ascii").splitlines()
                row_of = {json.loads(line): row for row, line in enumerate(lines)}
                features, log_probs = stored["features"], stored["log_probs"]
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile):
            continue
        if log_probs.shape[1:] == scores.scores.shape[1:] and row_of.keys() >= set(scores.clip_ids):
            rows = np.array([row_of[clip_id] for clip_id in scores.clip_ids])
            yield features[rows], np.exp(log_probs[rows])


def _plane(found: Sequence[tuple[CellGroup, ScoreFile, NDArray[np.float32]]], points: int) -> FeaturePlane:
    features = np.concatenate([one for _, _, one in found])
    clip_ids = [clip_id for _, scores, _ in found for clip_id in scores.clip_ids]
    labels = np.concatenate([scores.labels for _, scores, _ in found])
    domains = [
        group.cells[0].target_domain or group.task for group, scores, _ in found for _ in scores.clip_ids
    ]
    known = np.flatnonzero((labels >= 0) & np.isfinite(features).all(axis=1))
    known = known[np.unique([clip_ids[row] for row in known], return_index=True)[1]]  # a clip is drawn once
    taken = np.sort(np.random.default_rng(0).permutation(known)[:points])
    chosen = features[taken].astype(np.float64)
    deviation = chosen.std(axis=0) if len(chosen) else np.ones(features.shape[1])
    places = tsne((chosen - chosen.mean(axis=0)) / np.where(deviation > 0, deviation, 1))
    tree = found[0][1].tree
    actions = tuple(tree.actions[labels[row]] for row in taken)
    cell = found[0][0].cells[0]
    return FeaturePlane(
        cell.method,
        cell.seed,
        len(known),
        places,
        tuple(clip_ids[row] for row in taken),
        actions,
        tuple(tree.groups[tree.group_of[labels[row]]] for row in taken) if tree.groups else (),
        tuple(domains[row] for row in taken),
        any(group.simulated for group, _, _ in found),
    )
