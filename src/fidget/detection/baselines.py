"""What stands beside a detector in a table: a trivial baseline, and what perfect labels would make of it.

Both give a detection file, so that they are measured as a detector is.
Letters: K segments, A actions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from protocols.detection_table import Instance, by_video
from protocols.detections import Detections
from protocols.label_tree import LabelTree

PRIOR = "class prior with the mean duration at regular places"
PERFECT_LABELS = "perfect labels on predicted segments"


def prior_detections(
    train: Sequence[Instance],
    span_s: Mapping[str, tuple[float, float]],
    tree: LabelTree,
    overlap: float = 0.5,
    most: int = 200,
) -> Detections:
    """Every action that training holds, everywhere: it looks at no recording.

    Each action is laid at regular places with its mean duration in training, as sure as the action is
    frequent there.

    Args:
        train: what happens in the training recordings.
        span_s: recording -> when it begins and ends, seconds.
        tree: the actions.
        overlap: share of a segment that the next one covers again, in [0, 1).
        most: segments of a recording, the surest.

    Raises:
        ValueError: nothing is annotated in training, or an overlap out of range.
    """
    if not train:
        raise ValueError("the prior baseline needs annotated training recordings, there is no instance")
    if not 0 <= overlap < 1:
        raise ValueError(f"prior baseline: expected an overlap in [0, 1), got {overlap}")
    labels = np.array([one.label for one in train], np.int64)
    length_s = np.array([one.t_end_s - one.t_start_s for one in train], np.float64)
    counts = np.bincount(labels, minlength=len(tree.actions))
    mean_s = np.bincount(labels, length_s, len(tree.actions)) / np.maximum(counts, 1)
    prior = counts / counts.sum()
    names: list[str] = []
    columns: list[tuple[float, float, int, float]] = []
    for name, (begin, end) in span_s.items():
        mine: list[tuple[float, float, int, float]] = []
        for action in np.argsort(-prior, kind="stable").tolist():
            if not counts[action] or len(mine) >= most:
                break
            own = float(min(mean_s[action], end - begin))
            number = max(1, int(np.ceil((end - begin - own) / (own * (1 - overlap)))) + 1)
            starts = np.linspace(begin, end - own, number)
            mine += [(start, start + own, action, float(prior[action])) for start in starts.tolist()]
        columns += mine[:most]
        names += [name] * len(mine[:most])
    return _detections(tree, names, columns, PRIOR)


def with_perfect_labels(
    detections: Detections,
    instances: Sequence[Instance],
    least_tiou: float = 0.1,
    perfect_order: bool = True,
) -> Detections:
    """What a detector's segments would be worth with perfect labels: they are named by what they overlap.

    Segments that the detector says several times, with several actions, are one segment here; those that
    overlap nothing well enough are left out, since nothing is their right name. It is no result: it has
    looked at the annotations.

    Args:
        detections: of a detector.
        instances: what is annotated in its recordings.
        least_tiou: overlap from which a segment is named.
        perfect_order: the upper bound: each instance has one segment, that which overlaps it most and is no
            other's, as sure as it overlaps. False: a segment is named by every instance that it overlaps, and
            has the detector's own score, the surest if it is said several times.
    """
    by_name = by_video(instances)
    rows_of: dict[str, list[int]] = {}
    for row, name in enumerate(detections.video_ids):
        rows_of.setdefault(name, []).append(row)
    names: list[str] = []
    columns: list[tuple[float, float, int, float]] = []
    for name, listed in rows_of.items():
        rows = np.array(listed)
        spans = np.stack([detections.t_start_s[rows], detections.t_end_s[rows]], -1)  # (K, 2)
        surest = np.argsort(-detections.scores[rows], kind="stable")
        rows, spans = rows[surest], spans[surest]
        spans, first = np.unique(spans, axis=0, return_index=True)  # the surest of equal ones
        own = by_name.get(name, [])
        wanted = np.array([(one.t_start_s, one.t_end_s) for one in own], np.float64).reshape(-1, 2)
        overlaps = _overlaps(spans, wanted)  # (K, I)
        places, numbers = np.nonzero(overlaps >= least_tiou)
        if perfect_order:
            places, numbers = _one_to_one(overlaps, places, numbers)
        for place, number in zip(places.tolist(), numbers.tolist(), strict=True):
            said = float(detections.scores[rows[first[place]]])
            score = float(overlaps[place, number]) if perfect_order else said
            columns.append((*spans[place].tolist(), own[number].label, score))
        names += [name] * len(places)
    return _detections(detections.tree, names, columns, f"{PERFECT_LABELS} of {detections.method}")


def _one_to_one(
    overlaps: NDArray[np.float64], places: NDArray[np.int64], numbers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs of segment and instance that remain if each may be in one only, greatest overlap first."""
    taken, done, kept = set(), set(), []
    for pair in np.argsort(-overlaps[places, numbers], kind="stable").tolist():
        place, number = int(places[pair]), int(numbers[pair])
        if place not in taken and number not in done:
            taken.add(place)
            done.add(number)
            kept.append(pair)
    return places[kept], numbers[kept]


def _overlaps(spans: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """(K, I) intersection over union."""
    shared = np.minimum(spans[:, None, 1], wanted[:, 1]) - np.maximum(spans[:, None, 0], wanted[:, 0])
    shared = shared.clip(min=0)
    lengths = (spans[:, 1] - spans[:, 0])[:, None] + (wanted[:, 1] - wanted[:, 0])
    found: NDArray[np.float64] = shared / np.maximum(lengths - shared, 1e-12)
    return found


def _detections(
    tree: LabelTree, names: Sequence[str], columns: Sequence[tuple[float, float, int, float]], method: str
) -> Detections:
    table = np.array(columns, np.float64).reshape(-1, 4)
    return Detections(
        tree, tuple(names), table[:, 0].copy(), table[:, 1].copy(), table[:, 2].astype(np.int64),
        table[:, 3].copy(), method,
    )  # fmt: skip
