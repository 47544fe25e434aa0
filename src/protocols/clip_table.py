"""All labelled clips of a data set, before any protocol chose among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from protocols.label_tree import LabelTree
from protocols.protocol import Protocol, Split
from protocols.scores import NO_LABEL

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class ClipTable:
    """Clips with label, split, domain and subject, in a fixed order; it checks itself once.

    Attributes:
        name: of the data set.
        tree: its labels.
        clip_ids: N, each once.
        labels: (N,) int64 indices of the tree's actions, `NO_LABEL` where a label is kept back.
        splits: N of `train`, `val`, `test`, or empty where a data set has none.
        domains: N names such as `laboratory`; empty strings where there is one domain only.
        subjects: N names of who is seen; empty strings where it is not known.
        duration_s: (N,) float64 seconds, NaN where it is not known.
        simulated: whether a simulator made the clips; then everything that comes of them says so.
        note: where the table comes from, in one sentence.

    Raises:
        ValueError: columns of other lengths, a clip twice, a label or split out of range; named.
    """

    name: str
    tree: LabelTree
    clip_ids: tuple[str, ...]
    labels: NDArray[np.int64]
    splits: tuple[str, ...]
    domains: tuple[str, ...]
    subjects: tuple[str, ...]
    duration_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    simulated: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        n, problems = len(self.clip_ids), []
        if not len(self.duration_s) and n:
            object.__setattr__(self, "duration_s", np.full(n, np.nan))
        for what in ("labels", "splits", "domains", "subjects", "duration_s"):
            if len(getattr(self, what)) != n:
                problems.append(f"expected {what} of {n} clips, got {len(getattr(self, what))}")
        twice = [clip_id for clip_id, count in Counter(self.clip_ids).items() if count > 1]
        if twice:
            problems.append(f"clips are there twice: {', '.join(map(repr, twice[:8]))}")
        last = len(self.tree.actions) - 1
        outside = np.flatnonzero((self.labels < NO_LABEL) | (self.labels > last))
        problems += [
            f"clip {self.clip_ids[row]!r} has label {self.labels[row]}, expected 0..{last}"
            for row in outside[:8]
        ]
        unknown = sorted(set(self.splits) - {*SPLITS, ""})
        if unknown:
            problems.append(f"expected splits {', '.join(SPLITS)}, got {', '.join(unknown[:8])}")
        if problems:
            raise ValueError(f"clips of {self.name!r}: " + "; ".join(problems))

    def __len__(self) -> int:
        return len(self.clip_ids)

    def rows(self, split: str | None = None, domain: str | None = None) -> NDArray[np.int64]:
        """Rows of labelled clips of a split and of a domain, in order; None takes any."""
        chosen = self.labels != NO_LABEL
        if split is not None:
            chosen &= np.array([one == split for one in self.splits], bool)
        if domain is not None:
            chosen &= np.array([one == domain for one in self.domains], bool)
        found: NDArray[np.int64] = np.flatnonzero(chosen)
        return found

    def subset(self, rows: NDArray[np.int64]) -> ClipTable:
        """The table of some rows, in their order."""

        def chosen(values: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(values[row] for row in rows)

        return replace(
            self,
            clip_ids=chosen(self.clip_ids),
            labels=self.labels[rows],
            splits=chosen(self.splits),
            domains=chosen(self.domains),
            subjects=chosen(self.subjects),
            duration_s=self.duration_s[rows],
        )

    def split(self, rows: NDArray[np.int64]) -> Split:
        """Clips and labels of some rows."""
        return Split(tuple(self.clip_ids[row] for row in rows), tuple(self.labels[rows].tolist()))

    def protocol(self, name: str, domain: str | None = None, note: str = "") -> Protocol:
        """The table's own splits, of one domain or of all.

        Raises:
            ValueError: nothing to train on.
        """
        found = {split: self.rows(split, domain) for split in SPLITS}
        splits = {split: self.split(rows) for split, rows in found.items() if len(rows)}
        return Protocol(name, self.tree, splits, note or self.note, self.simulated)
