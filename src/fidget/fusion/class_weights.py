"""A weight for each file and action, learned on validation clips and held back towards equal ones.

Let l[f] be a file's log-probabilities, made honest by a temperature T[f] (`log_loss.best_temperature`). The
fused probabilities of a clip are

    softmax over a of  sum over f of  w[f, a] * l[f][a] / T[f],      w[f, a] >= 0,  sum over f of w[f, a] = 1.

w is the minimum of  mean log-loss + strength / 2 * sum over f, a of (w[f, a] - 1 / F)^2,  which is convex:
the logits are linear in w. A strength of infinity gives equal weights. The strength is chosen by
cross-validation within the validation clips: the largest one whose loss is within a standard error (of paired
differences) of the best. Files that are the same leave the predictions as they are, whatever w.

Axis letters: F files, N clips, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fidget.fusion.log_loss import Labels, best_temperature, calibrated, check_temperatures, log_losses
from protocols.score_fusion import combined, log_probabilities, softmax, stacked
from protocols.scores import ScoreFile, expect_labels

Floats = NDArray[np.float64]

STRENGTHS = (float("inf"), 10.0, 1.0, 0.1, 0.01, 0.001, 0.0001)
FOLDS = 5

_MOST_STEPS = 2_000
_TOLERANCE = 1e-6  # of a weight, a step


@dataclass(frozen=True)
class ClassWeights:
    """Weights by file and action.

    Attributes:
        temperatures: T, one a file.
        weights: w, for each file one an action; over the files they sum to 1.
        strength: of the regulariser that was chosen; infinite for equal weights.

    Raises:
        ValueError: numbers that cannot be meant.
    """

    temperatures: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    strength: float

    def __post_init__(self) -> None:
        check_temperatures(self.temperatures)
        lengths = {len(one) for one in self.weights}
        if len(self.weights) != self.files or len(lengths) != 1 or not self.strength >= 0:
            raise ValueError(
                f"expected weights of {self.files} files, as many each, and a strength of 0 or more, "
                f"got weights of {len(self.weights)} files and {self.strength:g}"
            )
        weights = np.array(self.weights, np.float64)
        if not (weights >= 0).all() or np.abs(weights.sum(axis=0) - 1).max(initial=0) > 1e-6:
            raise ValueError("expected weights of 0 or more that sum to 1 over the files, for every action")

    @property
    def files(self) -> int:
        """F."""
        return len(self.temperatures)

    def __call__(self, probabilities: Floats) -> Floats:
        """(N, A) from (F, N, A)."""
        logs = calibrated(probabilities, self.temperatures)
        return softmax(_logits(logs, np.array(self.weights)))

    def name(self, files: Sequence[ScoreFile]) -> str:
        """Of the fused method."""
        return " + ".join(one.method for one in files) + " by class"


def fit_class_weights(
    files: Sequence[ScoreFile], rng: np.random.Generator, strengths: Sequence[float] = STRENGTHS
) -> ClassWeights:
    """Temperatures, strength and weights from validation clips.

    Args:
        files: joined by `aligned`, with a label for every clip.
        rng: deals the clips of each class out to the folds.
        strengths: to choose from, strongest first; a single one is taken as it is.

    Raises:
        ValueError: no labels, or fewer clips than folds.
    """
    probabilities = stacked(files)
    labels = expect_labels(combined(files, probabilities[0], ""))
    if len(labels) < FOLDS:
        raise ValueError(f"expected {FOLDS} validation clips or more for weights by class, got {len(labels)}")
    temperatures = tuple(best_temperature(logs, labels) for logs in log_probabilities(probabilities))
    logs = calibrated(probabilities, temperatures)
    strength = strengths[0] if len(strengths) == 1 else _choose_strength(logs, labels, rng, strengths)
    weights = fit_weights(logs, labels, strength)
    return ClassWeights(temperatures, tuple(map(tuple, weights.tolist())), strength)


def fit_weights(logs: Floats, labels: Labels, strength: float, start: Floats | None = None) -> Floats:
    """The minimum, by accelerated projected gradients (Beck and Teboulle: FISTA, 2009) with restarts.

    Args:
        logs: (F, N, A) log-probabilities.
        labels: (N,).
        strength: of the regulariser.
        start: (F, A) weights to begin with; equal ones where None. The minimum does not depend on them.

    Returns:
        (F, A) weights, each column on the simplex.
    """
    files, clips, actions = logs.shape
    equal = np.full((files, actions), 1 / files)
    if strength == np.inf:
        return equal
    weights = equal if start is None else start
    target = np.zeros((clips, actions))
    target[np.arange(clips), labels] = 1.0
    value, step = _loss(logs, labels, weights, strength), 1.0
    ahead, momentum = weights, 1.0
    for _ in range(_MOST_STEPS):
        at = _loss(logs, labels, ahead, strength)
        wrong = softmax(_logits(logs, ahead)) - target  # (N, A)
        slope = np.einsum("na,fna->fa", wrong, logs) / clips + strength * (ahead - 1 / files)
        while True:
            new = onto_simplex(ahead - step * slope)
            moved = new - ahead
            new_value = _loss(logs, labels, new, strength)
            if new_value <= at + (slope * moved).sum() + np.square(moved).sum() / (2 * step) + 1e-12:
                break
            step /= 2
        if new_value > value:  # the momentum went too far: on from the best without it
            if momentum == 1.0:
                break
            ahead, momentum = weights, 1.0
            continue
        settled = np.abs(new - weights).max() < _TOLERANCE
        grown = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = new + (momentum - 1) / grown * (new - weights)
        weights, value, momentum = new, new_value, grown
        step *= 1.2
        if settled:
            break
    return weights


def onto_simplex(values: Floats) -> Floats:
    """(F, A) with each column moved to the nearest one of numbers of 0 or more that sum to 1.

    Duchi et al.: Efficient projections onto the l1-ball, ICML 2008, figure 1.
    """
    falling = -np.sort(-values, axis=0)
    excess = np.cumsum(falling, axis=0) - 1
    counts = np.arange(1, len(values) + 1)[:, None]
    kept = (falling - excess / counts > 0).sum(axis=0)  # (A,)
    threshold = np.take_along_axis(excess, kept[None] - 1, axis=0) / kept
    projected: Floats = np.maximum(values - threshold, 0)
    return projected


def _logits(logs: Floats, weights: Floats) -> Floats:
    """(N, A)."""
    summed: Floats = np.einsum("fa,fna->na", weights, logs)
    return summed


def _loss(logs: Floats, labels: Labels, weights: Floats, strength: float) -> float:
    held = strength / 2 * np.square(weights - 1 / len(logs)).sum()
    return float(log_losses(_logits(logs, weights), labels).mean() + held)


def _choose_strength(
    logs: Floats, labels: Labels, rng: np.random.Generator, strengths: Sequence[float]
) -> float:
    fold_of = _folds(labels, rng)
    losses = np.empty((len(strengths), len(labels)))
    for fold in range(FOLDS):
        inside = fold_of != fold
        weights = None  # each minimum is near that of the strength before
        for row, strength in enumerate(strengths):
            weights = fit_weights(logs[:, inside], labels[inside], strength, weights)
            losses[row, ~inside] = log_losses(_logits(logs[:, ~inside], weights), labels[~inside])
    best = losses[losses.mean(axis=1).argmin()]
    for strength, own in zip(strengths, losses, strict=True):
        gaps = own - best
        if gaps.mean() <= gaps.std() / len(gaps) ** 0.5:
            return strength
    raise AssertionError("the best strength is within an error of itself")


def _folds(labels: Labels, rng: np.random.Generator) -> Labels:
    """(N,) fold of each clip: the clips of each class are dealt out in turn."""
    shuffled = rng.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold_of = np.empty(len(labels), np.int64)
    fold_of[by_class] = np.arange(len(labels)) % FOLDS
    return fold_of
