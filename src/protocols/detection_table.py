"""All annotated videos of a detection data set: what happens in them, from when to when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from protocols.clip_table import SPLITS
from protocols.label_tree import LabelTree


@dataclass(frozen=True)
class Instance:
    """One action in a video, as it was annotated; `protocols.audit` says whether its times make sense.

    Attributes:
        video_id: the video.
        t_start_s: seconds since the video's beginning.
        t_end_s: likewise.
        label: index of the tree's action.
    """

    video_id: str
    t_start_s: float
    t_end_s: float
    label: int


@dataclass(frozen=True, eq=False)
class DetectionTable:
    """Videos with split, domain and subject, and the instances in them; it checks itself once.

    Attributes:
        name: of the data set.
        tree: its labels.
        video_ids: N, each once.
        duration_s: (N,) float64 seconds, NaN where it is not known.
        fps: N frame rates, None where it is not known.
        splits: N of `train`, `val`, `test`, or empty where a data set has none.
        domains: N names such as `street`; empty strings where there is one domain only.
        subjects: N names of who is seen; empty strings where it is not known.
        instances: of these videos, in the order of the file.
        withheld: splits whose instances are kept back; their videos are here, without instances.
        simulated: whether a simulator made the videos; then everything that comes of them says so.
        note: where the table comes from, in one sentence.

    Raises:
        ValueError: columns of other lengths, a video twice, a label or split out of range, an instance of a
            video that is not there or whose instances are kept back; named.
    """

    name: str
    tree: LabelTree
    video_ids: tuple[str, ...]
    duration_s: NDArray[np.float64]
    fps: tuple[Fraction | None, ...]
    splits: tuple[str, ...]
    domains: tuple[str, ...]
    subjects: tuple[str, ...]
    instances: tuple[Instance, ...]
    withheld: tuple[str, ...] = ()
    simulated: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        n, problems = len(self.video_ids), []
        for what in ("duration_s", "fps", "splits", "domains", "subjects"):
            if len(getattr(self, what)) != n:
                problems.append(f"expected {what} of {n} videos, got {len(getattr(self, what))}")
        twice = [video_id for video_id, count in Counter(self.video_ids).items() if count > 1]
        if twice:
            problems.append(f"videos are there twice: {', '.join(map(repr, twice[:8]))}")
        unknown = sorted(({*self.splits} - {*SPLITS, ""}) | ({*self.withheld} - {*SPLITS}))
        if unknown:
            problems.append(f"expected splits {', '.join(SPLITS)}, got {', '.join(unknown[:8])}")
        split_of = dict(zip(self.video_ids, self.splits, strict=False))
        last, wrong = len(self.tree.actions) - 1, []
        for one in self.instances:
            if one.video_id not in split_of:
                wrong.append(f"an instance is of video {one.video_id!r}, which is not there")
            elif split_of[one.video_id] in self.withheld:
                wrong.append(f"{one.video_id!r} has instances, but those of its split are kept back")
            elif not 0 <= one.label <= last:
                wrong.append(f"an instance of {one.video_id!r} has label {one.label}, expected 0..{last}")
        problems += wrong[:8]
        if problems:
            raise ValueError(f"videos of {self.name!r}: " + "; ".join(problems))

    def __len__(self) -> int:
        return len(self.video_ids)

    def rows(self, split: str | None = None, domain: str | None = None) -> NDArray[np.int64]:
        """Rows of videos of a split and of a domain, in order; None takes any."""
        chosen = [
            row
            for row in range(len(self))
            if split in (None, self.splits[row]) and domain in (None, self.domains[row])
        ]
        return np.array(chosen, np.int64)

    def instances_of(self, split: str, domain: str | None = None) -> tuple[Instance, ...]:
        """What happens in the videos of a split, and of a domain.

        Raises:
            ValueError: the split's instances are kept back, or it has no video.
        """
        rows = self.rows(split, domain)
        if split in self.withheld:
            raise ValueError(
                f"{self.name}: the instances of {split!r} are kept back (placeholders stand for them): "
                "there is nothing to measure, hand results in with fidget submit"
            )
        if not len(rows):
            where = f"the split {split!r}" + (f" of {domain}" if domain else "")
            known = ", ".join(sorted({*self.splits} - {""})) or "none"
            raise ValueError(f"{self.name}: no video is in {where}; there are the splits {known}")
        chosen = {self.video_ids[row] for row in rows}
        return tuple(one for one in self.instances if one.video_id in chosen)


def by_video(instances: Iterable[Instance]) -> dict[str, list[Instance]]:
    """Instances of each video, in order of their start."""
    found: dict[str, list[Instance]] = {}
    for one in instances:
        found.setdefault(one.video_id, []).append(one)
    for listed in found.values():
        listed.sort(key=lambda one: (one.t_start_s, one.t_end_s))
    return found
