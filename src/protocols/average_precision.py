"""Average precision of detections in time: the area under interpolated precision over recall, class by class.

As in PASCAL VOC 2011 (Everingham et al., IJCV 2015): the precision at a hit is the best at it or at any later
one. Only hits need to know where in their class's list they stand, so the list is never written down.

Letters: K thresholds, A classes, D detections, I instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.detection_rules import Rule
from protocols.segment_matching import Floats, Integers, Segments, match, overlapping_pairs, surest_of_each


@dataclass(frozen=True, eq=False)
class LevelPrecision:
    """Average precisions of one level of the label tree.

    Attributes:
        classes: A names.
        tious: K thresholds.
        ap: (K, A) average precision in 0..1; NaN for classes that the rule leaves out.
        instances: (A,) how many instances each class has.
    """

    classes: tuple[str, ...]
    tious: tuple[float, ...]
    ap: NDArray[np.float64]
    instances: NDArray[np.int64]

    @property
    def at(self) -> NDArray[np.float64]:
        """(K,) mean average precision at each threshold."""
        kept = ~np.isnan(self.ap[0])
        mean: NDArray[np.float64] = self.ap[:, kept].mean(axis=1) if kept.any() else np.zeros(len(self.ap))
        return mean

    def average(self, tious: Sequence[float] | None = None) -> float:
        """The mean over thresholds, all or some of those measured.

        Raises:
            ValueError: a threshold was not measured.
        """
        wanted = self.tious if tious is None else tuple(tious)
        lacking = [tiou for tiou in wanted if tiou not in self.tious]
        if lacking:
            raise ValueError(f"mAP was measured at tIoU {self.tious}, not at {', '.join(map(str, lacking))}")
        at = self.at
        return float(np.mean([at[self.tious.index(tiou)] for tiou in wanted]))


def match_level(
    found: Segments, scores: Floats, wanted: Segments, tious: Sequence[float], rule: Rule
) -> NDArray[np.int64]:
    """(K, I) the detection that each instance is given at each threshold, -1 for none.

    Args:
        found: D detections; their groups say which instances they may take.
        scores: (D,) how sure each is.
        wanted: I instances.
        tious: K thresholds.
        rule: whose way of measuring.
    """
    pairs = overlapping_pairs(found, scores, wanted, min(tious), rule)
    return np.stack([match(pairs, len(wanted), threshold) for threshold in tious])


def average_precisions(
    label: Integers,
    scores: Floats,
    taken: NDArray[np.int64],
    annotated: Integers,
    classes: int,
    rule: Rule,
    normal: float | None = None,
) -> NDArray[np.float64]:
    """(K, A) average precision in 0..1; NaN, or 0, for classes without an instance, as the rule says.

    Args:
        label: (D,) class of each detection.
        scores: (D,) how sure each is.
        taken: (K, I) of `match_level`.
        annotated: (I,) class of each instance.
        classes: A.
        rule: whose way of measuring.
        normal: if given, precision is that of a class with so many instances (the normalised average
            precision of Hoiem et al., ECCV 2012, which DETAD uses), so that rare and frequent classes can be
            compared.
    """
    positives = np.bincount(annotated, minlength=classes)
    hit = np.zeros(len(label), np.bool_)
    hit[taken[taken >= 0]] = True
    places, rows = surest_of_each(scores, rule, label, classes, hit)
    place = np.zeros(len(label), np.int32)
    place[rows] = places
    begins: Integers = np.concatenate([[0], np.cumsum(np.bincount(label, minlength=classes))])
    ap = np.full((len(taken), classes), np.nan if rule.absent == "left_out" else 0.0)
    present = np.flatnonzero(positives)
    ap[:, present] = 0.0
    for row, found_by in enumerate(taken):
        at = np.sort(place[found_by[found_by >= 0]])  # class by class, surest first
        bounds = np.searchsorted(at, begins)
        for one in present:
            ranks = at[bounds[one] : bounds[one + 1]] - (begins[one] - 1)
            ap[row, one] = interpolated_precision(ranks, int(positives[one]), normal)
    return ap


def interpolated_precision(ranks: Integers, positives: int, normal: float | None = None) -> float:
    """Area under the interpolated curve.

    Args:
        ranks: from 1, of the true positives, in order.
        positives: instances of the class.
        normal: instances that precision is computed for; None for `positives`.
    """
    if not len(ranks):
        return 0.0
    hits = np.arange(1, len(ranks) + 1)
    if normal is None:
        precision = hits / ranks
    else:
        expected = hits / positives * normal
        precision = expected / (expected + (ranks - hits))
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(best_from_here.sum() / positives)
