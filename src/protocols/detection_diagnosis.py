"""What a detector does wrong, and what it would gain without each kind of error.

Alwassel et al.: Diagnosing Error in Temporal Action Detectors, ECCV 2018 (DETAD). A detection that is given
no instance is one of five errors by the instance of any class that it overlaps most, at the threshold t and a
low one of 0.1: double detection (t reached, right class, the instance is taken), wrong label (t reached),
localisation (0.1 reached, right class), confusion (0.1 reached, wrong class), background (0.1 not reached).
Of each class only the surest detections count, ten times as many as it has instances (10 G).

Letters: K thresholds, A classes, D detections, I instances, E kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.average_precision import average_precisions, match_level
from protocols.detection_rules import ACTIVITYNET, EVERY_TENTH, Rule
from protocols.detection_sensitivity import Bin, sensitivity
from protocols.segment_matching import Floats, Integers, Labelled, tiou

KINDS = ("right", "double detection", "wrong label", "localisation", "confusion", "background")
TIMES_G = 10
LEAST_TIOU = 0.1


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """All that DETAD reports.

    Attributes:
        classes: A names.
        tious: K thresholds.
        at: the threshold of `profile` and `by_class`.
        profile: (10, E) shares of the kinds among the surest 1 G, 2 G, ... 10 G detections of each class.
        counts: (K, E) detections of each kind among the surest 10 G.
        by_class: (A, E) the same by class, at the threshold `at`.
        average_map_n: normalised mean average precision, over classes and thresholds.
        gains: what it rises by when all detections of a kind are taken away; not of `right`.
        bins: what is missed, and how well is found what is alike.
        label_pairs: (class predicted, class annotated, detections) of wrong labels at `at`, most first.
    """

    classes: tuple[str, ...]
    tious: tuple[float, ...]
    at: float
    profile: NDArray[np.float64]
    counts: NDArray[np.int64]
    by_class: NDArray[np.int64]
    average_map_n: float
    gains: Mapping[str, float]
    bins: tuple[Bin, ...]
    label_pairs: tuple[tuple[str, str, int], ...]


def diagnose(
    found: Labelled,
    scores: Floats,
    wanted: Labelled,
    duration_s: Floats,
    classes: Sequence[str],
    tious: Sequence[float] = EVERY_TENTH,
    at: float = 0.5,
    rule: Rule = ACTIVITYNET,
) -> Diagnosis:
    """Look at what was found and at what happens.

    Args:
        found: detections.
        scores: (D,) how sure each is.
        wanted: instances; those without length are left out, as DETAD does.
        duration_s: (videos,) NaN where it is not known; then nothing is said of coverage.
        classes: A names.
        tious: thresholds of the averages.
        at: one of them, for the profile.
        rule: whose overlap and ties.

    Raises:
        ValueError: nothing happens, nothing was found, or `at` is not one of the thresholds.
    """
    if at not in tious:
        raise ValueError(f"the profile's threshold {at} must be one of {tuple(tious)}")
    wanted = wanted.rows(wanted.end_s > wanted.start_s)
    if not len(wanted) or not len(found):
        raise ValueError(
            f"there are {len(wanted)} instances and {len(found)} detections: nothing to diagnose"
        )
    width = len(classes)
    positives = np.bincount(wanted.label, minlength=width)
    place = places_in_class(found.label, scores, width)  # from 0
    kept = np.flatnonzero(place < TIMES_G * positives[found.label])
    found, scores, place = found.rows(kept), scores[kept], place[kept]
    normal = len(wanted) / int((positives > 0).sum())
    taken = match_level(found.segments(width), scores, wanted.segments(width), tious, rule)
    best, overlap = most_overlapped(found, wanted, rule)
    kinds = np.stack(
        [_kinds(found, wanted, held, best, overlap, t) for held, t in zip(taken, tious, strict=True)]
    )  # (K, D)
    chosen = kinds[list(tious).index(at)]
    ap = average_precisions(found.label, scores, taken, wanted.label, width, rule, normal)
    average = float(np.nanmean(ap))
    return Diagnosis(
        classes=tuple(classes),
        tious=tuple(tious),
        at=at,
        profile=_profile(chosen, place, positives[found.label]),
        counts=np.stack([np.bincount(row, minlength=len(KINDS)) for row in kinds]),
        by_class=np.stack(
            [np.bincount(chosen[found.label == one], minlength=len(KINDS)) for one in range(width)]
        ),
        average_map_n=average,
        gains={
            name: _without(number, kinds, found.label, scores, taken, wanted.label, width, rule, normal)
            - average
            for number, name in enumerate(KINDS)
            if number
        },
        bins=sensitivity(found.label, scores, taken, wanted, duration_s, width, rule, normal),
        label_pairs=_label_pairs(chosen, found.label, wanted.label[best], classes),
    )


def places_in_class(label: Integers, scores: Floats, classes: int) -> Integers:
    """(D,) how many surer detections of its class come before each; of equals the first of the file."""
    order = np.lexsort((-scores, label))
    begins = np.searchsorted(label[order], np.arange(classes))
    place = np.empty(len(label), np.int64)
    place[order] = np.arange(len(label)) - begins[label[order]]
    return place


def most_overlapped(found: Labelled, wanted: Labelled, rule: Rule) -> tuple[Integers, Floats]:
    """(D,) the instance of any class that each detection overlaps most, the first of equals; and how much."""
    order = np.argsort(wanted.video, kind="stable")
    begins = np.searchsorted(wanted.video[order], found.video, "left")
    counts = np.searchsorted(wanted.video[order], found.video, "right") - begins
    best, most = np.zeros(len(found), np.int64), np.zeros(len(found))
    for step in range(int(counts.max(initial=0))):
        rows = np.flatnonzero(counts > step)
        other = order[begins[rows] + step]
        overlap = tiou(
            found.start_s[rows], found.end_s[rows], wanted.start_s[other], wanted.end_s[other], rule
        )
        better = overlap > most[rows]
        best[rows[better]], most[rows[better]] = other[better], overlap[better]
    return best, most


def _kinds(
    found: Labelled, wanted: Labelled, held: Integers, best: Integers, overlap: Floats, threshold: float
) -> Integers:
    """(D,) number of each detection's kind."""
    same = wanted.label[best] == found.label
    kinds = np.where(same, KINDS.index("localisation"), KINDS.index("confusion"))
    kinds[overlap < LEAST_TIOU] = KINDS.index("background")
    far = overlap >= threshold
    kinds[far] = np.where(same, KINDS.index("double detection"), KINDS.index("wrong label"))[far]
    kinds[held[held >= 0]] = KINDS.index("right")
    return kinds


def _profile(kinds: Integers, place: Integers, instances: Integers) -> NDArray[np.float64]:
    """(10, E) shares among the surest 1 G to 10 G."""
    rows = []
    for times in range(1, TIMES_G + 1):
        counted = np.bincount(kinds[place < times * instances], minlength=len(KINDS))
        rows.append(counted / counted.sum())
    return np.stack(rows)


def _without(
    kind: int,
    kinds: NDArray[np.int64],
    label: Integers,
    scores: Floats,
    taken: NDArray[np.int64],
    annotated: Integers,
    classes: int,
    rule: Rule,
    normal: float,
) -> float:
    """Normalised average precision when the detections of a kind are not there, at each threshold its own."""
    values = []
    for row, held in zip(kinds, taken, strict=True):
        kept = np.flatnonzero(row != kind)
        number = np.full(len(label) + 1, -1, np.int64)
        number[kept] = np.arange(len(kept))
        own = number[held][None]  # -1 stays -1, by the last entry
        ap = average_precisions(label[kept], scores[kept], own, annotated, classes, rule, normal)
        values.append(float(np.nanmean(ap)))
    return float(np.mean(values))


def _label_pairs(
    kinds: Integers, predicted: Integers, annotated: Integers, classes: Sequence[str]
) -> tuple[tuple[str, str, int], ...]:
    """Wrong labels, counted by pair."""
    wrong = kinds == KINDS.index("wrong label")
    pairs, counts = np.unique(predicted[wrong] * len(classes) + annotated[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple(
        (classes[pairs[n] // len(classes)], classes[pairs[n] % len(classes)], int(counts[n])) for n in order
    )
