"""Which micro-actions go with which emotions: counts, lift, information, Fisher tests, false discoveries.

Clips are the units: a micro-action is in a clip or not. Lift is P(action, emotion) / (P(action) P(emotion)).
Each cell is tested by Fisher's exact test, two-sided; over all cells with a clip the share of false
discoveries is held by Benjamini and Hochberg (1995). Mutual information is in bits, between having a
micro-action and the emotion; that of shuffled emotions says how much of it is chance, since estimates from
few clips are too large. Clips of one person are no independent witnesses: p values of tables in which few
people appear are too small, and the report says so.

Axis letters: N clips, A micro-actions, E emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SHUFFLES_AT_ONCE = 32


@dataclass(frozen=True, eq=False)
class Association:
    """What goes with what.

    Attributes:
        counts: (A, E) clips of an emotion that have a micro-action.
        clips: (E,) clips of each emotion.
        lift: (A, E); NaN where a micro-action or an emotion has no clip.
        odds: (A, E) odds ratio with a half added to every count (Haldane).
        p: (A, E) of Fisher's exact test; NaN as in `lift`.
        q: (A, E) smallest rate of false discoveries at which a cell counts as one.
        information: (A,) bits between having the micro-action and the emotion.
        information_p: (A,) share of shufflings with as much, with one more on its side.
        total_information: sum of `information`.
        total_p: the same for the sum.
        total_by_chance: mean of the sum over the shufflings: what it is where nothing goes with anything.
    """

    counts: NDArray[np.int64]
    clips: NDArray[np.int64]
    lift: Floats
    odds: Floats
    p: Floats
    q: Floats
    information: Floats
    information_p: Floats
    total_information: float
    total_p: float
    total_by_chance: float

    @property
    def of_action(self) -> NDArray[np.int64]:
        """(A,) clips that have a micro-action."""
        counts: NDArray[np.int64] = self.counts.sum(axis=1)
        return counts


def associate(
    present: NDArray[np.bool_],
    labels: NDArray[np.int64],
    emotions: int,
    rng: np.random.Generator,
    shuffles: int = 1000,
) -> Association:
    """Measure a table.

    Args:
        present: (N, A) whether a clip has a micro-action.
        labels: (N,) its emotion.
        emotions: E.
        rng: source of the shufflings.
        shuffles: how many.

    Raises:
        ValueError: no clips, or no shufflings.
    """
    if not len(labels) or shuffles < 1:
        raise ValueError(f"expected clips and shufflings, got {len(labels)} clips and {shuffles} shufflings")
    own = np.ascontiguousarray(present.T, np.float32)  # (A, N); counts stay exact below 2**24
    counts = _counts_of_many(own, [labels], emotions)[0]
    clips = np.bincount(labels, minlength=emotions)
    of_action = counts.sum(axis=1)
    known = (of_action > 0)[:, None] & (clips > 0)[None, :]
    expected = of_action[:, None] * clips[None, :] / len(labels)
    lift = np.divide(counts, expected, out=np.full(counts.shape, np.nan), where=known)
    p = _fisher(counts, clips, known)
    information = _information(counts, clips)
    shuffled = np.empty((shuffles, present.shape[1]))
    for start in range(0, shuffles, _SHUFFLES_AT_ONCE):
        mixed = [rng.permutation(labels) for _ in range(min(_SHUFFLES_AT_ONCE, shuffles - start))]
        for row, part in enumerate(_counts_of_many(own, mixed, emotions)):
            shuffled[start + row] = _information(part, clips)
    tiny = 1e-12
    total = float(information.sum())
    return Association(
        counts.astype(np.int64),
        clips.astype(np.int64),
        lift,
        _odds(counts, clips),
        p,
        false_discovery_rates(p),
        information,
        ((shuffled >= information - tiny).sum(axis=0) + 1) / (shuffles + 1),
        total,
        float(((shuffled.sum(axis=1) >= total - tiny).sum() + 1) / (shuffles + 1)),
        float(shuffled.sum(axis=1).mean()),
    )


def _counts_of_many(
    present: NDArray[np.float32], labels: Sequence[NDArray[np.int64]], emotions: int
) -> list[Floats]:
    """For each labelling (A, E) counts, from (A, N) presence: one product for all."""
    one_of = np.concatenate([np.eye(emotions, dtype=np.float32)[own] for own in labels], 1)  # (N, B * E)
    counts = (present @ one_of).astype(np.float64)
    return np.split(counts, len(labels), axis=1)


def _odds(counts: Floats, clips: NDArray[np.int64]) -> Floats:
    with_here, with_else = counts + 0.5, counts.sum(axis=1, keepdims=True) - counts + 0.5
    without_here = clips - counts + 0.5
    without_else = (clips.sum() - clips) - (counts.sum(axis=1, keepdims=True) - counts) + 0.5
    odds: Floats = with_here * without_else / (with_else * without_here)
    return odds


def _fisher(counts: Floats, clips: NDArray[np.int64], known: NDArray[np.bool_]) -> Floats:
    from scipy.stats import fisher_exact

    p = np.full(counts.shape, np.nan)
    total = int(clips.sum())
    for action, emotion in np.argwhere(known):
        here, of_action = int(counts[action, emotion]), int(counts[action].sum())
        of_emotion = int(clips[emotion])
        rest = total - of_action - of_emotion + here
        p[action, emotion] = fisher_exact([[here, of_action - here], [of_emotion - here, rest]]).pvalue
    return p


def false_discovery_rates(p: Floats) -> Floats:
    """Benjamini and Hochberg's adjusted p values of any shape; NaN stays NaN and does not count."""
    rates = np.full(p.shape, np.nan)
    flat = p[np.isfinite(p)]
    order = np.argsort(flat, kind="stable")
    scaled = flat[order] * len(flat) / np.arange(1, len(flat) + 1)
    adjusted = np.empty(len(flat))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    rates[np.isfinite(p)] = adjusted
    return rates


def _information(counts: Floats, clips: NDArray[np.int64]) -> Floats:
    """(A,) bits between having each micro-action and the emotion."""
    total = clips.sum()
    of_emotion = clips / total  # (E,)
    bits = np.zeros(len(counts))
    for part in (counts, clips - counts):  # having it, not having it
        joint = part / total  # (A, E)
        product = joint.sum(axis=1, keepdims=True) * of_emotion
        ratio = np.divide(joint, product, out=np.ones_like(joint), where=joint > 0)
        bits += (joint * np.log2(ratio)).sum(axis=1)
    return np.maximum(bits, 0.0)
