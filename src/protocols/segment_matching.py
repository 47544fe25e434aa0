"""Which detected segment takes which annotated one, for a whole data set at once.

Every evaluator of temporal detection in use goes through the detections of a class from the surest down, and
gives each the free instance of its video that it overlaps most, as long as the overlap reaches a threshold.
All instances prefer surer detections and every detection prefers more overlap, so this is the one stable
matching of such preferences (Gale and Shapley, 1962); it is found here by rounds over arrays in which every
detection without an instance asks for its best one that is left, instead of detection by detection.

Letters: D detections, I instances, P pairs of the two that overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.detection_rules import Rule

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
_FEW, _AT_ONCE = 4096, 2**16


@dataclass(frozen=True, eq=False)
class Segments:
    """Segments as arrays; rows are those of a detection file or of annotations.

    Attributes:
        group: (N,) number of each segment's video and class together; segments of one group may match.
        start_s: (N,) seconds.
        end_s: (N,) seconds.
    """

    group: Integers
    start_s: Floats
    end_s: Floats

    def __len__(self) -> int:
        return len(self.group)

    def rows(self, chosen: Integers | NDArray[np.bool_]) -> Segments:
        """Some of them."""
        return Segments(self.group[chosen], self.start_s[chosen], self.end_s[chosen])


@dataclass(frozen=True, eq=False)
class Labelled:
    """Segments of videos as arrays, N each.

    Attributes:
        video: number of the video.
        label: class.
        start_s: seconds.
        end_s: seconds.
    """

    video: Integers
    label: Integers
    start_s: Floats
    end_s: Floats

    def __len__(self) -> int:
        return len(self.video)

    def rows(self, chosen: Integers | NDArray[np.bool_]) -> Labelled:
        """Some of them."""
        return Labelled(self.video[chosen], self.label[chosen], self.start_s[chosen], self.end_s[chosen])

    def segments(self, classes: int) -> Segments:
        """Those of one video and class form a group."""
        return Segments(self.video * classes + self.label, self.start_s, self.end_s)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Detections and instances of the same video and class that overlap enough for the lowest threshold.

    They are sorted by detection, surest first, and each detection's by overlap, most first.

    Attributes:
        detection: (P,) row of the detection.
        instance: (P,) row of the instance.
        tiou: (P,) their temporal intersection over union.
    """

    detection: Integers
    instance: Integers
    tiou: Floats


def tiou(start_s: Floats, end_s: Floats, other_start_s: Floats, other_end_s: Floats, rule: Rule) -> Floats:
    """Temporal intersection over union of segments of equal shape, as a rule computes it."""
    shared = (np.minimum(end_s, other_end_s) - np.maximum(start_s, other_start_s)).clip(0)
    union = (other_end_s - other_start_s) + (end_s - start_s) - shared
    with np.errstate(divide="ignore", invalid="ignore"):
        found = shared / np.maximum(union + rule.union_offset, rule.least_union)
    if rule.single_precision:
        found = found.astype(np.float32).astype(np.float64)
    overlap: Floats = np.nan_to_num(found, nan=0.0)
    return overlap


def surest_first(scores: Floats, rule: Rule) -> Integers:
    """(D,) rows of detections, surest first; equals as the rule says: as in the file, or turned round."""
    return surest_of_each(scores, rule, np.zeros(len(scores), np.int64), 1, None)[1]


def surest_of_each(
    scores: Floats, rule: Rule, label: Integers, classes: int, asked: NDArray[np.bool_] | None
) -> tuple[Integers, Integers]:
    """Where detections stand when all are sorted by class, and in a class surest first.

    Many are sorted by whole numbers of 32 bits, of class and score, in two rounds of a radix sort; those that
    share a number are sorted once more by what they are.

    Args:
        scores: (D,) how sure each is.
        rule: says who comes first of equals: the first of the file, or the last.
        label: (D,) class of each.
        classes: A.
        asked: (D,) of whom the places are wanted; None for all.

    Returns:
        places from 0, in order, and the row that stands at each.
    """
    turned = slice(None) if rule.first_of_equals else slice(None, None, -1)
    values, label = np.negative(scores[turned]), label[turned]
    lowest, highest = values.min(initial=np.inf), values.max(initial=-np.inf)
    steps = 2 ** (32 - (classes - 1).bit_length())  # numbers for the scores of a class
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        scale = (steps - 2) / (highest - lowest)
    if len(values) < _FEW or not 0 < scale < np.inf or classes > _FEW:
        first = np.lexsort((values, label))
        second = np.arange(len(values))
    else:
        share = values - lowest
        share *= scale
        key = share.astype(np.uint32)
        del share
        if classes > 1:
            above = label.astype(np.uint32)
            above *= np.uint32(steps)
            key += above
        low, high = key.astype(np.uint16), (key >> np.uint32(16)).astype(np.uint16)
        first = np.argsort(low, kind="stable")
        low, high = low[first], high[first]
        second = np.argsort(high, kind="stable")  # the order is first[second], which few need whole
        low, high = low[second], high[second]
        same = (low[1:] == low[:-1]) & (high[1:] == high[:-1])
        if same.any():
            alike = np.flatnonzero(np.r_[False, same] | np.r_[same, False])
            rows = first[second[alike]]
            second[alike] = second[alike][np.lexsort((values[rows], key[rows]))]
    if asked is None:
        places, rows = np.arange(len(values)), first[second]
    else:
        places = np.flatnonzero(asked[turned][first][second])
        rows = first[second[places]]
    return places, rows if rule.first_of_equals else len(values) - 1 - rows


def overlapping_pairs(
    detections: Segments, scores: Floats, instances: Segments, least_tiou: float, rule: Rule
) -> Pairs:
    """Pairs of one group whose overlap is at least `least_tiou`; none that could match is missing.

    Args:
        detections: D.
        scores: (D,) how sure each is.
        instances: I.
        least_tiou: in 0..1.
        rule: how an overlap is computed, and who comes first of equally sure ones.
    """
    by_group = np.argsort(instances.group, kind="stable")
    groups, first, count = np.unique(instances.group[by_group], return_index=True, return_counts=True)
    place = _places(groups, detections.group)  # (D,) row in `groups`, -1 where nothing is annotated
    asked = np.flatnonzero(place >= 0)
    parts = []
    for begin in range(0, len(asked), _AT_ONCE):  # most pairs overlap too little, and soon are gone
        some = asked[begin : begin + _AT_ONCE]
        own = place[some]
        each = count[own]  # instances that each of these detections may meet
        detection = np.repeat(some, each)
        behind = np.arange(len(detection)) - np.repeat(np.cumsum(each) - each, each)
        instance = by_group[np.repeat(first[own], each) + behind]
        overlap = tiou(
            detections.start_s[detection], detections.end_s[detection],
            instances.start_s[instance], instances.end_s[instance], rule,
        )  # fmt: skip
        enough = np.flatnonzero(overlap >= least_tiou)
        parts.append(_most_first(Pairs(detection[enough], instance[enough], overlap[enough])))
    if not parts:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    found = Pairs(
        np.concatenate([part.detection for part in parts]),
        np.concatenate([part.instance for part in parts]),
        np.concatenate([part.tiou for part in parts]),
    )
    return _with_a_chance(_sorted(found, scores, rule))


def _sorted(pairs: Pairs, scores: Floats, rule: Rule) -> Pairs:
    """Pairs that come detection by detection, the surest detection's first."""
    if not len(pairs.detection):
        return pairs
    begins = np.flatnonzero(np.r_[True, pairs.detection[1:] != pairs.detection[:-1]])
    surest = surest_first(scores[pairs.detection[begins]], rule)
    counts = np.diff(np.r_[begins, len(pairs.detection)])[surest]
    behind = np.arange(len(pairs.detection)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = np.repeat(begins[surest], counts) + behind
    return Pairs(pairs.detection[order], pairs.instance[order], pairs.tiou[order])


def _most_first(pairs: Pairs) -> Pairs:
    """Pairs that come detection by detection, each detection's by overlap, most first."""
    if not len(pairs.detection):
        return pairs
    begins = np.flatnonzero(np.r_[True, pairs.detection[1:] != pairs.detection[:-1]])
    counts = np.diff(np.r_[begins, len(pairs.detection)])
    crowded = np.flatnonzero(np.repeat(counts > 1, counts))  # most detections meet one instance only
    if not len(crowded):
        return pairs
    order = np.arange(len(pairs.detection))
    turn = np.repeat(np.arange(len(begins)), counts)[crowded]
    order[crowded] = crowded[np.lexsort((-pairs.instance[crowded], -pairs.tiou[crowded], turn))]
    return Pairs(pairs.detection[order], pairs.instance[order], pairs.tiou[order])


def _with_a_chance(pairs: Pairs) -> Pairs:
    """Without detections that no threshold gives their instance.

    Those are they who overlap one instance alone, no more than a surer one does that overlaps it alone too.
    """
    if not len(pairs.detection):
        return pairs
    new = pairs.detection[1:] != pairs.detection[:-1]
    single = np.flatnonzero(np.r_[True, new] & np.r_[new, True])
    instance = pairs.instance[single]
    if not len(single):
        return pairs
    few = int(instance.max()) < 2**16  # then it is a radix sort
    order = np.argsort(instance.astype(np.uint16) if few else instance, kind="stable")
    overlap = instance[order] + pairs.tiou[single[order]] / 2  # rounded, yet in the same order
    beaten = np.r_[False, overlap[1:] < np.maximum.accumulate(overlap)[:-1]]
    kept = np.ones(len(pairs.detection), np.bool_)
    kept[single[order[beaten]]] = False
    return Pairs(pairs.detection[kept], pairs.instance[kept], pairs.tiou[kept])


def _places(sorted_values: Integers, wanted: Integers) -> Integers:
    """Row of each wanted value among sorted, different ones; -1 where it is not there."""
    if not len(sorted_values):
        return np.full(len(wanted), -1, np.int64)
    size = int(sorted_values[-1]) + 1
    if size <= 8 * len(wanted) + 1024:  # a table costs less than a search for each
        table = np.full(size + 1, -1, np.int64)
        table[sorted_values] = np.arange(len(sorted_values))
        return table[np.where(wanted < size, wanted, size)]
    found = np.searchsorted(sorted_values, wanted).clip(max=len(sorted_values) - 1)
    return np.where(sorted_values[found] == wanted, found, -1)


def match(pairs: Pairs, instances: int, threshold: float) -> Integers:
    """(I,) the detection that each instance is given, -1 for none.

    Args:
        pairs: in the order of `overlapping_pairs`.
        instances: I.
        threshold: the least overlap.
    """
    taken = np.full(instances, -1, np.int64)
    kept = np.flatnonzero(pairs.tiou >= threshold)
    if not len(kept):
        return taken
    detection, instance = pairs.detection[kept], pairs.instance[kept]
    begins = np.flatnonzero(np.r_[True, detection[1:] != detection[:-1]])  # (R,) by rank, surest first
    ends = np.r_[begins[1:], len(detection)]
    holder = np.full(instances, len(begins), np.int64)  # the rank that holds an instance, R for none
    asking, ask = np.arange(len(begins)), begins.copy()
    while len(asking):
        wanted = instance[ask[asking]]
        before = holder[wanted]
        np.minimum.at(holder, wanted, asking)
        won = holder[wanted] == asking
        lost = before[won]
        again = np.concatenate([asking[~won], lost[lost < len(begins)]])
        ask[again] += 1
        asking = again[ask[again] < ends[again]]
    held = np.flatnonzero(holder < len(begins))
    taken[held] = detection[begins[holder[held]]]
    return taken
