from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from score_samples import TREE, make_scores

from protocols.intervals import draw_counts, drawn_measures, interval_of, measure_intervals
from protocols.label_tree import LabelTree
from protocols.recognition import bootstrap_interval, measures_of, predictions
from protocols.scores import NO_LABEL, ScoreFile


def taken(scores: ScoreFile, rows) -> ScoreFile:
    """A drawn sample as a file of its own."""
    ids = tuple(f"{number}" for number in range(len(rows)))
    return ScoreFile(scores.tree, ids, scores.labels[rows], scores.scores[rows], scores.method)


@pytest.mark.parametrize("tree", [TREE, LabelTree("flat", TREE.actions)])
def test_every_draw_is_measured_as_a_file_of_its_clips(tree):
    scores = make_scores(np.random.default_rng(0), 23, tree=tree)
    drawn = drawn_measures((scores,), np.random.default_rng(3), draws=30)[0]
    rows = np.random.default_rng(3).integers(23, size=(30, 23), dtype=np.uint16)
    for number, own in enumerate(rows):
        expected = measures_of(taken(scores, own))
        assert {name: values[number] for name, values in drawn.items()} == pytest.approx(expected)
    assert list(drawn) == list(measures_of(scores)) or set(drawn) == set(measures_of(scores))


def test_units_are_drawn_whole():
    scores = make_scores(np.random.default_rng(0), 12)
    units = np.array([7, 7, 7, 7, 7, 7, 2, 2, 2, 2, 2, 2])
    drawn = drawn_measures((scores,), np.random.default_rng(0), 200, units)[0]["action/top1"]
    right = predictions(scores.scores) == scores.labels
    possible = [right[:6].mean(), right[6:].mean(), right.mean()]
    assert set(np.round(drawn, 9)) == set(np.round(possible, 9))
    alone = drawn_measures((scores,), np.random.default_rng(0), 200, np.arange(12))[0]["f1_mean"]
    np.testing.assert_allclose(alone, drawn_measures((scores,), np.random.default_rng(0), 200)[0]["f1_mean"])
    with pytest.raises(ValueError, match="unit for each of 12 clips, got 3"):
        drawn_measures((scores,), np.random.default_rng(0), 200, np.arange(3))


def test_files_share_their_draws_and_are_joined_by_id():
    first = make_scores(np.random.default_rng(0), 40)
    order = np.random.default_rng(1).permutation(40)
    crossed = dataclasses.replace(
        first,
        clip_ids=tuple(first.clip_ids[row] for row in order),
        labels=first.labels[order],
        scores=first.scores[order],
    )
    one, other = drawn_measures((first, crossed), np.random.default_rng(0), 100)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])
    assert one["action/top1"].std() > 0


def test_top1_as_the_plain_bootstrap():
    scores = make_scores(np.random.default_rng(0), 500)
    low, high = measure_intervals(scores, np.random.default_rng(0), 4000)["action/top1"]
    right = predictions(scores.scores) == scores.labels
    plain = bootstrap_interval(right, np.random.default_rng(1), draws=4000)
    assert (low, high) == pytest.approx(plain, abs=0.006)
    assert low < right.mean() < high
    narrow = measure_intervals(scores, np.random.default_rng(0), 4000, level=0.5)["action/top1"]
    assert low < narrow[0] < narrow[1] < high


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Samples of a known population: in about 95 % of 150 of them the intervals cover its measures."""
    population = make_scores(np.random.default_rng(0), 20_000)
    truth = measures_of(population)
    rng, held = np.random.default_rng(1), dict.fromkeys(("action/macro_f1", "body/mean_class", "f1_mean"), 0)
    for _ in range(150):
        found = measure_intervals(taken(population, rng.integers(20_000, size=200)), rng, 300)
        for name in held:
            held[name] += found[name][0] <= truth[name] <= found[name][1]
    assert all(0.88 <= count / 150 <= 0.995 for count in held.values()), held


def test_counts_of_draws():
    kind_of = np.array([0, 0, 0, 2, 2, 3])
    counts = np.concatenate(list(draw_counts(kind_of, 4, np.random.default_rng(0), 3000)))
    assert counts.shape == (3000, 4) and (counts.sum(axis=1) == 6).all()
    np.testing.assert_allclose(counts.mean(axis=0), [3, 0, 2, 1], atol=0.1)


def test_what_is_refused():
    scores = make_scores(np.random.default_rng(0))
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="at least 1 draw, got 12 clips and 0"):
        measure_intervals(scores, rng, draws=0)
    with pytest.raises(ValueError, match="got 1"):
        interval_of(np.zeros(3), 1)
    with pytest.raises(ValueError, match="labels are 0"):
        measure_intervals(dataclasses.replace(scores, labels=np.zeros(12, np.int64)), rng)
    with pytest.raises(ValueError, match="12 of 12 clips have no label"):
        measure_intervals(dataclasses.replace(scores, labels=np.full(12, NO_LABEL)), rng)


def test_draws_of_a_whole_test_split_are_quick():
    """A loop over draws would take much longer; 10,000 draws of a real network's scores take 1.2 s."""
    rng = np.random.default_rng(0)
    tree = LabelTree("large", tuple(map(str, range(82))), tuple("abcdefg"), tuple(n % 7 for n in range(82)))
    scores = make_scores(rng, 8567, tree=tree)
    started = time.process_time()
    measure_intervals(scores, rng, 1000)
    assert time.process_time() - started < 5
