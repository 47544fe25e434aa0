"""The rules by which toolboxes measure temporal detection; the same file gives other numbers under each.

Sources: ActivityNet's evaluation as MMAction2 ships it (`ActivityNetLocalization`), OpenTAD's `mAP`, and the
PointTAD code of the MMA-52 detection challenge (`evaluate_mAP`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

EVERY_TENTH = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""tIoU thresholds of MMA-52's official code and of OpenTAD's Multi-THUMOS; MMA-82's most likely."""

CHALLENGE = (0.2, 0.5, 0.7)
"""tIoU thresholds of the challenges' leaderboards."""


@dataclass(frozen=True)
class Rule:
    """One toolbox's way to a mean average precision.

    Attributes:
        name: whose.
        union_offset: added to every union, seconds.
        least_union: what a union is at least, seconds.
        single_precision: whether overlaps are rounded to float32 before they meet a threshold.
        drop_duplicates: whether instances that repeat another of the same class within a millisecond, and
            instances without length, are left out.
        absent: what becomes of a class without an instance: `left_out` of the mean, or `zero` in it.
        first_of_equals: whether of equally sure detections the first of the file comes first, else the last.
    """

    name: str
    union_offset: float = 0.0
    least_union: float = 0.0
    single_precision: bool = False
    drop_duplicates: bool = False
    absent: Literal["left_out", "zero"] = "left_out"
    first_of_equals: bool = True


ACTIVITYNET = Rule("activitynet", single_precision=True)
OPENTAD = Rule("opentad", least_union=1e-8, drop_duplicates=True, first_of_equals=False)
POINTTAD = Rule("pointtad", union_offset=1e-4, absent="zero", first_of_equals=False)

RULES: Mapping[str, Rule] = {rule.name: rule for rule in (ACTIVITYNET, OPENTAD, POINTTAD)}
