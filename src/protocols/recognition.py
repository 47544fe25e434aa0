"""How well clips were recognised: accuracies and F1, of actions and of body groups, and how sure that is.

One label a clip. F1 is scikit-learn's `f1_score(average="macro")`: the mean of the classes' own F1 over the
classes that are labels or predictions. Since every clip has one label and one prediction, micro-F1 equals
top-1 accuracy. The MA-52 paper prints another macro-F1 (its equation 5, `macro_f1_of_means`).

A body group is predicted by one of two rules. `top`: the group of the best action, and groups are ranked by
their best actions. `summed`: the group whose actions have the largest sum of probabilities. Unless said
otherwise it is `top`, as is usual for MA-52; what comes of the other rule has `summed` in its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile, expect_labels

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]
BodyRule = Literal["top", "summed"]

BODY_LEVELS: dict[BodyRule, str] = {"top": "body", "summed": "body_summed"}
LEVEL_MEASURES = ("top1", "top5", "mean_class", "macro_f1", "micro_f1", "macro_f1_of_means")

_DRAWS_AT_ONCE = 2**22  # clips drawn in one piece: bounds the memory of a bootstrap


@dataclass(frozen=True)
class LevelMeasures:
    """Measures of one level of a tree, all in 0..1.

    Attributes:
        top1: share of clips whose prediction is their label; equals micro-F1.
        top5: share of clips whose label is among the five best classes.
        mean_class: mean recall over the classes that have clips.
        macro_f1: mean F1 of the classes that are labels or predictions.
        majority: top-1 of always naming the commonest class.
        absent: classes without a clip.
        macro_f1_of_means: the macro-F1 of the MA-52 paper's equation 5.
    """

    top1: float
    top5: float
    mean_class: float
    macro_f1: float
    majority: float
    absent: tuple[str, ...]
    macro_f1_of_means: float

    @property
    def micro_f1(self) -> float:
        """Equal to top-1, as every clip has one label and one prediction."""
        return self.top1


@dataclass(frozen=True)
class Recognition:
    """What a score file is worth.

    Attributes:
        clips: N.
        action: of the actions.
        body: of the body groups by the rule `top`; None without groups.
        f1_mean: mean of macro- and micro-F1 of both levels (the measure of MA-52); None without groups.
        top1_interval: bootstrap interval of the actions' top-1, None where it was not asked for.
        body_summed: of the body groups by the rule `summed`; None without groups.
        f1_mean_summed: the same mean with the body groups by the rule `summed`.
    """

    clips: int
    action: LevelMeasures
    body: LevelMeasures | None
    f1_mean: float | None
    top1_interval: tuple[float, float] | None = None
    body_summed: LevelMeasures | None = None
    f1_mean_summed: float | None = None


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of every clip, at one level of the tree.

    Attributes:
        names: of the classes.
        labels: (N,) class of each clip.
        predicted: (N,) its best class.
        within5: (N,) whether the label is among the five best classes.
        scores: (N, A) by which classes are compared.
    """

    names: tuple[str, ...]
    labels: Labels
    predicted: Labels
    within5: NDArray[np.bool_]
    scores: NDArray[np.float32]

    @property
    def matrix(self) -> Labels:
        """(A, A) counts: row is the label, column the prediction."""
        return confusion(self.labels, self.predicted, len(self.names))


def evaluate(scores: ScoreFile, rng: np.random.Generator | None = None, draws: int = 10_000) -> Recognition:
    """All measures of a score file.

    Args:
        scores: with a label for every clip.
        rng: for a bootstrap interval of top-1; None leaves it out.
        draws: of the bootstrap.

    Raises:
        ValueError: clips without labels, or placeholder labels (all 0).
    """
    levels = outcomes(scores)
    measured = {name: _level(one) for name, one in levels.items()}
    action, body, summed = measured["action"], measured.get("body"), measured.get("body_summed")
    right = levels["action"].predicted == levels["action"].labels
    return Recognition(
        len(scores),
        action,
        body,
        None if body is None else _f1_mean(action, body),
        None if rng is None else bootstrap_interval(right, rng, draws=draws),
        summed,
        None if summed is None else _f1_mean(action, summed),
    )


def _f1_mean(action: LevelMeasures, body: LevelMeasures) -> float:
    return (action.macro_f1 + action.micro_f1 + body.macro_f1 + body.micro_f1) / 4


def _level(level: Outcomes) -> LevelMeasures:
    matrix = level.matrix
    sizes = matrix.sum(axis=1)
    return LevelMeasures(
        top1=float((level.predicted == level.labels).mean()),
        top5=float(level.within5.mean()),
        mean_class=mean_class_accuracy(matrix),
        macro_f1=macro_f1(matrix),
        majority=float(sizes.max() / sizes.sum()),
        absent=tuple(name for name, size in zip(level.names, sizes.tolist(), strict=True) if not size),
        macro_f1_of_means=macro_f1_of_means(matrix),
    )


def outcomes(scores: ScoreFile) -> dict[str, Outcomes]:
    """What became of every clip, by level: `action`, and where the tree has groups `body` and `body_summed`.

    Raises:
        ValueError: clips without labels, or placeholder labels (all 0).
    """
    labels = expect_labels(scores)
    tree, own = scores.tree, scores.scores
    predicted = predictions(own)
    found = {"action": Outcomes(tree.actions, labels, predicted, label_ranks(own, labels) < 5, own)}
    if tree.groups:
        group_of = np.array(tree.group_of, np.int64)
        best, action = best_of_groups(own, tree)
        summed, body = group_scores(own, tree), group_of[labels]
        within5 = label_ranks(best, body, action) < 5
        found["body"] = Outcomes(tree.groups, body, group_of[predicted], within5, best)
        within5 = label_ranks(summed, body) < 5
        found["body_summed"] = Outcomes(tree.groups, body, predictions(summed), within5, summed)
    return found


def measures_of(scores: ScoreFile) -> dict[str, float]:
    """Every measure by name, such as `action/top1`, in 0..1.

    The levels are `action`, and where the tree has groups `body` (the group of the best action) and
    `body_summed`; the measures of each are `LEVEL_MEASURES`. With groups there are `f1_mean`,
    `f1_mean_summed` and `f1_mean_of_means` too: the last is of `body` with the paper's macro-F1.

    Raises:
        ValueError: clips without labels, or placeholder labels (all 0).
    """
    measured = evaluate(scores)
    levels = {"action": measured.action, "body": measured.body, "body_summed": measured.body_summed}
    found = {
        f"{name}/{what}": float(getattr(level, what))
        for name, level in levels.items()
        if level is not None
        for what in LEVEL_MEASURES
    }
    for name, value in (("f1_mean", measured.f1_mean), ("f1_mean_summed", measured.f1_mean_summed)):
        if value is not None:
            found[name] = value
    if measured.body is not None:
        parts = (measured.action, measured.body)
        found["f1_mean_of_means"] = sum(one.macro_f1_of_means + one.micro_f1 for one in parts) / 4
    return found


def predictions(scores: NDArray[np.float32]) -> Labels:
    """(N,) best class of (N, A) scores; of equals the first."""
    best: Labels = scores.argmax(axis=1).astype(np.int64)
    return best


def top_k(scores: NDArray[np.float32], labels: Labels, k: int) -> float:
    """Share of clips whose label is among the `k` best classes; of equal scores the first class is better."""
    return float((label_ranks(scores, labels) < k).mean())


def label_ranks(scores: NDArray[np.float32], labels: Labels, place: Labels | None = None) -> Labels:
    """(N,) how many classes are better than the label.

    Args:
        scores: (N, A).
        labels: (N,).
        place: (N, A), by which the smaller of equal scores is better; the class index where None.
    """
    own = scores[np.arange(len(labels)), labels][:, None]  # (N, 1)
    if place is None:
        earlier = np.arange(scores.shape[1]) < labels[:, None]  # (N, A)
    else:
        earlier = place < place[np.arange(len(labels)), labels][:, None]
    ranks: Labels = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return ranks


def group_scores(scores: NDArray[np.float32], tree: LabelTree) -> NDArray[np.float32]:
    """(N, G) probabilities of the body groups: sums over the actions of each."""
    summed = np.zeros((len(scores), len(tree.groups)), np.float32)
    for action, group in enumerate(tree.group_of):
        summed[:, group] += scores[:, action]
    return summed


def best_of_groups(scores: NDArray[np.float32], tree: LabelTree) -> tuple[NDArray[np.float32], Labels]:
    """(N, G) probabilities of each group's best action, and (N, G) which action that is."""
    action = np.zeros((len(scores), len(tree.groups)), np.int64)
    for group in range(len(tree.groups)):
        own = np.flatnonzero(np.array(tree.group_of) == group)
        action[:, group] = own[scores[:, own].argmax(axis=1)]
    return np.take_along_axis(scores, action, axis=1), action


def confusion(labels: Labels, predicted: Labels, classes: int) -> Labels:
    """(A, A) counts: row is the label, column the prediction."""
    counts: Labels = np.bincount(labels * classes + predicted, minlength=classes**2).astype(np.int64)
    return counts.reshape(classes, classes)


def recalls(matrix: Labels) -> Floats:
    """(A,) share of each class's clips that were recognised; NaN where a class has none."""
    return _share(np.diag(matrix), matrix.sum(axis=1))


def mean_class_accuracy(matrix: Labels) -> float:
    """Mean recall over the classes that have clips."""
    return float(np.nanmean(recalls(matrix)))


def class_f1(matrix: Labels) -> Floats:
    """(A,) F1 of each class; NaN where a class is neither a label nor a prediction."""
    return _share(2 * np.diag(matrix), matrix.sum(axis=0) + matrix.sum(axis=1))


def macro_f1(matrix: Labels) -> float:
    """Mean F1 over the classes that are labels or predictions, as scikit-learn's."""
    return float(np.nanmean(class_f1(matrix)))


def macro_f1_of_means(matrix: Labels) -> float:
    """Harmonic mean of the classes' mean precision and mean recall: equation 5 of the MA-52 paper.

    Over the classes that are labels or predictions; a class that is never predicted has precision 0, one
    without clips recall 0.
    """
    columns, rows = matrix.sum(axis=0), matrix.sum(axis=1)
    there = (columns + rows) > 0
    precision = float(np.nan_to_num(_share(np.diag(matrix), columns))[there].mean())
    recall = float(np.nan_to_num(_share(np.diag(matrix), rows))[there].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share(part: Labels, whole: Labels) -> Floats:
    """NaN where the whole is 0."""
    share: Floats = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return share


def bootstrap_interval(
    values: NDArray[np.bool_] | Floats,
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 10_000,
    statistic: Callable[[Floats], Floats] | None = None,
) -> tuple[float, float]:
    """Percentile interval of a mean over clips, from clips drawn anew with replacement.

    Args:
        values: (N,), one a clip: whether it was right, say, or the difference of two methods on it.
        rng: source of the draws.
        level: of the interval.
        draws: how many samples of N clips.
        statistic: of (D, N) drawn values, along the last axis; the mean where None.

    Raises:
        ValueError: no clips, no draws, or a level outside 0..1.
    """
    if not len(values) or draws < 1 or not 0 < level < 1:
        raise ValueError(
            f"expected clips, draws and a level inside 0..1, got {len(values)}, {draws} and {level}"
        )
    plain = values.astype(np.float64)
    at_once = max(1, _DRAWS_AT_ONCE // len(plain))
    results = []
    for start in range(0, draws, at_once):
        rows = rng.integers(len(plain), size=(min(at_once, draws - start), len(plain)))
        drawn = plain[rows]  # (D, N)
        results.append(drawn.mean(axis=1) if statistic is None else statistic(drawn))
    low, high = np.quantile(np.concatenate(results), ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
