"""Logistic regression over features of a clip: the honest choice where there are a few hundred clips.

Features are brought to mean 0 and deviation 1 by the clips that are fitted on; the strength of the L2 penalty
is chosen among those clips alone, by their own folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
_INNER_FOLDS = 3


@dataclass(frozen=True, eq=False)
class LinearClassifier:
    """A fitted classifier; numbers alone, so that it can be stored as they are.

    Attributes:
        mean: (F,) of the features.
        deviation: (F,), 1 where a feature does not change.
        weights: (F, E).
        bias: (E,).
        strength: chosen C, the inverse of the penalty.
    """

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    strength: float

    def probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, F) features to (N, E) probabilities."""
        logits = ((x - self.mean) / self.deviation) @ self.weights + self.bias
        grown = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (grown / grown.sum(axis=1, keepdims=True)).astype(np.float32)


def fit_linear(
    x: NDArray[np.float32], labels: NDArray[np.int64], emotions: int, seed: int
) -> LinearClassifier:
    """Fit it.

    Args:
        x: (N, F) finite features.
        labels: (N,).
        emotions: E; one without a clip gets no probability worth naming.
        seed: of the folds that choose the penalty.

    Raises:
        ValueError: clips of fewer than two emotions.
    """
    present = np.unique(labels)
    if len(present) < 2:
        raise ValueError(f"logistic regression: expected clips of two emotions or more, got {len(present)}")
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    deviation = np.where(deviation > 1e-8, deviation, 1.0)
    scaled = (x - mean) / deviation
    strength = _chosen_strength(scaled, labels, seed)
    model = _logistic(strength).fit(scaled, labels)
    coefficients, intercept = model.coef_, model.intercept_
    if len(present) == 2:  # scikit-learn then keeps one row, of the second emotion against the first
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    weights, bias = np.zeros((x.shape[1], emotions)), np.full(emotions, -30.0)
    weights[:, present], bias[present] = coefficients.T, intercept
    return LinearClassifier(mean, deviation, weights, bias, strength)


def _logistic(strength: float):  # type: ignore[no-untyped-def]
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=500)


def _chosen_strength(x: NDArray[np.float64], labels: NDArray[np.int64], seed: int) -> float:
    """The penalty with the smallest log-loss on held-out clips; the middle one where a class is too rare."""
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(labels)
    if counts[counts > 0].min() < _INNER_FOLDS:
        return 0.1
    losses = np.zeros(len(_STRENGTHS))
    for fit, held in StratifiedKFold(_INNER_FOLDS, shuffle=True, random_state=seed).split(x, labels):
        for place, strength in enumerate(_STRENGTHS):
            model = _logistic(strength).fit(x[fit], labels[fit])
            likely = model.predict_proba(x[held])
            own = likely[np.arange(len(held)), np.searchsorted(model.classes_, labels[held])]
            losses[place] -= np.log(np.maximum(own, 1e-12)).sum()
    return _STRENGTHS[int(losses.argmin())]
