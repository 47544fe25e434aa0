from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
)

from protocols.emotion_measures import (
    average_precision,
    emotion_gain,
    mean_average_precision,
    measure_emotions,
)
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile

TREE = LabelTree("e", ("anger", "fear", "happy", "sad", "surprise"))


def score_file(labels, predicted, tree=TREE, method="m"):
    scores = np.full((len(labels), len(tree.actions)), 0.1, np.float32)
    scores[np.arange(len(labels)), predicted] = 1 - 0.1 * (len(tree.actions) - 1)
    ids = tuple(f"c{number}" for number in range(len(labels)))
    return ScoreFile(tree, ids, np.asarray(labels, np.int64), scores, method)


@pytest.mark.parametrize("seed", range(4))
def test_measures_equal_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(4 if seed % 2 else 5, size=80, p=None)
    predicted = np.where(rng.random(80) < 0.5, labels, rng.integers(0, 4, 80))
    found = measure_emotions(score_file(labels, predicted), rng, 200)
    assert found.values == pytest.approx(
        {
            "accuracy": accuracy_score(labels, predicted),
            "weighted_f1": f1_score(labels, predicted, average="weighted", zero_division=0),
            "uf1": f1_score(labels, predicted, average="macro", zero_division=0),
            "uar": balanced_accuracy_score(labels, predicted),
        },
        abs=1e-12,
    )
    for name, (low, high) in found.intervals.items():
        assert low < found.values[name] < high


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_equals_that_of_scikit_learn(ties):
    rng = np.random.default_rng(1)
    present = rng.random((60, 7)) < 0.2
    present[:, 3] = False
    scores = rng.random((60, 7)).round(1 if ties else 9)
    own = [column for column in range(7) if present[:, column].any()]
    wanted = [average_precision_score(present[:, column], scores[:, column]) for column in own]
    assert mean_average_precision(present, scores) == pytest.approx(np.mean(wanted), abs=1e-12)
    assert np.isnan(average_precision(present[:, 3], scores[:, 3]))
    with pytest.raises(ValueError, match="expected scores"):
        mean_average_precision(present, scores[:, :3])


def test_one_clip_of_210_is_seen_as_one_clip():
    labels = np.arange(210) % 5
    wrong = (labels + 1) % 5
    second = np.where(np.arange(210) < 68, labels, wrong)
    first = np.where(np.arange(210) < 69, labels, wrong)
    gain = emotion_gain(score_file(labels, first), score_file(labels, second), np.random.default_rng(0), 500)
    assert (gain.clips, gain.first_right, gain.second_right, gain.difference_clips) == (210, 69, 68, 1)
    assert gain.mcnemar.only_first == 1 and gain.mcnemar.exact_p == 1
    assert gain.differences["accuracy"] == pytest.approx(1 / 210) and gain.intervals["accuracy"][0] == 0
    told = gain.told("both", "micro-actions")
    assert "+1 clip, +0.48 points" in told and "the interval contains 0: no difference is shown" in told


def test_a_real_gain_is_told_as_one():
    labels = np.arange(200) % 5
    second = np.where(np.arange(200) < 60, labels, (labels + 1) % 5)
    first = np.where(np.arange(200) < 120, labels, (labels + 1) % 5)
    gain = emotion_gain(score_file(labels, first), score_file(labels, second), np.random.default_rng(0), 300)
    assert gain.intervals["accuracy"][0] > 0.2 and "contains 0" not in gain.told("a", "b")
    for name, value in gain.differences.items():
        assert gain.intervals[name][0] < value < gain.intervals[name][1]


def test_emotions_that_are_never_predicted_are_named():
    found = measure_emotions(score_file([0, 0, 1, 3], [0, 3, 3, 3]), np.random.default_rng(0), 10)
    assert found.never == ("fear",) and found.majority == 0.5 and found.right == 2
