"""Suppression of candidates that say the same, in numba: nothing to build.

Soft-NMS (Bodla et al., ICCV 2017) on segments, as the compiled `nms_1d` of ActionFormer and OpenTAD does it,
in float32 and in its order, so that both find the same; hard NMS and voting likewise.

Letters: K candidates, M that remain, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

Method = Literal["gaussian", "linear", "hard"]
_CODE = {"hard": 0, "linear": 1, "gaussian": 2}
_LEAST_LENGTH = np.float32(1e-6)  # added to every length


@dataclass(frozen=True)
class Suppression:
    """How candidates are suppressed; it checks itself once.

    Attributes:
        method: "gaussian" lowers scores by exp(-tIoU^2 / sigma), "linear" by 1 - tIoU from `tiou` on, "hard"
            drops them from `tiou` on.
        sigma: of the Gaussian.
        tiou: of the linear and the hard method.
        min_score: candidates that are less sure, at first or once lowered, are dropped.
        most: how many of a window or recording remain, of each class at first and then of all.
        class_wise: candidates are compared with those of their class; False compares all of them.
        voting: boundaries become the mean of those of all candidates from this tIoU on, weighted by their
            scores; 0 for no voting. As in both toolboxes only where all are compared: within a class there
            are too few.
        voting_by_overlap: the weights count the tIoU too, as ActionFormer has it; OpenTAD does not.

    Raises:
        ValueError: a number out of range.
    """

    method: Method = "gaussian"
    sigma: float = 0.5
    tiou: float = 0.1
    min_score: float = 1e-3
    most: int = 2000
    class_wise: bool = True
    voting: float = 0.7
    voting_by_overlap: bool = False

    def __post_init__(self) -> None:
        problems = [
            f"{what} must be {wanted}, got {value}"
            for what, value, right, wanted in (
                ("method", self.method, self.method in get_args(Method), f"one of {get_args(Method)}"),
                ("sigma", self.sigma, self.sigma > 0, "positive"),
                ("tiou", self.tiou, 0 <= self.tiou <= 1, "in 0..1"),
                ("min_score", self.min_score, self.min_score >= 0, "at least 0"),
                ("most", self.most, self.most >= 1, "at least 1"),
                ("voting", self.voting, 0 <= self.voting <= 1, "in 0..1"),
            )
            if not right
        ]
        if problems:
            raise ValueError("suppression: " + "; ".join(problems))


class Kept(NamedTuple):
    """What remains, surest first; M each.

    Attributes:
        positions: (M, 2) starts and ends in the unit in which they came, after voting.
        score: (M,) float32, lowered.
        label: (M,) actions.
        row: (M,) which candidate each was.
    """

    positions: NDArray[np.float64]
    score: NDArray[np.float32]
    label: NDArray[np.int64]
    row: NDArray[np.int64]


def suppress(
    positions: NDArray[np.floating],
    score: NDArray[np.floating],
    label: NDArray[np.integer],
    how: Suppression | None = None,
) -> Kept:
    """Suppress the candidates of one window or recording.

    Args:
        positions: (K, 2) starts and ends, on a grid or in seconds.
        score: (K,) how sure each is.
        label: (K,) action of each.
        how: None for AdaTAD's: Gaussian with sigma 0.5, class by class.

    Raises:
        ValueError: columns of other lengths, or numbers that are none.
    """
    how = Suppression() if how is None else how
    positions, label = np.asarray(positions, np.float64), np.asarray(label, np.int64)
    if positions.shape != (len(score), 2) or label.shape != np.shape(score):
        raise ValueError(
            f"expected candidates (K, 2), scores (K,) and labels (K,), got {positions.shape}, "
            f"{np.shape(score)} and {label.shape}"
        )
    segments, scores = positions.astype(np.float32), np.array(score, np.float32)  # both changed below
    if not np.isfinite(segments).all() or not np.isfinite(scores).all():
        row = int(np.flatnonzero(~(np.isfinite(segments).all(1) & np.isfinite(scores)))[0])
        raise ValueError(f"candidate {row} is no segment with a score: {positions[row]}, {score[row]}")
    order = _by_class(label) if how.class_wise else np.arange(len(label))
    ends = np.flatnonzero(np.diff(label[order])) + 1 if how.class_wise else np.zeros(0, np.int64)
    bounds = np.r_[0, ends, len(label)] if len(label) else np.zeros(1, np.int64)
    starts_f32, ends_f32 = np.ascontiguousarray(segments[order].T)
    lowered = scores[order]
    rows, count = _suppress_groups(
        starts_f32, ends_f32, lowered, order.copy(), bounds, _CODE[how.method], np.float32(how.tiou),
        np.float32(how.sigma), np.float32(how.min_score), how.most,
    )  # fmt: skip
    rows, lowered = rows[:count], lowered[:count]
    surest = np.argsort(-lowered, kind="stable")[: how.most]
    rows, lowered = rows[surest], lowered[surest]
    kept = positions[rows]
    if how.voting > 0 and not how.class_wise:
        kept = vote(kept, positions, scores, how.voting, how.voting_by_overlap)
    return Kept(kept, lowered, label[rows], rows)


def _by_class(label: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows class by class, as they come."""
    small = len(label) and label.min() >= 0 and label.max() < 2**16
    return np.argsort(label.astype(np.uint16) if small else label, kind="stable")  # a radix sort of few bits


def vote(
    kept: NDArray[np.float64],
    positions: NDArray[np.float64],
    score: NDArray[np.floating],
    tiou: float,
    by_overlap: bool,
) -> NDArray[np.float64]:
    """(M, 2) mean boundaries of the candidates around each that remains, weighted by their scores.

    Args:
        kept: (M, 2) what remains.
        positions: (K, 2) all candidates.
        score: (K,) how sure each was at first.
        tiou: the least overlap of those that vote.
        by_overlap: weigh them by the overlap too.
    """
    voted: NDArray[np.float64] = _vote(
        np.ascontiguousarray(kept, np.float64), np.ascontiguousarray(positions, np.float64),
        np.ascontiguousarray(score, np.float64), tiou, by_overlap,
    )  # fmt: skip
    return voted


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _suppress_groups(start, end, score, row, bounds, method, tiou, sigma, min_score, most):  # type: ignore[no-untyped-def]
    """Suppress within each group, in place; what remains is moved to the front, and its count returned."""
    length = end - start + _LEAST_LENGTH
    out = 0
    for group in range(len(bounds) - 1):
        a, b = bounds[group], bounds[group + 1]
        if method == 0:
            left = _hard(start[a:b], end[a:b], length[a:b], score[a:b], row[a:b], tiou, min_score)
        else:
            left = _soft(
                start[a:b], end[a:b], length[a:b], score[a:b], row[a:b], method, tiou, sigma, min_score
            )
        for i in range(a, a + min(left, most)):
            score[out], row[out] = score[i], row[i]
            out += 1
    return row, out


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _soft(start, end, length, score, row, method, tiou, sigma, min_score):  # type: ignore[no-untyped-def]
    """The surest goes to the front and lowers the others, again and again; returns how many remain.

    While the others are lowered the next surest is found, so that every candidate is looked at once a round.
    Those that fall out are replaced by the last, which decides who comes first of equals.
    """
    n, gaussian = len(score), method == 2
    best = 0
    for j in range(1, n):
        if score[j] > score[best]:
            best = j
    i = 0
    while i < n:
        start[i], start[best] = start[best], start[i]
        end[i], end[best] = end[best], end[i]
        length[i], length[best] = length[best], length[i]
        score[i], score[best] = score[best], score[i]
        row[i], row[best] = row[best], row[i]
        own_start, own_end, own_length = start[i], end[i], length[i]
        i += 1
        best, most = i, np.float32(-np.inf)
        j = i
        while j < n:
            value = score[j]
            shared = min(own_end, end[j]) - max(own_start, start[j])
            if shared > 0:  # where nothing is shared both methods leave the score as it is
                overlap = shared / (own_length + length[j] - shared)
                if gaussian:
                    value *= np.exp(-(overlap * overlap) / sigma)
                elif overlap >= tiou:
                    value *= np.float32(1) - overlap
                score[j] = value
            if value < min_score:
                n -= 1
                start[j], end[j], length[j] = start[n], end[n], length[n]
                score[j], row[j] = score[n], row[n]
                continue
            if value > most:
                best, most = j, value
            j += 1
    return n


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _hard(start, end, length, score, row, tiou, min_score):  # type: ignore[no-untyped-def]
    """Those that overlap a surer one are dropped; the others move to the front, surest first."""
    order = np.argsort(-score, kind="mergesort")
    dropped = np.zeros(len(score), np.bool_)
    kept = np.empty(len(score), np.int64)
    count = 0
    for at in range(len(order)):
        i = order[at]
        if dropped[i] or (min_score > 0 and score[i] <= min_score):
            continue
        kept[count] = i
        count += 1
        for other in range(at + 1, len(order)):
            j = order[other]
            if dropped[j]:
                continue
            shared = max(np.float32(0), min(end[i], end[j]) - max(start[i], start[j]))
            if shared / (length[i] + length[j] - shared) >= tiou:
                dropped[j] = True
    kept_score, kept_row = score[kept[:count]], row[kept[:count]]
    score[:count], row[:count] = kept_score, kept_row
    return count


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def _vote(kept, positions, score, tiou, by_overlap):  # type: ignore[no-untyped-def]
    voted = np.empty_like(kept)
    for m in range(len(kept)):
        own_start, own_end = kept[m]
        total, start_sum, end_sum = 0.0, 0.0, 0.0
        for k in range(len(positions)):
            shared = min(own_end, positions[k, 1]) - max(own_start, positions[k, 0])
            if shared <= 0:
                continue
            overlap = shared / ((own_end - own_start) + (positions[k, 1] - positions[k, 0]) - shared)
            if overlap < tiou:
                continue
            weight = score[k] * overlap if by_overlap else score[k]
            total += weight
            start_sum += weight * positions[k, 0]
            end_sum += weight * positions[k, 1]
        if total > 0:
            voted[m, 0], voted[m, 1] = start_sum / total, end_sum / total
        else:  # a segment of no length, or scores of 0: nobody votes
            voted[m, 0], voted[m, 1] = own_start, own_end
    return voted
