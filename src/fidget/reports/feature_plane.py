"""Features of measured clips on a plane, from what adaptation left beside the training runs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.reports.cell_groups import CellGroup
from fidget.reports.class_results import scores_of
from fidget.reports.tsne import tsne
from protocols.scores import ScoreFile

POINTS = 800
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
    """Score file and (N, D) features of a cell's clips."""
    scores = scores_of(directory, group.cells[0].scores)
    if scores is None or not len(scores):
        return None
    best: tuple[float, NDArray[np.float32]] | None = None
    for clip_ids, features, log_probs in _stored(directory / run):
        row_of = {clip_id: row for row, clip_id in enumerate(clip_ids)}
        if log_probs.shape[1] != scores.scores.shape[1] or not row_of.keys() >= set(scores.clip_ids):
            continue
        rows = np.array([row_of[clip_id] for clip_id in scores.clip_ids])
        apart = float(np.abs(np.exp(log_probs[rows]) - scores.scores).sum(axis=1).mean())
        if best is None or apart < best[0]:
            best = (apart, features[rows])
    return (scores, best[1]) if best is not None and best[0] <= _SAME else None


def _stored(run: Path) -> Iterator[tuple[list[str], NDArray[np.float32], NDArray[np.float32]]]:
    """What `fidget.benchmark.features` left in a run or in its streams'; damaged files are passed over."""
    for file in sorted([*run.glob("features/*.npz"), *run.glob("*/features/*.npz")]):
        try:
            with np.load(file, allow_pickle=False) as stored:
                lines = stored["clip_ids"].tobytes().decode("ascii").splitlines()
                yield [json.loads(line) for line in lines], stored["features"], stored["log_probs"]
        except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile):
            continue


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
