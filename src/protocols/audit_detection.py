"""The audit of a detection data set: that of its videos, and of what is annotated in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from protocols.audit_findings import (
    colliding_ids,
    counted,
    impossible_durations,
    kept_back,
    odd_ids,
    pose_findings,
    shared_subjects,
    small_classes,
    some,
)
from protocols.audit_record import Audit, Finding, PoseFacts, lengths, per_split, sizes
from protocols.detection_table import DetectionTable, Instance, by_video
from protocols.id_matching import match_ids

_TOLERANCE_S = 1e-6  # of times that were divided by a frame rate


def audit_detection(table: DetectionTable, poses: PoseFacts | None = None) -> Audit:
    """Counts and findings of a detection data set; classes count instances, all else counts videos.

    Raises:
        ValueError: names of videos and poses that fit several of each other.
    """
    split_of = dict(zip(table.video_ids, table.splits, strict=True))
    classes = per_split(
        (table.tree.actions[one.label] for one in table.instances),
        (split_of[one.video_id] for one in table.instances),
    )
    clip_of = match_ids(table.video_ids, poses.statuses) if poses else {}
    withheld = sum(split in table.withheld for split in table.splits)
    findings = [
        *colliding_ids(table.video_ids, "video"),
        *kept_back(withheld, "instance"),
        *shared_subjects(table.subjects, table.splits),
        *small_classes(table.tree, classes, "instances"),
        *impossible_durations(
            table.video_ids,
            table.duration_s.tolist(),
            (lambda video_id: poses.seconds.get(clip_of.get(video_id, ""), np.nan)) if poses else None,
            "video",
        ),
        *_impossible(table),
        *_overlapping(table),
        *_without_instances(table),
        *(pose_findings(table.video_ids, poses, clip_of, "video") if poses else ()),
        *odd_ids(table.video_ids, "video"),
    ]
    rates = Counter("unknown" if rate is None else f"{float(rate):g} fps" for rate in table.fps)
    spans_s = [one.t_end_s - one.t_start_s for one in table.instances]
    facts: dict[str, float | str] = {
        **lengths(table.duration_s.tolist()),
        "frame_rates": ", ".join(f"{rate}: {count:,}" for rate, count in rates.most_common()),
    }
    if spans_s and np.isfinite(spans_s).all():
        facts["median_instance_s"] = round(float(np.median(spans_s)), 3)
    return Audit(
        table.name,
        "detection",
        table.note,
        table.simulated,
        "instances",
        len(table),
        len(table.instances),
        table.tree,
        {action: classes.get(action, {}) for action in table.tree.actions},
        sizes(table.splits),
        per_split(table.domains, table.splits),
        per_split(table.subjects, table.splits),
        facts,
        tuple(findings),
    )


def _impossible(table: DetectionTable) -> Iterable[Finding]:
    """Instances without a length, without a number, or outside their video."""
    duration_of = dict(zip(table.video_ids, table.duration_s.tolist(), strict=True))
    wrong: dict[str, list[str]] = {}
    for one in table.instances:
        told, duration_s = (
            f"{one.video_id} {one.t_start_s:.2f}-{one.t_end_s:.2f} s",
            duration_of[one.video_id],
        )
        if not (np.isfinite(one.t_start_s) and np.isfinite(one.t_end_s)):
            wrong.setdefault("with a time that is no number", []).append(told)
        elif one.t_end_s <= one.t_start_s:
            wrong.setdefault("that do not end after they begin", []).append(told)
        elif one.t_start_s < 0 or one.t_end_s > duration_s + _TOLERANCE_S:
            wrong.setdefault("outside their video", []).append(f"{told} of {duration_s:.2f} s")
    for words, found in wrong.items():
        text = f"{counted(len(found), 'instance')} {words}"
        yield Finding("impossible_segments", "problem", len(found), text, some(found))


def _overlapping(table: DetectionTable) -> Iterable[Finding]:
    """Instances that overlap one of the same class in the same video, and those that are there twice."""
    overlapping: list[str] = []
    twice: list[str] = []
    for video_id, listed in by_video(table.instances).items():
        last: dict[int, Instance] = {}  # of each class the one that ends last, so far
        for one in listed:
            other = last.get(one.label)
            told = f"{video_id} {one.t_start_s:.2f}-{one.t_end_s:.2f} s, {table.tree.actions[one.label]}"
            if other is not None and (one.t_start_s, one.t_end_s) == (other.t_start_s, other.t_end_s):
                twice.append(told)
            elif other is not None and one.t_start_s < other.t_end_s - _TOLERANCE_S:
                overlapping.append(told)
            if other is None or one.t_end_s > other.t_end_s:
                last[one.label] = one
    if twice:
        text = f"{counted(len(twice), 'instance is', 'instances are')} annotated twice"
        yield Finding("repeated_instances", "problem", len(twice), text, some(twice))
    if overlapping:
        words = counted(len(overlapping), "instance overlaps", "instances overlap")
        text = f"{words} another of the same class"
        yield Finding("overlapping_instances", "note", len(overlapping), text, some(overlapping))


def _without_instances(table: DetectionTable) -> Iterable[Finding]:
    having = {one.video_id for one in table.instances}
    empty = [
        video_id
        for video_id, split in zip(table.video_ids, table.splits, strict=True)
        if split not in table.withheld and video_id not in having
    ]
    if empty:
        text = f"{counted(len(empty), 'video')} without any instance"
        yield Finding("videos_without_instances", "note", len(empty), text, some(empty))
