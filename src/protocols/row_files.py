"""Rows of a table that somebody else laid out: CSV, JSON, JSON Lines or Parquet, every value as text."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
KEY = "(key)"  # column that holds the keys of a JSON object of objects
_PROBLEMS_SHOWN = 8


@dataclass(frozen=True)
class Rows:
    """A table as text; a value that is null, NaN or not there is the empty string.

    Attributes:
        path: the file, for messages.
        columns: column name -> values, all of one length.
        lines: where each row begins, counted from 1: lines of a CSV, rows of the others.
        unit: `line` or `row`.
    """

    path: Path
    columns: Mapping[str, tuple[str, ...]]
    lines: tuple[int, ...]
    unit: str = "row"

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, row: int) -> str:
        """A row's place in words, such as `line 7`."""
        return f"{self.unit} {self.lines[row]}"


def read_rows(path: str | Path) -> Rows:
    r"""Read a table whatever its form; the suffix tells it.

    JSON may be a list of objects, an object of objects (their keys become the column `(key)`), or an object
    of lists of one length. Bytes that are no UTF-8 become `\xNN`, as in the clip ids of a pose cache.

    Raises:
        ValueError: another suffix, or no table; names the file, and the line where there is one.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return _read_csv(path, "\t" if suffix == ".tsv" else ",")
    if suffix == ".parquet":
        return _read_parquet(path)
    if suffix in (".json", ".jsonl"):
        return _from_objects(path, _json_objects(path))
    raise ValueError(f"{path}: expected a table ending in {', '.join(SUFFIXES)}; rename it if it is one")


def raise_problems(path: Path, problems: Sequence[str]) -> None:
    """Raise if there is anything wrong: the first problems, and how many more there are.

    Raises:
        ValueError: there are problems.
    """
    if problems:
        more = len(problems) - _PROBLEMS_SHOWN
        shown = "; ".join(problems[:_PROBLEMS_SHOWN])
        raise ValueError(f"{path}: {shown}" + (f" ... and {more} more" if more > 0 else ""))


def unique_keys(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; for `object_pairs_hook`, which would else keep the last of two equal keys.

    Raises:
        ValueError: a key is there twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        times = Counter(key for key, _ in pairs)
        twice = [key for key, count in times.items() if count > 1]
        raise ValueError(f"keys are there twice: {', '.join(map(repr, twice[:8]))}")
    return found


def as_text(value: Any) -> str:
    """A value of JSON or Parquet as a CSV would have it; whole floats lose their `.0`."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def _read_csv(path: Path, delimiter: str) -> Rows:
    with path.open(newline="", encoding="utf-8-sig", errors="backslashreplace") as file:
        reader = csv.reader(file, delimiter=delimiter)
        try:
            head = next(reader, [])
            lines, table, problems = [], [], []
            for row in reader:
                if not any(row):
                    continue
                if len(row) != len(head):
                    problems.append(
                        f"line {reader.line_num}: expected {len(head)} values as in the head, got {len(row)}"
                    )
                lines.append(reader.line_num)
                table.append(row)
        except csv.Error as error:
            raise ValueError(f"{path}: line {reader.line_num}: no CSV: {error}") from error
    if not head:
        raise ValueError(f"{path}: expected a first line with column names, got an empty file")
    twice = sorted({name for name in head if head.count(name) > 1})
    if twice:
        problems.insert(0, f"columns are there twice: {', '.join(twice)}")
    raise_problems(path, problems)
    values = zip(*table, strict=True) if table else ((),) * len(head)
    return Rows(path, dict(zip(head, values, strict=True)), tuple(lines), "line")


def _read_parquet(path: Path) -> Rows:
    if not path.is_file():
        raise FileNotFoundError(2, "expected a Parquet file", str(path))
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: no Parquet file: {' '.join(str(error).split())[:200]}") from error
    columns = {name: tuple(map(as_text, table[name].to_pylist())) for name in table.column_names}
    return Rows(path, columns, tuple(range(1, table.num_rows + 1)))


def _json_objects(path: Path) -> list[Any]:
    text = path.read_text(encoding="utf-8-sig", errors="backslashreplace")
    try:
        if path.suffix.lower() == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        found = json.loads(text, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: no JSON: {error}") from error
    if isinstance(found, list):
        return found
    values = list(found.values()) if isinstance(found, dict) else []
    if values and all(isinstance(value, dict) for value in values):
        return [{KEY: key, **value} for key, value in found.items()]
    if values and all(isinstance(value, list) for value in values):
        lengths = {name: len(value) for name, value in found.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{path}: expected columns of one length, got {lengths}")
        return [dict(zip(found, row, strict=True)) for row in zip(*values, strict=True)]
    raise ValueError(
        f"{path}: expected a list of objects, an object of objects or an object of lists; "
        f"got {type(found).__name__}"
    )


def _from_objects(path: Path, objects: list[Any]) -> Rows:
    wrong = [number for number, one in enumerate(objects, 1) if not isinstance(one, dict)]
    if wrong:
        kind = type(objects[wrong[0] - 1]).__name__
        raise ValueError(f"{path}: row {wrong[0]}: expected an object, got {kind}")
    names = dict.fromkeys(str(name) for one in objects for name in one)
    columns = {name: tuple(as_text(one.get(name)) for one in objects) for name in names}
    return Rows(path, columns, tuple(range(1, len(objects) + 1)))
