"""What became of each class: confusion counts of groups of cells, small enough for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidget.reports.cell_groups import CellGroup
from protocols.label_tree import LabelTree
from protocols.recognition import confusion, predictions
from protocols.scores import NO_LABEL, ScoreFile, read_scores

FILES_A_GROUP = 3
_MOST_GROUPS = 40
_MOST_NUMBERS = 400_000  # of counts on a page: about 1.5 MB


@dataclass(frozen=True, eq=False)
class ClassResult:
    """Counts of one group of cells.

    Attributes:
        group: whose.
        tree: of the classes.
        counts: (A, A), rows are labels, columns predictions, summed over the score files.
        files: how many score files.
    """

    group: CellGroup
    tree: LabelTree
    counts: NDArray[np.int64]
    files: int


def class_results(directory: Path, groups: Sequence[CellGroup]) -> tuple[list[ClassResult], list[str]]:
    """Counts of groups, those of no shots first, and what is missing, in words."""
    order = sorted(groups, key=lambda group: (not group.plain, group.budget_kib > 0, -group.shots))
    found: list[ClassResult] = []
    notes: list[str] = []
    numbers = 0
    for group in order[:_MOST_GROUPS]:
        result = _of_group(directory, group, notes)
        if result is None:
            continue
        numbers += 3 * int(np.count_nonzero(result.counts))
        if numbers > _MOST_NUMBERS:
            break
        found.append(result)
    left = len(groups) - len(found)
    if left > 0:
        notes.append(f"{left} of {len(groups)} results are not drawn; their score files have them all.")
    return found, notes


def scores_of(directory: Path, path: str) -> ScoreFile | None:
    """A cell's score file; None where it is absent or damaged."""
    try:
        return read_scores(directory / path) if path else None
    except (OSError, ValueError):
        return None


def _of_group(directory: Path, group: CellGroup, notes: list[str]) -> ClassResult | None:
    tree, counts, files = None, np.zeros((0, 0), np.int64), 0
    for cell in group.cells[:FILES_A_GROUP]:
        scores = scores_of(directory, cell.scores)
        if scores is None or not (scores.labels != NO_LABEL).any():
            notes.append(f"{group.told()}: no score file {cell.scores or '(none is named)'}.")
            continue
        known = scores.labels != NO_LABEL
        one = confusion(scores.labels[known], predictions(scores.scores[known]), len(scores.tree.actions))
        if tree is None:
            tree, counts = scores.tree, np.zeros_like(one)
        if scores.tree.actions == tree.actions:
            counts, files = counts + one, files + 1
    return None if tree is None else ClassResult(group, tree, counts, files)


def results_json(results: Sequence[ClassResult]) -> dict[str, Any]:
    """For the page's script: trees, each once, and for each result its counts as row, column, count, ..."""
    trees: dict[LabelTree, int] = {}
    listed = []
    for result in results:
        number = trees.setdefault(result.tree, len(trees))
        rows, columns = np.nonzero(result.counts)
        numbers = np.stack([rows, columns, result.counts[rows, columns]], axis=1)
        listed.append(
            {
                "name": printable(result.group.told()),
                "tree": number,
                "files": result.files,
                "simulated": result.group.simulated,
                "counts": numbers.ravel().tolist(),
            }
        )
    named = [
        {
            "actions": [printable(name) for name in tree.actions],
            "groups": [printable(name) for name in tree.groups],
            "group_of": list(tree.group_of),
        }
        for tree in trees
    ]
    return {"trees": named, "results": listed}


def printable(text: str) -> str:
    """A text without control and direction-changing characters: they are written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
