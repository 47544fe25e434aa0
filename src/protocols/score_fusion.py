"""Several score files as one: weighted means of probabilities, clip by clip.

Axis letters: F files, N clips, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protocols.scores import NO_LABEL, ScoreFile, aligned

Floats = NDArray[np.float64]
Mean = Literal["probability", "log"]

_SMALLEST = 1e-12  # probability, before its logarithm is taken


def stacked(joined: Sequence[ScoreFile]) -> Floats:
    """(F, N, A) probabilities of files that `aligned` has joined."""
    return np.stack([one.scores.astype(np.float64) for one in joined])


def log_probabilities(probabilities: Floats) -> Floats:
    """Logarithms, any shape; a probability below 1e-12 is taken for that."""
    logs: Floats = np.log(np.maximum(probabilities, _SMALLEST))
    return logs


def softmax(logits: Floats) -> Floats:
    """Probabilities (..., A) from logits, over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True, initial=-np.inf))
    shares: Floats = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def weighted_mean(probabilities: Floats, weights: Sequence[float], mean: Mean = "probability") -> Floats:
    """(N, A) from (F, N, A): the mean of the probabilities, or of their logarithms scaled to sum to 1 again.

    Raises:
        ValueError: not one weight a file, weights that cannot be meant, or another mean.
    """
    given = [float(weight) for weight in weights]
    if len(given) != len(probabilities):
        raise ValueError(f"expected {len(probabilities)} weights, one a score file, got {len(given)}")
    if not all(np.isfinite(weight) and weight >= 0 for weight in given) or sum(given) <= 0:
        raise ValueError(f"expected weights of 0 or more with a sum above 0, got {given}")
    share = np.array(given) / sum(given)
    if mean == "log":
        return softmax(np.tensordot(share, log_probabilities(probabilities), axes=1))
    if mean != "probability":
        raise ValueError(f"expected the mean of 'probability' or 'log', got {mean!r}")
    fused = np.tensordot(share, probabilities, axes=1)
    scaled: Floats = fused / fused.sum(axis=1, keepdims=True)
    return scaled


def combined(joined: Sequence[ScoreFile], probabilities: Floats, method: str) -> ScoreFile:
    """A score file of probabilities (N, A) made from several files that `aligned` has joined.

    A label is that of the first file that has one; hashes, seed and split are kept where all files agree.
    """
    labels = joined[0].labels.copy()
    for one in joined[1:]:
        labels = np.where(labels == NO_LABEL, one.labels, labels)

    def common(values: list[str]) -> str:
        return values[0] if len(set(values)) == 1 else " + ".join(values)

    seeds, splits = {one.seed for one in joined}, {one.split for one in joined}
    return ScoreFile(
        joined[0].tree,
        joined[0].clip_ids,
        labels,
        probabilities.astype(np.float32),
        method=method,
        recipe_hash=common([one.recipe_hash for one in joined]),
        cache_hash=common([one.cache_hash for one in joined]),
        seed=seeds.pop() if len(seeds) == 1 else None,
        split=splits.pop() if len(splits) == 1 else "",
    )


def fuse(
    files: Sequence[ScoreFile], weights: Sequence[float] | None = None, mean: Mean = "probability"
) -> ScoreFile:
    """The weighted mean of several files' probabilities, clip by clip.

    Args:
        files: of the same clips and actions, in any order of rows.
        weights: one a file, not negative; equal where None.
        mean: of the probabilities, or of their logarithms (then scaled to sum to 1 again).

    Raises:
        ValueError: files that do not fit together, or weights that cannot be meant.
    """
    joined = aligned(files)
    given = [1.0] * len(files) if weights is None else [float(weight) for weight in weights]
    return combined(joined, weighted_mean(stacked(joined), given, mean), weighted_name(joined, given))


def weighted_name(files: Sequence[ScoreFile], weights: Sequence[float]) -> str:
    """The method of a weighted mean, such as `joint + bone` or `2 joint + 1 bone`."""
    return " + ".join(
        one.method if weight == weights[0] == 1 else f"{weight:g} {one.method}"
        for one, weight in zip(files, weights, strict=True)
    )
