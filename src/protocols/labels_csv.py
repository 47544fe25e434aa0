"""A protocol from a table of labels: `clip_id,label,split`, one row a clip and split.

`fidget poses import` writes such a table beside the cache; people write their own for their own recordings.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from protocols.label_tree import LabelTree
from protocols.protocol import Protocol, Split

SPLITS = ("train", "val", "test")
_COLUMNS = ("clip_id", "label", "split")
_PROBLEMS_SHOWN = 8
_MOST_CLASSES = 100_000
_TRUE = ("true", "1", "yes")


@dataclass
class _Table:
    """What was read so far, and what is wrong with it."""

    clip_ids: dict[str, list[str]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    labels: dict[str, list[int]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    line_of: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    simulated: bool = False


def read_labels_csv(
    path: str | Path,
    prefix: str = "",
    actions: Sequence[str] = (),
    clip_ids: Collection[str] | None = None,
) -> Protocol:
    """The protocol a labels CSV describes, checked line by line.

    Columns are found by name: `clip_id`; `label`, a class index from 0; `split`, one of train, val, test; and
    `class_name` where the classes have names, `group_name` where they belong to body groups, `simulated`
    (true) where a program made the clip. Classes without a name are called `class 0`, `class 1` ...; groups
    are numbered as their first classes are.

    Args:
        path: the file, UTF-8.
        prefix: takes the splits `<prefix>train`, `<prefix>val` and `<prefix>test` of a file that has several
            protocols (`xsub_` of NTU's), and passes over the others; a clip may then be in several rows.
        actions: the class names in index order, where they are known elsewhere; the file's must agree.
        clip_ids: the clips there are poses of; a clip that is not among them is an error.

    Raises:
        ValueError: a column is missing; a clip is unknown or there twice, a label is missing or out of
            range, a split is of another name, two names or two groups for one class. All at once, each with
            its line.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    table = _Table(names=dict(enumerate(actions)))
    known = None if clip_ids is None else set(clip_ids)
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path}: expected the columns {', '.join(_COLUMNS)} (and class_name where there are names), "
                f"{', '.join(missing)} missing; got {list(rows.fieldnames or ())}"
            )
        for row in rows:
            _take(table, rows.line_num, row, prefix, len(actions), known)
    if table.problems:
        more = len(table.problems) - _PROBLEMS_SHOWN
        shown = "; ".join(table.problems[:_PROBLEMS_SHOWN]) + (f" ... and {more} more" if more > 0 else "")
        raise ValueError(f"{path}: {shown}")
    if not table.clip_ids["train"]:
        raise ValueError(f"{path}: no clip is in the split {prefix}train; a protocol needs clips to train on")
    name = path.stem + (f":{prefix.rstrip('_')}" if prefix else "")
    splits = {
        split: Split(tuple(table.clip_ids[split]), tuple(table.labels[split]))
        for split in SPLITS
        if table.clip_ids[split]
    }
    actions_found = _actions(path, table)
    tree = LabelTree(name, actions_found, *_groups(path, table, actions_found))
    return Protocol(name, tree, splits, f"as listed in {path.name}", table.simulated)


def _take(
    table: _Table,
    line: int,
    row: dict[str, str | None],
    prefix: str,
    classes: int,
    known: set[str] | None,
) -> None:
    """Add one row, or say what is wrong with it."""
    split = (row.get("split") or "").strip()
    if prefix and not split.startswith(prefix):
        return
    split = split[len(prefix) :]
    clip_id = row.get("clip_id") or ""
    where = f"line {line}, clip {clip_id!r}"
    if split not in SPLITS:
        if not prefix:
            table.problems.append(f"{where}: expected the split train, val or test, got {split!r}")
        return
    if known is not None and clip_id not in known:
        table.problems.append(f"{where}: there are no poses of this clip")
        return
    if clip_id in table.line_of:
        table.problems.append(f"{where}: the clip is in line {table.line_of[clip_id]} already")
        return
    table.line_of[clip_id] = line
    text = (row.get("label") or "").strip()
    last = (classes or _MOST_CLASSES) - 1
    if not (text.isascii() and text.isdecimal() and int(text) <= last):
        table.problems.append(f"{where}: expected a class index 0..{last} as label, got {text!r}")
        return
    label, name = int(text), (row.get("class_name") or "").strip()
    if name and table.names.setdefault(label, name) != name:
        table.problems.append(f"{where}: class {label} is {table.names[label]!r} elsewhere, {name!r} here")
        return
    group = (row.get("group_name") or "").strip()
    if group and table.groups.setdefault(label, group) != group:
        table.problems.append(
            f"{where}: class {label} is of {table.groups[label]!r} elsewhere, {group!r} here"
        )
        return
    table.simulated |= (row.get("simulated") or "").strip().lower() in _TRUE
    table.clip_ids[split].append(clip_id)
    table.labels[split].append(label)


def _groups(path: Path, table: _Table, actions: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Group names, and the group of each class; nothing where no row names a group."""
    if not table.groups:
        return (), ()
    without = [name for label, name in enumerate(actions) if label not in table.groups]
    if without:
        raise ValueError(
            f"{path}: classes without a group_name: {', '.join(without)}; "
            "name a group for every class, or for none"
        )
    of_class = [table.groups[label] for label in range(len(actions))]
    names = tuple(dict.fromkeys(of_class))
    return names, tuple(names.index(group) for group in of_class)


def _actions(path: Path, table: _Table) -> tuple[str, ...]:
    """Class names by index; what no row names is named after its number."""
    labels = [label for split in SPLITS for label in table.labels[split]]
    names = tuple(
        table.names.get(label, f"class {label}") for label in range(max([*labels, *table.names]) + 1)
    )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{path}: two class indices have the name {', '.join(twice)}; name each once")
    return names
