"""Which clips a model is fitted on and which it is asked about: folds in which nobody is on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows to fit on, rows to predict."""


def folds_of(
    labels: NDArray[np.int64], folds: int, seed: int, subjects: Sequence[str] = ()
) -> tuple[Fold, ...]:
    """Stratified folds; clips of one subject stay together where the subjects are known.

    Args:
        labels: (N,).
        folds: how many, at least 2.
        seed: of the shuffling.
        subjects: of each clip; empty where they are not known.

    Returns:
        For each fold rows to fit on and rows to predict; every row is predicted once.

    Raises:
        ValueError: fewer than two folds, an emotion with fewer clips than folds, or too few subjects.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    counts = np.bincount(labels)
    fewest = int(counts[counts > 0].min()) if len(labels) else 0
    people = len(set(subjects))
    if folds < 2 or folds > fewest or (subjects and folds > people):
        raise ValueError(
            f"expected 2 folds up to the clips of the rarest emotion ({fewest})"
            + (f" and the subjects ({people})" if subjects else "")
            + f", got {folds}; ask for fewer, or give the table a column split"
        )
    rows = np.zeros((len(labels), 1))
    if subjects:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        found = splitter.split(rows, labels, np.asarray(subjects))
    else:
        found = StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, labels)
    return tuple((fit.astype(np.int64), held.astype(np.int64)) for fit, held in found)
