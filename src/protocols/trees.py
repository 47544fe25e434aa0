"""Label trees as data: MA-52, MMA-82, iMiGUE, SMG, and a user's own.

| name | actions | groups | source (in full at the head of `tables/<name>.csv`) |
|---|---|---|---|
| `ma52` | 52 | 7 | the data set's own list |
| `mma82` | 82 | 7 | the paper; with the number of clips of each class |
| `imigue` | 32 | 5, and one of ours | Figure 2a of the paper, which leaves the 32nd action ungrouped |
| `smg` | 17 | none | second hand: the paper's own table could not be read |
"""

from __future__ import annotations

import csv
import difflib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

from protocols.label_tree import LabelTree
from protocols.tree_files import TreeRow, build_tree, same_name, tree_rows
from protocols.tree_files import read_tree as read_tree

TREES = ("ma52", "mma82", "imigue", "smg")


def tree(name: str) -> LabelTree:
    """The label tree of a data set.

    Args:
        name: one of `TREES`.

    Raises:
        ValueError: no such tree; names the nearest.
    """
    if name not in TREES:
        raise ValueError(
            f"no label tree {name!r}: {nearest(name, TREES)}expected one of {', '.join(TREES)}, "
            "or a TOML or CSV file through read_tree"
        )
    return _shipped(name)


@cache
def _shipped(name: str) -> LabelTree:
    return build_tree(name, _rows_of(name))


def _rows_of(name: str) -> list[TreeRow]:
    return tree_rows(_text(f"{name}.csv"))


def _text(file_name: str) -> str:
    return files("protocols").joinpath("tables", file_name).read_text(encoding="utf-8")


def class_counts(name: str) -> tuple[int, ...]:
    """Published number of clips of each action, in index order; MMA-82's add up to 39,816.

    Raises:
        ValueError: a data set without published counts.
    """
    rows = sorted(_rows_of(name), key=lambda row: row.index or 0) if name in TREES else []
    counts = tuple(row.clips for row in rows if row.clips is not None)
    if not counts or len(counts) != len(rows):
        raise ValueError(f"no counts of the classes of {name!r}: expected 'mma82', whose paper has them")
    return counts


def nearest(name: str, names: Iterable[str]) -> str:
    """`did you mean 'nodding'? `, or nothing where no name is near."""
    originals = {same_name(one): one for one in names}
    near = difflib.get_close_matches(same_name(name), originals, n=1)
    return f"did you mean {originals[near[0]]!r}? " if near else ""


def action_index(label_tree: LabelTree, name: str) -> int:
    """Index of an action; capitals, blanks and underscores make no difference.

    Raises:
        ValueError: the tree has no such action; names the nearest.
    """
    return action_indices(label_tree, [name])[0]


def action_indices(label_tree: LabelTree, names: Sequence[str]) -> tuple[int, ...]:
    """Indices of actions, each as in `action_index`.

    Raises:
        ValueError: names that the tree does not have, all at once, each with its nearest.
    """
    index_of = {same_name(action): index for index, action in enumerate(label_tree.actions)}
    unknown = [name for name in dict.fromkeys(names) if same_name(name) not in index_of]
    if unknown:
        told = "; ".join(f"{name!r} {nearest(name, label_tree.actions)}".strip() for name in unknown[:8])
        more = f" ... and {len(unknown) - 8} more" if len(unknown) > 8 else ""
        raise ValueError(
            f"label tree {label_tree.name!r} has no action {told}{more}; "
            f"expected names of its {len(label_tree.actions)} actions"
        )
    return tuple(index_of[same_name(name)] for name in names)


@cache
def ma52_to_mma82() -> tuple[int | None, ...]:
    """For each of MA-52's 52 actions the MMA-82 action whose name corresponds, None where none does.

    `tables/ma52_to_mma82.csv` has the pairs and the reason for each; they are ours. 48 actions have a
    counterpart, two of them the same one (`Retracting and stretching arms`). So 47 of the 82 are reached and
    35 are not; 82 - 52 = 30 would hold only if every MA-52 action had a counterpart of its own.

    Raises:
        ValueError: the table names an action that a tree does not have, or leaves one out.
    """
    lines = [line for line in _text("ma52_to_mma82.csv").splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    source, target = tree("ma52"), tree("mma82")
    if action_indices(source, [row["ma52"] for row in rows]) != tuple(range(len(source.actions))):
        raise ValueError("ma52_to_mma82.csv: expected each of the 52 actions of MA-52 once, in order")
    return tuple(action_index(target, row["mma82"]) if row["mma82"] else None for row in rows)


def mma82_without_ma52() -> tuple[int, ...]:
    """The 35 MMA-82 actions that no MA-52 action corresponds to, in index order."""
    reached = set(ma52_to_mma82())
    return tuple(index for index in range(len(tree("mma82").actions)) if index not in reached)
