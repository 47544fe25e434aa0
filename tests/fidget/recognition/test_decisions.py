from __future__ import annotations

import numpy as np
import pytest
from tests.fidget.recognition.recognition_samples import TREE

from fidget.detection.inference import Found
from fidget.recognition.decisions import DecisionRules, WindowSpan, decide, group_sums, merged
from fidget.recognition.detected import curves_of_found, segments_of_found
from protocols.label_tree import LabelTree

RULES = DecisionRules(threshold=0.5, margin=0.1)


def _said(*probabilities: float, tree: LabelTree = TREE) -> tuple[str, tuple[int, ...], int]:
    return tuple(decide(np.array(probabilities), tree, RULES))


def test_the_best_action_is_said_where_it_is_sure() -> None:
    assert _said(0.7, 0.2, 0.1) == ("sure", (0,), 0)
    assert _said(0.1, 0.1, 0.8) == ("sure", (2,), 1)


def test_a_narrow_lead_is_unsure_between_two_of_a_group() -> None:
    assert _said(0.51, 0.45, 0.04) == ("unsure", (0, 1), 0)
    assert _said(0.4, 0.45, 0.15) == ("unsure", (0, 1), 0)


def test_across_groups_no_group_is_said() -> None:
    tree = LabelTree("two", ("nodding", "waving"), ("head", "arms"), (0, 1))
    rules = DecisionRules(0.6, 0.1)
    assert tuple(decide(np.array([0.55, 0.45]), tree, rules)) == ("unsure", (0, 1), -1)
    (segment,) = merged([WindowSpan(0, 1)], np.array([[0.55, 0.45]]), tree, rules)
    assert segment.probability == pytest.approx(1.0) and segment.group is None  # of either


def test_two_of_a_group_have_their_own_probability() -> None:
    tree = LabelTree("wide", tuple("abcd"), ("g", "h"), (0, 0, 0, 1))
    (segment,) = merged([WindowSpan(0, 1)], np.array([[0.35, 0.3, 0.25, 0.1]]), tree, RULES)
    assert segment.words == "unsure between a and b" and segment.group == "g"
    assert segment.probability == pytest.approx(0.65)  # not the group's 0.9


def test_a_group_is_said_where_no_two_actions_hold_it() -> None:
    tree = LabelTree("wide", tuple("abcdef"), ("g", "h"), (0, 0, 0, 0, 0, 1))
    row = np.array([0.15, 0.15, 0.15, 0.15, 0.15, 0.25])
    assert tuple(decide(row, tree, RULES)) == ("unsure", (), 0)
    (segment,) = merged([WindowSpan(0, 1)], row[None], tree, RULES)
    assert segment.words == "g: unsure which action" and segment.probability == pytest.approx(0.75)


def test_nothing_is_said_where_nothing_reaches_the_threshold() -> None:
    tree = LabelTree("flat", tuple("abcdef"))
    assert tuple(decide(np.full(6, 1 / 6), tree, RULES)) == ("abstained", (), -1)


def test_a_tree_of_one_action_is_decided() -> None:
    assert tuple(decide(np.ones(1), LabelTree("one", ("a",)), RULES)) == ("sure", (0,), -1)


def test_group_probabilities_are_sums() -> None:
    np.testing.assert_allclose(group_sums(np.array([[0.2, 0.3, 0.5]]), TREE), [[0.5, 0.5]])


def test_windows_of_which_the_same_is_said_become_one() -> None:
    spans = [WindowSpan(t, t + 2) for t in (0.0, 1.0, 2.0, 3.0)]
    rows = np.array([[0.8, 0.1, 0.1], [0.6, 0.2, 0.2], [0.45, 0.45, 0.1], [0.1, 0.1, 0.8]])
    first, second, third = merged(spans, rows, TREE, RULES)
    assert (first.start_s, first.end_s, first.action) == (0.0, 2.5, "nodding")
    assert first.probability == pytest.approx(0.7)  # the mean of its windows
    assert (second.start_s, second.end_s, second.status) == (2.5, 3.5, "unsure")
    assert second.words == "unsure between nodding and bowing head" and second.group == "head"
    assert second.probability == pytest.approx(0.9)  # of either of the two
    assert (third.start_s, third.end_s, third.group) == (3.5, 5.0, "arms")
    assert [one.action for one in third.alternatives] == ["waving", "nodding", "bowing head"]


def test_windows_that_do_not_touch_are_not_joined() -> None:
    rows = np.array([[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]])
    first, second = merged([WindowSpan(0, 2), WindowSpan(5, 7)], rows, TREE, RULES)
    assert (first.end_s, second.start_s) == (2, 5)
    assert merged([], np.zeros((0, 3)), TREE, RULES) == ()


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"margin": 1.0}, {"alternatives": 1}])
def test_rules_that_cannot_be_meant_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="expected a threshold"):
        DecisionRules(**wrong)


FOUND = Found(
    "talk",
    np.array([[0.0, 2.0], [0.1, 2.0], [5.0, 6.0], [8.0, 9.0], [9.5, 9.9]]),
    np.array([0.6, 0.55, 0.9, 0.3, 0.1], np.float32),
    np.array([0, 1, 2, 0, 1]),
)


def test_segments_of_a_detector_speak_for_their_time() -> None:
    first, second, third = segments_of_found(FOUND, TREE, RULES)
    assert first.words == "unsure between nodding and bowing head" and first.group == "head"
    assert (second.status, second.action) == ("sure", "waving")
    assert third.status == "abstained"  # below the threshold; the last is below its half, and not told


def test_curves_of_a_detector_are_the_highest_scores() -> None:
    curves = curves_of_found(FOUND, 3, 0.0, 10.0, 0.5)
    assert curves.probability.shape == (3, 20) and curves.time_s[0] == 0.25
    np.testing.assert_allclose(curves.probability[:, 1], [0.6, 0.55, 0.0])
    np.testing.assert_allclose(curves.probability[2, 10:12], 0.9)
