"""Clips of a table with whatever columns it has: a labels CSV, or somebody's CSV, JSON or Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protocols.clip_table import ClipTable
from protocols.column_map import ColumnMap
from protocols.label_names import label_indices, split_named, tree_of_labels
from protocols.label_tree import LabelTree
from protocols.row_files import SUFFIXES, Rows, raise_problems, read_rows
from protocols.scores import NO_LABEL

LABELS_COLUMNS = ColumnMap()


def read_labels_table(
    path: str | Path,
    columns: ColumnMap = LABELS_COLUMNS,
    tree: LabelTree | None = None,
    name: str = "",
    prefix: str = "",
    domain_named: Callable[[str], str] = str,
    simulated: bool = False,
) -> ClipTable:
    """Clips, labels, splits, domains and subjects of a file.

    Only the columns of the clip and of the label must be there. Labels are class indices or class names. An
    empty label is one that is kept back; so are the labels of a test part of several clips that are all 0.

    Args:
        path: a CSV, JSON or Parquet file, or a directory of such files named train, val and test.
        columns: which column holds what.
        tree: the classes; None makes them of the file.
        name: of the data set, else that of the file.
        prefix: takes the splits `<prefix>train`, `<prefix>val` and `<prefix>test` of a file that holds
            several protocols, and passes over the others.
        domain_named: the name of a domain from what the file calls it; raises ValueError for one it refuses.
        simulated: whether a simulator made the clips; a column of that name may say so too.

    Raises:
        ValueError: columns are missing; a clip is there twice; a label, split, domain or duration is none.
            All at once, each with its place.
        OSError: a file cannot be opened.
    """
    path = Path(path)
    rows = table_rows(path, columns)
    columns.require(rows, ("clip", "label"))
    problems: list[str] = []
    splits = _splits(rows, columns.values(rows, "split"), prefix, problems)
    kept = [row for row, split in enumerate(splits) if split is not None]
    rows = _chosen(rows, kept)
    labels, class_names = columns.values(rows, "label"), columns.values(rows, "class_name")
    clip_ids = rows.columns[columns.clip]
    _once(rows, clip_ids, problems)
    if not kept:
        raise_problems(path, problems)
        raise ValueError(f"{path}: no clip is in the splits {prefix}train, {prefix}val and {prefix}test")
    name = name or path.stem + (f":{prefix.rstrip('_')}" if prefix else "")
    found_tree = tree or tree_of_labels(rows, name, labels, class_names, columns.values(rows, "group_name"))
    if columns.class_name == columns.label or tree is None:
        class_names = ("",) * len(rows)
    indices = label_indices(rows, labels, class_names, found_tree, problems)
    duration_s = numbers(rows, columns.values(rows, "duration"), "a duration in seconds", problems)
    domains = names_of(rows, columns.values(rows, "domain"), domain_named, problems)
    raise_problems(path, problems)
    found_splits = tuple(splits[row] or "" for row in kept)
    indices, note = without_placeholders(indices, found_splits, f"as listed in {path.name}")
    told = any(value.lower() in ("true", "1", "yes") for value in columns.values(rows, "simulated"))
    return ClipTable(
        name,
        found_tree,
        clip_ids,
        indices,
        found_splits,
        domains,
        columns.values(rows, "subject"),
        duration_s,
        simulated or told,
        note,
    )


def table_rows(path: Path, columns: ColumnMap) -> Rows:
    """Rows of a file, or of a directory's files named after the splits, which then need no split column.

    Raises:
        ValueError: no such file in the directory, or two for one split; files of other columns.
    """
    if not path.is_dir():
        return read_rows(path)
    parts: dict[str, Rows] = {}
    for file in sorted(path.iterdir()):
        split = split_named(file.stem) if file.suffix.lower() in SUFFIXES else None
        if split in parts:
            raise ValueError(f"{path}: {parts[split].path.name} and {file.name} are both {split}; keep one")
        if split is not None:
            parts[split] = read_rows(file)
    if not parts:
        raise ValueError(
            f"{path}: expected files named train, val and test ({', '.join(SUFFIXES)}), found none; "
            "name a file"
        )
    names = dict.fromkeys(name for rows in parts.values() for name in rows.columns)
    joined = {
        name: tuple(v for rows in parts.values() for v in rows.columns.get(name, ("",) * len(rows)))
        for name in names
    }
    if columns.split not in joined:
        joined[columns.split] = tuple(split for split, rows in parts.items() for _ in range(len(rows)))
    return Rows(path, joined, tuple(range(1, sum(map(len, parts.values())) + 1)), "row")


def without_placeholders(
    labels: NDArray[np.int64], splits: Sequence[str], note: str
) -> tuple[NDArray[np.int64], str]:
    """Labels and note; labels of a test part that are all 0 go: lists that keep them back write that."""
    test = np.array([split == "test" for split in splits], bool)
    if np.count_nonzero(test) > 1 and not labels[test].any() and labels.any():
        labels = np.where(test, NO_LABEL, labels)
        note += "; the test labels are all 0, placeholders of labels that are kept back"
    return labels, note


def numbers(rows: Rows, texts: Sequence[str], what: str, problems: list[str]) -> NDArray[np.float64]:
    """(N,) float64, NaN for empty texts; what is no number is added to `problems`."""
    found = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        try:
            found[row] = float(text) if text else np.nan
        except ValueError:
            problems.append(f"{rows.where(row)}: expected {what}, got {text!r}")
    return found


def names_of(
    rows: Rows, texts: Sequence[str], named: Callable[[str], str], problems: list[str]
) -> tuple[str, ...]:
    """Names from what a file calls them; those that are refused are added to `problems`, each once."""
    found: dict[str, str] = {}
    for row, text in enumerate(texts):
        if text not in found:
            try:
                found[text] = named(text)
            except ValueError as error:
                found[text] = ""
                problems.append(f"{rows.where(row)}: {error}")
    return tuple(found[text] for text in texts)


def _splits(rows: Rows, texts: Sequence[str], prefix: str, problems: list[str]) -> list[str | None]:
    """Split of each row; None for rows of other protocols."""
    found: list[str | None] = []
    for row, text in enumerate(texts):
        if prefix and not text.startswith(prefix):
            found.append(None)
            continue
        split = split_named(text[len(prefix) :]) if text else ""
        if split is None and prefix:
            found.append(None)
            continue
        if split is None:
            stem = text.rpartition("_")[0]
            problems.append(
                f"{rows.where(row)}: expected the split train, val or test, got {text!r}"
                + (f"; a file of several protocols is named FILE:{stem}" if stem else "")
            )
        found.append(split or "")
    return found


def _chosen(rows: Rows, kept: Sequence[int]) -> Rows:
    if len(kept) == len(rows):
        return rows
    columns = {name: tuple(values[row] for row in kept) for name, values in rows.columns.items()}
    return Rows(rows.path, columns, tuple(rows.lines[row] for row in kept), rows.unit)


def _once(rows: Rows, clip_ids: Sequence[str], problems: list[str]) -> None:
    times = Counter(clip_ids)
    first: dict[str, int] = {}
    for row, clip_id in enumerate(clip_ids):
        if not clip_id:
            problems.append(f"{rows.where(row)}: expected a clip, got nothing")
        elif times[clip_id] > 1 and first.setdefault(clip_id, row) != row:
            problems.append(f"{rows.where(row)}: clip {clip_id!r} is in {rows.where(first[clip_id])} already")
