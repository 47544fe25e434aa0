"""Is a data set what it says it is: counts, and everything that would spoil a result unnoticed."""

from __future__ import annotations

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
)
from protocols.audit_record import Audit, Finding, PoseFacts, lengths, per_split, sizes
from protocols.clip_table import ClipTable
from protocols.id_matching import match_ids
from protocols.mma82 import size_differences

ADVICE = {"ma52": "; ma52_subjects is split by subject"}


def audit_clips(table: ClipTable, poses: PoseFacts | None = None) -> Audit:
    """Counts and findings of a recognition data set.

    Args:
        table: its clips.
        poses: of its pose cache; None leaves out what needs them.

    Raises:
        ValueError: names of clips and poses that fit several of each other.
    """
    labelled = table.rows()
    classes = per_split(
        (table.tree.actions[table.labels[row]] for row in labelled), (table.splits[row] for row in labelled)
    )
    clip_of = match_ids(table.clip_ids, poses.statuses) if poses else {}
    findings = [
        *colliding_ids(table.clip_ids, "clip"),
        *kept_back(len(table) - len(labelled), "label"),
        *shared_subjects(table.subjects, table.splits, ADVICE.get(table.name, "")),
        *small_classes(table.tree, classes, "clips"),
        *impossible_durations(
            table.clip_ids,
            table.duration_s.tolist(),
            (lambda clip_id: poses.seconds.get(clip_of.get(clip_id, ""), np.nan)) if poses else None,
            "clip",
        ),
        *(pose_findings(table.clip_ids, poses, clip_of, "clip") if poses else ()),
        *odd_ids(table.clip_ids, "clip"),
        *_published(table),
    ]
    return Audit(
        table.name,
        "recognition",
        table.note,
        table.simulated,
        "clips",
        len(table),
        len(labelled),
        table.tree,
        {action: classes.get(action, {}) for action in table.tree.actions},
        sizes(table.splits),
        per_split(table.domains, table.splits),
        per_split(table.subjects, table.splits),
        lengths(table.duration_s.tolist()),
        tuple(findings),
    )


def _published(table: ClipTable) -> Iterable[Finding]:
    """Sizes against those that the paper prints, of MMA-82."""
    if table.name != "mma82":
        return
    if not any(table.domains):
        text = "no clip names its domain: say which column does, such as --columns domain=NAME"
        yield Finding("no_domains", "note", len(table), text)
    differences = size_differences(table)
    if not differences:
        yield Finding("published_sizes", "note", 0, "all sizes that can be compared are the published ones")
        return
    what = "as expected of simulated clips" if table.simulated else "is part of the data set missing?"
    text = f"{counted(len(differences), 'size differs', 'sizes differ')} from the published ones; {what}"
    yield Finding("published_sizes", "note", len(differences), text, tuple(map(str, differences)))
