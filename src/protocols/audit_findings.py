"""The checks of an audit: each yields what it found, or nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np

from protocols.audit_record import Finding, PoseFacts
from protocols.clip_table import SPLITS
from protocols.label_tree import LabelTree

FEW = 10
_EXAMPLES = 5
_SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./ ")


def some(names: Iterable[str]) -> tuple[str, ...]:
    """The first few of them."""
    return tuple(list(names)[:_EXAMPLES])


def counted(count: int, what: str, plural: str = "") -> str:
    """`1 clip`, `2 clips`."""
    return f"{count:,} {what if count == 1 else plural or f'{what}s'}"


def colliding_ids(ids: Sequence[str], what: str) -> Iterable[Finding]:
    """Ids that differ only in case, or in how Unicode writes the same letters."""
    alike: dict[str, list[str]] = {}
    for one in ids:
        alike.setdefault(unicodedata.normalize("NFC", one).casefold(), []).append(one)
    groups = [group for group in alike.values() if len(group) > 1]
    if groups:
        yield Finding(
            "case_collisions",
            "problem",
            len(groups),
            f"{counted(len(groups), 'name is', 'names are')} shared by {what}s that differ only in case: "
            "on Windows and macOS one file replaces the other",
            some(" / ".join(group) for group in groups),
        )


def odd_ids(ids: Sequence[str], what: str) -> Iterable[Finding]:
    """Ids with characters that shells and file systems treat in their own way."""
    odd = [one for one in ids if not set(one) <= _SAFE]
    if odd:
        characters = "".join(sorted({character for one in odd for character in one} - _SAFE))
        yield Finding(
            "odd_characters",
            "note",
            len(odd),
            f"{counted(len(odd), what)} with characters other than letters, digits and _-./ in the name: "
            f"{characters[:40]}; quote them on a command line",
            some(odd),
        )


def shared_subjects(subjects: Sequence[str], splits: Sequence[str], advice: str = "") -> Iterable[Finding]:
    """Subjects that are in two splits."""
    seen = {
        split: {one for one, where in zip(subjects, splits, strict=True) if where == split and one}
        for split in SPLITS
    }
    for one, other in combinations(SPLITS, 2):
        both = sorted(seen[one] & seen[other])
        if both:
            everybody = len(both) == len(seen[one]) == len(seen[other])
            share = f"all {len(both)}" if everybody else f"{len(both)} of {len(seen[one] | seen[other])}"
            yield Finding(
                "shared_subjects",
                "note",
                len(both),
                f"{one} and {other} share {share} subjects: results on {other} say nothing of people "
                f"who were never seen{advice}",
                some(both),
            )


def small_classes(tree: LabelTree, classes: Mapping[str, Mapping[str, int]], what: str) -> Iterable[Finding]:
    """Classes with few examples, with none, and those that a labelled split lacks."""
    totals = {action: sum(classes.get(action, {}).values()) for action in tree.actions}
    absent = [action for action, total in totals.items() if not total]
    few = sorted((total, action) for action, total in totals.items() if 0 < total < FEW)
    if few:
        yield Finding(
            "small_classes",
            "note",
            len(few),
            f"{counted(len(few), 'class has', 'classes have')} fewer than {FEW} {what}",
            tuple(f"{action} ({total})" for total, action in few),
        )
    if absent:
        yield Finding(
            "absent_classes",
            "note",
            len(absent),
            f"{counted(len(absent), 'class has', 'classes have')} none of the {what}",
            tuple(absent),
        )
    for split in SPLITS:
        if any(split in found for found in classes.values()):
            lacking = [
                action for action, total in totals.items() if total and not classes.get(action, {}).get(split)
            ]
            if lacking:
                text = f"{counted(len(lacking), 'class is', 'classes are')} not in {split}, but elsewhere"
                yield Finding("classes_not_in_split", "note", len(lacking), text, tuple(lacking))


def impossible_durations(
    ids: Sequence[str], duration_s: Sequence[float], limit: Callable[[str], float] | None, what: str
) -> Iterable[Finding]:
    """Durations of 0 or below, that are no number though others are, or longer than the video."""
    values = np.asarray(duration_s, np.float64)
    if not len(values) or np.isnan(values).all():
        return
    checks = {
        "not above 0": ~np.isnan(values) & (values <= 0),
        "not a number, or without end": ~np.isfinite(values),
    }
    if limit is not None:
        longest = np.array([limit(one) for one in ids])
        # where a length is unknown, the comparison is false
        checks["longer than the video of the poses"] = np.isfinite(values) & (values > longest + 0.1)
    for words, wrong in checks.items():
        rows = np.flatnonzero(wrong)
        if len(rows):
            yield Finding(
                "impossible_durations",
                "problem",
                len(rows),
                f"the duration of {counted(len(rows), what)} is {words}",
                some(f"{ids[row]} ({values[row]:g} s)" for row in rows.tolist()),
            )


def kept_back(count: int, what: str) -> Iterable[Finding]:
    """Clips whose labels, or videos whose instances, are not given."""
    if count:
        clips = counted(count, "clip" if what == "label" else "video")
        text = f"the {what}s of {clips} are kept back: nothing can be measured on them here"
        yield Finding("kept_back", "note", count, text)


def pose_findings(
    ids: Sequence[str], poses: PoseFacts, clip_of: dict[str, str], what: str
) -> Iterable[Finding]:
    """Clips without poses, poses without a label, clips in which nobody was found."""
    absent = [one for one in ids if one not in clip_of]
    failed = [one for one in ids if poses.statuses.get(clip_of.get(one, "")) == "failed"]
    nobody = [one for one in ids if poses.statuses.get(clip_of.get(one, "")) == "no_person"]
    more = sorted(set(poses.statuses) - set(clip_of.values()))
    where = poses.directory
    if absent:
        text = f"{counted(len(absent), what)} of {len(ids):,} without poses in {where}"
        yield Finding("without_poses", "problem", len(absent), text, some(absent))
    if failed:
        text = f"the poses of {counted(len(failed), what)} could not be extracted"
        yield Finding("failed_poses", "problem", len(failed), text, some(failed))
    if nobody:
        text = f"nobody was found in {counted(len(nobody), what)}"
        yield Finding("nobody_found", "note", len(nobody), text, some(nobody))
    if more:
        text = f"{counted(len(more), 'clip')} of {where} that the data set does not list"
        yield Finding("poses_without_label", "note", len(more), text, some(more))
