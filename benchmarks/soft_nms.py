"""Soft-NMS of one recording's candidates in numba, against a plain loop in numpy, on one core.

    python -m benchmarks.soft_nms [--rounds 7]

The loop takes the surest candidate, lowers all others of its class by their overlap with it in a few numpy
calls, drops those that became too small, and begins again. Candidates are random: 82 actions, lengths as
micro-actions have them, on the grid of a window or on that of a ten-minute recording. In every round both do
the same in turn; ratios are medians of the ratios within a round. Both find the same segments with the same
scores, or the program stops. Class by class is how detectors are published and what is promised; where all
candidates are compared, the loop works on long arrays and few rounds, and there is less to gain.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, report
from temporal_detection.nms import Suppression, suppress

ACTIONS, SIGMA, MIN_SCORE = 82, 0.5, 1e-3
TARGET = 30
CASES = {
    "a window, 2000 candidates": (2000, 768.0),
    "a window, 8000 candidates": (8000, 768.0),
    "ten minutes, 20000 candidates": (20000, 18000.0),
}
Arrays = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def candidates(number: int, points: float, seed: int) -> Arrays:
    """Positions (K, 2), scores and actions of random candidates."""
    rng = np.random.default_rng(seed)
    middle, length = rng.uniform(0, points, number), rng.lognormal(3.5, 0.7, number)
    positions = np.stack([middle - length / 2, middle + length / 2], axis=1)
    score = 0.001 + 0.9 * rng.random(number) ** 3
    return positions.astype(np.float32), score.astype(np.float32), rng.integers(0, ACTIONS, number)


def loop_of_one_group(positions: NDArray[np.float32], score: NDArray[np.float32]) -> Arrays:
    """Scores and rows that remain of candidates that are all compared, surest first."""
    start, end = positions[:, 0].copy(), positions[:, 1].copy()
    score, row = score.copy(), np.arange(len(score))
    length = end - start + np.float32(1e-6)
    scores, rows = [], []
    while len(score):
        best = int(np.argmax(score))
        scores.append(score[best])
        rows.append(row[best])
        rest = np.arange(len(score)) != best
        shared = np.maximum(0, np.minimum(end, end[best]) - np.maximum(start, start[best]))
        overlap = shared / (length + length[best] - shared)
        lowered = score * np.exp(-(overlap * overlap) / np.float32(SIGMA))
        rest &= lowered >= np.float32(MIN_SCORE)
        start, end, length, row, score = start[rest], end[rest], length[rest], row[rest], lowered[rest]
    return positions, np.array(scores, np.float32), np.array(rows, np.int64)


def loop(case: Arrays, class_wise: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores and rows that remain, surest first: what is compared with `suppress`."""
    positions, score, label = case
    groups = (
        [np.flatnonzero(label == one) for one in np.unique(label)] if class_wise else [np.arange(len(label))]
    )
    scores, rows = [], []
    for group in groups:
        _, lowered, kept = loop_of_one_group(positions[group], score[group])
        scores.append(lowered)
        rows.append(group[kept])
    lowered, kept = np.concatenate(scores), np.concatenate(rows)
    order = np.argsort(-lowered, kind="stable")
    return lowered[order], kept[order]


def rows_of(name: str, case: Arrays, class_wise: bool, rounds: int) -> list[Row]:
    """Figures of one case.

    Raises:
        ValueError: the two found different segments or scores.
    """
    how = Suppression(sigma=SIGMA, min_score=MIN_SCORE, most=len(case[1]), class_wise=class_wise, voting=0)
    wanted, kept = loop(case, class_wise), suppress(*case, how)
    same = len(kept.row) == len(wanted[1]) and np.array_equal(np.sort(kept.row), np.sort(wanted[1]))
    if not same or not np.allclose(kept.score, wanted[0], rtol=1e-5, atol=0):
        raise ValueError(
            f"{name}: numba and the loop disagree on {len(kept.row)} and {len(wanted[1])} segments"
        )
    taken: dict[str, list[float]] = {"loop": [], "numba": []}
    for _ in range(rounds):
        start = time.process_time()
        loop(case, class_wise)
        taken["loop"].append((time.process_time() - start) * 1e3)
        repeats = 5
        start = time.process_time()
        for _ in range(repeats):
            suppress(*case, how)
        taken["numba"].append((time.process_time() - start) * 1e3 / repeats)
    ratio = statistics.median(a / b for a, b in zip(taken["loop"], taken["numba"], strict=True))
    if not class_wise:
        return [
            Row(f"{name}, all together: loop in numpy", statistics.median(taken["loop"]), "ms"),
            Row(f"{name}, all together: numba", statistics.median(taken["numba"]), "ms", ratio),
        ]
    return [
        Row(f"{name}: loop in numpy", statistics.median(taken["loop"]), "ms"),
        Row(f"{name}: numba", statistics.median(taken["numba"]), "ms", ratio, f">= x{TARGET}",
            ratio >= TARGET),
    ]  # fmt: skip


def main() -> int:
    """Measure, print, write the table; 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    cases = {name: candidates(*sizes, seed=0) for name, sizes in CASES.items()}
    rows = [row for name, case in cases.items() for row in rows_of(name, case, True, rounds)]
    name = next(iter(cases))
    rows += rows_of(name, cases[name], False, rounds)
    report("soft_nms", rows)
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
