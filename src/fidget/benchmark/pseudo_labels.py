"""Unlabelled target clips of which a first prediction is sure enough to be learned from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """Chosen clips: their rows, the predicted labels, and how probable these are (P,) each."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    confidence: NDArray[np.float64]


def choose_pseudo_labels(
    log_probs: NDArray[np.floating], most_a_class: int, share: float = 0.5
) -> PseudoLabels:
    """Of the clips predicted as a class, the surer half, so that rare classes are not crowded out.

    Args:
        log_probs: (N, A) of the target's clips.
        most_a_class: clips of a class, at most.
        share: of the clips predicted as a class, rounded up.

    Raises:
        ValueError: no clips, or settings out of range.
    """
    if log_probs.ndim != 2 or not len(log_probs):
        raise ValueError(f"expected log-probabilities (N, A) of N > 0 clips, got {log_probs.shape}")
    if most_a_class < 1 or not 0 < share <= 1:
        raise ValueError(
            f"expected 1 clip a class or more and a share in 0..1, got {most_a_class} and {share:g}"
        )
    predicted = log_probs.argmax(axis=1)
    confidence = np.exp(log_probs.max(axis=1).astype(np.float64))
    chosen: list[int] = []
    for label in np.unique(predicted):
        members = np.flatnonzero(predicted == label)
        members = members[np.argsort(-confidence[members], kind="stable")]
        chosen += members[: min(most_a_class, int(np.ceil(share * len(members))))].tolist()
    rows = np.sort(np.array(chosen, np.int64))
    return PseudoLabels(rows, predicted[rows].astype(np.int64), confidence[rows])
