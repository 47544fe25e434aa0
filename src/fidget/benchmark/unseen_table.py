"""Results for classes that were never trained, as a table: means over choices of classes and over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fidget.benchmark.cell import Cell
from fidget.benchmark.summaries import Floats, draw_moves, moved
from fidget.benchmark.table import Table
from protocols.intervals import drawn_measures, interval_of
from protocols.scores import read_scores
from protocols.unseen_classes import drawn_generalised_measures
from protocols.unseen_split import unseen_named

_COLUMNS = {
    "mean class": "action/mean_class",
    "top-1": "action/top1",
    "gen. seen": "generalised/seen",
    "gen. unseen": "generalised/unseen",
    "gen. harmonic": "generalised/harmonic",
    "gen. area": "generalised/area",
}
_WAYS = {"conse": "ConSE", "feature_map": "feature map"}
_SAME = {"vectors": "vectors of all rows", "penalty": "penalty of seen classes, in all rows"}
_NAMED = 8
_EXPLAINED = (
    "mean class, top-1: pure zero-shot, clips of unseen classes, only these to choose from; chance is for it",
    "gen.: generalised zero-shot, clips of all classes, all to choose from: mean class accuracy of the seen "
    "and of the unseen, their harmonic mean, and the area under one over the other for every seen penalty",
    "alone: the network by itself, clips of seen classes, only these to choose from (mean class accuracy)",
)


def unseen_table(data: str, cells: Sequence[Cell], directory: Path, samples: int = 1000) -> Table:
    """One row for each choice of classes (drawn ones together), method, way, vectors and penalty.

    Args:
        data: name of the data set.
        cells: all there are, failed ones too.
        directory: where their score files lie.
        samples: of the bootstrap, 0 for no intervals; draws of classes and seeds are drawn anew too where
            there are several.

    Raises:
        ValueError: a score file is damaged; names it.
    """
    rows: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        if cell.status == "done":
            facts = cell.facts
            key = (facts["group"], cell.method, cell.adaptation, facts["vectors"], facts["seen_penalty"])
            rows.setdefault(key, []).append(cell)
    simulated = any(cell.simulated for cell in cells)
    head = ("unseen", "method", "way", "vectors", "penalty", "draws", "seeds", "chance", *_COLUMNS, "alone")
    table = [_row(*key, own, directory, samples) for key, own in sorted(rows.items())]
    notes = _notes(cells, samples)
    shown = list(range(len(head)))
    for column in (4, 3):  # where all rows say the same, a note says it
        if len({row[column] for row in table}) == 1:
            shown.remove(column)
            notes.insert(0, f"{_SAME[head[column]]}: {table[0][column]}")
    return Table(
        f"Classes that were never trained: {data}" + (" (simulated data)" if simulated else ""),
        tuple(head[column] for column in shown),
        tuple(tuple(row[column] for column in shown) for row in table),
        tuple(notes),
        "per cent" + (", with 95 % intervals" if samples else ""),
    )


def _row(
    group: str,
    method: str,
    way: str,
    vectors: str,
    penalty: float,
    cells: Sequence[Cell],
    directory: Path,
    samples: int,
) -> tuple[str, ...]:
    drawn = _drawn(cells, directory, samples) if samples else {}
    told = []
    for measure in _COLUMNS.values():
        mean = float(np.mean([cell.measures[measure] for cell in cells]))
        told.append(f"{100 * mean:.2f}")
        if measure in drawn:
            low, high = interval_of(np.clip(drawn[measure], 0, 1))
            told[-1] += f" [{100 * low:.1f}, {100 * high:.1f}]"
    chance = 100 / len(cells[0].facts["unseen"])
    alone = 100 * float(np.mean([cell.measures["seen/mean_class"] for cell in cells]))
    return (
        f"{group} of {cells[0].facts['classes']}",
        method,
        _WAYS.get(way, way),
        vectors,
        f"{penalty:g}",
        str(len({cell.draw for cell in cells})),
        str(len({cell.seed for cell in cells})),
        f"{chance:.2f}",
        *told,
        f"{alone:.2f}",
    )


def _drawn(cells: Sequence[Cell], directory: Path, samples: int) -> dict[str, Floats]:
    """(S,) each: means over the cells on drawn clips, moved as drawn seeds and draws of classes move them."""
    total = {measure: np.zeros(samples) for measure in _COLUMNS.values()}
    for cell in cells:  # the same generator: the same draws of clips, where the clips are the same
        for measure, values in _drawn_of(cell, directory, samples).items():
            if measure in total:
                total[measure] += values / len(cells)
    rng = np.random.default_rng(1)
    moves = [draw_moves([cell.seed for cell in cells], rng, samples)]
    moves.append(draw_moves([cell.draw for cell in cells], rng, samples))
    for measure in total:
        total[measure] = total[measure] + moved(np.array([cell.measures[measure] for cell in cells]), moves)
    return total


def _drawn_of(cell: Cell, directory: Path, samples: int) -> dict[str, Floats]:
    pure = read_scores(directory / cell.scores)
    general = read_scores(directory / cell.facts["generalised_scores"])
    split = unseen_named(general.tree, cell.facts["unseen"])
    found = drawn_measures((pure,), np.random.default_rng(0), samples)[0]
    return found | drawn_generalised_measures(general, split, np.random.default_rng(0), samples)


def _notes(cells: Sequence[Cell], samples: int) -> list[str]:
    notes = list(_EXPLAINED)
    if any(cell.simulated for cell in cells):
        notes.insert(
            0, "the clips are simulated: this says how a method behaves, not how well people are recognised"
        )
    if samples:
        notes.append(
            f"intervals: clips drawn anew {samples:,} times, and draws of classes and seeds where there are "
            "several; with one draw they say nothing about other unseen classes"
        )
    for vectors in dict.fromkeys(cell.facts["vectors"] for cell in cells):
        names = dict.fromkeys(
            name for cell in cells if cell.facts["vectors"] == vectors for name in cell.facts["unrelated"]
        )
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            few = ", ".join(list(names)[:_NAMED]) + more
            notes.append(f"by {vectors}, unseen classes that have nothing in common with a seen one: {few}")
    failed = [cell for cell in cells if cell.status != "done"]
    if failed:
        notes.append(f"failed, and missing here: {len(failed)} cells")
    return notes
