"""What a detector found of one person, as segments and curves.

A detector's scores say how sure each segment is of itself; they are no probabilities that sum to 1, and two
segments may overlap. Letters: K segments, A actions, W times.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fidget.detection.inference import Found
from fidget.recognition.decisions import NOTHING, DecisionRules, group_name
from fidget.recognition.result import Alternative, Curves, Segment
from protocols.label_tree import LabelTree

SAME_TIME = 0.5  # intersection over union from which on two segments are two answers to one thing
_FLOOR = 0.5  # of the threshold: what is less sure is not told at all


def segments_of_found(found: Found, tree: LabelTree, rules: DecisionRules) -> tuple[Segment, ...]:
    """The segments of a person, each thing once, in order of start.

    The surest segment speaks for those of about its time (intersection over union of at least a half). It
    is sure where its score reaches the threshold and leads the best of another action there by the margin;
    unsure between the two where it does not lead; abstained where its score is below the threshold. Below
    half the threshold nothing is told.
    """
    order = np.argsort(-found.score, kind="stable")
    order = order[found.score[order] >= _FLOOR * rules.threshold]
    taken = np.zeros(len(found.score), bool)
    segments = []
    for row in order:
        if taken[row]:
            continue
        near = [int(other) for other in order if not taken[other] and _overlap(found.span_s, row, other)]
        taken[near] = True
        rivals: dict[int, float] = {}  # each action once, by its surest segment
        for other in near:
            rivals.setdefault(int(found.label[other]), float(found.score[other]))
        segments.append(_segment(found, int(row), rivals, tree, rules))
    return tuple(sorted(segments, key=lambda one: (one.start_s, one.end_s)))


def _overlap(span_s: NDArray[np.float64], one: int, other: int) -> bool:
    (a, b), (c, d) = span_s[one], span_s[other]
    shared = min(b, d) - max(a, c)
    return bool(shared > 0 and shared / (max(b, d) - min(a, c)) >= SAME_TIME)


def _segment(
    found: Found, row: int, rivals: dict[int, float], tree: LabelTree, rules: DecisionRules
) -> Segment:
    best, score = int(found.label[row]), float(found.score[row])
    actions = list(rivals)
    second = actions[1] if len(actions) > 1 else None
    group: str | None = group_name(tree, best) or None
    action: str | None = None
    if score < rules.threshold:
        status, words, group = "abstained", NOTHING, None
    elif second is not None and score - rivals[second] < rules.margin:
        status, words = "unsure", f"unsure between {tree.actions[best]} and {tree.actions[second]}"
        group = group if group == (group_name(tree, second) or None) else None
    else:
        status, action = "sure", tree.actions[best]
        words = action
    start_s, end_s = (float(value) for value in found.span_s[row])
    alternatives = tuple(
        Alternative(tree.actions[one], group_name(tree, one), value)
        for one, value in list(rivals.items())[: rules.alternatives]
    )
    return Segment(start_s, end_s, status, action, group, score, words, alternatives)  # type: ignore[arg-type]


def curves_of_found(found: Found, actions: int, start_s: float, end_s: float, step_s: float) -> Curves:
    """Highest score of each action's segments at times `step_s` apart: (A, W)."""
    count = max(1, round((end_s - start_s) / step_s))
    time_s = start_s + (np.arange(count) + 0.5) * (end_s - start_s) / count
    highest = np.zeros((actions, count), np.float32)
    for (begin, end), score, label in zip(found.span_s, found.score, found.label, strict=True):
        covered = (time_s >= begin) & (time_s < end)
        highest[label, covered] = np.maximum(highest[label, covered], np.float32(score))
    return Curves(time_s, highest)
