"""Cells that differ in seed and draw only, as one row: mean, spread, and how sure it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.benchmark.cell import Cell
from protocols.intervals import drawn_measures, interval_of
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile, read_scores

Floats = NDArray[np.float64]
Moves = tuple[list[NDArray[np.int64]], NDArray[np.int64] | None]


@dataclass(frozen=True)
class RowKey:
    """What cells of one row have in common; the fields as in `Cell`."""

    task: str
    source_domain: str
    target_domain: str
    method: str
    shots: int
    adaptation: str
    setting: str
    budget_kib: float


@dataclass(frozen=True)
class Summary:
    """Several cells as one row.

    Attributes:
        key: what they have in common.
        cells: the cells, done ones.
        means: measure -> mean over seeds and draws.
        deviations: measure -> standard deviation over them (by one less than their number); NaN of one.
        drawn: measure -> (S,) the mean as it comes out of clips, seeds and draws drawn anew; empty without
            score files.
        tree: of the score files, None without.
    """

    key: RowKey
    cells: tuple[Cell, ...]
    means: Mapping[str, float]
    deviations: Mapping[str, float]
    drawn: Mapping[str, Floats] = field(default_factory=dict, repr=False)
    tree: LabelTree | None = None

    @property
    def seeds(self) -> int:
        """How many trainings."""
        return len({cell.seed for cell in self.cells})

    @property
    def draws(self) -> int:
        """How many lists of shots."""
        return len({cell.draw for cell in self.cells})

    def interval(self, measure: str, minus: float = 0.0) -> tuple[float, float] | None:
        """95 % interval of the mean minus a number that is taken as exact; None where there are no draws."""
        return interval_of(self.drawn[measure] - minus) if measure in self.drawn else None


def key_of(cell: Cell) -> RowKey:
    """The row that a cell belongs to."""
    return RowKey(
        cell.task, cell.source_domain, cell.target_domain, cell.method, cell.shots, cell.adaptation,
        cell.setting, float(cell.facts.get("budget_kib", 0.0)),
    )  # fmt: skip


def summarise(cells: Iterable[Cell], directory: Path, samples: int = 1000) -> tuple[Summary, ...]:
    """One summary for each row of cells that are done, in the order in which rows first come.

    Clips are drawn anew with replacement (bootstrap), the same clips for every cell of a task; the spread of
    seeds and of draws is added by drawing them anew too.

    Args:
        cells: of a benchmark.
        directory: of the benchmark, where score files lie.
        samples: of the bootstrap, 0 for none: then there are no intervals.

    Raises:
        ValueError: a score file is damaged; names it.
    """
    rows: dict[RowKey, list[Cell]] = {}
    for cell in cells:
        if cell.status == "done":
            rows.setdefault(key_of(cell), []).append(cell)
    return tuple(_summary(key, row, directory, samples) for key, row in rows.items())


def _summary(key: RowKey, cells: Sequence[Cell], directory: Path, samples: int) -> Summary:
    names = [name for name in cells[0].measures if all(name in cell.measures for cell in cells)]
    values = {name: np.array([cell.measures[name] for cell in cells]) for name in names}
    means = {name: float(found.mean()) for name, found in values.items()}
    deviations = {
        name: float(found.std(ddof=1)) if len(found) > 1 else float("nan") for name, found in values.items()
    }
    tree: LabelTree | None = None
    drawn: dict[str, Floats] = {}
    files = [directory / cell.scores for cell in cells]
    if samples and all(file.is_file() for file in files):
        scores = [read_scores(file) for file in files]
        tree = scores[0].tree
        if all(one.clip_ids == scores[0].clip_ids for one in scores):
            drawn = _drawn(cells, scores, names, samples)
    elif files[0].is_file():
        tree = read_scores(files[0]).tree
    return Summary(key, tuple(cells), means, deviations, drawn, tree)


def _drawn(
    cells: Sequence[Cell], scores: Sequence[ScoreFile], names: Sequence[str], samples: int
) -> dict[str, Floats]:
    """(S,) each: means over the cells on drawn clips, moved as drawn seeds and draws move them."""
    total = {name: np.zeros(samples) for name in names}
    for one in scores:  # the same generator: the same draws of clips
        found = drawn_measures((one,), np.random.default_rng(0), samples)[0]
        for name in names:
            total[name] += found[name] / len(scores)
    rng = np.random.default_rng(1)
    moves = [
        draw_moves([cell.seed for cell in cells], rng, samples),
        draw_moves([cell.draw for cell in cells], rng, samples),
    ]
    for name in names:
        total[name] += moved(np.array([cell.measures[name] for cell in cells]), moves)
    return {name: np.clip(drawn, 0, 1) for name, drawn in total.items()}


def moved(values: Floats, moves: Sequence[Moves]) -> Floats | float:
    """(S,) how far the mean of (cells,) values moves as drawn seeds and draws move it; 0 of one alone."""
    total: Floats | float = 0.0
    for groups, drawn in moves:
        if drawn is not None:
            effects = np.array([values[rows].mean() for rows in groups]) - values.mean()
            # Means of n drawn values spread too little, by (n - 1) / n.
            total += effects[drawn].mean(axis=1) * np.sqrt(len(groups) / (len(groups) - 1))
    return total


def draw_moves(of_cell: Sequence[int], rng: np.random.Generator, samples: int) -> Moves:
    """The cells of each seed (or draw), and (S, n) which of the n are drawn; None of one alone."""
    numbers = np.array(of_cell)
    groups = [np.flatnonzero(numbers == number) for number in np.unique(numbers)]
    n = len(groups)
    return groups, rng.integers(n, size=(samples, n)) if n > 1 else None
