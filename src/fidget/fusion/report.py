"""What a fusion is worth: beside each file alone and beside equal weights, on the same clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fidget.fusion.log_loss import log_losses
from fidget.fusion.rule_file import Fusion
from protocols.comparison import Comparison, compare
from protocols.recognition import measures_of
from protocols.score_fusion import log_probabilities
from protocols.scores import NO_LABEL, ScoreFile

MEANS = {"log": "logarithms", "probability": "probabilities"}
MEASURES = ("action/top1", "action/mean_class", "f1_mean")  # the last only where actions have body groups


def labelled(scores: ScoreFile) -> bool:
    """Whether every clip has a label, and they are no placeholders (all 0)."""
    return bool(len(scores) and (scores.labels != NO_LABEL).all() and scores.labels.any())


def against_others(
    fused: ScoreFile, others: Sequence[tuple[str, ScoreFile]], seed: int = 0, draws: int = 10_000
) -> dict[str, Comparison]:
    """The fusion against each other file, on the same drawn clips.

    Args:
        fused: what came out.
        others: names and files, of the same clips; their labels are those of the fusion, which has all.
        seed: of the draws.
        draws: of the paired bootstrap.

    Returns:
        Comparisons by name; none where clips have no labels.
    """
    if not labelled(fused):
        return {}
    found = {}
    for name, other in others:
        row_of = {clip_id: row for row, clip_id in enumerate(fused.clip_ids)}
        labels = fused.labels[[row_of[clip_id] for clip_id in other.clip_ids]]
        known = ScoreFile(other.tree, other.clip_ids, labels, other.scores, other.method)
        found[name] = compare(fused, known, np.random.default_rng(seed), draws)
    return found


def measured_on(
    validation: Sequence[ScoreFile], fusion: Fusion, equal: Fusion
) -> dict[str, dict[str, float]]:
    """Measures on the clips that the fusion was chosen on: of each file, of equal weights, of the fusion.

    Args:
        validation: joined by `aligned`, with a label for every clip.
        fusion: what was chosen.
        equal: the same files by equal weights.

    Returns:
        For each name its measures and `log_loss`.
    """
    fused = fusion.fused(validation)
    named = [(f"{number}: {one.method}", one) for number, one in enumerate(validation, 1)]
    named += [("equal weights", equal.fused(validation)), ("chosen", fused)]
    return {name: _measures(one, fused) for name, one in named}


def _measures(scores: ScoreFile, labels_of: ScoreFile) -> dict[str, float]:
    known = ScoreFile(scores.tree, scores.clip_ids, labels_of.labels, scores.scores, scores.method)
    found = measures_of(known)
    losses = log_losses(log_probabilities(known.scores.astype(np.float64)), known.labels)
    return {name: found[name] for name in MEASURES if name in found} | {"log_loss": float(losses.mean())}
