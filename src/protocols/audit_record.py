"""What an audit of a data set found: counts, and findings in plain words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow.compute as pc

from poses.cache_reader import PoseCache
from protocols.label_tree import LabelTree


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that a reader of results should know.

    Attributes:
        check: its short name, such as `shared_subjects`.
        kind: `problem` for what is to be mended before anything is measured, else `note`.
        count: how many clips, classes, subjects ... it is about.
        text: a sentence.
        examples: some of them.
    """

    check: str
    kind: Literal["problem", "note"]
    count: int
    text: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """Counts and findings of a data set.

    Attributes:
        name: of the data set.
        kind: `recognition` or `detection`.
        note: where it comes from.
        simulated: whether a simulator made it.
        counted: `clips` or `instances`: what the counts below count.
        clips: clips, or videos, with and without labels.
        labelled: clips, or instances, with labels.
        tree: its classes.
        classes: class -> split -> how many; in the tree's order.
        splits: split -> how many clips or videos, with and without labels.
        domains: domain -> split -> likewise.
        subjects: subject -> split -> likewise.
        facts: further numbers, by name.
        findings: what was found.
    """

    name: str
    kind: str
    note: str
    simulated: bool
    counted: str
    clips: int
    labelled: int
    tree: LabelTree
    classes: Mapping[str, Mapping[str, int]]
    splits: Mapping[str, int]
    domains: Mapping[str, Mapping[str, int]]
    subjects: Mapping[str, Mapping[str, int]]
    facts: Mapping[str, float | str]
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> int:
        """How many findings are problems."""
        return sum(finding.kind == "problem" for finding in self.findings)


@dataclass(frozen=True)
class PoseFacts:
    """What a pose cache says of its clips, without their keypoints.

    Attributes:
        directory: the cache.
        statuses: clip id -> `ok`, `no_person` or `failed`.
        seconds: clip id -> length of the video as its frames tell, NaN without frames.
    """

    directory: Path
    statuses: Mapping[str, str]
    seconds: Mapping[str, float]


def read_pose_facts(directory: str | Path) -> PoseFacts:
    """States and lengths of a cache's clips; memory holds one group of rows at a time.

    Raises:
        NotACacheError: the directory holds no pose cache.
        OSError: it cannot be opened.
    """
    cache = PoseCache(directory)
    statuses: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for _, table in cache.groups(("clip_id", "status", "fps_num", "fps_den", "time_us")):
        ids = table["clip_id"].to_pylist()
        statuses.update(zip(ids, table["status"].to_pylist(), strict=True))
        lengths = pc.list_value_length(table["time_us"]).to_pylist()
        rates = zip(table["fps_num"].to_pylist(), table["fps_den"].to_pylist(), strict=True)
        times = table["time_us"]
        for row, (clip_id, length, (num, den)) in enumerate(zip(ids, lengths, rates, strict=True)):
            frame_s = den / num if num > 0 else 0.0
            shown = times[row].values
            last = (shown[length - 1].as_py() - shown[0].as_py()) / 1e6 if length else np.nan
            seconds[clip_id] = last + frame_s
    return PoseFacts(Path(directory), statuses, seconds)


def per_split(names: Iterable[str], splits: Iterable[str]) -> dict[str, dict[str, int]]:
    """Name -> split -> how many rows; names with their numbers in order, empty ones left out."""
    counts = Counter(zip(names, splits, strict=True))
    found: dict[str, dict[str, int]] = {}
    for name, split in sorted(counts, key=lambda pair: (_in_order(pair[0]), pair)):
        if name:
            found.setdefault(name, {})[split or "no split"] = counts[name, split]
    return found


def _in_order(name: str) -> list[tuple[str, int]]:
    """`performer 10` comes after `performer 9`."""
    parts = re.split("([0-9]+)", name)
    return [(text, int(number)) for text, number in zip(parts[::2], [*parts[1::2], "0"], strict=True)]


def sizes(splits: Sequence[str]) -> dict[str, int]:
    """How many rows a split has, in the usual order."""
    counts = Counter(split or "no split" for split in splits)
    return {split: counts[split] for split in ("train", "val", "test", "no split") if counts[split]}


def lengths(duration_s: Sequence[float]) -> dict[str, float | str]:
    """Hours in all, mean, shortest and longest, of the durations that are known."""
    known = np.array([value for value in duration_s if np.isfinite(value)])
    if not len(known):
        return {}
    return {
        "hours": round(float(known.sum()) / 3600, 4),
        "mean_s": round(float(known.mean()), 3),
        "shortest_s": round(float(known.min()), 3),
        "longest_s": round(float(known.max()), 3),
    }
