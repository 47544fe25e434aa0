"""Clips under a protocol: what is there, what is not, and what networks read of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from fidget.frames.frame_clip import FrameClip
from fidget.frames.simulated_videos import any_simulated
from fidget.training.recipe import DataTable
from poses.cache_reader import PoseCache
from poses.layout import Layout, get_layout
from protocols.clip_tables import is_simulated
from protocols.protocol import Protocol, Split
from skeleton_models.clip_arrays import ClipArrays

_NAMED = 5  # ids in a message

Clip = ClipArrays | FrameClip


class ClipSource(Interface):
    """Where clips are read: a pose cache, or videos (`fidget.frames.video_clips.VideoClips`)."""

    @property
    def where(self) -> str:
        """Their place, for messages."""

    @property
    def status(self) -> Mapping[str, str]:
        """Clip -> `ok`, `failed` or `no_person`."""

    @property
    def problems(self) -> Mapping[str, str]:
        """Failed clip -> why, in one line, where that is known."""

    @property
    def remarks(self) -> Mapping[str, str]:
        """Usable clip -> what is wrong with it all the same, in one line."""

    @property
    def without_person(self) -> Sequence[str]:
        """Clips in which a person was looked for in vain, and which are read as they are."""

    @property
    def checksums(self) -> Mapping[str, object]:
        """Clip -> what is equal for clips of equal content; None where that is not known."""

    @property
    def cache_hash(self) -> str:
        """16 hexadecimal digits; changes with any clip's content."""

    @property
    def simulated(self) -> bool:
        """Whether the clips themselves say that a simulator made them."""

    def read(self, clip_id: str) -> Clip:
        """One clip."""


class PoseClips:
    """The clips of a pose cache as arrays in one joint layout; cheap to read at random.

    Args:
        directory: of the cache.
        layout_name: the joints wanted, empty for the cache's own; each must be in the cache by its name.

    Attributes:
        layout: of the arrays.
        cache_hash: 16 hexadecimal digits; changes with any clip's poses.
        checksums: clip -> checksums of its poses, as the cache holds them.
        frames: clip -> how many it has.
        where, status, problems, remarks, without_person, simulated: see `ClipSource`.

    Raises:
        NotACacheError: the directory holds no pose cache.
        ValueError: the layout has joints that the cache lacks; names both layouts.
    """

    def __init__(self, directory: Path | str, layout_name: str = "") -> None:
        self.where = str(directory)
        self.problems: Mapping[str, str] = {}  # `fidget poses check` tells them
        self.remarks: Mapping[str, str] = {}
        self.without_person: tuple[str, ...] = ()
        self.cache = PoseCache(directory)
        self.view = self.cache.view()
        self.layout = get_layout(layout_name) if layout_name else self.cache.layout
        self._joints = _joints_of(self.cache.layout, self.layout, str(directory))
        names = ["clip_id", "status", "width", "height", "frames", "checksum"]
        names += [name for name in self.cache.metadata.schema.names if name == "z_checksum"]
        columns = [column.to_pylist() for column in self.cache.table(names).columns]
        ids, statuses, widths, heights, frames, *checksums = columns
        self.status: Mapping[str, str] = dict(zip(ids, statuses, strict=True))
        self._frame_hw = dict(zip(ids, zip(heights, widths, strict=True), strict=True))
        self.frames: Mapping[str, int] = dict(zip(ids, frames, strict=True))
        self.checksums = dict(zip(ids, zip(*checksums, strict=True), strict=True))
        content = repr([self.cache.metadata.to_json(), sorted(zip(ids, statuses, *checksums, strict=True))])
        self.cache_hash = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def simulated(self) -> bool:
        """As the cache says, or a directory that its videos lie in."""
        paths = (Path(stamp.path) for stamp, _ in self.cache.stamps().values())
        return is_simulated(self.cache) or any_simulated(path for path in paths if path.is_absolute())

    def read(self, clip_id: str) -> ClipArrays:
        """The poses of one clip; M is 0 where nobody was found."""
        xyz, score = self.view.read_xyz(clip_id, self._joints)  # (M, T, V, 2 or 3), (M, T, V)
        return ClipArrays(xyz, score, self._frame_hw[clip_id])


def _joints_of(stored: Layout, wanted: Layout, where: str) -> NDArray[np.intp] | None:
    """Where the wanted joints lie among the stored ones; None where they are the same."""
    if wanted.joints == stored.joints:
        return None
    lacking = [joint for joint in wanted.joints if joint not in stored.joints]
    if lacking:
        raise ValueError(
            f"the recipe wants layout {wanted.name!r}, the cache {where} holds {stored.name!r}, which has no "
            f"{few(lacking)}; set input.layout to {stored.name!r} or a part of it, or extract such poses"
        )
    return np.array([stored.joints.index(joint) for joint in wanted.joints], np.intp)


@dataclass(frozen=True, eq=False)
class ClipSet:
    """The clips of one split that can be used, in the protocol's order.

    Attributes:
        name: of the split.
        clip_ids: their names.
        labels: (N,) int64.
        dropped: why -> the clips of the split that are left out.
        no_person: clips without a person, kept.
        in_train: clips whose poses are, number for number, those of a training clip; kept.
    """

    name: str
    clip_ids: tuple[str, ...]
    labels: NDArray[np.int64]
    dropped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    no_person: tuple[str, ...] = ()
    in_train: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.clip_ids)

    def summary(self) -> str:
        """What there is, and what there is not, in one line."""
        parts = [f"{self.name}: {len(self):,} clips"]
        parts += [f"{len(ids)} {why} left out ({few(ids)})" for why, ids in self.dropped.items() if ids]
        if self.no_person:
            parts.append(f"{len(self.no_person)} without a person kept ({few(self.no_person)})")
        if self.in_train:
            parts.append(f"{len(self.in_train)} are copies of training clips ({few(self.in_train)})")
        return ", ".join(parts)


def check_clips(clips: ClipSource, protocol: Protocol, rules: DataTable) -> dict[str, ClipSet]:
    """Every split of a protocol, checked against the clips before anything is trained.

    Raises:
        ValueError: clips are missing, cannot be read or hold nobody, classes are empty, and the recipe
            says to refuse; every problem is counted and its first clips are named.
    """
    problems: list[str] = []
    sets = {name: _checked(clips, name, split, rules, problems) for name, split in protocol.splits.items()}
    counts = np.bincount(sets["train"].labels, minlength=len(protocol.tree.actions))
    empty = [action for action, count in zip(protocol.tree.actions, counts, strict=True) if not count]
    if empty and rules.empty_classes == "refuse":
        problems.append(
            f"train: {len(empty)} classes without a clip ({few(empty)}); "
            "give them clips, or --set data.empty_classes=keep"
        )
    problems += [f"{s.name}: no clip left" for s in sets.values() if not len(s)]
    if problems:
        raise ValueError(f"{clips.where} under protocol {protocol.name!r}: " + "; ".join(problems))
    return {name: replace(s, in_train=_copies(clips, s, sets["train"])) for name, s in sets.items()}


def _copies(clips: ClipSource, clip_set: ClipSet, train: ClipSet) -> tuple[str, ...]:
    """Clips of a split with the content of a training clip; Northwestern-UCLA as distributed has 95."""
    if clip_set is train:
        return ()
    known = clips.checksums
    same: dict[object, list[str]] = {}
    for clip_id in train.clip_ids:
        if known[clip_id] is not None:
            same.setdefault(known[clip_id], []).append(clip_id)
    return tuple(
        clip_id
        for clip_id in clip_set.clip_ids
        if clip_id in known and any(_equal(clips, clip_id, other) for other in same.get(known[clip_id], ()))
    )


def _equal(clips: ClipSource, one: str, other: str) -> bool:
    """Whether two clips of one checksum hold the same numbers, of which there are some."""
    a, b = clips.read(one), clips.read(other)
    if not (isinstance(a, ClipArrays) and isinstance(b, ClipArrays)):
        return True  # the checksum of a video is of its whole file
    return (
        a.xyz.size > 0 and np.array_equal(a.xyz, b.xyz, equal_nan=True) and np.array_equal(a.score, b.score)
    )


_OF_POSES = {
    "missing": "not in the cache; extract them",
    "failed": "failed at extraction; see fidget poses check",
    "no_person": "without a person",
}
_OF_VIDEOS = {
    "missing": "without a video",
    "failed": "whose video cannot be read",
    "no_person": "without a person",
}


def _checked(clips: ClipSource, name: str, split: Split, rules: DataTable, problems: list[str]) -> ClipSet:
    found: dict[str, list[str]] = {"missing": [], "failed": [], "no_person": []}
    kept: list[int] = []
    for number, clip_id in enumerate(split.clip_ids):
        status = clips.status.get(clip_id, "missing")
        if status in found:
            found[status].append(clip_id)
        if status == "ok" or (status == "no_person" and rules.no_person == "keep"):
            kept.append(number)
    told = _OF_POSES if isinstance(clips, PoseClips) else _OF_VIDEOS
    for status, ids in found.items():
        if ids and getattr(rules, status) == "refuse":
            why = f": {clips.problems[ids[0]]}" if ids[0] in clips.problems else ""
            problems.append(
                f"{name}: {len(ids)} clips {told[status]} ({few(ids)}{why}), or --set data.{status}=drop"
            )
    keeps = rules.no_person == "keep"
    return ClipSet(
        name=name,
        clip_ids=tuple(split.clip_ids[number] for number in kept),
        labels=np.array([split.labels[number] for number in kept], np.int64),
        dropped={
            status: tuple(ids)
            for status, ids in found.items()
            if ids and not (status == "no_person" and keeps)
        },
        no_person=tuple(found["no_person"]) if keeps else (),
    )


def few(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
