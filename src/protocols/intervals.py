"""How sure measures are: clips drawn anew with replacement, every measure of every draw.

Clips with the same label and predictions are alike: a draw is how often each kind of clip came, and all
measures are functions of sums over kinds. So ten thousand draws of thousands of clips take about a second.

The intervals are percentile intervals (Efron, 1979). A class whose clips a draw leaves out is left out of
that draw's class means, as a class without clips is left out of the measure itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.recognition import Floats, Labels, Outcomes, outcomes
from protocols.scores import ScoreFile, aligned

Interval = tuple[float, float]

_CELLS_AT_ONCE = 2**20  # drawn clips, or counts of kinds, in one piece: bounds the memory


@dataclass(frozen=True, eq=False)
class LevelCounts:
    """Numbers of clips at one level, of D samples of clips.

    Attributes:
        right: (D, A) clips of each class that were recognised.
        of_label: (D, A) clips of each class.
        of_prediction: (D, A) clips taken for each class.
        within5: (D,) clips with their label among the five best classes.
    """

    right: Floats
    of_label: Floats
    of_prediction: Floats
    within5: Floats


def measure_intervals(
    scores: ScoreFile,
    rng: np.random.Generator,
    draws: int = 10_000,
    level: float = 0.95,
    units: Labels | None = None,
) -> dict[str, Interval]:
    """Bootstrap interval of every measure that `measures_of` knows.

    Args:
        scores: with a label for every clip.
        rng: source of the draws.
        draws: how many samples.
        level: of the intervals.
        units: (N,) numbers of what is drawn together, such as each clip's subject: clips of one person are
            no independent witnesses. Single clips where None.

    Raises:
        ValueError: no labels or placeholders, no draws, a level outside 0..1.
    """
    drawn = drawn_measures((scores,), rng, draws, units)[0]
    return {name: interval_of(values, level) for name, values in drawn.items()}


def interval_of(values: Floats, level: float = 0.95) -> Interval:
    """Percentile interval of (D,) drawn values.

    Raises:
        ValueError: a level outside 0..1.
    """
    if not 0 < level < 1:
        raise ValueError(f"expected a level inside 0..1, got {level}")
    low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def drawn_measures(
    files: Sequence[ScoreFile], rng: np.random.Generator, draws: int = 10_000, units: Labels | None = None
) -> list[dict[str, Floats]]:
    """For each file every measure of every draw, (D,); all files see the same draws of clips.

    Args:
        files: of the same clips and actions, in any order of rows: they are joined by id.
        rng: source of the draws.
        draws: D.
        units: (N,) as in `measure_intervals`, in the order of the first file's clips.

    Raises:
        ValueError: files that do not fit together, no labels, no draws, units of another length.
    """
    levels = [
        (number, name, one)
        for number, file in enumerate(aligned(files))
        for name, one in outcomes(file).items()
    ]
    if units is not None and len(units) != len(files[0]):
        raise ValueError(f"expected a unit for each of {len(files[0])} clips, got {len(units)}")
    kind_of, matrix, ends = _kinds([level for _, _, level in levels])
    if units is not None:
        names, unit_of = np.unique(units, return_inverse=True)
        summed = np.zeros((len(names), matrix.shape[1]), np.float32)
        np.add.at(summed, unit_of.reshape(-1), matrix[kind_of])
        matrix, kind_of = summed, np.arange(len(names))
    pieces = []
    for counts in draw_counts(kind_of, len(matrix), rng, draws):
        parts = np.split((counts @ matrix).astype(np.float64), ends, axis=1)
        found: list[dict[str, LevelCounts]] = [{} for _ in files]
        for (number, name, _), part in zip(levels, parts, strict=True):
            right, of_label, of_prediction = np.split(part[:, :-1], 3, axis=1)
            found[number][name] = LevelCounts(right, of_label, of_prediction, part[:, -1])
        pieces.append([measures_of_counts(one) for one in found])
    return [
        {name: np.concatenate([piece[number][name] for piece in pieces]) for name in pieces[0][number]}
        for number in range(len(files))
    ]


def _kinds(levels: Sequence[Outcomes]) -> tuple[Labels, NDArray[np.float32], Labels]:
    """Clips that are alike at every level.

    Returns:
        (N,) kind of each clip; (K, S) what one clip of each kind adds to the sums of all levels, side by
        side; where the sums of the second level and of later ones begin.
    """
    columns = [column for one in levels for column in (one.labels, one.predicted, one.within5)]
    rows, kind_of = np.unique(np.stack(columns, axis=1).astype(np.int64), axis=0, return_inverse=True)
    parts = []
    for place, level in enumerate(levels):
        label, predicted, within5 = rows[:, 3 * place : 3 * place + 3].T
        of_label, of_prediction = np.eye(len(level.names), dtype=np.float32)[[label, predicted]]  # (K, A)
        parts.append(np.hstack([of_label * of_prediction, of_label, of_prediction, within5[:, None]]))
    ends = np.cumsum([part.shape[1] for part in parts])[:-1]
    return kind_of.reshape(-1), np.hstack(parts).astype(np.float32), ends


def draw_counts(
    kind_of: Labels, kinds: int, rng: np.random.Generator, draws: int
) -> Iterator[NDArray[np.float32]]:
    """Samples as large as the whole, drawn with replacement, a piece at a time.

    Args:
        kind_of: (N,) int64 kind of each clip, below `kinds`.
        kinds: K.
        rng: source of the draws.
        draws: how many samples there are in all pieces together.

    Yields:
        (d, K) how often each kind came.

    Raises:
        ValueError: no clips, or no draws.
    """
    clips = len(kind_of)
    if not clips or draws < 1:
        raise ValueError(f"expected clips and at least 1 draw, got {clips} clips and {draws} draws")
    at_once = max(1, _CELLS_AT_ONCE // max(clips, kinds))
    small = np.uint16 if clips <= 2**16 else np.uint32
    for start in range(0, draws, at_once):
        d = min(at_once, draws - start)
        drawn = kind_of[rng.integers(clips, size=(d, clips), dtype=small)]  # (d, N)
        drawn += (np.arange(d) * kinds)[:, None]
        yield np.bincount(drawn.reshape(-1), minlength=d * kinds).reshape(d, kinds).astype(np.float32)


def measures_of_counts(levels: Mapping[str, LevelCounts]) -> dict[str, Floats]:
    """As `measures_of`, (D,) each, from the numbers of clips at every level."""
    found: dict[str, Floats] = {}
    for name, level in levels.items():
        right, rows, columns = level.right, level.of_label, level.of_prediction
        clips, there = rows.sum(axis=1), (rows + columns) > 0
        recall, precision = _share(right, rows), _share(right, columns)
        means = [np.nan_to_num(one).sum(axis=1) / there.sum(axis=1) for one in (precision, recall)]
        found[f"{name}/top1"] = right.sum(axis=1) / clips
        found[f"{name}/top5"] = level.within5 / clips
        found[f"{name}/mean_class"] = np.nanmean(recall, axis=1)
        found[f"{name}/macro_f1"] = np.nanmean(_share(2 * right, rows + columns), axis=1)
        found[f"{name}/micro_f1"] = found[f"{name}/top1"]
        harmonic = _share(2 * means[0] * means[1], means[0] + means[1])
        found[f"{name}/macro_f1_of_means"] = np.nan_to_num(harmonic)
    for key, body, macro in (
        ("f1_mean", "body", "macro_f1"),
        ("f1_mean_summed", "body_summed", "macro_f1"),
        ("f1_mean_of_means", "body", "macro_f1_of_means"),
    ):
        if body in levels:
            parts = [found[f"{level}/{what}"] for level in ("action", body) for what in (macro, "micro_f1")]
            found[key] = np.mean(parts, axis=0)
    return found


def _share(part: Floats, whole: Floats) -> Floats:
    """NaN where the whole is 0."""
    share: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return share
