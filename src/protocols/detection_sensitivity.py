"""What a detector misses, and how well it finds instances that are alike in one respect.

The false negatives and the sensitivity of DETAD (Alwassel et al., ECCV 2018). Its bins of length begin with 0
to 30 s; micro-actions last 0.3 to 12 s, so the bins here are others. DETAD takes the detections of other bins
away threshold by threshold and never gives them back; here every threshold begins with all.

Letters: K thresholds, A classes, D detections, I instances.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from protocols.average_precision import average_precisions
from protocols.detection_rules import Rule
from protocols.segment_matching import Floats, Integers, Labelled

_BINS: Mapping[str, tuple[float, ...]] = {
    "length (s)": (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, np.inf),
    "coverage of the video": (0.0, 0.05, 0.1, 0.2, 0.4, 1.0),
    "instances of its class in the video": (0, 1, 2, 4, np.inf),
    "instances of its class in all": (0, 10, 30, 100, 300, np.inf),
}


@dataclass(frozen=True)
class Bin:
    """Instances that are alike in one respect.

    Attributes:
        characteristic: in which respect.
        low: of the bin, exclusive, but for the first.
        high: inclusive.
        instances: how many there are.
        missed: share of them that no detection was given at, averaged over the thresholds.
        ap_n: normalised average precision on them alone, averaged over thresholds and classes.
    """

    characteristic: str
    low: float
    high: float
    instances: int
    missed: float
    ap_n: float

    def told(self) -> str:
        """Its bounds in words; of counts, the counts in it."""
        if self.characteristic.startswith("instances"):
            first = int(self.low) + 1
            if np.isinf(self.high):
                return f"{first} and more"
            return f"{first}" if first == self.high else f"{first} to {self.high:g}"
        return f"over {self.low:g}" if np.isinf(self.high) else f"{self.low:g} to {self.high:g}"


def sensitivity(
    label: Integers,
    scores: Floats,
    taken: NDArray[np.int64],
    wanted: Labelled,
    duration_s: Floats,
    classes: int,
    rule: Rule,
    normal: float,
) -> tuple[Bin, ...]:
    """Every bin with an instance; detections of instances of other bins are left out of its precision.

    Args:
        label: (D,) class of each detection.
        scores: (D,) how sure each is.
        taken: (K, I) of `average_precision.match_level`.
        wanted: I instances.
        duration_s: (videos,) NaN where it is not known; then nothing is said of coverage.
        classes: A.
        rule: whose way of measuring.
        normal: instances of a class that precision is normalised to.
    """
    found = []
    for name, values in _characteristics(wanted, duration_s, classes).items():
        edges = _BINS[name]
        for number, (low, high) in enumerate(pairwise(edges)):
            inside = (values > low if number else values >= low) & (values <= high)
            if not inside.any():
                continue
            missed = float((taken[:, inside] < 0).mean())
            ap = []
            for held in taken:
                others = held[~inside]
                kept = np.ones(len(label) + 1, np.bool_)
                kept[others[others >= 0]] = False
                kept[-1] = False
                rows = np.flatnonzero(kept)
                place = np.full(len(label) + 1, -1, np.int64)
                place[rows] = np.arange(len(rows))
                own = place[held[inside]][None]
                ap.append(
                    average_precisions(
                        label[rows], scores[rows], own, wanted.label[inside], classes, rule, normal
                    )
                )
            found.append(Bin(name, low, high, int(inside.sum()), missed, float(np.nanmean(ap))))
    return tuple(found)


def _characteristics(wanted: Labelled, duration_s: Floats, classes: int) -> dict[str, Floats]:
    """What `_BINS` has bins of: (I,) each; coverage only where every duration is known."""
    length = wanted.end_s - wanted.start_s
    _, group, together = np.unique(
        wanted.video * classes + wanted.label, return_inverse=True, return_counts=True
    )
    in_all = np.bincount(wanted.label, minlength=classes)
    found = {"length (s)": length}
    covered = length / duration_s[wanted.video]
    if np.isfinite(covered).all():
        found["coverage of the video"] = covered.clip(max=1.0)
    found["instances of its class in the video"] = together[group].astype(np.float64)
    found["instances of its class in all"] = in_all[wanted.label].astype(np.float64)
    return found
