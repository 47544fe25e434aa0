"""How well emotions were told: accuracy, weighted F1, UF1, UAR, and how sure that is.

| name | is | scikit-learn |
|---|---|---|
| `accuracy` | share of clips whose best emotion is theirs | `accuracy_score` |
| `weighted_f1` | mean F1 of the emotions, weighted by their clips | `f1_score(average="weighted")` |
| `uf1` | mean F1 of the emotions that are labels or predictions | `f1_score(average="macro")` |
| `uar` | mean recall of the emotions that have clips | `balanced_accuracy_score` |

Micro-actions beside them are many to a clip: `mean_average_precision`, as `average_precision_score` over the
micro-actions that some clip has. Axis letters: N clips, E emotions, A micro-actions, D draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.comparison import McNemar, mcnemar
from protocols.intervals import Interval, draw_counts, interval_of
from protocols.recognition import Floats, Labels, confusion, predictions
from protocols.scores import ScoreFile, aligned, expect_labels

MEASURES = ("accuracy", "weighted_f1", "uf1", "uar")


@dataclass(frozen=True)
class Emotions:
    """Measures of one score file over emotions, in 0..1.

    Attributes:
        clips: N.
        right: clips told right.
        values: name -> measure, those of `MEASURES`.
        intervals: of each, from drawn clips.
        majority: accuracy of always naming the commonest emotion.
        never: emotions with clips that were never predicted.
    """

    clips: int
    right: int
    values: dict[str, float]
    intervals: dict[str, Interval]
    majority: float
    never: tuple[str, ...]


@dataclass(frozen=True)
class EmotionGain:
    """What one method gains over another on the same clips, in clips and in measures.

    Attributes:
        clips: N.
        first_right: clips that the first tells right.
        second_right: the second.
        differences: name -> first - second.
        intervals: of the differences, from draws that both share.
        mcnemar: who is right about which clips.
    """

    clips: int
    first_right: int
    second_right: int
    differences: dict[str, float]
    intervals: dict[str, Interval]
    mcnemar: McNemar

    @property
    def difference_clips(self) -> int:
        """Clips that the first tells right more than the second."""
        return self.first_right - self.second_right

    def told(self, first: str, second: str) -> str:
        """The gain in one sentence: in clips of how many, in points, with interval and test."""
        low, high = self.intervals["accuracy"]
        test = self.mcnemar
        sure = "" if low > 0 or high < 0 else "; the interval contains 0: no difference is shown"
        return (
            f"{first} tells {self.first_right} of {self.clips} clips right, {second} "
            f"{self.second_right}: {self.difference_clips:+d} {plural(self.difference_clips)}, "
            f"{100 * self.differences['accuracy']:+.2f} points ({100 * low:+.2f} to {100 * high:+.2f}); "
            f"{test.only_first} right only by the first, {test.only_second} only by the second, "
            f"McNemar p {test.exact_p:.2g}{sure}"
        )


def plural(clips: int) -> str:
    """`clip` or `clips`."""
    return "clip" if abs(clips) == 1 else "clips"


def emotion_measures(matrix: NDArray[np.int64] | Floats) -> dict[str, Floats]:
    """Every measure of one confusion matrix, or of many.

    Args:
        matrix: (..., E, E) clips; row is the label, column the prediction.

    Returns:
        Name -> (...,) in 0..1.
    """
    right = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)  # (..., E)
    rows, columns = matrix.sum(axis=-1), matrix.sum(axis=-2)
    clips = rows.sum(axis=-1)
    f1 = _share(2 * right, rows + columns)
    return {
        "accuracy": right.sum(axis=-1) / clips,
        "weighted_f1": (np.nan_to_num(f1) * rows).sum(axis=-1) / clips,
        "uf1": np.nanmean(f1, axis=-1),
        "uar": np.nanmean(_share(right, rows), axis=-1),
    }


def _share(part: Floats, whole: Floats) -> Floats:
    share: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return share


def measure_emotions(
    scores: ScoreFile, rng: np.random.Generator, draws: int = 10_000, level: float = 0.95
) -> Emotions:
    """All measures of a score file over emotions.

    Args:
        scores: with a label for every clip.
        rng: source of the draws.
        draws: of the bootstrap.
        level: of the intervals.

    Raises:
        ValueError: clips without labels, no draws.
    """
    labels, predicted = expect_labels(scores), predictions(scores.scores)
    e = len(scores.tree.actions)
    matrix = confusion(labels, predicted, e)
    drawn = _drawn(labels * e + predicted, e * e, rng, draws)
    found = emotion_measures(drawn.reshape(-1, e, e))
    sizes = matrix.sum(axis=1)
    never = (sizes > 0) & (matrix.sum(axis=0) == 0)
    return Emotions(
        len(scores),
        int(np.diag(matrix).sum()),
        {name: float(value) for name, value in emotion_measures(matrix).items()},
        {name: interval_of(values, level) for name, values in found.items()},
        float(sizes.max() / sizes.sum()),
        tuple(scores.tree.actions[index] for index in np.flatnonzero(never)),
    )


def emotion_gain(
    first: ScoreFile, second: ScoreFile, rng: np.random.Generator, draws: int = 10_000, level: float = 0.95
) -> EmotionGain:
    """The first method against the second: paired draws of clips, and McNemar's test.

    Raises:
        ValueError: files that do not fit together, clips without labels, no draws.
    """
    first, second = aligned((first, second))
    labels, e = expect_labels(first), len(first.tree.actions)
    own, other = predictions(first.scores), predictions(second.scores)
    kinds = (labels * e + own) * e + other  # one kind for each label and pair of predictions
    names, kind_of = np.unique(kinds, return_inverse=True)
    label_of, own_of, other_of = names // (e * e), names // e % e, names % e
    drawn = _drawn(kind_of.reshape(-1), len(names), rng, draws)  # (D, K)
    measured = []
    for column in (own_of, other_of):
        cells = np.zeros((len(names), e * e), np.float64)
        cells[np.arange(len(names)), label_of * e + column] = 1
        measured.append(emotion_measures((drawn @ cells).reshape(-1, e, e)))
    exact = [emotion_measures(confusion(labels, one, e)) for one in (own, other)]
    return EmotionGain(
        len(labels),
        int((own == labels).sum()),
        int((other == labels).sum()),
        {name: float(exact[0][name] - exact[1][name]) for name in MEASURES},
        {name: interval_of(measured[0][name] - measured[1][name], level) for name in MEASURES},
        mcnemar(own == labels, other == labels),
    )


def _drawn(kind_of: Labels, kinds: int, rng: np.random.Generator, draws: int) -> Floats:
    pieces = list(draw_counts(kind_of.astype(np.int64), kinds, rng, draws))
    whole: Floats = np.concatenate(pieces).astype(np.float64)
    return whole


def average_precision(positive: NDArray[np.bool_], scores: Floats) -> float:
    """Average precision of one micro-action; equal scores are one step. NaN without a positive clip.

    Args:
        positive: (N,) whether a clip has it.
        scores: (N,) how likely it was held to be.
    """
    total = int(positive.sum())
    if not total:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    ends = np.flatnonzero(np.r_[np.diff(scores[order]) != 0, True])  # last of each run of equal scores
    gained = np.diff(np.r_[0, hits[ends]]) / total
    return float((gained * hits[ends] / (ends + 1)).sum())


def mean_average_precision(present: NDArray[np.bool_], scores: NDArray[np.float32] | Floats) -> float:
    """Mean over the micro-actions that some clip has; NaN where none has any.

    Args:
        present: (N, A).
        scores: (N, A), higher is surer.

    Raises:
        ValueError: of different shapes.
    """
    if present.shape != scores.shape:
        raise ValueError(f"expected scores {present.shape} as the labels, got {scores.shape}")
    columns = zip(present.T, scores.T.astype(np.float64), strict=True)
    values = [average_precision(own, column) for own, column in columns if own.any()]
    return float(np.mean(values)) if values else float("nan")
