"""The order of an epoch: a function of (seed, epoch), whatever reads it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Balance = Literal["none", "square_root", "class_balanced"]


def class_counts(labels: NDArray[np.int64], balance: Balance, total: int) -> NDArray[np.int64]:
    """How many clips of each class an epoch of `total` clips holds.

    Shares go with the class's size, with its square root, or are equal; they are rounded by largest
    remainder, so that the counts add up to `total`. A class without clips gets none.

    Args:
        labels: (N,) labels of the training clips, 0..K-1.
        balance: whose shares.
        total: clips of an epoch.

    Returns:
        (K,) counts.
    """
    sizes = np.bincount(labels)
    exponent = {"none": 1.0, "square_root": 0.5, "class_balanced": 0.0}[balance]
    weights = np.where(sizes > 0, sizes.astype(np.float64) ** exponent, 0.0)
    shares = total * weights / weights.sum()
    counts: NDArray[np.int64] = np.floor(shares).astype(np.int64)
    order = np.argsort(counts - shares, kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts


def epoch_order(
    labels: NDArray[np.int64], balance: Balance, repeat: int, seed: int, epoch: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which clips an epoch shows, in order, and for each the how-manieth time it comes.

    Within a class every clip comes equally often, give or take one.

    Args:
        labels: (N,).
        balance: how classes share the epoch.
        repeat: the epoch has `repeat * N` clips.
        seed: of the run.
        epoch: from 0.

    Returns:
        (repeat * N,) clip numbers and (repeat * N,) occurrences, from 0.
    """
    rng = np.random.default_rng((seed, epoch))
    total = repeat * len(labels)
    if balance == "none":
        clips = np.tile(np.arange(len(labels)), repeat)
    else:
        picked = []
        for label, count in enumerate(class_counts(labels, balance, total)):
            members = rng.permutation(np.flatnonzero(labels == label))
            picked.append(np.resize(members, count) if count else members[:0])
        clips = np.concatenate(picked)
    occurrence = _occurrences(clips)
    shuffled = rng.permutation(total)
    return clips[shuffled], occurrence[shuffled]


def _occurrences(clips: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each entry, how often its value came before it."""
    order = np.argsort(clips, kind="stable")
    ranked = clips[order]
    first = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1]).astype(np.int64)
    starts = np.repeat(first, np.diff(np.append(first, len(ranked))))
    result = np.empty(len(clips), np.int64)
    result[order] = np.arange(len(ranked)) - starts
    return result
