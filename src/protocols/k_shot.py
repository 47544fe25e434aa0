"""K clips a class from a pool: drawn by a seed, saved as a CSV file, read back.

How the MMA-82 paper chose its shots is not published. Here K clips of every class that has at least one are
drawn from the target's training clips, at least ten times, and every list is a file that others can use. A
class with fewer than K clips gives all it has and is named. Draws are nested: with one seed and one draw,
the clips of K = 1 are among those of K = 5.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poses.whole_file import replacing
from protocols.label_tree import LabelTree
from protocols.protocol import Split

DRAWS = 10  # by default; fewer tell little about the spread
COLUMNS = ("clip_id", "label", "class_name", "shots")
_NAMED = 8  # problems in a message


@dataclass(frozen=True)
class Support:
    """Labelled target clips, K a class; it checks itself once.

    Attributes:
        split: the clips, class after class.
        k: clips wanted of each class.

    Raises:
        ValueError: a clip twice, or more than K clips of a class; named.
    """

    split: Split
    k: int

    def __post_init__(self) -> None:
        _expect_shots(self.k)
        if len(self.split.clip_ids) != len(self.split.labels):
            raise ValueError(
                f"support list: {len(self.split.clip_ids)} clips but {len(self.split.labels)} labels"
            )
        twice = [clip_id for clip_id, count in Counter(self.split.clip_ids).items() if count > 1]
        if twice:
            raise ValueError(f"support list: clips are there twice: {', '.join(map(repr, twice[:_NAMED]))}")
        over = [f"{count} of class {label}" for label, count in sorted(self.counts.items()) if count > self.k]
        if over:
            raise ValueError(
                f"support list: expected {self.k} clips a class at most, got {', '.join(over[:_NAMED])}"
            )

    @property
    def counts(self) -> dict[int, int]:
        """Class -> its clips; classes without any are left out."""
        return dict(Counter(self.split.labels))

    @property
    def short_classes(self) -> tuple[int, ...]:
        """Classes that had fewer than K clips, but some."""
        return tuple(label for label, count in sorted(self.counts.items()) if count < self.k)

    def short_names(self, tree: LabelTree) -> tuple[str, ...]:
        """Names of the classes with fewer than K clips: those of `short_classes`, then those without any."""
        found = self.counts
        absent = [label for label in range(len(tree.actions)) if label not in found]
        return tuple(tree.actions[label] for label in (*self.short_classes, *absent))


def _expect_shots(k: int) -> None:
    if k < 1:
        raise ValueError(f"expected 1 shot a class or more, got {k}; without shots there is nothing to draw")


def support_rng(seed: int, draw: int) -> np.random.Generator:
    """The generator of one draw."""
    return np.random.default_rng((seed, draw))


def draw_support(pool: Split, k: int, rng: np.random.Generator) -> Support:
    """K clips of every class of a pool that has at least one.

    The order of the pool's clips does not matter.

    Args:
        pool: the target's training clips.
        k: clips a class, 1 or more.
        rng: such as of `support_rng`; it gives the same draws for every K, so that supports are nested.

    Raises:
        ValueError: the pool is empty, or K is below 1.
    """
    _expect_shots(k)
    if not pool.clip_ids:
        raise ValueError("expected clips to draw shots from, got none; choose a target with a training split")
    by_label: dict[int, list[str]] = {}
    for clip_id, label in zip(pool.clip_ids, pool.labels, strict=True):
        by_label.setdefault(label, []).append(clip_id)
    clip_ids: list[str] = []
    labels: list[int] = []
    for label in sorted(by_label):
        members = sorted(by_label[label])
        chosen = rng.permutation(len(members))[:k]
        clip_ids += [members[number] for number in chosen]
        labels += [label] * len(chosen)
    return Support(Split(tuple(clip_ids), tuple(labels)), k)


def draw_supports(pool: Split, k: int, draws: int = DRAWS, seed: int = 0) -> tuple[Support, ...]:
    """The supports of draws 0, 1, ... of a seed."""
    return tuple(draw_support(pool, k, support_rng(seed, draw)) for draw in range(draws))


def write_support(path: Path, support: Support, tree: LabelTree) -> None:
    """A support list as CSV: `clip_id,label,class_name,shots`, one row a clip; there whole or not at all.

    Raises:
        OSError: no room, or no permission.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for clip_id, label in zip(support.split.clip_ids, support.split.labels, strict=True):
        writer.writerow((clip_id, label, tree.actions[label], support.k))
    with replacing(path) as part:
        part.write_text(text.getvalue(), encoding="utf-8", errors="surrogateescape", newline="")


def read_support(path: Path, tree: LabelTree, pool: Split | None = None) -> Support:
    """Read a support list, one's own or that of others.

    Args:
        path: the file, UTF-8.
        tree: whose classes the labels are; the file's class names must agree.
        pool: where the clips must come from, with the same labels; not looked at if None.

    Raises:
        ValueError: a column is missing, a label out of range or of another name, a clip twice, more clips of
            a class than K, a clip that the pool lacks or labels otherwise. Names the file and the lines.
        OSError: the file cannot be opened.
    """
    label_of = None if pool is None else dict(zip(pool.clip_ids, pool.labels, strict=True))
    clip_ids: list[str] = []
    labels: list[int] = []
    shots: set[int] = set()
    problems: list[str] = []
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path}: expected the columns {', '.join(COLUMNS)}, {', '.join(missing)} missing; "
                f"got {list(rows.fieldnames or ())}"
            )
        for row in rows:
            clip_id, label = row["clip_id"] or "", _number(row["label"])
            where = f"line {rows.line_num}, clip {clip_id!r}"
            if label is None or label >= len(tree.actions):
                last = len(tree.actions) - 1
                problems.append(f"{where}: expected a class index 0..{last}, got {row['label']!r}")
            elif row["class_name"] != tree.actions[label]:
                problems.append(
                    f"{where}: class {label} is {tree.actions[label]!r}, got {row['class_name']!r}"
                )
            elif label_of is not None and label_of.get(clip_id) != label:
                problems.append(f"{where}: the target's training clips have no such clip of class {label}")
            else:
                clip_ids.append(clip_id)
                labels.append(label)
                shots.add(_number(row["shots"]) or 0)
    if len(shots) != 1 and not problems:
        problems.append(f"expected one number of shots in all rows, got {sorted(shots) or 'no rows'}")
    if problems:
        more = f" ... and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
        raise ValueError(f"{path}: " + "; ".join(problems[:_NAMED]) + more)
    try:
        return Support(Split(tuple(clip_ids), tuple(labels)), shots.pop())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _number(text: str | None) -> int | None:
    """A whole number of 0 or more, or None."""
    stripped = (text or "").strip()
    return int(stripped) if stripped.isascii() and stripped.isdecimal() else None
