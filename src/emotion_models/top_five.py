"""The top-5 experiment: emotion from all micro-actions, without each emotion's five, and from those alone.

MMA-82 takes for each emotion the five micro-actions that go with it most. How its filter was applied is not
published, and that matters: a filter that keeps, in each clip, the five of the clip's own emotion has read
the label it is to predict. It is here under the name `own` and leaks, as its result on shuffled emotions
shows. The filter `union` treats every clip alike: the micro-actions that are among the five of any emotion.
The five are chosen on the clips that are fitted on, never on those predicted.

Emotions are told by naive Bayes over presence (Bernoulli, one count added): what a table this size allows.
Axis letters: N clips, A micro-actions, E emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from emotion_models.folds import folds_of

Filter = Literal["union", "own"]
Keep = Literal["base", "without", "only"]
KEEPS: tuple[Keep, ...] = ("base", "without", "only")
Floats = NDArray[np.float64]
FILTERS: tuple[Filter, ...] = ("union", "own")


@dataclass(frozen=True, eq=False)
class TopFive:
    """What came of it.

    Attributes:
        top: for each emotion its micro-actions, the strongest first, over all clips.
        union: all of them together.
        predicted: (filter, what was kept) -> (N,) predicted emotions; `base` has no filter and stands under
            both.
        shuffled_labels: (filter, what was kept) -> (R,) accuracies when the emotions themselves are shuffled:
            nothing can be learnt, so what lies above chance leaks.
        shuffled_choice: what was kept -> (R,) accuracies when the union is chosen by shuffled emotions: what
            taking away as many micro-actions does by itself.
    """

    top: tuple[tuple[int, ...], ...]
    union: tuple[int, ...]
    predicted: dict[tuple[Filter, Keep], NDArray[np.int64]]
    shuffled_labels: dict[tuple[Filter, Keep], NDArray[np.float64]]
    shuffled_choice: dict[Keep, NDArray[np.float64]]


def strongest(
    present: NDArray[np.bool_], labels: NDArray[np.int64], emotions: int, k: int = 5, fewest: int = 5
) -> tuple[tuple[int, ...], ...]:
    """For each emotion the micro-actions that go with it most: by the deviation of its count from chance.

    That is (count - expected) / sqrt(expected (1 - P(action)) (1 - P(emotion))), the adjusted residual of the
    cell; only micro-actions above chance count.

    Args:
        present: (N, A).
        labels: (N,).
        emotions: E.
        k: of each emotion at most.
        fewest: clips that a micro-action must be in, so that a single clip makes none the strongest.
    """
    counts = present.T.astype(np.float64) @ np.eye(emotions)[labels]  # (A, E)
    return _strongest(counts, np.bincount(labels, minlength=emotions), k, fewest)


def _strongest(
    counts: Floats, clips: NDArray[np.int64], k: int, fewest: int = 5
) -> tuple[tuple[int, ...], ...]:
    n = clips.sum()
    action, emotion = counts.sum(axis=1) / n, clips / n
    expected = n * action[:, None] * emotion[None, :]
    spread = np.sqrt(expected * (1 - action)[:, None] * (1 - emotion)[None, :])
    enough = (spread > 0) & (action * n >= fewest)[:, None]
    residual = np.divide(counts - expected, spread, out=np.zeros_like(counts), where=enough)
    order = np.argsort(-residual, axis=0, kind="stable")[:k]  # (k, E)
    return tuple(
        tuple(int(one) for one in order[:, column] if residual[one, column] > 0)
        for column in range(len(clips))
    )


def top_five_experiment(
    present: NDArray[np.bool_],
    labels: NDArray[np.int64],
    emotions: int,
    rng: np.random.Generator,
    folds: int = 5,
    k: int = 5,
    shuffles: int = 50,
    subjects: Sequence[str] = (),
) -> TopFive:
    """Run it: cross-validated, both filters, both controls.

    Args:
        present: (N, A).
        labels: (N,).
        emotions: E.
        rng: source of folds and shufflings.
        folds: of the cross-validation.
        k: micro-actions of each emotion.
        shuffles: R of each control.
        subjects: of each clip, kept together in the folds; empty where they are not known.

    Raises:
        ValueError: folds that cannot be made.
    """
    seed = int(rng.integers(2**31))
    parts = [
        _Part(present[fit].T.astype(np.float32), present[held].astype(np.float32), fit, held)
        for fit, held in folds_of(labels, folds, seed, subjects)
    ]
    kinds = [(kind, keep) for kind in FILTERS for keep in KEEPS]
    predicted = _predict(parts, labels, labels, emotions, k, kinds)
    own: dict[tuple[Filter, Keep], list[float]] = {key: [] for key in kinds}
    choice: dict[Keep, list[float]] = {keep: [] for keep in KEEPS}
    for _ in range(shuffles):
        mixed = rng.permutation(labels)
        for key, guess in _predict(parts, mixed, mixed, emotions, k, kinds).items():
            own[key].append(float((guess == mixed).mean()))
        fair = [("union", keep) for keep in KEEPS]
        for (_, keep), guess in _predict(parts, labels, mixed, emotions, k, fair).items():
            choice[keep].append(float((guess == labels).mean()))
    top = strongest(present, labels, emotions, k)
    return TopFive(
        top,
        tuple(sorted({one for found in top for one in found})),
        predicted,
        {key: np.array(values) for key, values in own.items()},
        {keep: np.array(values) for keep, values in choice.items()},
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """One fold: presence in the clips that are fitted on (A, n), in those held out (m, A), and their rows."""

    seen: NDArray[np.float32]
    asked: NDArray[np.float32]
    fit: NDArray[np.int64]
    held: NDArray[np.int64]


def _predict(
    parts: Sequence[_Part],
    labels: NDArray[np.int64],
    chosen_by: NDArray[np.int64],
    emotions: int,
    k: int,
    kinds: Sequence[tuple[Filter, Keep]],
) -> dict[tuple[Filter, Keep], NDArray[np.int64]]:
    """For each kind (N,) emotions of held-out clips; the top lists come from the clips that are fitted on."""
    guess = {key: np.empty(len(labels), np.int64) for key in kinds}
    one_of = np.eye(emotions, dtype=np.float32)
    for part in parts:
        counts = (part.seen @ one_of[labels[part.fit]]).astype(np.float64)  # (A, E)
        clips = np.bincount(labels[part.fit], minlength=emotions)
        choosing, by = counts, clips
        if chosen_by is not labels:
            choosing = (part.seen @ one_of[chosen_by[part.fit]]).astype(np.float64)
            by = np.bincount(chosen_by[part.fit], minlength=emotions)
        top = np.zeros((emotions, len(counts)), np.bool_)
        for emotion, found in enumerate(_strongest(choosing, by, k)):
            top[emotion, list(found)] = True
        for kind, keep in kinds:
            mask = np.broadcast_to(top.any(axis=0), top.shape) if kind == "union" else top
            kept = np.ones_like(top) if keep == "base" else mask if keep == "only" else ~mask
            log_odds, bias = _bayes(counts * kept.T, clips, kept.any(axis=0))
            asked = part.asked
            if kind == "own" and keep != "base":  # here the filter reads the labels of held-out clips
                asked = asked * kept[labels[part.held]]
            guess[kind, keep][part.held] = (asked @ log_odds.astype(np.float32) + bias).argmax(axis=1)
    return guess


def naive_bayes(
    present: NDArray[np.bool_], labels: NDArray[np.int64], emotions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bernoulli naive Bayes with one count added: (A, E) log odds and (E,) biases, to be summed.

    Args:
        present: (N, A).
        labels: (N,).
        emotions: E; one without a clip is never predicted.
    """
    counts = present.T.astype(np.float64) @ np.eye(emotions)[labels]  # (A, E)
    return _bayes(counts, np.bincount(labels, minlength=emotions), np.ones(len(counts), np.bool_))


def _bayes(counts: Floats, clips: NDArray[np.int64], used: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """As `naive_bayes` from (A, E) counts; micro-actions that are not used say nothing."""
    likely = (counts + 1) / (clips + 2)  # (A, E)
    with np.errstate(divide="ignore"):
        prior = np.log(clips / clips.sum())
    log_odds = np.log(likely / (1 - likely)) * used[:, None]
    return log_odds, prior + (np.log1p(-likely) * used[:, None]).sum(axis=0)
