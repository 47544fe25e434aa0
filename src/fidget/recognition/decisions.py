"""From probabilities to what is said: an action, a body group, two actions, or nothing; windows to segments.

Letters: W windows, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fidget.recognition.result import Alternative, Segment, Status
from protocols.label_tree import LabelTree

Floats = NDArray[np.float64]
NOTHING = "not sure enough to say"


@dataclass(frozen=True)
class DecisionRules:
    """When something is said; it checks itself once.

    Attributes:
        threshold: least probability of what is named.
        margin: least distance between the best action and the second.
        alternatives: best actions that a segment keeps.

    Raises:
        ValueError: numbers that cannot be meant.
    """

    threshold: float = 0.5
    margin: float = 0.1
    alternatives: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1 or not 0 <= self.margin < 1 or self.alternatives < 2:
            raise ValueError(
                "expected a threshold in (0, 1], a margin in [0, 1) and at least 2 alternatives, got "
                f"{self.threshold:g}, {self.margin:g} and {self.alternatives}"
            )


class Decision(NamedTuple):
    """What is said of some probabilities; equal where the same is said.

    Attributes:
        status: see `Segment`.
        actions: one that is sure, two that are meant, or none.
        group: index of the body group that is sure, or -1.
    """

    status: Status
    actions: tuple[int, ...]
    group: int


class WindowSpan(NamedTuple):
    """Where a window lies, seconds."""

    start_s: float
    end_s: float

    @property
    def middle_s(self) -> float:
        """Between them."""
        return (self.start_s + self.end_s) / 2


def group_sums(probabilities: Floats, tree: LabelTree) -> Floats:
    """(..., A) to (..., G): the probability of a body group is the sum of its actions'."""
    sums = np.zeros((*probabilities.shape[:-1], len(tree.groups)))
    for action, group in enumerate(tree.group_of):
        sums[..., group] += probabilities[..., action]
    return sums


def decide(probabilities: Floats, tree: LabelTree, rules: DecisionRules) -> Decision:
    """What is said of the probabilities (A,) of one window.

    The best action where it reaches the threshold and leads by the margin. Else the body group whose actions
    together reach the threshold (the hierarchy's back-off), with the two best of them where these alone reach
    it. Else two actions of different groups that reach it together. Else nothing.
    """
    order = np.argsort(-probabilities, kind="stable")
    best = int(order[0])
    second = int(order[1]) if len(order) > 1 else best
    lead = probabilities[best] - probabilities[second] if second != best else 1.0
    if probabilities[best] >= rules.threshold and lead >= rules.margin:
        return Decision("sure", (best,), tree.group_of[best] if tree.groups else -1)
    if tree.groups:
        sums = group_sums(probabilities, tree)
        group = int(sums.argmax())
        if sums[group] >= rules.threshold:
            members = [int(action) for action in order if tree.group_of[action] == group]
            pair = tuple(sorted(members[:2]))
            both = len(pair) == 2 and probabilities[list(pair)].sum() >= rules.threshold
            return Decision("unsure", pair if both else (), group)
    if second != best and probabilities[best] + probabilities[second] >= rules.threshold:
        return Decision("unsure", (min(best, second), max(best, second)), -1)
    return Decision("abstained", (), -1)


def words_of(decision: Decision, mean: Floats, tree: LabelTree) -> str:
    """A decision for people, the more probable action first."""
    if decision.status == "sure":
        return tree.actions[decision.actions[0]]
    if decision.status == "abstained":
        return NOTHING
    if decision.actions:
        first, second = sorted(decision.actions, key=lambda action: -mean[action])
        return f"unsure between {tree.actions[first]} and {tree.actions[second]}"
    return f"{tree.groups[decision.group]}: unsure which action"


def segment_of(
    decision: Decision, mean: Floats, start_s: float, end_s: float, tree: LabelTree, rules: DecisionRules
) -> Segment:
    """A decision over a stretch of time as a segment; `mean` (A,) are its probabilities.

    The segment's probability is that of what is said: of the action, of either of two, of the body group; of
    the best action where nothing is said.
    """
    group = tree.groups[decision.group] if decision.group >= 0 else None
    if decision.actions:
        probability = float(mean[list(decision.actions)].sum())
    elif decision.group >= 0:
        probability = float(group_sums(mean, tree)[decision.group])
    else:
        probability = float(mean.max())
    best = np.argsort(-mean, kind="stable")[: rules.alternatives]
    return Segment(
        float(start_s),
        float(end_s),
        decision.status,
        tree.actions[decision.actions[0]] if decision.status == "sure" else None,
        group,
        min(probability, 1.0),
        words_of(decision, mean, tree),
        tuple(Alternative(tree.actions[a], group_name(tree, int(a)), float(mean[a])) for a in best),
    )


def group_name(tree: LabelTree, action: int) -> str:
    """The body group of an action; "" without groups."""
    return tree.groups[tree.group_of[action]] if tree.groups else ""


def merged(
    spans: Sequence[WindowSpan], probabilities: Floats, tree: LabelTree, rules: DecisionRules
) -> tuple[Segment, ...]:
    """Windows (W, A) of one person, in order of time, to segments.

    Neighbours of which the same is said become one. A segment reaches half-way to the middles of the windows
    beside it, and where there is none, to the end of its own window; windows that do not touch (the person
    was away between them) are never joined.
    """
    segments: list[Segment] = []
    decisions = [decide(row, tree, rules) for row in probabilities]
    begin = 0
    for place in range(1, len(decisions) + 1):
        last = place == len(decisions)
        if not last and decisions[place] == decisions[begin] and _touch(spans, place - 1):
            continue
        mean = probabilities[begin:place].mean(axis=0)
        start_s, end_s = _border(spans, begin, -1), _border(spans, place - 1, 1)
        if end_s > start_s:
            segments.append(segment_of(decisions[begin], mean, start_s, end_s, tree, rules))
        begin = place
    return tuple(segments)


def _touch(spans: Sequence[WindowSpan], place: int) -> bool:
    return spans[place + 1].start_s <= spans[place].end_s


def _border(spans: Sequence[WindowSpan], place: int, side: int) -> float:
    """Where what is said of a window ends towards one side."""
    own, other = spans[place], place + side
    there = 0 <= other < len(spans) and _touch(spans, min(place, other))
    if there:
        return (own.middle_s + spans[other].middle_s) / 2
    return own.start_s if side < 0 else own.end_s
