"""A decision tree over micro-actions, told as rules in words.

MMA-82 shows such a tree without its depth or scores; depth and smallest leaf are arguments here, and the
accuracy is that of folds, not of the clips the tree has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_models.folds import folds_of


@dataclass(frozen=True)
class Rule:
    """One leaf.

    Attributes:
        conditions: (micro-action, whether it is there), from the root on.
        emotion: commonest in the leaf.
        clips: of the leaf.
        right: those of them with that emotion.
    """

    conditions: tuple[tuple[int, bool], ...]
    emotion: int
    clips: int
    right: int

    def told(self, actions: Sequence[str], emotions: Sequence[str]) -> str:
        """The rule as a sentence."""
        seen = [actions[index] for index, there in self.conditions if there]
        unseen = [actions[index] for index, there in self.conditions if not there]
        parts = []
        if seen:
            parts.append("with " + " and ".join(seen))
        if unseen:
            parts.append("without " + " or ".join(unseen))
        where = ", ".join(parts) or "whatever is seen"
        share = 100 * self.right / max(self.clips, 1)
        return f"{where}: {emotions[self.emotion]} ({self.right} of {self.clips} clips, {share:.0f} %)"


@dataclass(frozen=True, eq=False)
class DecisionRules:
    """A tree as its leaves.

    Attributes:
        rules: the largest leaf first.
        predicted: (N,) emotions of held-out clips, fold by fold.
        depth: of the tree.
    """

    rules: tuple[Rule, ...]
    predicted: NDArray[np.int64]
    depth: int


def fit_rules(
    present: NDArray[np.bool_],
    labels: NDArray[np.int64],
    seed: int,
    depth: int = 5,
    smallest_leaf: int = 10,
    folds: int = 5,
    subjects: Sequence[str] = (),
) -> DecisionRules:
    """Fit a tree on all clips for its rules, and one a fold for its accuracy.

    Args:
        present: (N, A).
        labels: (N,).
        seed: of the folds, and of ties.
        depth: greatest.
        smallest_leaf: clips.
        folds: of the cross-validation.
        subjects: of each clip, as in `folds_of`.

    Raises:
        ValueError: folds that cannot be made.
    """
    from sklearn.tree import DecisionTreeClassifier

    def fitted(rows: NDArray[np.int64]) -> DecisionTreeClassifier:
        tree = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=smallest_leaf, random_state=seed)
        return tree.fit(present[rows], labels[rows])

    predicted = np.empty(len(labels), np.int64)
    for fit, held in folds_of(labels, folds, seed, subjects):
        predicted[held] = fitted(fit).predict(present[held])
    whole = fitted(np.arange(len(labels)))
    return DecisionRules(_leaves(whole, present, labels), predicted, int(whole.get_depth()))


def _leaves(tree, present: NDArray[np.bool_], labels: NDArray[np.int64]) -> tuple[Rule, ...]:  # type: ignore[no-untyped-def]
    shape = tree.tree_
    leaf_of = tree.apply(present)
    rules = []
    waiting: list[tuple[int, tuple[tuple[int, bool], ...]]] = [(0, ())]
    while waiting:
        node, conditions = waiting.pop()
        if shape.children_left[node] < 0:
            counts = np.bincount(labels[leaf_of == node])
            best = int(counts.argmax())
            rules.append(Rule(conditions, best, int(counts.sum()), int(counts[best])))
            continue
        action = int(shape.feature[node])
        waiting.append((int(shape.children_left[node]), (*conditions, (action, False))))
        waiting.append((int(shape.children_right[node]), (*conditions, (action, True))))
    return tuple(sorted(rules, key=lambda rule: (-rule.clips, rule.conditions)))
