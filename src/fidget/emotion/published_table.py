"""A table of clips, emotions and micro-actions whose frequencies are the published ones, to the clip.

No paper prints how often a micro-action comes with an emotion; what is printed is how many clips and people
the emotion part of MMA-82 has, how often each of its 82 micro-actions occurs, and how many labels a clip of
MA-52-Pro has. A table that is drawn to have these counts exactly is still simulated: which clip has what, and
which emotion, is chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CLIPS, PEOPLE = 1371, 180
"""Of MMA-82's emotion part, as printed."""
LABELS_OF_CLIPS = (29_503, 7_818)
"""Labels and clips of MA-52-Pro, as printed: 3.77 a clip."""


def label_total(clips: int) -> int:
    """Labels of so many clips, at the published number a clip."""
    return round(clips * LABELS_OF_CLIPS[0] / LABELS_OF_CLIPS[1])


def shared_out(total: int, weights: Sequence[int], most: int) -> NDArray[np.int64]:
    """Whole numbers that add up to a total, in proportion to weights; ties and rests by largest remainder.

    Args:
        total: what they add up to.
        weights: (A,) of each, not below 0.
        most: none is larger; the rest goes to the others in proportion.

    Raises:
        ValueError: no weight, or a total that does not fit.
    """
    share = np.asarray(weights, np.float64)
    if total > most * int((share > 0).sum()):
        raise ValueError(
            f"expected at most {most} of each of {int((share > 0).sum())}, got a total of {total}"
        )
    given = np.zeros(len(share), np.int64)
    while (left := total - int(given.sum())) > 0:
        open_ = np.where(given < most, share, 0.0)
        exact = left * open_ / open_.sum()
        more = np.floor(exact).astype(np.int64)
        rest = np.argsort(-(exact - more), kind="stable")[: left - int(more.sum())]
        more[rest] += 1
        given = np.minimum(given + more, most)
    return given


def presence_of(
    counts: NDArray[np.int64],
    labels: NDArray[np.int64],
    favour: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.bool_]:
    """Which clip has which micro-action, each in exactly so many clips, and no clip without one.

    Args:
        counts: (A,) clips with each micro-action.
        labels: (N,) emotions.
        favour: (E, A) how many times as often a micro-action comes with an emotion, over 0.
        rng: of the draws.

    Returns:
        (N, A).

    Raises:
        ValueError: fewer labels than clips, or a count larger than the clips.
    """
    clips = len(labels)
    if counts.sum() < clips or counts.max() > clips:
        raise ValueError(f"expected counts up to {clips} and {clips} in all at least, got {counts.tolist()}")
    present = np.zeros((clips, len(counts)), np.bool_)
    for action, count in enumerate(counts):
        chances = favour[labels, action]
        present[rng.choice(clips, int(count), replace=False, p=chances / chances.sum()), action] = True
    for bare in rng.permutation(np.flatnonzero(~present.any(axis=1))):
        alike = np.flatnonzero((labels == labels[bare]) & (present.sum(axis=1) > 1))
        if not len(alike):
            alike = np.flatnonzero(present.sum(axis=1) > 1)
        giver = alike[present[alike].sum(axis=1).argmax()]  # of the same emotion: what goes with it stays
        action = int(rng.choice(np.flatnonzero(present[giver])))
        present[giver, action], present[bare, action] = False, True
    return present
