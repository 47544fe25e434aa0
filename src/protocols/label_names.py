"""Labels of a file, given as class indices or as class names, as indices of a tree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocols.label_tree import LabelTree
from protocols.row_files import Rows
from protocols.scores import NO_LABEL
from protocols.tree_files import same_name
from protocols.trees import TREES, nearest, tree

MOST_CLASSES = 100_000
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def is_index(text: str) -> bool:
    """Whether a label is a class index from 0."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(MOST_CLASSES))


def split_named(text: str) -> str | None:
    """`train`, `val` or `test` for what people call them; None for another name."""
    return _SPLITS.get(text.lower())


def label_indices(
    rows: Rows, labels: Sequence[str], class_names: Sequence[str], tree: LabelTree, problems: list[str]
) -> NDArray[np.int64]:
    """Indices of labels in a tree; what is wrong is added to `problems`, with its place.

    Args:
        rows: where the labels come from.
        labels: indices or names; `NO_LABEL` for empty ones.
        class_names: names beside indices, which must be the tree's; empty ones are passed over.
        tree: the classes.
        problems: gets one line for each label that is none.

    Returns:
        (N,) int64.
    """
    index_of = {same_name(name): index for index, name in enumerate(tree.actions)}
    found = np.full(len(labels), NO_LABEL, np.int64)
    for row, (label, name) in enumerate(zip(labels, class_names, strict=True)):
        if not label:
            continue
        if is_index(label):
            index = int(label)
            if index >= len(tree.actions):
                problems.append(
                    f"{rows.where(row)}: expected a class index 0..{len(tree.actions) - 1} of {tree.name} "
                    f"(counted from 0), got {label}"
                )
            elif name and same_name(name) != same_name(tree.actions[index]):
                problems.append(
                    f"{rows.where(row)}: class {index} of {tree.name} is {tree.actions[index]!r}, the file "
                    f"calls it {name!r}; another order of classes? take the names: --columns label=class_name"
                )
            else:
                found[row] = index
        elif same_name(label) in index_of:
            found[row] = index_of[same_name(label)]
        else:
            hint = nearest(label, tree.actions).strip()
            problems.append(
                f"{rows.where(row)}: {tree.name} has no class {label!r}" + (f", {hint}" if hint else "")
            )
    return found


def tree_of_labels(
    rows: Rows, name: str, labels: Sequence[str], class_names: Sequence[str], groups: Sequence[str]
) -> LabelTree:
    """The tree that a file describes itself.

    Where all labels are indices, `class_names` name them, and what no row names is called `class 3`. Else the
    labels are names, and classes are numbered in the order of their names. Groups are numbered as their
    first classes are. A file whose indices, names and groups all are those of a shipped tree has that tree,
    classes that no row is of among them.

    Raises:
        ValueError: no label; two names or two groups for one class, one name for two, or a group for some
            classes only.
    """
    given = [(label, *rest) for label, *rest in zip(labels, class_names, groups, strict=True) if label]
    if not given:
        raise ValueError(f"{rows.path}: expected labels, every one is empty")
    shipped = _shipped_tree(given)
    if shipped is not None:
        return shipped
    problems: list[str] = []
    names_only = [label for label, *_ in given if not is_index(label)]
    if 0 < len(names_only) < len(given):
        raise ValueError(
            f"{rows.path}: expected class indices or class names as labels, got both, such as "
            f"{names_only[0]!r}"
        )
    if not names_only:
        numbers = range(max(int(label) for label, *_ in given) + 1)
        if len(numbers) > MOST_CLASSES:
            raise ValueError(f"{rows.path}: expected class indices below {MOST_CLASSES}, got {numbers[-1]}")
        names = _one_each(given, 1, "is called", problems)
        keys = [str(number) for number in numbers]
        actions = tuple(names.get(key) or f"class {key}" for key in keys)
    else:
        keys = sorted({label for label, *_ in given})
        actions = tuple(keys)
    group_of = _one_each(given, 2, "is of the group", problems)
    if problems:
        raise ValueError(f"{rows.path}: " + "; ".join(problems[:8]))
    without = [action for key, action in zip(keys, actions, strict=True) if not group_of.get(key)]
    if not any(group_of.values()):
        return LabelTree(name, actions)
    if without:
        raise ValueError(
            f"{rows.path}: classes without a group: {', '.join(without[:8])}; "
            "name a group for every class, or for none"
        )
    found = tuple(dict.fromkeys(group_of[key] for key in keys))
    return LabelTree(name, actions, found, tuple(found.index(group_of[key]) for key in keys))


def _shipped_tree(given: Sequence[Sequence[str]]) -> LabelTree | None:
    """The one of the shipped trees that numbers, names and groups all classes as these rows do."""
    told = {(label, same_name(action), same_name(group)) for label, action, group in given}
    if not all(is_index(label) and action and group for label, action, group in told):
        return None
    for known in map(tree, TREES):
        if known.groups and all(
            int(label) < len(known.actions)
            and same_name(known.actions[int(label)]) == action
            and same_name(known.groups[known.group_of[int(label)]]) == group
            for label, action, group in told
        ):
            return known
    return None


def _one_each(given: Sequence[Sequence[str]], place: int, verb: str, problems: list[str]) -> dict[str, str]:
    """One value a label; labels are compared as numbers where they are."""
    found: dict[str, str] = {}
    for row in given:
        label, value = row[0], row[place]
        key = str(int(label)) if is_index(label) else label
        if value and found.setdefault(key, value) != value:
            problem = f"class {key} {verb} {found[key]!r} and {value!r}"
            if problem not in problems:
                problems.append(problem)
    return found
