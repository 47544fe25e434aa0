"""Other class frequencies in the target than in the source: found and corrected from probabilities alone.

Saerens, Latinne and Decaestecker: Adjusting the outputs of a classifier to new a priori probabilities, Neural
Computation 14 (2002), equations 2.4 and 2.9. It looks at all target clips together, without their labels:
what it gives is transductive. Axis letters: N clips, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SMALLEST = 1e-12  # probability, before it is divided by or its logarithm is taken


@dataclass(frozen=True, eq=False)
class PriorEstimate:
    """What expectation maximisation found.

    Attributes:
        prior: (A,) probabilities of the classes among the target clips.
        steps: that it took.
        log_likelihood: of the target clips after each step, up to a constant; it never falls.
    """

    prior: Floats
    steps: int
    log_likelihood: tuple[float, ...]


def adjusted(probabilities: NDArray[np.floating], source: Floats, target: Floats) -> Floats:
    """Probabilities (N, A) under another prior: each times target / source, scaled to sum to 1 (eq. 2.4).

    Args:
        probabilities: (N, A), of a classifier that learned under the source's prior.
        source: (A,) the prior it learned under; classes of probability 0 keep probability 0.
        target: (A,) the prior that is wanted.

    Raises:
        ValueError: shapes that do not agree, or no priors.
    """
    source, target = _expect_prior(source, "source"), _expect_prior(target, "target")
    values = np.asarray(probabilities, np.float64)
    if values.ndim != 2 or values.shape[1] != len(source) or len(source) != len(target):
        raise ValueError(
            f"expected probabilities (N, A) and priors (A,), got {values.shape}, {source.shape} and "
            f"{target.shape}"
        )
    weighted = values * _ratio(source, target)
    total = weighted.sum(axis=1, keepdims=True)
    # A clip whose whole probability lies on classes that the target lacks keeps what it had.
    kept: Floats = np.where(total > _SMALLEST, weighted / np.maximum(total, _SMALLEST), values)
    return kept


def estimate_prior(
    probabilities: NDArray[np.floating],
    source: Floats,
    smoothing: float = 0.0,
    tolerance: float = 1e-8,
    most_steps: int = 1000,
) -> PriorEstimate:
    """The classes' frequencies among target clips, by expectation maximisation (eq. 2.9).

    Args:
        probabilities: (N, A), of a classifier that learned under the source's prior.
        source: (A,) that prior; where it is 0 the estimate is 0.
        smoothing: clips of the source's frequencies that are counted beside the N target clips (a Dirichlet
            prior): few clips then move the estimate less. 0 is the published method.
        tolerance: stop once no probability moves by more.
        most_steps: stop after so many.

    Raises:
        ValueError: no clips, shapes that do not agree, or no prior.
    """
    source = _expect_prior(source, "source")
    values = np.asarray(probabilities, np.float64)
    if values.ndim != 2 or not len(values) or values.shape[1] != len(source):
        raise ValueError(f"expected probabilities (N, {len(source)}) of N > 0 clips, got {values.shape}")
    if smoothing < 0:
        raise ValueError(f"expected smoothing of 0 clips or more, got {smoothing:g}")
    prior, likelihood = source.copy(), []
    for _ in range(most_steps):
        ratio = _ratio(source, prior)
        totals = np.maximum(values @ ratio, _SMALLEST)  # (N,)
        counts = ratio * (values.T @ (1 / totals))  # (A,): sums of the adjusted probabilities
        new = (counts + smoothing * source) / (counts.sum() + smoothing)
        log_likelihood = float(np.log(totals).sum())
        if smoothing:
            log_likelihood += float(smoothing * source @ np.log(np.maximum(prior, _SMALLEST)))
        likelihood.append(log_likelihood)
        moved = float(np.abs(new - prior).max())
        prior = new
        if moved <= tolerance:
            break
    return PriorEstimate(prior, len(likelihood), tuple(likelihood))


def fitted_temperature(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> float:
    """The temperature, 1/8 to 8, under which labels are most probable (Guo et al., ICML 2017).

    Expectation maximisation takes probabilities at their word: a network that is too sure, or not sure
    enough, leads it astray. Fit on labelled clips that it did not train on, such as the source's validation.

    Args:
        probabilities: (N, A).
        labels: (N,), all known.

    Raises:
        ValueError: no clips, or shapes that do not agree.
    """
    if probabilities.ndim != 2 or not len(labels) or len(labels) != len(probabilities):
        raise ValueError(
            f"expected probabilities (N, A) and labels (N,) of N > 0 clips, got {probabilities.shape} and "
            f"{labels.shape}"
        )
    temperatures = np.geomspace(1 / 8, 8, 61)  # a step is a tenth of an octave
    rows = np.arange(len(labels))
    costs = [
        -np.log(np.maximum(tempered(probabilities, one)[rows, labels], _SMALLEST)).mean()
        for one in temperatures
    ]
    return float(temperatures[int(np.argmin(costs))])


def tempered(probabilities: NDArray[np.floating], temperature: float) -> Floats:
    """Probabilities (N, A) whose logarithms are divided by a temperature, scaled to sum to 1 again."""
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), _SMALLEST)) / temperature
    values = np.exp(logs - logs.max(axis=1, keepdims=True))
    scaled: Floats = values / values.sum(axis=1, keepdims=True)
    return scaled


def class_prior(counts: NDArray[np.integer] | NDArray[np.floating]) -> Floats:
    """(A,) shares of clips of each class.

    Raises:
        ValueError: no clips, or a negative number of them.
    """
    values = np.asarray(counts, np.float64)
    if values.ndim != 1 or (values < 0).any() or values.sum() <= 0:
        raise ValueError(f"expected (A,) numbers of clips with a sum above 0, got {values.tolist()[:8]}")
    shares: Floats = values / values.sum()
    return shares


def _ratio(source: Floats, target: Floats) -> Floats:
    ratio: Floats = np.where(source > 0, target / np.maximum(source, _SMALLEST), 0.0)
    return ratio


def _expect_prior(prior: Floats, name: str) -> Floats:
    values: Floats = np.asarray(prior, np.float64)
    if values.ndim != 1 or (values < 0).any() or not np.isclose(values.sum(), 1, atol=1e-6):
        raise ValueError(
            f"expected the {name}'s prior as (A,) probabilities with the sum 1, got {values.shape} with "
            f"the sum {values.sum():g}"
        )
    return values
