"""How many clips a class was trained on, from a table of labels."""

from __future__ import annotations

import csv
from pathlib import Path

from protocols.label_tree import LabelTree

_COLUMNS = ("label", "split")
_PROBLEMS_SHOWN = 8


def read_train_counts(path: str | Path, tree: LabelTree, split: str = "train") -> tuple[int, ...]:
    """Clips of each action of the tree in one split of a labels CSV; actions that it lacks have none.

    Columns are found by name: `label`, a class index of the tree, `split`, and where it is there
    `class_name`, which must be the tree's name of that class.

    Args:
        path: the file, UTF-8.
        tree: whose actions are counted.
        split: whose clips are counted.

    Raises:
        ValueError: a column is missing, no clip is in the split, a label or name is not the tree's; each with
            its line.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    counts, problems = [0] * len(tree.actions), []
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ValueError(
                f"{path}: expected the columns {', '.join(_COLUMNS)}, {', '.join(missing)} missing; "
                f"got {list(rows.fieldnames or ())}"
            )
        for row in rows:
            if (row["split"] or "").strip() != split:
                continue
            text, name = (row["label"] or "").strip(), (row.get("class_name") or "").strip()
            known = text.isascii() and text.isdecimal() and len(text) < 9 and int(text) < len(counts)
            if not known:
                last = len(counts) - 1
                problems.append(
                    f"line {rows.line_num}: expected a label 0..{last} of {tree.name}, got {text!r}"
                )
            elif name and name != tree.actions[int(text)]:
                problems.append(
                    f"line {rows.line_num}: class {text} is {tree.actions[int(text)]!r} in {tree.name}, "
                    f"{name!r} here"
                )
            else:
                counts[int(text)] += 1
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        shown = "; ".join(problems[:_PROBLEMS_SHOWN]) + (f" ... and {more} more" if more > 0 else "")
        raise ValueError(f"{path}: {shown}")
    if not any(counts):
        raise ValueError(f"{path}: no clip is in the split {split!r}; name the labels that were trained on")
    return tuple(counts)
