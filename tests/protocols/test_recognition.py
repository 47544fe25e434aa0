from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_samples import TREE, make_scores
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, top_k_accuracy_score

from protocols.label_tree import LabelTree
from protocols.recognition import (
    LEVEL_MEASURES,
    best_of_groups,
    bootstrap_interval,
    class_f1,
    confusion,
    evaluate,
    label_ranks,
    macro_f1,
    macro_f1_of_means,
    mean_class_accuracy,
    measures_of,
    outcomes,
    top_k,
)
from protocols.scores import ScoreFile

# labels, predictions -> top-1, mean class accuracy, macro-F1 (scikit-learn's)
KNOWN = [
    ([0, 0, 1, 1], [0, 0, 1, 1], 1.0, 1.0, 1.0),
    ([0, 0, 0, 1], [0, 0, 0, 0], 3 / 4, 1 / 2, (6 / 7 + 0) / 2),
    ([0, 0, 1, 2], [0, 1, 1, 1], 1 / 2, (1 / 2 + 1 + 0) / 3, (2 / 3 + 1 / 2 + 0) / 3),
    ([2, 2], [2, 3], 1 / 2, 1 / 2, (2 / 3 + 0) / 2),  # class 3 is predicted only: an F1 of 0, and no recall
]


def of_predictions(labels, predicted, tree=TREE):
    scores = np.full((len(labels), len(tree.actions)), 0.01, np.float32)
    scores[np.arange(len(labels)), predicted] = 1 - 0.01 * (len(tree.actions) - 1)
    ids = tuple(map(str, range(len(labels))))
    return ScoreFile(tree, ids, np.array(labels, np.int64), scores)


@pytest.mark.parametrize(("labels", "predicted", "top1", "mean_class", "f1"), KNOWN)
def test_known_answers(labels, predicted, top1, mean_class, f1):
    measured = evaluate(of_predictions(labels, predicted)).action
    assert measured.top1 == measured.micro_f1 == pytest.approx(top1)
    assert measured.mean_class == pytest.approx(mean_class)
    assert measured.macro_f1 == pytest.approx(f1)
    assert measured.majority == np.bincount(labels).max() / len(labels)
    assert measured.absent == tuple(name for n, name in enumerate(TREE.actions) if n not in labels)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), clips=st.integers(2, 60))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_as_scikit_learn(seed, clips):
    scores = make_scores(np.random.default_rng(seed), clips)
    measured = evaluate(scores)
    labels, predicted = scores.labels, scores.scores.argmax(axis=1)
    assert measured.action.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert measured.action.micro_f1 == pytest.approx(f1_score(labels, predicted, average="micro"))
    assert measured.action.mean_class == pytest.approx(balanced_accuracy_score(labels, predicted))
    group_of = np.array(TREE.group_of)
    assert measured.body.macro_f1 == pytest.approx(
        f1_score(group_of[labels], group_of[predicted], average="macro")
    )
    matrix = confusion(labels, predicted, 5)
    np.testing.assert_array_equal(matrix, confusion_matrix(labels, predicted, labels=range(5)))
    for k in (1, 2, 4):
        ours = top_k(scores.scores, labels, k)
        assert ours == pytest.approx(top_k_accuracy_score(labels, scores.scores, k=k, labels=range(5)))
    parts = (measured.action.macro_f1, measured.action.top1, measured.body.macro_f1, measured.body.top1)
    assert measured.f1_mean == pytest.approx(sum(parts) / 4)


def test_body_groups_take_the_group_of_the_predicted_action():
    scores = np.array([[0.4, 0.0, 0.3, 0.3, 0.0]], np.float32)  # best action: head; larger sum: limb
    measured = evaluate(ScoreFile(TREE, ("a",), np.array([2]), scores))
    assert measured.body.top1 == 0
    assert measured.body.top5 == 1


def test_without_groups_there_is_no_body():
    tree = LabelTree("flat", ("a", "b"))
    measured = evaluate(of_predictions([0, 1], [0, 1], tree))
    assert measured.body is None and measured.f1_mean is None and measured.top1_interval is None


def test_equal_scores_favour_the_first_class():
    even = np.full((5, 5), 0.2, np.float32)
    assert [top_k(even, np.arange(5), k) for k in (1, 2, 5)] == [0.2, 0.4, 1.0]


def test_the_papers_macro_f1_differs():
    matrix = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 5)
    precision, recall = (1 + 1 / 3 + 0) / 3, (1 / 2 + 1 + 0) / 3
    assert macro_f1_of_means(matrix) == pytest.approx(2 * precision * recall / (precision + recall))
    assert macro_f1_of_means(matrix) != pytest.approx(macro_f1(matrix))
    assert macro_f1_of_means(confusion(np.array([0]), np.array([1]), 2)) == 0
    assert np.isnan(class_f1(matrix)[3:]).all()
    assert mean_class_accuracy(matrix) == pytest.approx(0.5)


def test_bootstrap():
    right = np.arange(400) < 300
    low, high = bootstrap_interval(right, np.random.default_rng(0))
    assert (low, high) == bootstrap_interval(right, np.random.default_rng(0))
    spread = 1.96 * np.sqrt(0.75 * 0.25 / 400)  # the normal approximation
    assert low == pytest.approx(0.75 - spread, abs=0.006) and high == pytest.approx(0.75 + spread, abs=0.006)
    narrow = bootstrap_interval(right, np.random.default_rng(0), level=0.5)
    assert low < narrow[0] < narrow[1] < high
    assert bootstrap_interval(np.ones(3, bool), np.random.default_rng(0), draws=10) == (1, 1)
    top = bootstrap_interval(
        right, np.random.default_rng(0), draws=50, statistic=lambda drawn: drawn.max(axis=1)
    )
    assert top == (1, 1)
    with pytest.raises(ValueError, match="expected clips"):
        bootstrap_interval(np.empty(0, bool), np.random.default_rng(0))


def test_placeholders_are_refused():
    with pytest.raises(ValueError, match="labels are 0"):
        evaluate(of_predictions([0, 0, 0], [0, 1, 2]))


def test_measures_by_name():
    labels, predicted = [0, 0, 1, 2], [0, 1, 1, 1]
    tree = LabelTree("two", ("a", "b", "c"), ("x", "y"), (0, 0, 1))
    found = measures_of(of_predictions(labels, predicted, tree))
    assert found["action/top1"] == found["action/micro_f1"] == 0.5
    assert found["action/top5"] == 1
    assert found["action/mean_class"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert found["action/macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    precision, recall = (1 + 1 / 3 + 0) / 3, (1 / 2 + 1 + 0) / 3
    harmonic = 2 * precision * recall / (precision + recall)
    assert found["action/macro_f1_of_means"] == pytest.approx(harmonic)
    # Groups: labels x x x y, all predicted as x.
    assert found["body/top1"] == 0.75 and found["body/mean_class"] == 0.5
    assert found["body/macro_f1"] == pytest.approx((6 / 7 + 0) / 2)
    assert found["f1_mean"] == pytest.approx(
        (found["action/macro_f1"] + 0.5 + found["body/macro_f1"] + 0.75) / 4
    )
    body = 2 * (3 / 8) * (1 / 2) / (3 / 8 + 1 / 2)
    assert found["f1_mean_of_means"] == pytest.approx((harmonic + 0.5 + body + 0.75) / 4)
    levels = ("action", "body", "body_summed")
    names = {f"{level}/{what}" for level in levels for what in LEVEL_MEASURES}
    assert set(found) == names | {"f1_mean", "f1_mean_summed", "f1_mean_of_means"}
    flat = measures_of(of_predictions(labels, predicted, LabelTree("flat", ("a", "b", "c"))))
    assert set(flat) == {f"action/{what}" for what in LEVEL_MEASURES}


def test_the_two_rules_of_body_groups():
    # Best action: nod (head); largest sum: limb. Second clip: both say limb.
    scores = np.array([[0.4, 0.0, 0.3, 0.3, 0.0], [0.1, 0.1, 0.0, 0.8, 0.0]], np.float32)
    found = measures_of(ScoreFile(TREE, ("a", "b"), np.array([2, 3]), scores))
    assert found["body/top1"] == 0.5 and found["body_summed/top1"] == 1
    assert found["body_summed/macro_f1"] == 1 and found["f1_mean_summed"] > found["f1_mean"]


def test_groups_are_ranked_by_their_rule():
    # Seven groups; the label's group holds the best action, but six others have larger sums.
    tree = LabelTree("seven", tuple(map(str, range(13))), tuple("abcdefg"), (6, *(n // 2 for n in range(12))))
    scores = np.full((1, 13), 0.9 / 12, np.float32)
    scores[0, 0] = 0.1
    found = measures_of(ScoreFile(tree, ("a",), np.array([0]), scores / scores.sum()))
    assert found["body/top1"] == found["body/top5"] == 1
    assert found["body_summed/top1"] == found["body_summed/top5"] == 0


def test_of_equal_best_actions_the_group_of_the_first_is_better():
    tree = LabelTree("crossed", ("a", "b"), ("second", "first"), (1, 0))
    even = np.full((2, 2), 0.5, np.float32)
    levels = outcomes(ScoreFile(tree, ("a", "b"), np.array([0, 1]), even))
    assert levels["body"].predicted.tolist() == [1, 1]
    best, action = best_of_groups(even, tree)
    assert label_ranks(best, np.array([1, 1]), action).tolist() == [0, 0]
    assert label_ranks(best, np.array([0, 0]), action).tolist() == [1, 1]


def test_actions_that_a_split_lacks():
    """Tail classes are often absent from a test split: they are named, and leave the means alone."""
    tree = LabelTree("tail", ("a", "b", "never"), ("x", "none"), (0, 0, 1))
    measured = evaluate(of_predictions([0, 0, 1, 1], [0, 0, 1, 0], tree))
    assert measured.action.absent == ("never",) and measured.body.absent == ("none",)
    assert measured.action.mean_class == 0.75 and measured.body.mean_class == 1
    mistaken = evaluate(of_predictions([0, 0, 1, 1], [0, 0, 1, 2], tree))
    assert mistaken.action.mean_class == 0.75  # no recall of a class without clips
    assert mistaken.action.macro_f1 == pytest.approx(
        (1 + 2 / 3 + 0) / 3
    )  # but a wrong prediction, as scikit-learn


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), clips=st.integers(2, 40))
def test_body_as_scikit_learn(seed, clips):
    scores = make_scores(np.random.default_rng(seed), clips)
    found = measures_of(scores)
    group_of = np.array(TREE.group_of)
    sums = np.stack([scores.scores[:, group_of == group].sum(axis=1) for group in (0, 1)], axis=1)
    body, predicted = group_of[scores.labels], sums.argmax(axis=1)
    assert found["body_summed/macro_f1"] == pytest.approx(f1_score(body, predicted, average="macro"))
    assert found["body_summed/micro_f1"] == pytest.approx(f1_score(body, predicted, average="micro"))
    assert found["body/top1"] <= found["body/top5"] == 1
