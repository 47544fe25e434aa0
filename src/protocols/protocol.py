"""What a number is measured on: a label tree, and which clips train, validate and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from protocols.label_tree import LabelTree


@dataclass(frozen=True)
class Split:
    """Clips and their labels, in a fixed order; labels index the tree's actions."""

    clip_ids: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Protocol:
    """A label tree and its splits; it checks itself once.

    Attributes:
        name: as given to `--protocol`.
        tree: the label tree.
        splits: `train`, `val`, `test`: any of them may be missing, `train` never is.
        note: how the splits were made, in one sentence, for reports.
        simulated: whether the labels say that a simulator made the clips.

    Raises:
        ValueError: a clip in two splits, twice in one, or a label out of range; the message names them.
    """

    name: str
    tree: LabelTree
    splits: Mapping[str, Split] = field(hash=False)
    note: str = ""
    simulated: bool = False

    def __post_init__(self) -> None:
        problems = []
        if "train" not in self.splits:
            problems.append(f"expected a split 'train', got {sorted(self.splits)}")
        seen: dict[str, str] = {}
        for name, split in self.splits.items():
            if len(split.clip_ids) != len(split.labels):
                problems.append(f"{name}: {len(split.clip_ids)} clips but {len(split.labels)} labels")
            for clip_id, label in zip(split.clip_ids, split.labels, strict=False):
                if clip_id in seen:
                    problems.append(f"clip {clip_id!r} is in {seen[clip_id]} and in {name}")
                seen[clip_id] = name
                if not 0 <= label < len(self.tree.actions):
                    last = len(self.tree.actions) - 1
                    problems.append(f"{name}: clip {clip_id!r} has label {label}, expected 0..{last}")
        if problems:
            more = f" ... and {len(problems) - 8} more" if len(problems) > 8 else ""
            raise ValueError(f"protocol {self.name!r}: " + "; ".join(problems[:8]) + more)
