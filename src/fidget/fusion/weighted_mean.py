"""One weight a file: chosen from a grid on validation clips.

Axis letters: F files, N clips, A actions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fidget.fusion.log_loss import log_losses
from protocols.recognition import measures_of
from protocols.score_fusion import Mean, combined, log_probabilities, stacked, weighted_mean, weighted_name
from protocols.scores import ScoreFile, expect_labels

Floats = NDArray[np.float64]
Criterion = Literal["log_loss", "top1", "mean_class", "f1_mean"]

CRITERIA: dict[str, Criterion] = {
    "log-loss": "log_loss",
    "top1": "top1",
    "mean-class": "mean_class",
    "f1-mean": "f1_mean",
}
MOST_POINTS = 1_000  # of the grid
FINEST_STEPS = 20  # a weight is a multiple of 1/20 at the finest


@dataclass(frozen=True)
class WeightedMean:
    """The weighted mean of probabilities, or of their logarithms.

    Attributes:
        weights: one a file, 0 or more.
        mean: what is averaged.

    Raises:
        ValueError: weights that cannot be meant, or another mean.
    """

    weights: tuple[float, ...]
    mean: Mean = "probability"

    def __post_init__(self) -> None:
        if not all(math.isfinite(one) and one >= 0 for one in self.weights) or not sum(self.weights) > 0:
            raise ValueError(f"expected weights of 0 or more with a sum above 0, got {list(self.weights)}")
        if self.mean not in ("probability", "log"):
            raise ValueError(f"expected the mean of 'probability' or 'log', got {self.mean!r}")

    @property
    def files(self) -> int:
        """F."""
        return len(self.weights)

    def __call__(self, probabilities: Floats) -> Floats:
        """(N, A) from (F, N, A)."""
        return weighted_mean(probabilities, self.weights, self.mean)

    def name(self, files: Sequence[ScoreFile]) -> str:
        """Of the fused method."""
        return weighted_name(files, self.weights)


def choose_weights(
    files: Sequence[ScoreFile], mean: Mean = "probability", criterion: Criterion = "log_loss"
) -> WeightedMean:
    """The weights of a grid on the simplex that are best on validation clips.

    The grid has multiples of 1/k, k at most 20 and as large as 1,000 points allow (20 for two and three
    files, 16 for four), and equal weights. Of equally good weights those nearest to equal ones are taken.

    Args:
        files: joined by `aligned`, with a label for every clip.
        mean: what is averaged.
        criterion: `log_loss`, or a measure: top-1, mean class recall or F1mean.

    Raises:
        ValueError: no labels, or F1mean for actions without body groups.
    """
    probabilities = stacked(files)
    labels = expect_labels(combined(files, probabilities[0], ""))
    if criterion == "f1_mean" and not files[0].tree.groups:
        raise ValueError(
            f"{files[0].tree.name} has no body groups, so there is no F1mean to choose weights by"
        )
    equal = np.full(len(files), 1 / len(files))

    def worth(weights: Floats) -> float:
        fused = weighted_mean(probabilities, weights.tolist(), mean)
        if criterion == "log_loss":
            return -float(log_losses(log_probabilities(fused), labels).mean())
        name = criterion if criterion == "f1_mean" else f"action/{criterion}"
        return measures_of(combined(files, fused, ""))[name]

    points = [equal, *simplex_grid(len(files))]
    found = [(round(worth(one), 12), -float(np.square(one - equal).sum()), number)
             for number, one in enumerate(points)]  # fmt: skip
    best = points[max(found, key=lambda one: (one[0], one[1], -one[2]))[2]]
    return WeightedMean(tuple(best.tolist()), mean)


def simplex_grid(files: int) -> list[Floats]:
    """Weights (F,) that sum to 1, multiples of 1/k."""
    steps = FINEST_STEPS
    while math.comb(steps + files - 1, files - 1) > MOST_POINTS and steps > 1:
        steps -= 1
    return [np.array(counts) / steps for counts in _compositions(steps, files)]


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Every way to write a total as a sum of so many numbers of 0 or more."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, parts - 1):
            yield (first, *rest)
