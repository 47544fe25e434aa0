"""Whole numbers of clips in a table of classes and cells, with the sums of both sides as published."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Reals = NDArray[np.float64]

_ROUNDS = 200


def share_out(total: int, weights: NDArray[np.floating | np.integer], at_least: int = 0) -> Counts:
    """Whole numbers in the proportion of `weights` that add up to `total` (largest remainders).

    Raises:
        ValueError: `total` is too small for `at_least` each.
    """
    n = len(weights)
    if total < at_least * n:
        raise ValueError(f"expected at least {at_least * n} clips for {n} shares, got {total}")
    ideal = np.asarray(weights, np.float64) / np.sum(weights) * total
    counts = np.maximum(np.floor(ideal).astype(np.int64), at_least)
    while (missing := total - int(counts.sum())) != 0:
        step = 1 if missing > 0 else -1
        gap = (ideal - counts) * step
        gap[(counts + step) < at_least] = -np.inf
        order = np.argsort(-gap, kind="stable")[: min(abs(missing), int(np.isfinite(gap).sum()))]
        counts[order] += step
    return counts


def allocate(rows: Counts, columns: Counts, affinity: Reals) -> Counts:
    """A table of whole numbers with these row and column sums, in the proportions of `affinity`.

    Iterative proportional fitting (Deming and Stephan 1940), then rounding that keeps both sums.

    Args:
        rows: (R,) sums.
        columns: (C,) sums.
        affinity: (R, C) positive, which cells a row prefers.

    Raises:
        ValueError: the sums of the two sides differ.
    """
    if rows.sum() != columns.sum():
        raise ValueError(
            f"expected rows and columns of one sum, got {rows.sum():,} and {columns.sum():,}; "
            "scale both to the same number of clips"
        )
    table = affinity.astype(np.float64)
    for _ in range(_ROUNDS):
        table *= (rows / np.maximum(table.sum(axis=1), 1e-12))[:, None]
        table *= columns / np.maximum(table.sum(axis=0), 1e-12)
    counts = np.floor(table + 1e-9).astype(np.int64)
    remainder = table - counts
    row_left, column_left = rows - counts.sum(axis=1), columns - counts.sum(axis=0)
    for cell in np.argsort(-remainder, axis=None, kind="stable"):
        row, column = divmod(int(cell), len(columns))
        if row_left[row] > 0 and column_left[column] > 0:
            counts[row, column] += 1
            row_left[row] -= 1
            column_left[column] -= 1
    for row in np.flatnonzero(row_left != 0):  # what rounding left over goes wherever there is room
        while row_left[row] != 0:
            _settle(counts, int(row), row_left, column_left)
    return counts


def _settle(counts: Counts, row: int, row_left: Counts, column_left: Counts) -> None:
    """Move one clip so that a row and a column come nearer to their sums."""
    if row_left[row] > 0:
        column = int(np.argmax(column_left))
        step = 1
    else:
        column = int(np.argmin(np.where(counts[row] > 0, column_left, np.iinfo(np.int64).max)))
        step = -1
    counts[row, column] += step
    row_left[row] -= step
    column_left[column] -= step


def fill_column(counts: Counts, column: int) -> Counts:
    """The same sums, with at least one in every row of a column whose row has any.

    A row without gets one from another of its cells; a row with several gives one back there.
    """
    counts = counts.copy()
    for row in np.flatnonzero((counts[:, column] == 0) & (counts.sum(axis=1) > 0)):
        giver = int(np.argmax(counts[row]))
        rich = int(np.argmax(counts[:, column]))
        if counts[rich, column] < 2:
            break
        counts[row, column] += 1
        counts[row, giver] -= 1
        counts[rich, column] -= 1
        counts[rich, giver] += 1
    return counts
