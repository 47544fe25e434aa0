from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from score_samples import make_scores

from protocols.comparison import compare, mcnemar, spread_of
from protocols.recognition import measures_of
from protocols.scores import ScoreFile


def pairs(both, first, second, neither):
    counts = (both, first, second, neither)
    return (
        np.repeat([True, True, False, False], counts),
        np.repeat([True, False, True, False], counts),
    )


@pytest.mark.parametrize(
    ("first", "second", "exact", "mid"),
    [
        (0, 0, 1, 1),
        (1, 0, 1, 1 / 2),
        (5, 0, 2 / 32, 1 / 32),
        (1, 5, 14 / 64, 8 / 64),
        (3, 3, 1, 1),
        (1, 7, 0.0703125, 0.0390625),  # an example of Fagerland, Lydersen and Laake (2013)
    ],
)
def test_mcnemar_known_answers(first, second, exact, mid):
    found = mcnemar(*pairs(10, first, second, 4))
    assert (found.both, found.only_first, found.only_second, found.neither) == (10, first, second, 4)
    assert found.exact_p == pytest.approx(exact, abs=1e-12) and found.mid_p == pytest.approx(mid, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(first=st.integers(0, 900), second=st.integers(0, 900))
def test_mcnemar_as_scipy(first, second):
    found = mcnemar(*pairs(0, first, second, 0))
    n, least = first + second, min(first, second)
    exact = binomtest(least, n, 0.5).pvalue if n else 1
    assert found.exact_p == pytest.approx(exact, rel=1e-9)
    assert found.mid_p == pytest.approx(2 * binom.cdf(least, n, 0.5) - binom.pmf(least, n, 0.5), rel=1e-9)


def test_mcnemar_of_many_clips():
    found = mcnemar(*pairs(0, 20_000, 0, 0))
    assert found.exact_p == 0  # smaller than any number the machine knows
    with pytest.raises(ValueError, match="got 2 of the first, 3 of the second"):
        mcnemar(np.ones(2, bool), np.ones(3, bool))


def improved(scores, share, rng):
    """The same file with some clips corrected."""
    values = scores.scores.copy()
    for row in np.flatnonzero(rng.uniform(size=len(scores)) < share):
        values[row] = 0.01
        values[row, scores.labels[row]] = 1 - 0.01 * (values.shape[1] - 1)
    return dataclasses.replace(scores, scores=values, method="better")


def shuffled(scores, rng):
    order = rng.permutation(len(scores))
    ids = tuple(scores.clip_ids[row] for row in order)
    return dataclasses.replace(scores, clip_ids=ids, labels=scores.labels[order], scores=scores.scores[order])


def test_two_methods():
    rng = np.random.default_rng(0)
    plain = make_scores(rng, 300)
    better = improved(plain, 0.2, rng)
    found = compare(better, plain, np.random.default_rng(1), 1000)
    assert list(found.differences) == list(measures_of(plain)) and found.clips == 300
    for name, value in measures_of(better).items():
        gap = found.differences[name]
        assert gap.first == value and gap.second == measures_of(plain)[name]
        assert gap.difference == pytest.approx(gap.first - gap.second)
        assert gap.interval[0] <= gap.difference <= gap.interval[1]
    top1 = found.differences["action/top1"]
    assert top1.p_value == pytest.approx(2 / 1001) and top1.interval[0] > 0
    test = found.mcnemar["action"]
    assert test.only_second == 0 and test.only_first == round(300 * top1.difference) and test.exact_p < 1e-6
    # On the same clips a difference is better known than on two samples of clips.
    n, p, q = 300, top1.first, top1.second
    unpaired = 2 * 1.96 * math.sqrt((p * (1 - p) + q * (1 - q)) / n)
    assert top1.interval[1] - top1.interval[0] < 0.8 * unpaired
    assert set(found.mcnemar) == {"action", "body", "body_summed"}


def test_the_order_of_rows_and_of_methods():
    rng = np.random.default_rng(0)
    plain = make_scores(rng, 80)
    better = improved(plain, 0.2, rng)
    straight = compare(better, plain, np.random.default_rng(1), 200)
    assert compare(better, shuffled(plain, rng), np.random.default_rng(1), 200) == straight
    turned = compare(plain, better, np.random.default_rng(1), 200)
    for name, gap in straight.differences.items():
        assert turned.differences[name].difference == -gap.difference
        assert turned.differences[name].interval == pytest.approx((-gap.interval[1], -gap.interval[0]))
        assert turned.differences[name].p_value == gap.p_value
    assert turned.mcnemar["body"].exact_p == straight.mcnemar["body"].exact_p


def test_a_method_against_itself():
    scores = make_scores(np.random.default_rng(0), 40)
    found = compare(scores, shuffled(scores, np.random.default_rng(1)), np.random.default_rng(2), 100)
    assert all(gap.interval == (0, 0) and gap.p_value == 1 for gap in found.differences.values())
    assert found.mcnemar["action"].exact_p == found.mcnemar["action"].mid_p == 1


def test_chance_is_seldom_taken_for_a_difference():
    """Two equally good methods: p below 0.1 in about a tenth of the cases."""
    rng = np.random.default_rng(0)
    small = {"bootstrap": 0, "mid-p": 0}
    for _ in range(80):
        first = make_scores(rng, 100)
        second = dataclasses.replace(make_scores(rng, 100), labels=first.labels)
        found = compare(first, second, rng, 200)
        small["bootstrap"] += found.differences["action/top1"].p_value < 0.1
        small["mid-p"] += found.mcnemar["action"].mid_p < 0.1
    assert all(1 <= count <= 18 for count in small.values()), small


def test_files_that_do_not_fit():
    scores = make_scores(np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"1 missing.*clip/011é"):
        compare(scores, make_scores(np.random.default_rng(0), 11), np.random.default_rng(0), 10)
    zeros = ScoreFile(scores.tree, scores.clip_ids, np.zeros(12, np.int64), scores.scores)
    with pytest.raises(ValueError, match="labels are 0"):
        compare(zeros, zeros, np.random.default_rng(0), 10)


def test_spread_over_seeds_and_draws():
    runs = [{"action/top1": value} for value in (0.5, 0.6, 0.7, 0.8)]
    found = spread_of(runs)["action/top1"]
    assert (found.runs, found.mean, found.low, found.high) == (4, pytest.approx(0.65), 0.5, 0.8)
    assert found.deviation == pytest.approx(math.sqrt((0.15**2 + 0.05**2) * 2 / 3))
    assert math.isnan(found.between_seeds) and math.isnan(found.within_seeds)
    nested = spread_of(runs, [0, 0, 1, 1])["action/top1"]
    assert nested.between_seeds == pytest.approx(0.2 / math.sqrt(2))  # seeds' means: 0.55 and 0.75
    assert nested.within_seeds == pytest.approx(0.1 / math.sqrt(2))
    single = spread_of(runs, [0, 1, 2, 3])["action/top1"]
    assert single.between_seeds == pytest.approx(found.deviation) and math.isnan(single.within_seeds)
    assert math.isnan(spread_of(runs[:1])["action/top1"].deviation)


def test_runs_that_cannot_be_averaged():
    with pytest.raises(ValueError, match="run 2: expected the measures of the first, differing: f1_mean"):
        spread_of([{"top1": 1.0}, {"top1": 1.0, "f1_mean": 0.5}])
    with pytest.raises(ValueError, match="a seed for each of 1 runs, got 2"):
        spread_of([{"top1": 1.0}], [0, 1])
    with pytest.raises(ValueError, match="at least one run"):
        spread_of([])
