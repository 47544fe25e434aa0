"""What fusion is chosen by: the log-loss of the labels, and the temperature that makes it least.

Axis letters: F files, N clips, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp

from protocols.score_fusion import log_probabilities

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

MOST_TEMPERATURE = 20.0  # 1 / 20 is the least


def log_losses(logits: Floats, labels: Labels) -> Floats:
    """(N,) -log softmax(logits)[label] of each clip; logits (N, A), labels (N,)."""
    losses: Floats = logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]
    return losses


def best_temperature(logits: Floats, labels: Labels) -> float:
    """The T of softmax(logits / T) with the least mean log-loss (Guo et al., 2017), in 0.05..20.

    The loss is convex in 1 / T, so there is one. It ends at 0.05 or 20 where no finite T is best: every clip
    is right, or no better than chance.

    Args:
        logits: (N, A), such as log-probabilities.
        labels: (N,).
    """

    def loss(inverse: float) -> float:
        return float(log_losses(logits * inverse, labels).mean())

    bounds = (1 / MOST_TEMPERATURE, MOST_TEMPERATURE)
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return 1 / float(found.x)


def calibrated(probabilities: Floats, temperatures: Sequence[float]) -> Floats:
    """(F, N, A) log-probabilities of files, each at its temperature."""
    logits = log_probabilities(probabilities) / np.array(temperatures)[:, None, None]
    scaled: Floats = log_softmax(logits, axis=-1)
    return scaled


def check_temperatures(temperatures: Sequence[float]) -> None:
    """See that temperatures can be meant.

    Raises:
        ValueError: none at all, or one that is not above 0 and finite.
    """
    if not temperatures or not all(0 < one < np.inf for one in temperatures):
        raise ValueError(f"expected temperatures above 0, got {list(temperatures)}")
