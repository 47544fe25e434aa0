"""A split in which nobody is in two parts, chosen by a program that leaves nothing to chance.

    python -m protocols.subject_split MA52_DIR > ma52_subjects.csv

Subjects are whole: each goes to train, val or test. The parts shall hold their share of every class, so the
cost of a split is, summed over parts and classes, the squared difference between the clips a part has of a
class and its share of them, divided by the clips of the class; and once more of all clips, weighing as much
as all classes. A class absent from a part although it has a subject for each costs more than all else.

It begins with the subjects by falling number of clips, each to the part that lacks most; then, as long as
that helps, the best of all moves of one subject and all exchanges of two is made. All of it is integer
arithmetic and ties go to the first in order, so every machine finds the same split.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from protocols.clip_table import SPLITS, ClipTable

SHARES = (60, 20, 20)  # per cent of the clips, of train, val and test

_ABSENT = 10**15  # cost of a class that a part lacks; all else together stays below
_MOST_STEPS = 10_000


def split_subjects(counts: NDArray[np.int64], shares: Sequence[int] = SHARES) -> NDArray[np.int64]:
    """Parts of subjects, so that every part has its share of every class.

    Args:
        counts: (S, A) clips of each subject and class.
        shares: whole per cents, one a part, 100 together.

    Returns:
        (S,) int64, the part of each subject.

    Raises:
        ValueError: counts or shares that cannot be meant.
    """
    if counts.ndim != 2 or not len(counts) or (counts < 0).any():
        raise ValueError(
            f"expected counts (subjects, classes) of 0 or more, got {counts.dtype} {counts.shape}"
        )
    if sum(shares) != 100 or min(shares) <= 0:
        raise ValueError(f"expected shares above 0 with a sum of 100 per cent, got {list(shares)}")
    columns = np.hstack([counts, counts.sum(axis=1, keepdims=True)]).astype(
        np.int64
    )  # (S, A + 1), all clips last
    costs = _Costs(columns, np.array(shares, np.int64))
    parts = _beginning(columns, costs)
    for _ in range(_MOST_STEPS):
        step = _best_step(columns, parts, costs)
        if step is None:
            return parts
        for subject, part in step:
            parts[subject] = part
    raise AssertionError(f"no end after {_MOST_STEPS} steps, each of which lowers an integer cost")


class _Costs:
    """The cost of a part that holds some clips of each class."""

    def __init__(self, columns: NDArray[np.int64], shares: NDArray[np.int64]) -> None:
        self.total = columns.sum(axis=0)  # (A + 1,)
        self.shares = shares  # (P,)
        self.weight = 10_000 // np.maximum(self.total, 1)
        self.weight[-1] = 10_000 * (len(self.total) - 1) // max(int(self.total[-1]), 1)
        self.needed = (columns > 0).sum(axis=0) >= len(shares)

    def __call__(self, part: int, held: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of held clips (..., A + 1), the cost (...)."""
        off = 100 * held - self.shares[part] * self.total
        absent = (self.needed & (held == 0)).sum(axis=-1)
        found: NDArray[np.int64] = (self.weight * off * off).sum(axis=-1) + _ABSENT * absent
        return found


def _beginning(columns: NDArray[np.int64], costs: _Costs) -> NDArray[np.int64]:
    parts = np.zeros(len(columns), np.int64)
    lacking = costs.shares * costs.total[-1]  # hundredths of clips
    for subject in np.argsort(-columns[:, -1], kind="stable"):
        part = int(np.argmax(lacking))
        parts[subject] = part
        lacking[part] -= 100 * columns[subject, -1]
    return parts


def _best_step(
    columns: NDArray[np.int64], parts: NDArray[np.int64], costs: _Costs
) -> list[tuple[int, int]] | None:
    """New parts of one or two subjects: the step that lowers the cost most; None where none does."""
    held = np.stack([columns[parts == part].sum(axis=0) for part in range(len(costs.shares))])  # (P, A + 1)
    best, step = 0, None
    for one, other in permutations(range(len(costs.shares)), 2):
        now = costs(one, held[one]) + costs(other, held[other])
        mine, theirs = np.flatnonzero(parts == one), np.flatnonzero(parts == other)
        moved = columns[mine]  # (I, A + 1)
        gains = costs(one, held[one] - moved) + costs(other, held[other] + moved) - now
        if len(gains) and gains.min() < best:
            best, step = int(gains.min()), [(int(mine[gains.argmin()]), other)]
        if one > other or not len(theirs) or not len(mine):
            continue
        swapped = columns[theirs][None] - columns[mine][:, None]  # (I, J, A + 1)
        gains = costs(one, held[one] + swapped) + costs(other, held[other] - swapped) - now
        if gains.min() < best:
            best = int(gains.min())
            i, j = np.unravel_index(int(gains.argmin()), gains.shape)
            step = [(int(mine[i]), other), (int(theirs[j]), one)]
    return step


def split_table(table: ClipTable, shares: Sequence[int] = SHARES) -> Mapping[str, str]:
    """Subject -> train, val or test, of the labelled clips of a table.

    Raises:
        ValueError: a labelled clip without a subject.
    """
    rows = table.rows()
    without = [table.clip_ids[row] for row in rows if not table.subjects[row]]
    if without:
        raise ValueError(
            f"{table.name}: {len(without)} labelled clips have no subject, such as {without[0]!r}"
        )
    subjects = sorted({table.subjects[row] for row in rows})
    number = {subject: index for index, subject in enumerate(subjects)}
    counts = np.zeros((len(subjects), len(table.tree.actions)), np.int64)
    np.add.at(counts, (np.array([number[table.subjects[row]] for row in rows]), table.labels[rows]), 1)
    return dict(zip(subjects, (SPLITS[part] for part in split_subjects(counts, shares)), strict=True))


if __name__ == "__main__":
    from protocols.ma52 import read_ma52

    print("subject,split", *map(",".join, split_table(read_ma52(sys.argv[1])).items()), sep="\n")
