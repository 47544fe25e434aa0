"""A detection file beside annotations: measured and diagnosed, at the level of actions or of body groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from protocols.detection import DetectionMeasures, measure_detections
from protocols.detection_diagnosis import Diagnosis, diagnose
from protocols.detection_rules import EVERY_TENTH, Rule
from protocols.detection_table import DetectionTable
from protocols.detections import Detections
from protocols.segment_matching import Labelled

Level = Literal["action", "body"]


def measure_file(
    detections: Detections, table: DetectionTable, split: str, tious: Sequence[float], rule: Rule
) -> DetectionMeasures:
    """Mean average precision on the videos of a split.

    Raises:
        ValueError: the split's instances are kept back, or detections and annotations do not fit.
    """
    instances = table.instances_of(split)
    videos = [table.video_ids[row] for row in table.rows(split)]
    return measure_detections(detections, instances, videos, tious, rule)


def diagnose_file(
    detections: Detections,
    table: DetectionTable,
    split: str,
    level: Level = "action",
    tious: Sequence[float] = EVERY_TENTH,
    at: float = 0.5,
) -> Diagnosis:
    """What a detector does wrong on the videos of a split; detections of other videos are background.

    Raises:
        ValueError: the split's instances are kept back, body groups of a tree without any, `at` is not one of
            the thresholds, or there is nothing to diagnose.
    """
    tree = table.tree
    if level == "body" and not tree.groups:
        raise ValueError(f"{table.name}: the actions have no body groups; diagnose the level 'action'")
    classes = tree.actions if level == "action" else tree.groups
    to_class = np.arange(len(classes)) if level == "action" else np.array(tree.group_of)
    instances = table.instances_of(split)
    rows = table.rows(split)
    number = {table.video_ids[row]: place for place, row in enumerate(rows)}
    names, coded = detections.videos()
    behind = len(number)  # one number for all videos that are not annotated: nothing happens there
    found = Labelled(
        np.array([number.get(name, behind) for name in names], np.int64)[coded],
        to_class[detections.actions],
        detections.t_start_s,
        detections.t_end_s,
    )
    wanted = Labelled(
        np.array([number[one.video_id] for one in instances], np.int64),
        to_class[np.array([one.label for one in instances], np.int64)],
        np.array([one.t_start_s for one in instances]),
        np.array([one.t_end_s for one in instances]),
    )
    return diagnose(found, detections.scores, wanted, table.duration_s[rows], classes, tious, at)
