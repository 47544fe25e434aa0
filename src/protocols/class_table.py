"""Every class by itself: recall, precision, what it is mistaken for; and classes by how frequent they are.

Head, middle and tail are told apart by the number of training clips where these are known, else by the number
of measured clips; a table says which.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from poses.whole_file import replacing
from protocols.recognition import BODY_LEVELS, BodyRule, Labels, Outcomes, class_f1, outcomes
from protocols.scores import ScoreFile

Band = Literal["head", "middle", "tail"]

BANDS: tuple[Band, ...] = ("head", "middle", "tail")

_NORMAL_95 = 1.959963984540054  # quantile of the normal distribution at 0.975
_NAN = float("nan")


@dataclass(frozen=True)
class Thresholds:
    """From how many clips on a class is of the head, and below how many of the tail.

    The default is that of Liu et al. (2019): more than 100 training clips, and fewer than 20.

    Raises:
        ValueError: thresholds that cannot be meant.
    """

    head: int = 101
    tail: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.tail <= self.head:
            raise ValueError(f"expected 0 <= tail <= head, got tail {self.tail} and head {self.head}")

    def band(self, clips: int) -> Band:
        """Of a class with so many clips."""
        return "head" if clips >= self.head else "tail" if clips < self.tail else "middle"


@dataclass(frozen=True)
class ClassRow:
    """One class; shares are in 0..1, NaN where they would be of no clips.

    Attributes:
        index: in the tree.
        name: of the class.
        group: its body group; empty without groups.
        band: `head`, `middle` or `tail`.
        train_clips: clips it was trained on, -1 where that is not known.
        clips: measured ones.
        taken_for: clips that were taken for it, rightly or not.
        recall: share of its clips that were recognised.
        recall_low: lower end of the 95 % interval of Wilson (1927) of the recall.
        recall_high: upper end.
        precision: share of the clips taken for it that are its own.
        f1: harmonic mean of both; NaN where it is neither a label nor a prediction.
        top5: share of its clips with it among the five best classes.
        mistaken_for: the class that most of its other clips were taken for; empty where there are none.
        mistaken_clips: how many were.
    """

    index: int
    name: str
    group: str
    band: Band
    train_clips: int
    clips: int
    taken_for: int
    recall: float
    recall_low: float
    recall_high: float
    precision: float
    f1: float
    top5: float
    mistaken_for: str
    mistaken_clips: int


@dataclass(frozen=True)
class BandRow:
    """Classes of one band together; NaN where they have no clips.

    Attributes:
        band: `head`, `middle` or `tail`.
        classes: in the tree.
        measured: those of them that have clips.
        clips: of them.
        top1: share of these clips that were recognised.
        mean_class: mean recall of the classes that have clips.
        macro_f1: mean F1 of the classes that are labels or predictions.
    """

    band: Band
    classes: int
    measured: int
    clips: int
    top1: float
    mean_class: float
    macro_f1: float


@dataclass(frozen=True, eq=False)
class ClassTable:
    """All classes of one level.

    Attributes:
        level: `action`, `body` or `body_summed`.
        rows: in the tree's order.
        bands: head, middle, tail.
        banded_by: `training clips` or `measured clips`.
        thresholds: of the bands.
        confusion: (A, A) counts: row is the label, column the prediction.
    """

    level: str
    rows: tuple[ClassRow, ...]
    bands: tuple[BandRow, ...]
    banded_by: str
    thresholds: Thresholds
    confusion: Labels


def class_table(
    scores: ScoreFile,
    thresholds: Thresholds | None = None,
    train_counts: Sequence[int] | None = None,
) -> ClassTable:
    """The table of the actions.

    Args:
        scores: with a label for every clip.
        thresholds: of head and tail.
        train_counts: (A,) training clips of each action, by which classes are frequent or rare; the measured
            clips decide where None.

    Raises:
        ValueError: no labels or placeholders; not one count an action.
    """
    tree = scores.tree
    groups = [tree.groups[group] for group in tree.group_of] if tree.groups else [""] * len(tree.actions)
    return _table("action", outcomes(scores)["action"], groups, thresholds or Thresholds(), train_counts)


def body_table(
    scores: ScoreFile,
    rule: BodyRule = "top",
    thresholds: Thresholds | None = None,
    train_counts: Sequence[int] | None = None,
) -> ClassTable:
    """The table of the body groups.

    Args:
        scores: with a label for every clip.
        rule: how groups are predicted: `top` action or `summed` probabilities.
        thresholds: of head and tail.
        train_counts: (A,) training clips of each action; they are summed by group.

    Raises:
        ValueError: no labels or placeholders; a tree without groups; not one count an action.
    """
    tree = scores.tree
    if not tree.groups:
        raise ValueError(f"label tree {tree.name!r} has no body groups; measure its actions")
    sums = None
    if train_counts is not None:
        _expect_counts(train_counts, len(tree.actions))
        sums = np.bincount(tree.group_of, train_counts, len(tree.groups)).astype(int).tolist()
    level = BODY_LEVELS[rule]
    return _table(level, outcomes(scores)[level], [""] * len(tree.groups), thresholds or Thresholds(), sums)


def _expect_counts(counts: Sequence[int], classes: int) -> None:
    if len(counts) != classes or min(counts) < 0:
        raise ValueError(
            f"expected a number of training clips for each of {classes} classes, got {len(counts)}, "
            f"the smallest {min(counts, default=0)}"
        )


def _table(
    name: str,
    level: Outcomes,
    groups: Sequence[str],
    thresholds: Thresholds,
    train_counts: Sequence[int] | None,
) -> ClassTable:
    matrix, classes = level.matrix, len(level.names)
    if train_counts is not None:
        _expect_counts(train_counts, classes)
    within5 = np.bincount(level.labels, level.within5, classes)
    f1 = class_f1(matrix)
    rows = []
    for index in range(classes):
        clips, taken, right = int(matrix[index].sum()), int(matrix[:, index].sum()), int(matrix[index, index])
        others = matrix[index].copy()
        others[index] = 0
        mistaken, most = int(others.argmax()), int(others.max())
        low, high = wilson(right, clips)
        train = -1 if train_counts is None else int(train_counts[index])
        rows.append(
            ClassRow(
                index=index,
                name=level.names[index],
                group=groups[index],
                band=thresholds.band(clips if train_counts is None else train),
                train_clips=train,
                clips=clips,
                taken_for=taken,
                recall=right / clips if clips else _NAN,
                recall_low=low,
                recall_high=high,
                precision=right / taken if taken else _NAN,
                f1=float(f1[index]),
                top5=float(within5[index]) / clips if clips else _NAN,
                mistaken_for=level.names[mistaken] if most else "",
                mistaken_clips=most,
            )
        )
    by = "measured clips" if train_counts is None else "training clips"
    bands = tuple(_band(band, [row for row in rows if row.band == band]) for band in BANDS)
    return ClassTable(name, tuple(rows), bands, by, thresholds, matrix)


def _band(band: Band, rows: Sequence[ClassRow]) -> BandRow:
    there = [row for row in rows if row.clips]
    clips = sum(row.clips for row in there)
    f1 = [row.f1 for row in rows if not math.isnan(row.f1)]
    return BandRow(
        band,
        len(rows),
        len(there),
        clips,
        sum(row.recall * row.clips for row in there) / clips if clips else _NAN,
        float(np.mean([row.recall for row in there])) if there else _NAN,
        float(np.mean(f1)) if f1 else _NAN,
    )


def wilson(right: int, clips: int, quantile: float = _NORMAL_95) -> tuple[float, float]:
    """Interval of a share, by Wilson (1927): sensible for few clips too; NaN of none.

    Args:
        right: clips.
        clips: all.
        quantile: of the normal distribution; that of 95 % where not given.
    """
    if not clips:
        return _NAN, _NAN
    share, squared = right / clips, quantile**2
    middle = (share + squared / (2 * clips)) / (1 + squared / clips)
    half = (
        quantile / (1 + squared / clips) * math.sqrt(share * (1 - share) / clips + squared / (4 * clips**2))
    )
    return max(0.0, middle - half), min(1.0, middle + half)


def write_class_table(path: str | Path, table: ClassTable) -> None:
    """Write the rows as CSV (UTF-8); what is not known is empty.

    Raises:
        OSError: no room, or no permission.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    names = [field.name for field in fields(ClassRow)]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in table.rows:
            writer.writerow([_cell(name, getattr(row, name)) for name in names])


def _cell(name: str, value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6f}"
    return "" if name == "train_clips" and value == -1 else value
