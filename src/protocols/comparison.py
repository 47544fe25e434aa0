"""Two methods on the same clips, and one method over several runs.

Files are joined by clip id. Two methods are compared draw by draw on the same drawn clips (paired bootstrap),
and by the clips on which only one of them is right (McNemar's test).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from protocols.intervals import Interval, drawn_measures, interval_of
from protocols.recognition import Floats, Labels, measures_of, outcomes
from protocols.scores import ScoreFile, aligned


@dataclass(frozen=True)
class Difference:
    """One measure of two methods.

    Attributes:
        first: of the first method, in 0..1.
        second: of the second.
        difference: first - second.
        interval: of the difference, from draws that both methods share.
        p_value: two-sided: twice the share of draws on the smaller side of no difference, with one draw more
            on each side, so never 0.
    """

    first: float
    second: float
    difference: float
    interval: Interval
    p_value: float


@dataclass(frozen=True)
class McNemar:
    """Clips by who is right about them, and whether chance explains the difference.

    Attributes:
        both: clips about which both are right.
        only_first: the first alone.
        only_second: the second alone.
        neither: none.
        exact_p: of the exact test, two-sided: conservative.
        mid_p: with half of the observed case's probability (Fagerland et al., 2013): closer to its level.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    exact_p: float
    mid_p: float


@dataclass(frozen=True)
class Comparison:
    """Two methods.

    Attributes:
        clips: N.
        differences: of every measure of `measures_of`, by its name.
        mcnemar: of top-1 at each level.
    """

    clips: int
    differences: dict[str, Difference]
    mcnemar: dict[str, McNemar]


@dataclass(frozen=True)
class Spread:
    """One measure over several runs.

    Attributes:
        runs: how many.
        mean: of the runs.
        deviation: standard deviation over runs (divided by runs - 1); NaN of one run.
        low: smallest.
        high: largest.
        between_seeds: standard deviation of the seeds' means; NaN of one seed, or where no seeds are given.
        within_seeds: root of the mean variance over one seed's runs (its draws); NaN where no seed has two.
    """

    runs: int
    mean: float
    deviation: float
    low: float
    high: float
    between_seeds: float = float("nan")
    within_seeds: float = float("nan")


def compare(
    first: ScoreFile,
    second: ScoreFile,
    rng: np.random.Generator,
    draws: int = 10_000,
    level: float = 0.95,
    units: Labels | None = None,
) -> Comparison:
    """The first method against the second.

    Args:
        first: with a label for every clip.
        second: of the same clips and actions, in any order.
        rng: source of the draws.
        draws: of the paired bootstrap.
        level: of the intervals.
        units: (N,) what is drawn together, as in `measure_intervals`, in the order of the first file's clips.

    Raises:
        ValueError: files that do not fit together (names the clips), no labels or placeholders.
    """
    first, second = aligned((first, second))
    values = measures_of(first), measures_of(second)
    drawn = drawn_measures((first, second), rng, draws, units)
    differences = {}
    for name in values[0].keys() & values[1].keys():
        gaps = drawn[0][name] - drawn[1][name]
        differences[name] = Difference(
            values[0][name],
            values[1][name],
            values[0][name] - values[1][name],
            interval_of(gaps, level),
            _p_value(gaps),
        )
    ordered = {name: differences[name] for name in values[0] if name in differences}
    own, other = outcomes(first), outcomes(second)
    tests = {
        name: mcnemar(one.predicted == one.labels, other[name].predicted == other[name].labels)
        for name, one in own.items()
        if name in other
    }
    return Comparison(len(first), ordered, tests)


def _p_value(gaps: Floats) -> float:
    smaller = min(int((gaps <= 0).sum()), int((gaps >= 0).sum()))
    return min(1.0, 2 * (smaller + 1) / (len(gaps) + 1))


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> McNemar:
    """McNemar's test of two methods on the same clips.

    Args:
        first_right: (N,) whether the first is right about each clip.
        second_right: (N,) the second.

    Raises:
        ValueError: of different numbers of clips.
    """
    if first_right.shape != second_right.shape:
        raise ValueError(
            f"expected the same clips, got {len(first_right)} of the first, {len(second_right)} of the second"
        )
    b, c = int((first_right & ~second_right).sum()), int((~first_right & second_right).sum())
    at_most, exactly = _binomial_half(min(b, c), b + c)
    return McNemar(
        int((first_right & second_right).sum()),
        b,
        c,
        int((~first_right & ~second_right).sum()),
        float(min(Fraction(1), 2 * at_most)),
        float(2 * at_most - exactly),
    )


def _binomial_half(k: int, n: int) -> tuple[Fraction, Fraction]:
    """Probability of at most k, and of exactly k, heads in n throws; in whole numbers, so exact."""
    total, ways = 1, 1
    for number in range(k):
        ways = ways * (n - number) // (number + 1)
        total += ways
    return Fraction(total, 2**n), Fraction(ways, 2**n)


def spread_of(
    runs: Sequence[Mapping[str, float]], seeds: Sequence[int | None] | None = None
) -> dict[str, Spread]:
    """Mean and spread of every measure over runs of one method.

    Args:
        runs: measures by name, of one run each.
        seeds: of each run's training; runs of one seed differ by their draw of support clips, say.

    Raises:
        ValueError: no runs, other measures in some, or not one seed a run.
    """
    if not runs:
        raise ValueError("expected at least one run, got none")
    for number, run in enumerate(runs, 1):
        other = sorted(set(run) ^ set(runs[0]))
        if other:
            raise ValueError(
                f"run {number}: expected the measures of the first, differing: {', '.join(other)}"
            )
    if seeds is not None and len(seeds) != len(runs):
        raise ValueError(f"expected a seed for each of {len(runs)} runs, got {len(seeds)}")
    return {name: _spread(np.array([run[name] for run in runs]), seeds) for name in runs[0]}


def _spread(values: Floats, seeds: Sequence[int | None] | None) -> Spread:
    by_seed: dict[int | None, list[float]] = {}
    for value, seed in zip(values.tolist(), seeds or (), strict=False):
        by_seed.setdefault(seed, []).append(value)
    means = np.array([np.mean(own) for own in by_seed.values()])
    variances = [np.var(own, ddof=1) for own in by_seed.values() if len(own) > 1]
    return Spread(
        len(values),
        float(values.mean()),
        _deviation(values),
        float(values.min()),
        float(values.max()),
        _deviation(means),
        float(np.sqrt(np.mean(variances))) if variances else float("nan"),
    )


def _deviation(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")
