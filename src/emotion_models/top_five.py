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

from emotion_models.folds import Fold, folds_of

Filter = Literal["union", "own"]
Keep = Literal["base", "without", "only"]
KEEPS: tuple[Keep, ...] = ("base", "without", "only")
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
    n = len(labels)
    counts = present.T.astype(np.float64) @ np.eye(emotions)[labels]  # (A, E)
    action, emotion = counts.sum(axis=1) / n, np.bincount(labels, minlength=emotions) / n
    expected = n * action[:, None] * emotion[None, :]
    spread = np.sqrt(expected * (1 - action)[:, None] * (1 - emotion)[None, :])
    enough = (spread > 0) & (action * n >= fewest)[:, None]
    residual = np.divide(counts - expected, spread, out=np.zeros_like(counts), where=enough)
    order = np.argsort(-residual, axis=0, kind="stable")[:k]  # (k, E)
    return tuple(
        tuple(int(one) for one in order[:, column] if residual[one, column] > 0) for column in range(emotions)
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
    parts = folds_of(labels, folds, seed, subjects)
    predicted = _all_kinds(present, labels, labels, emotions, k, parts)
    own: dict[tuple[Filter, Keep], list[float]] = {key: [] for key in predicted}
    choice: dict[Keep, list[float]] = {keep: [] for keep in KEEPS}
    for _ in range(shuffles):
        mixed = rng.permutation(labels)
        for key, guess in _all_kinds(present, mixed, mixed, emotions, k, parts).items():
            own[key].append(float((guess == mixed).mean()))
        for keep in KEEPS:
            guess = _predict(present, labels, mixed, emotions, k, parts, "union", keep)
            choice[keep].append(float((guess == labels).mean()))
    top = strongest(present, labels, emotions, k)
    return TopFive(
        top,
        tuple(sorted({one for found in top for one in found})),
        predicted,
        {key: np.array(values) for key, values in own.items()},
        {keep: np.array(values) for keep, values in choice.items()},
    )


def _all_kinds(
    present: NDArray[np.bool_],
    labels: NDArray[np.int64],
    chosen_by: NDArray[np.int64],
    emotions: int,
    k: int,
    parts: Sequence[Fold],
) -> dict[tuple[Filter, Keep], NDArray[np.int64]]:
    base = _predict(present, labels, chosen_by, emotions, k, parts, "union", "base")
    found: dict[tuple[Filter, Keep], NDArray[np.int64]] = {}
    for kind in FILTERS:
        for keep in KEEPS:
            found[kind, keep] = (
                base
                if keep == "base"
                else _predict(present, labels, chosen_by, emotions, k, parts, kind, keep)
            )
    return found


def _predict(
    present: NDArray[np.bool_],
    labels: NDArray[np.int64],
    chosen_by: NDArray[np.int64],
    emotions: int,
    k: int,
    parts: Sequence[Fold],
    kind: Filter,
    keep: Keep,
) -> NDArray[np.int64]:
    """(N,) emotions predicted for held-out clips; the top lists come from the clips that are fitted on."""
    guess = np.empty(len(labels), np.int64)
    for fit, held in parts:
        top = strongest(present[fit], chosen_by[fit], emotions, k)
        mask = np.zeros((emotions, present.shape[1]), np.bool_)
        for emotion, found in enumerate(top):
            mask[emotion, list(found)] = True
        if kind == "union":
            mask[:] = mask.any(axis=0)
        kept = np.ones_like(mask) if keep == "base" else mask if keep == "only" else ~mask
        x = present & kept[labels]  # the leaking filter reads every clip's own label here, held-out ones too
        log_odds, bias = naive_bayes(x[fit], labels[fit], emotions)
        guess[held] = (x[held] @ log_odds + bias).argmax(axis=1)
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
    clips = np.bincount(labels, minlength=emotions)
    likely = (present.T.astype(np.float64) @ np.eye(emotions)[labels] + 1) / (clips + 2)  # (A, E)
    with np.errstate(divide="ignore"):
        prior = np.log(clips / clips.sum())
    return np.log(likely / (1 - likely)), prior + np.log1p(-likely).sum(axis=0)
