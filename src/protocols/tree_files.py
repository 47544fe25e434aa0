"""A user's own label tree, from TOML or CSV.

TOML: the actions by group, numbered as they stand, or a list in index order and the groups beside it.

    name = "my interviews"
    actions = ["nodding", "waving", "shrugging"]      # optional: fixes the indices
    [groups]                                          # optional: without it there are actions only
    Head = ["nodding"]
    "Upper limb" = ["waving", "shrugging"]

CSV: the columns `action` (or `class_name`), and where there are such `group` (`body_group`, `group_name`) and
`index` (or `label`; else rows are numbered as they stand). Groups are numbered as they first appear.
Lines that begin with # are passed over, other columns too.
"""

from __future__ import annotations

import csv
import difflib
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protocols.label_tree import LabelTree

_ALIASES = {
    "action": ("action", "class_name"),
    "group": ("group", "body_group", "group_name"),
    "index": ("index", "label"),
    "clips": ("clips", "rec_clips"),
}
_MOST_BYTES = 16 * 2**20
_PROBLEMS_SHOWN = 8


@dataclass(frozen=True)
class TreeRow:
    """One action as a file has it.

    Attributes:
        action: its name.
        group: its group's name, empty where it has none.
        index: its index, None where the file numbers by order.
        where: the place in the file, for messages.
        clips: published number of clips, None where the file has none.
    """

    action: str
    group: str = ""
    index: int | None = None
    where: str = ""
    clips: int | None = None


def same_name(name: str) -> str:
    """What two spellings of one name share: capitals, blanks and underscores make no difference."""
    return " ".join(name.replace("_", " ").split()).casefold()


def read_tree(path: str | Path) -> LabelTree:
    """A label tree from a TOML or CSV file; the module says how they look.

    Raises:
        ValueError: unknown, duplicate or orphaned labels, indices with gaps, a key or column that is not
            known; all at once, each named, with the nearest name where there is one.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    if path.suffix.lower() not in (".toml", ".csv"):
        raise ValueError(f"{path}: expected a label tree as .toml or .csv, got {path.suffix or 'no suffix'}")
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path}: expected a label tree of at most {_MOST_BYTES >> 20} MiB")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix.lower() == ".toml":
            return _from_toml(path.stem, text)
        return build_tree(path.stem, tree_rows(text))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected UTF-8, byte {error.start} is none; save the file as UTF-8"
        ) from error
    except (ValueError, csv.Error, RecursionError) as error:
        raise ValueError(f"{path}: no label tree: {error}") from error


def tree_rows(text: str) -> list[TreeRow]:
    """The rows of a label tree's CSV.

    Raises:
        ValueError: a column is missing, or holds no whole number where one is meant.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    begin = next((n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    reader = csv.reader(lines[begin:])
    head = [name.strip() for name in next(reader, [])]
    column = {what: next((n for n in names if n in head), None) for what, names in _ALIASES.items()}
    if column["action"] is None:
        near = difflib.get_close_matches("action", head, n=1)
        hint = f"did you mean {near[0]!r} to be it? " if near else ""
        raise ValueError(
            f"expected a column action (and group, index), got {head}; {hint}name it in the first line"
        )
    rows = []
    for cells in reader:
        if not any(cell.strip() for cell in cells) or cells[0].startswith("#"):
            continue
        where = f"line {begin + reader.line_num}"
        if len(cells) != len(head):
            raise ValueError(
                f"{where}: expected {len(head)} cells, got {len(cells)}; quote names that hold a comma"
            )
        found = dict(zip(head, (cell.strip() for cell in cells), strict=True))
        index = _whole(found, column["index"], where) if column["index"] else None
        clips = found[column["clips"]] if column["clips"] else ""
        group = found[column["group"]] if column["group"] else ""
        count = int(clips) if clips.isascii() and clips.isdigit() else None
        rows.append(TreeRow(found[column["action"]], group, index, where, count))
    return rows


def _whole(found: dict[str, str], column: str, where: str) -> int:
    if not (found[column].isascii() and found[column].isdigit()):
        raise ValueError(f"{where}: expected a whole number from 0 as {column}, got {found[column]!r}")
    return int(found[column])


def build_tree(name: str, rows: Sequence[TreeRow], groups: Sequence[str] = ()) -> LabelTree:
    """A tree from its rows.

    Args:
        name: of the tree.
        rows: one for each action.
        groups: the groups in their order; empty takes them as they first appear.

    Raises:
        ValueError: names that repeat or are empty, indices that repeat or have gaps, an action without a
            group where others have one, a group without actions; all at once, named.
    """
    problems = _repeated(rows)
    problems += [f"{row.where}: an action without a name" for row in rows if not row.action]
    problems += _wrong_indices(rows)
    order = list(groups) or list(dict.fromkeys(row.group for row in rows if row.group))
    spelt: dict[str, str] = {}
    for group in order:
        first = spelt.setdefault(same_name(group), group)
        if first != group:
            problems.append(f"groups {first!r} and {group!r}: two spellings of one name?")
    if order:
        problems += [f"{row.where}: action {row.action!r} has no group" for row in rows if not row.group]
    problems += [
        f"group {group!r} has no action" for group in order if group not in {row.group for row in rows}
    ]
    if not rows:
        problems.append("expected at least one action")
    _refuse(problems)
    ordered = sorted(rows, key=_index) if rows[0].index is not None else list(rows)
    number = {group: index for index, group in enumerate(order)}
    group_of = tuple(number[row.group] for row in ordered) if order else ()
    return LabelTree(name, tuple(row.action for row in ordered), tuple(order), group_of)


def _index(row: TreeRow) -> int:
    return -1 if row.index is None else row.index


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        raise ValueError(
            "; ".join(problems[:_PROBLEMS_SHOWN]) + (f" ... and {more} more" if more > 0 else "")
        )


def _repeated(rows: Sequence[TreeRow]) -> list[str]:
    """Actions that are there twice, be it in another spelling."""
    problems: list[str] = []
    first: dict[str, TreeRow] = {}
    for row in rows:
        before = first.setdefault(same_name(row.action), row)
        if before is not row and row.action:
            spelt = "" if before.action == row.action else f", spelt {before.action!r} there"
            problems.append(f"{row.where}: action {row.action!r} is in {before.where} already{spelt}")
    return problems


def _wrong_indices(rows: Sequence[TreeRow]) -> list[str]:
    """Indices must be 0, 1, 2, ..., each once, in any order of rows."""
    problems: list[str] = []
    first: dict[int, TreeRow] = {}
    for row in rows:
        if row.index is not None and first.setdefault(row.index, row) is not row:
            problems.append(f"{row.where}: index {row.index} is {first[row.index].action!r} already")
    absent = [index for index in range(len(rows)) if index not in first]
    if first and not problems and absent:
        problems.append(f"expected the indices 0..{len(rows) - 1}, {absent[:8]} missing")
    return problems


def _from_toml(stem: str, text: str) -> LabelTree:
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"no TOML: {error}") from error
    known = ("name", "actions", "groups")
    for key in found:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"key {key!r} is not known: {hint}expected {', '.join(known)}")
    name = found.get("name", stem)
    groups = found.get("groups", {})
    if not isinstance(name, str) or not name:
        raise ValueError(f"expected name to be text, got {name!r}")
    if not isinstance(groups, dict):
        raise ValueError(f"expected [groups] with one list of actions each, got {type(groups).__name__}")
    members = {group: _names(f"group {group!r}", actions) for group, actions in groups.items()}
    if "actions" not in found:
        rows = [
            TreeRow(one, group, None, f"group {group!r}") for group, ones in members.items() for one in ones
        ]
        return build_tree(name, rows, tuple(members))
    actions = _names("actions", found["actions"])
    _refuse(_misplaced(actions, members))
    group_of = {one: group for group, ones in members.items() for one in ones}
    rows = [TreeRow(one, group_of.get(one, ""), None, f"actions[{n}]") for n, one in enumerate(actions)]
    return build_tree(name, rows, tuple(members))


def _names(what: str, found: object) -> list[str]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"expected {what} to be a list of names, got {found!r:.80}")
    return [one.strip() for one in found]


def _misplaced(actions: Sequence[str], members: dict[str, list[str]]) -> list[str]:
    """Actions of groups that the list of actions lacks, and actions that are in two groups."""
    problems: list[str] = []
    first: dict[str, str] = {}
    for group, ones in members.items():
        for one in ones:
            if one not in actions:
                near = difflib.get_close_matches(one, actions, n=1)
                hint = f", did you mean {near[0]!r}?" if near else ""
                problems.append(f"group {group!r}: {one!r} is not among the actions{hint}")
            if one in first:
                problems.append(f"action {one!r} is in the groups {first[one]!r} and {group!r}")
            first.setdefault(one, group)
    return problems
