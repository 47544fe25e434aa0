"""How well actions were found in time: mean average precision over tIoU thresholds, of actions and groups.

Average precision is the area under the interpolated curve of precision over recall, as in PASCAL VOC 2011
(Everingham et al., IJCV 2015); the mean is over classes, then over thresholds. MMA-82's AVG is the mean of
the averages of both levels. Times are never rounded.

Letters: K thresholds, A classes, D detections, I instances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from protocols.average_precision import LevelPrecision, average_precisions, match_level
from protocols.detection_rules import CHALLENGE, EVERY_TENTH, OPENTAD, Rule
from protocols.detection_table import Instance
from protocols.detections import Detections
from protocols.segment_matching import Floats, Integers, Segments

_SAME_S = 1e-3  # instances of one class that differ by no more are duplicates


@dataclass(frozen=True, eq=False)
class DetectionMeasures:
    """What is printed of a detection file.

    Attributes:
        action: of the actions.
        body: of the body groups; None for a tree without groups.
        rule: whose way of measuring.
        duplicates: instances that the rule left out as duplicates or as without length.
        same_class_overlaps: pairs of instances of one class and video that overlap in time; counted, kept.
        videos: annotated videos.
        unknown_videos: videos in the detection file that are not annotated; their detections count as false
            positives, as in all three toolboxes.
        silent_videos: annotated videos without a detection.
    """

    action: LevelPrecision
    body: LevelPrecision | None
    rule: Rule
    duplicates: int
    same_class_overlaps: int
    videos: int
    unknown_videos: int
    silent_videos: int

    def average(self, tious: Sequence[float] | None = None) -> float:
        """MMA-82's AVG: the mean of both levels' averages; of the actions alone without groups."""
        levels = [level.average(tious) for level in (self.action, self.body) if level is not None]
        return float(np.mean(levels))

    def table(self) -> dict[str, float]:
        """Names as in the papers' tables -> values in 0..1.

        `action@0.5` and so on; `action_avg` over every tenth, `action_avg_challenge` over 0.2, 0.5 and 0.7,
        the same of `body`, and `avg`, `avg_challenge` of both.
        """
        found: dict[str, float] = {}
        kinds = [(name, tious) for name, tious in (("avg", EVERY_TENTH), ("avg_challenge", CHALLENGE))
                 if set(tious) <= set(self.action.tious)]  # fmt: skip
        for name, level in (("action", self.action), ("body", self.body)):
            if level is None:
                continue
            found |= {f"{name}@{tiou:g}": float(v) for tiou, v in zip(level.tious, level.at, strict=True)}
            found |= {f"{name}_{kind}": level.average(tious) for kind, tious in kinds}
        return found | {kind: self.average(tious) for kind, tious in kinds}


def measure_detections(
    detections: Detections,
    instances: Sequence[Instance],
    videos: Sequence[str],
    tious: Sequence[float] = EVERY_TENTH,
    rule: Rule = OPENTAD,
) -> DetectionMeasures:
    """Mean average precision of a detection file, at both levels of its tree.

    Args:
        detections: of any videos; those of videos that are not annotated are false positives.
        instances: all that happens in the annotated videos.
        videos: the annotated videos, also those in which nothing happens.
        tious: thresholds in 0..1.
        rule: whose way of measuring.

    Raises:
        ValueError: no instance, no threshold or one out of range, an instance of an unknown video, or not one
            detection in an annotated video (the ids do not fit each other).
    """
    _check(detections, instances, videos, tious)
    number = {video_id: row for row, video_id in enumerate(videos)}
    actions = Annotated.of(instances, number)
    if (actions.video < 0).any():
        wrong = instances[int(np.flatnonzero(actions.video < 0)[0])].video_id
        raise ValueError(f"an instance is of video {wrong!r}, which is not among the {len(videos)} videos")
    found = Counted.of(detections, number)
    if not found.known:
        raise ValueError(
            f"no detection is of an annotated video: detections of {_few(detections.video_ids)}, "
            f"annotations of {_few(videos)}; do the names have the same form?"
        )
    tree = detections.tree
    kept = actions.without_duplicates() if rule.drop_duplicates else actions
    body = None
    if tree.groups:
        group_of = np.array(tree.group_of, np.int64)
        mapped = Annotated(actions.video, group_of[actions.label], actions.start_s, actions.end_s)
        mapped = mapped.without_duplicates() if rule.drop_duplicates else mapped
        label = group_of[detections.actions]
        body = _level(tree.groups, found.video, label, detections, mapped, tious, rule)
    return DetectionMeasures(
        action=_level(tree.actions, found.video, detections.actions, detections, kept, tious, rule),
        body=body,
        rule=rule,
        duplicates=len(actions) - len(kept),
        same_class_overlaps=actions.overlaps(),
        videos=len(videos),
        unknown_videos=found.unknown,
        silent_videos=len(videos) - found.known,
    )


@dataclass(frozen=True, eq=False)
class Counted:
    """The videos of a detection file as numbers.

    Attributes:
        video: (D,) number of the annotated video; those that are not annotated have numbers behind them.
        known: annotated videos with a detection.
        unknown: videos with a detection that are not annotated.
    """

    video: Integers
    known: int
    unknown: int

    @staticmethod
    def of(detections: Detections, number: dict[str, int]) -> Counted:
        """Number the videos of a file by those of the annotations."""
        names, rows = detections.videos()
        known = [number.get(name, -1) for name in names]
        behind = iter(range(len(number), len(number) + len(names)))
        numbers = np.array([next(behind) if one < 0 else one for one in known], np.int64)
        unknown = sum(one < 0 for one in known)
        return Counted(numbers[rows], len(names) - unknown, unknown)


@dataclass(frozen=True, eq=False)
class Annotated:
    """Instances as arrays, I each: number of the video, class, start and end in seconds."""

    video: Integers
    label: Integers
    start_s: Floats
    end_s: Floats

    def __len__(self) -> int:
        return len(self.video)

    @staticmethod
    def of(instances: Sequence[Instance], number: Mapping[str, int]) -> Annotated:
        """Instances as arrays, with -1 for videos that have no number."""
        return Annotated(
            np.fromiter((number.get(one.video_id, -1) for one in instances), np.int64, len(instances)),
            np.fromiter((one.label for one in instances), np.int64, len(instances)),
            np.fromiter((one.t_start_s for one in instances), np.float64, len(instances)),
            np.fromiter((one.t_end_s for one in instances), np.float64, len(instances)),
        )

    def without_duplicates(self) -> Annotated:
        """Without instances of no length, and those that repeat an earlier one that was kept."""
        kept = self.end_s - self.start_s > 0
        earlier: dict[tuple[int, int], list[int]] = {}
        for row in self._close_starts().tolist():
            if not kept[row]:
                continue
            others = earlier.setdefault((int(self.video[row]), int(self.label[row])), [])
            if any(
                abs(self.start_s[row] - self.start_s[o]) <= _SAME_S
                and abs(self.end_s[row] - self.end_s[o]) <= _SAME_S
                for o in others
            ):
                kept[row] = False
            else:
                others.append(row)
        return Annotated(self.video[kept], self.label[kept], self.start_s[kept], self.end_s[kept])

    def _close_starts(self) -> Integers:
        """Rows, in order, that begin about when another of their video and class begins: few do."""
        order = np.lexsort((self.start_s, self.label, self.video))
        one, later = order[:-1], order[1:]
        close = (self.video[one] == self.video[later]) & (self.label[one] == self.label[later])
        close &= self.start_s[later] - self.start_s[one] <= 2 * _SAME_S  # of rounding's two sides
        return np.unique(np.r_[one[close], later[close]])

    def overlaps(self) -> int:
        """Pairs of one video and class that share time."""
        order = np.lexsort((self.start_s, self.label, self.video))
        pairs = 0
        for step in range(1, len(order)):
            one, later = order[:-step], order[step:]
            same = (self.video[one] == self.video[later]) & (self.label[one] == self.label[later])
            if not same.any():
                break  # nobody has a neighbour so far away, so nobody has one further away
            pairs += int((same & (self.start_s[later] < self.end_s[one])).sum())
        return pairs


def _level(
    classes: Sequence[str],
    video: Integers,
    label: Integers,
    detections: Detections,
    annotated: Annotated,
    tious: Sequence[float],
    rule: Rule,
) -> LevelPrecision:
    """Average precision of every class of a level at every threshold."""
    width = len(classes)
    group = video * width
    group += label
    found = Segments(group, detections.t_start_s, detections.t_end_s)
    wanted = Segments(annotated.video * width + annotated.label, annotated.start_s, annotated.end_s)
    taken = match_level(found, detections.scores, wanted, tious, rule)
    ap = average_precisions(label, detections.scores, taken, annotated.label, width, rule)
    positives = np.bincount(annotated.label, minlength=width)
    return LevelPrecision(tuple(classes), tuple(tious), ap, positives.astype(np.int64))


def _check(
    detections: Detections, instances: Sequence[Instance], videos: Sequence[str], tious: Sequence[float]
) -> None:
    if not instances:
        raise ValueError("nothing is annotated in these videos, so there is nothing to measure")
    if not tious or not all(0 < tiou <= 1 for tiou in tious):
        raise ValueError(f"expected tIoU thresholds above 0 and up to 1, got {tuple(tious)}")
    if len(set(videos)) != len(videos):
        raise ValueError("an annotated video is named twice")
    if not len(detections):
        raise ValueError("the detection file holds no detection")


def _few(names: Sequence[str]) -> str:
    unique = list(dict.fromkeys(names[:1000]))
    return ", ".join(map(repr, unique[:3])) + (" ..." if len(unique) > 3 else "")
