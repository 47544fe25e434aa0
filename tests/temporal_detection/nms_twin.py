"""What the compiled `nms_1d` of ActionFormer and OpenTAD does, candidate by candidate in plain Python."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_ONE = np.float32(1)


def _overlap(one: list[np.float32], other: list[np.float32]) -> np.float32:
    shared = max(np.float32(0), min(one[1], other[1]) - max(one[0], other[0]))
    lengths = (one[1] - one[0] + np.float32(1e-6)) + (other[1] - other[0] + np.float32(1e-6))
    return np.float32(shared / (lengths - shared))


def soft(
    positions: Floats, score: Floats, method: str, tiou: float, sigma: float, min_score: float
) -> tuple[list[int], list[float]]:
    """Rows and scores that remain, in the order in which they are chosen."""
    pool = [([s, e], value, row) for row, ((s, e), value) in enumerate(zip(positions, score, strict=True))]
    i = 0
    while i < len(pool):
        best = max(range(i, len(pool)), key=lambda k: (pool[k][1], -k))
        pool[i], pool[best] = pool[best], pool[i]
        j = i + 1
        while j < len(pool):
            overlap = _overlap(pool[i][0], pool[j][0])
            weight = _ONE
            if method == "gaussian":
                weight = np.exp(-(overlap * overlap) / np.float32(sigma))
            elif overlap >= np.float32(tiou):
                weight = _ONE - overlap
            pool[j] = (pool[j][0], np.float32(pool[j][1] * weight), pool[j][2])
            if pool[j][1] < np.float32(min_score):
                pool[j] = pool[-1]
                pool.pop()
            else:
                j += 1
        i += 1
    return [row for *_, row in pool], [float(value) for _, value, _ in pool]


def hard(positions: Floats, score: Floats, tiou: float, min_score: float) -> tuple[list[int], list[float]]:
    """Rows and scores that remain, surest first."""
    kept: list[int] = []
    for row in np.argsort(-score, kind="stable").tolist():
        if min_score > 0 and score[row] <= np.float32(min_score):
            continue
        if all(_overlap(list(positions[k]), list(positions[row])) < np.float32(tiou) for k in kept):
            kept.append(row)
    return kept, score[kept].tolist()


def voted(
    kept: Floats, positions: Floats, score: Floats, tiou: float, by_overlap: bool
) -> NDArray[np.float64]:
    """Mean boundaries of all candidates that overlap enough, weighted by their scores."""
    found = []
    for start, end in kept.astype(np.float64):
        shared = (np.minimum(end, positions[:, 1]) - np.maximum(start, positions[:, 0])).clip(0)
        overlap = shared / ((end - start) + (positions[:, 1] - positions[:, 0]) - shared)
        weight = np.where(overlap >= tiou, score * overlap if by_overlap else score, 0)
        found.append((weight[:, None] * positions).sum(0) / weight.sum())
    return np.array(found)
