"""Whether probabilities can be believed, and what may be left out when a network is unsure.

The confidence of a clip is the probability of its best class, after its probabilities were scaled to sum to
1. Equal confidences are never told apart: clips that share one lie in one bin, and are answered or left out
together. Levels are `action`, and `body_summed` where the tree has groups; the rule `top` gives no
probability of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocols.intervals import Interval, draw_counts, interval_of
from protocols.recognition import Floats, Labels, outcomes
from protocols.scores import ScoreFile

Counts = NDArray[np.float32] | Floats  # whole numbers

LEVELS = ("action", "body_summed")

_SMALLEST = 1e-12  # probability, before its logarithm is taken


@dataclass(frozen=True, eq=False)
class Reliability:
    """Clips sorted into bins by confidence; empty bins are left out.

    Attributes:
        kind: `width`: bins of equal width over 0..1, each with its upper edge; `mass`: bins of about as many
            clips.
        count: (B,) clips.
        confidence: (B,) mean.
        accuracy: (B,) share of right clips.
    """

    kind: str
    count: Labels
    confidence: Floats
    accuracy: Floats

    @property
    def error(self) -> float:
        """Expected calibration error: mean of |accuracy - confidence| over clips, in 0..1."""
        return float(np.average(np.abs(self.accuracy - self.confidence), weights=self.count))


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """What is wrong among the clips that are answered, for every threshold of confidence.

    Attributes:
        threshold: (G,) confidence from which on clips are answered; falling.
        coverage: (G,) share of clips that are answered; the last is 1.
        risk: (G,) share of wrong ones among them.
        area: under the risk, over all coverages 1/N ... 1 (AURC: Geifman et al., 2019); among clips of equal
            confidence any order is as likely, and this is the mean over orders.
    """

    threshold: Floats
    coverage: Floats
    risk: Floats
    area: float

    def coverage_at(self, risk: float) -> float:
        """Largest coverage at which no larger share is wrong; 0 where there is none."""
        fine = np.flatnonzero(self.risk <= risk)
        return float(self.coverage[fine[-1]]) if fine.size else 0.0

    def threshold_at(self, risk: float) -> float:
        """The confidence from which on clips are answered at that coverage; infinite where none is."""
        fine = np.flatnonzero(self.risk <= risk)
        return float(self.threshold[fine[-1]]) if fine.size else float("inf")


@dataclass(frozen=True, eq=False)
class Calibration:
    """How well probabilities of one level agree with what is right.

    Attributes:
        level: `action` or `body_summed`.
        clips: N.
        accuracy: share of right clips.
        confidence: mean.
        brier: mean over clips of the squared distance to the certain truth, summed over classes: 0..2.
        nll: mean of -ln of the label's probability, which is taken as 1e-12 at least.
        by_width: reliability in bins of equal width.
        by_mass: in bins of about as many clips.
        curve: risk over coverage.
    """

    level: str
    clips: int
    accuracy: float
    confidence: float
    brier: float
    nll: float
    by_width: Reliability
    by_mass: Reliability
    curve: RiskCoverage

    def measures(self, risks: Sequence[float] = (0.05, 0.1)) -> dict[str, float]:
        """Every number by name, such as `action/ece_width` and `action/coverage_at_risk_0.05`."""
        named = {
            "ece_width": self.by_width.error,
            "ece_mass": self.by_mass.error,
            "brier": self.brier,
            "nll": self.nll,
            "aurc": self.curve.area,
            **{f"coverage_at_risk_{risk:g}": self.curve.coverage_at(risk) for risk in risks},
        }
        return {f"{self.level}/{name}": value for name, value in named.items()}


@dataclass(frozen=True, eq=False)
class _Clips:
    """Clips in falling order of confidence; all (N,)."""

    confidence: Floats
    right: NDArray[np.bool_]
    brier: Floats
    nll: Floats


def calibrate(scores: ScoreFile, level: str = "action", bins: int = 15) -> Calibration:
    """Calibration and risk-coverage of a score file.

    Args:
        scores: with a label for every clip.
        level: one of `LEVELS`.
        bins: of the calibration errors, 15 as in Guo et al. (2017).

    Raises:
        ValueError: no labels or placeholders, another level, no bins.
    """
    clips = _sorted(scores, level)
    width, mass = _bins(clips.confidence, bins)
    confidence, right = clips.confidence, clips.right
    starts = _starts(confidence)
    answered, wrong, area = _answered(np.ones((1, len(right)), np.float32), right, starts)
    answered, wrong = answered.astype(np.float64), wrong.astype(np.float64)
    return Calibration(
        level,
        len(confidence),
        float(right.mean()),
        float(confidence.mean()),
        float(clips.brier.mean()),
        float(clips.nll.mean()),
        _reliability("width", confidence, right, width),
        _reliability("mass", confidence, right, mass),
        RiskCoverage(confidence[starts], answered[0] / len(right), wrong[0] / answered[0], float(area[0])),
    )


def calibration_intervals(
    scores: ScoreFile,
    rng: np.random.Generator,
    level: str = "action",
    bins: int = 15,
    risks: Sequence[float] = (0.05, 0.1),
    draws: int = 2_000,
    confidence_level: float = 0.95,
) -> dict[str, Interval]:
    """Bootstrap intervals of `Calibration.measures`, by the same names.

    The bins are those of the whole file in every draw. A calibration error is a mean of absolute values,
    which chance makes larger, in a draw twice: with few clips such an interval lies too high.

    Raises:
        ValueError: as `calibrate`; no draws, or a level of confidence outside 0..1.
    """
    clips = _sorted(scores, level)
    n = len(clips.right)
    binned = _bins(clips.confidence, bins)
    starts = _starts(clips.confidence)
    gap = (clips.right - clips.confidence)[:, None]  # (N, 1)
    sums = np.hstack([*(gap * np.eye(bins)[one] for one in binned), clips.brier[:, None], clips.nll[:, None]])
    sums = sums.astype(np.float32)  # (N, 2 bins + 2)
    drawn: dict[str, list[Floats]] = {}
    for counts in draw_counts(np.arange(n), n, rng, draws):
        summed = (counts @ sums).astype(np.float64) / n
        answered, wrong, area = _answered(counts, clips.right, starts)
        values = {
            "ece_width": np.abs(summed[:, :bins]).sum(axis=1),
            "ece_mass": np.abs(summed[:, bins:-2]).sum(axis=1),
            "brier": summed[:, -2],
            "nll": summed[:, -1],
            "aurc": area,
            **{
                f"coverage_at_risk_{one:g}": _last(answered, wrong <= np.float32(one) * answered) / n
                for one in risks
            },
        }
        for name, value in values.items():
            drawn.setdefault(f"{level}/{name}", []).append(value)
    return {name: interval_of(np.concatenate(parts), confidence_level) for name, parts in drawn.items()}


def _sorted(scores: ScoreFile, level: str) -> _Clips:
    found = outcomes(scores)
    if level not in LEVELS or level not in found:
        there = ", ".join(one for one in LEVELS if one in found)
        raise ValueError(f"expected a level with probabilities ({there}), got {level!r}")
    one = found[level]
    shares = one.scores.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    rows = np.arange(len(shares))
    own = shares[rows, one.labels]
    brier = (shares**2).sum(axis=1) - 2 * own + 1
    order = np.argsort(-shares.max(axis=1), kind="stable")
    return _Clips(
        shares.max(axis=1)[order],
        (one.predicted == one.labels)[order],
        brier[order],
        -np.log(np.maximum(own, _SMALLEST))[order],
    )


def _bins(confidence: Floats, bins: int) -> tuple[Labels, Labels]:
    """(N,) bin of equal width and (N,) of equal mass of each clip, from falling confidences."""
    if bins < 1:
        raise ValueError(f"expected at least 1 bin, got {bins}")
    width = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    below = np.searchsorted(confidence[::-1], confidence)  # clips that are less sure
    return width.astype(np.int64), (below * bins // len(confidence)).astype(np.int64)


def _reliability(kind: str, confidence: Floats, right: NDArray[np.bool_], bin_of: Labels) -> Reliability:
    count = np.bincount(bin_of)
    there = count > 0
    mean = [np.bincount(bin_of, values)[there] / count[there] for values in (confidence, right)]
    return Reliability(kind, count[there].astype(np.int64), mean[0], mean[1])


def _starts(confidence: Floats) -> Labels:
    """(G,) first clip of each confidence."""
    starts: Labels = np.append(0, np.flatnonzero(np.diff(confidence)) + 1)
    return starts


def _answered(counts: Counts, right: NDArray[np.bool_], starts: Labels) -> tuple[Counts, Counts, Floats]:
    """Risk over coverage of samples.

    Args:
        counts: (D, N) how often each clip came, N in all; clips in falling order of confidence.
        right: (N,).
        starts: (G,) first clip of each confidence.

    Returns:
        (D, G) clips that are answered, (D, G) wrong ones among them, (D,) area under the risk.
    """
    clips = len(right)
    own = np.add.reduceat(counts, starts, axis=1)  # (D, G)
    own_wrong = np.add.reduceat(counts * ~right, starts, axis=1)
    answered = np.cumsum(own, axis=1)  # whole numbers far below 2**24: exact
    # The clip at place k counts in the risks at k ... N: 1/k + ... + 1/N. Among equals, all places alike.
    weight = np.append(0, np.cumsum(np.cumsum(1 / np.arange(clips, 0, -1))[::-1]))
    weights = np.diff(weight[answered.astype(np.int32)], axis=1, prepend=0)
    share = np.divide(own_wrong, own, out=np.zeros_like(own), where=own > 0)
    area = np.einsum("dg,dg->d", share, weights) / clips
    return answered, np.cumsum(own_wrong, axis=1), area


def _last(values: Counts, where: NDArray[np.bool_]) -> Floats:
    """(D,) last value of each row where the condition holds, 0 where it never does."""
    place = where.shape[1] - 1 - where[:, ::-1].argmax(axis=1)
    found: Floats = np.where(where.any(axis=1), values[np.arange(len(values)), place], 0).astype(np.float64)
    return found
