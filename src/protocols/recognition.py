"""How well clips were recognised: accuracies and F1, of actions and of body groups, and how sure that is.

One label a clip. F1 is scikit-learn's `f1_score(average="macro")`: the mean of the classes' own F1 over the
classes that are labels or predictions. Since every clip has one label and one prediction, micro-F1 equals
top-1 accuracy. The MA-52 paper prints another macro-F1 (its equation 5, `macro_f1_of_means`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile, expect_labels

Labels = NDArray[np.int64]

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
    """

    top1: float
    top5: float
    mean_class: float
    macro_f1: float
    majority: float
    absent: tuple[str, ...]

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
        body: of the body groups, predicted as the group of the predicted action; None without groups.
            Its top-5 sums the probabilities of each group's actions.
        f1_mean: mean of macro- and micro-F1 of both levels (the measure of MA-52); None without groups.
        top1_interval: bootstrap interval of the actions' top-1, None where it was not asked for.
    """

    clips: int
    action: LevelMeasures
    body: LevelMeasures | None
    f1_mean: float | None
    top1_interval: tuple[float, float] | None = None


def evaluate(scores: ScoreFile, rng: np.random.Generator | None = None, draws: int = 10_000) -> Recognition:
    """All measures of a score file.

    Args:
        scores: with a label for every clip.
        rng: for a bootstrap interval of top-1; None leaves it out.
        draws: of the bootstrap.

    Raises:
        ValueError: clips without labels, or placeholder labels (all 0).
    """
    labels = expect_labels(scores)
    predicted = predictions(scores.scores)
    action = _level(labels, predicted, scores.scores, scores.tree.actions)
    body, f1_mean = None, None
    if scores.tree.groups:
        group_of = np.array(scores.tree.group_of, np.int64)
        by_group = group_scores(scores.scores, scores.tree)
        body = _level(group_of[labels], group_of[predicted], by_group, scores.tree.groups)
        f1_mean = (action.macro_f1 + action.micro_f1 + body.macro_f1 + body.micro_f1) / 4
    interval = None if rng is None else bootstrap_interval(predicted == labels, rng, draws=draws)
    return Recognition(len(labels), action, body, f1_mean, interval)


def _level(
    labels: Labels, predicted: Labels, scores: NDArray[np.float32], names: tuple[str, ...]
) -> LevelMeasures:
    matrix = confusion(labels, predicted, len(names))
    sizes = matrix.sum(axis=1)
    return LevelMeasures(
        top1=float((predicted == labels).mean()),
        top5=top_k(scores, labels, 5),
        mean_class=mean_class_accuracy(matrix),
        macro_f1=macro_f1(matrix),
        majority=float(sizes.max() / sizes.sum()),
        absent=tuple(name for name, size in zip(names, sizes.tolist(), strict=True) if not size),
    )


def predictions(scores: NDArray[np.float32]) -> Labels:
    """(N,) best class of (N, A) scores; of equals the first."""
    best: Labels = scores.argmax(axis=1).astype(np.int64)
    return best


def top_k(scores: NDArray[np.float32], labels: Labels, k: int) -> float:
    """Share of clips whose label is among the `k` best classes; of equal scores the first class is better."""
    own = scores[np.arange(len(labels)), labels][:, None]  # (N, 1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]  # (N, A)
    better = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return float((better < k).mean())


def group_scores(scores: NDArray[np.float32], tree: LabelTree) -> NDArray[np.float32]:
    """(N, G) probabilities of the body groups: sums over the actions of each."""
    summed = np.zeros((len(scores), len(tree.groups)), np.float32)
    for action, group in enumerate(tree.group_of):
        summed[:, group] += scores[:, action]
    return summed


def confusion(labels: Labels, predicted: Labels, classes: int) -> Labels:
    """(A, A) counts: row is the label, column the prediction."""
    counts: Labels = np.bincount(labels * classes + predicted, minlength=classes**2).astype(np.int64)
    return counts.reshape(classes, classes)


def recalls(matrix: Labels) -> NDArray[np.float64]:
    """(A,) share of each class's clips that were recognised; NaN where a class has none."""
    return _share(np.diag(matrix), matrix.sum(axis=1))


def mean_class_accuracy(matrix: Labels) -> float:
    """Mean recall over the classes that have clips."""
    return float(np.nanmean(recalls(matrix)))


def class_f1(matrix: Labels) -> NDArray[np.float64]:
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


def _share(part: Labels, whole: Labels) -> NDArray[np.float64]:
    """NaN where the whole is 0."""
    share: NDArray[np.float64] = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return share


def bootstrap_interval(
    values: NDArray[np.bool_] | NDArray[np.float64],
    rng: np.random.Generator,
    level: float = 0.95,
    draws: int = 10_000,
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
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
