from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB

from emotion_models.decision_rules import fit_rules
from emotion_models.folds import folds_of
from emotion_models.linear_classifier import fit_linear
from emotion_models.top_five import naive_bayes, strongest, top_five_experiment


def simulated(n=240, telling=0.5, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    present = rng.random((n, 20)) < 0.15
    for emotion in range(3):
        for action in range(5):  # five micro-actions go with each emotion
            present[:, 5 * emotion + action] |= (labels == emotion) & (rng.random(n) < telling)
    return present, labels


def test_the_strongest_are_those_that_go_with_an_emotion():
    present, labels = simulated()
    top = strongest(present, labels, 3)
    assert [sorted(one) for one in top] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 13, 14]]
    nothing = strongest(np.zeros((6, 4), bool), np.arange(6) % 3, 3)
    assert nothing == ((), (), ())


def test_naive_bayes_equals_that_of_scikit_learn():
    present, labels = simulated()
    log_odds, bias = naive_bayes(present[:180], labels[:180], 3)
    other = BernoulliNB().fit(present[:180], labels[:180])
    np.testing.assert_array_equal((present[180:] @ log_odds + bias).argmax(1), other.predict(present[180:]))


def test_top_five_without_a_leak_and_with_one():
    present, labels = simulated()
    found = top_five_experiment(present, labels, 3, np.random.default_rng(0), folds=4, shuffles=10)
    right = {key: float((guess == labels).mean()) for key, guess in found.predicted.items()}
    assert right["union", "base"] == right["own", "base"] > 0.7
    assert right["union", "without"] < 0.5 < right["union", "only"]
    shuffled = {key: values.mean() for key, values in found.shuffled_labels.items()}
    assert abs(shuffled["union", "only"] - 1 / 3) < 0.08  # nothing to learn, nothing learnt
    assert shuffled["own", "only"] > 0.6  # the filter has read the label
    assert found.shuffled_choice["without"].mean() > right["union", "without"]
    assert found.union == tuple(range(15)) and len(found.shuffled_choice["only"]) == 10


def test_rules_in_words_and_their_accuracy():
    present, labels = simulated(telling=0.9)
    found = fit_rules(present, labels, 0, depth=4, smallest_leaf=5)
    assert sum(rule.clips for rule in found.rules) == len(labels) and found.depth <= 4
    assert (found.predicted == labels).mean() > 0.6
    for rule in found.rules:
        inside = np.ones(len(labels), bool)
        for action, there in rule.conditions:
            inside &= present[:, action] == there
        assert inside.sum() == rule.clips and (labels[inside] == rule.emotion).sum() == rule.right
    names = [f"a{number}" for number in range(20)]
    told = found.rules[0].told(names, ("x", "y", "z"))
    assert told.startswith("with") and f"of {found.rules[0].clips} clips" in told


def test_folds_keep_people_together():
    labels = np.arange(60) % 3
    people = [f"p{number // 4}" for number in range(60)]
    parts = folds_of(labels, 3, 0, people)
    assert sorted(np.concatenate([held for _, held in parts]).tolist()) == list(range(60))
    for fit, held in parts:
        assert not {people[row] for row in fit} & {people[row] for row in held}
    for folds in (1, 21):
        with pytest.raises(ValueError, match="2 folds up to the clips of the rarest emotion"):
            folds_of(labels, folds, 0)


@pytest.mark.parametrize("emotions", [2, 3])
def test_logistic_regression_equals_scikit_learns(emotions):
    rng = np.random.default_rng(0)
    labels = np.arange(90) % emotions
    x = (rng.normal(size=(90, 4)) + labels[:, None]).astype(np.float32)
    found = fit_linear(x, labels, emotions, 0)
    scaled = (x - found.mean) / found.deviation
    other = LogisticRegression(C=found.strength, max_iter=500).fit(scaled, labels)
    np.testing.assert_allclose(found.probabilities(x), other.predict_proba(scaled), atol=1e-4)


def test_an_emotion_without_clips_is_not_predicted():
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(40, 3)).astype(np.float32), np.arange(40) % 2 * 2
    found = fit_linear(x, labels, 4, 0)
    likely = found.probabilities(x)
    assert likely[:, [1, 3]].max() < 1e-6 and np.allclose(likely.sum(1), 1, atol=1e-5)
    with pytest.raises(ValueError, match="two emotions or more"):
        fit_linear(x, np.zeros(40, np.int64), 4, 0)
