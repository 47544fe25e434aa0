"""Detection files: when a model saw which action in a video. Submissions and metrics read these.

A Parquet file, one row a segment: `video_id` (string), `t_start_s` and `t_end_s` (double, seconds), `action`
(index of the tree's action; names are read too), `score` (double). The schema metadata holds under `fidget` a
JSON object with the label tree and the method, as in a score file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from poses.whole_file import replacing
from protocols.label_tree import LabelTree
from protocols.scores import METADATA_KEY
from protocols.trees import action_indices

_COLUMNS = ("video_id", "t_start_s", "t_end_s", "action", "score")
_ROWS_READABLE, _ROWS_AT_ONCE = 2**24, 2**17


@dataclass(frozen=True, eq=False)
class Detections:
    """Segments of any number of videos; it checks itself once.

    Attributes:
        tree: names of the actions.
        video_ids: N.
        t_start_s: (N,) float64 seconds.
        t_end_s: (N,) float64 seconds, after the start.
        actions: (N,) int64 indices of the tree's actions.
        scores: (N,) float64, higher is surer.
        method: what found them.

    Raises:
        ValueError: columns of other lengths, a segment that does not end after it starts, an action out of
            range, a number that is none; named.
    """

    tree: LabelTree
    video_ids: tuple[str, ...]
    t_start_s: NDArray[np.float64]
    t_end_s: NDArray[np.float64]
    actions: NDArray[np.int64]
    scores: NDArray[np.float64]
    method: str = ""

    def __post_init__(self) -> None:
        n, last = len(self.video_ids), len(self.tree.actions) - 1
        columns = {what: getattr(self, what) for what in ("t_start_s", "t_end_s", "actions", "scores")}
        problems = [
            f"expected {what} of {n} segments, got {value.shape}"
            for what, value in columns.items()
            if value.shape != (n,)
        ]
        if not problems:
            times = np.isfinite(self.t_start_s) & np.isfinite(self.t_end_s) & (self.t_end_s > self.t_start_s)
            for row in np.flatnonzero(~times)[:8]:
                span = f"{self.t_start_s[row]:g} to {self.t_end_s[row]:g} s"
                problems.append(f"row {row} ({self.video_ids[row]!r}) must end after it starts, got {span}")
            for row in np.flatnonzero((self.actions < 0) | (self.actions > last))[:8]:
                problems.append(
                    f"row {row} ({self.video_ids[row]!r}) has action {self.actions[row]}, expected 0..{last}"
                )
            for row in np.flatnonzero(~np.isfinite(self.scores))[:8]:
                problems.append(f"row {row} ({self.video_ids[row]!r}) has no score: {self.scores[row]}")
        if problems:
            raise ValueError(f"detections of {self.method or self.tree.name!r}: " + "; ".join(problems))

    def __len__(self) -> int:
        return len(self.video_ids)

    def videos(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """The videos, each once, in the order in which they come; and (N,) the number of each row's."""
        return self._videos

    @cached_property
    def _videos(self) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        number: dict[str, int] = {}
        rows = [number.setdefault(name, len(number)) for name in self.video_ids]
        return tuple(number), np.array(rows, np.int64)


def write_detections(path: str | Path, detections: Detections) -> None:
    """Write a detection file; it is there whole or not at all.

    Raises:
        OSError: no room, or no permission.
    """
    tree = detections.tree
    metadata = {
        "format_version": 1,
        "tree": tree.name,
        "actions": tree.actions,
        "groups": tree.groups,
        "group_of": tree.group_of,
        "method": detections.method,
    }
    table = pa.table(
        {
            "video_id": pa.array(detections.video_ids, pa.string()),
            "t_start_s": pa.array(detections.t_start_s, pa.float64()),
            "t_end_s": pa.array(detections.t_end_s, pa.float64()),
            "action": pa.array(detections.actions, pa.int32()),
            "score": pa.array(detections.scores, pa.float64()),
        }
    )
    text = json.dumps(metadata, ensure_ascii=False, sort_keys=True).encode()
    with replacing(Path(path)) as temporary:
        pq.write_table(table.replace_schema_metadata({METADATA_KEY: text}), temporary, compression="zstd")


def read_detections(path: str | Path, tree: LabelTree | None = None) -> Detections:
    """Read a detection file.

    Args:
        path: the file.
        tree: taken where the file names none; where it names one, their actions must be the same.

    Raises:
        ValueError: it is none, or its parts do not agree; names the file.
        OSError: it cannot be opened.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(2, "expected a detection file (Parquet)", str(path))
    try:
        names = pq.read_schema(path).names  # first: Arrow names no column that it lacks as a dictionary
        missing = [name for name in _COLUMNS if name not in names]
        if missing:
            raise ValueError(f"expected the columns {', '.join(_COLUMNS)}, missing: {', '.join(missing)}")
        with pq.ParquetFile(path, read_dictionary=["video_id"], pre_buffer=False) as file:
            if file.metadata.num_rows > _ROWS_READABLE:
                raise ValueError(f"claims {file.metadata.num_rows} rows, at most {_ROWS_READABLE} are read")
            stored = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
            return _from_file(file, json.loads(stored) if stored else {}, tree)
    except (pa.ArrowException, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: no detection file: {' '.join(str(error).split())[:300]}") from error


def _from_file(file: pq.ParquetFile, metadata: Any, tree: LabelTree | None) -> Detections:
    if not isinstance(metadata, dict):
        raise ValueError(f"expected a JSON object under the key 'fidget', got {type(metadata).__name__}")
    found = _tree_of(metadata) or tree
    if found is None:
        raise ValueError("names no label tree under the metadata key 'fidget', and none was given")
    if tree is not None and tree.actions != found.actions:
        raise ValueError(
            f"expected the {len(tree.actions)} actions of {tree.name}, got those of {found.name}"
        )
    n, filled = file.metadata.num_rows, 0
    numbers = {name: np.empty(n) for name in ("t_start_s", "t_end_s", "score")}
    actions, rows = np.empty(n, np.int64), np.empty(n, np.int64)
    number: dict[str, int] = {}
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=list(_COLUMNS), use_threads=False):
        part = pa.Table.from_batches([batch])  # a part only: the file is never in memory twice
        for name in _COLUMNS:
            if part[name].null_count:
                raise ValueError(f"column {name} holds nulls")
        own = slice(filled, filled + len(part))
        for name, values in numbers.items():
            values[own] = part[name].cast(pa.float64()).to_numpy()
        actions[own] = _action_numbers(part["action"], found)
        names, coded = _coded(part["video_id"])
        rows[own] = np.array([number.setdefault(name, len(number)) for name in names], np.int64)[coded]
        filled += len(part)
    videos = tuple(number)
    ids = tuple(np.array(videos, object)[rows]) if n else ()  # one string a video, not one a row
    start, end, scores = numbers.values()
    detections = Detections(found, ids, start, end, actions, scores, str(metadata.get("method", "")))
    vars(detections)["_videos"] = (videos, rows)  # what they are is known already
    return detections


def _action_numbers(column: pa.ChunkedArray, tree: LabelTree) -> NDArray[np.int64]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(action_indices(tree, column.to_pylist()), np.int64)
    found: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return found


def _coded(column: pa.ChunkedArray) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The different values, in the order in which they come, and (N,) the number of each row's."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    whole = column.unify_dictionaries().combine_chunks()
    names = whole.dictionary.cast(pa.string()).to_pylist()
    if len(set(names)) < len(names):  # nothing forbids a file to name a value twice
        return _coded(column.cast(pa.string()))
    indices = whole.indices.to_numpy().astype(np.int64)
    used, first = np.unique(indices, return_index=True)  # categories that no row has are left out
    order = np.argsort(first)
    number = np.full(len(names), -1, np.int64)
    number[used[order]] = np.arange(len(used))
    return tuple(names[one] for one in used[order].tolist()), number[indices]


def _tree_of(metadata: dict[str, Any]) -> LabelTree | None:
    if "actions" not in metadata:
        return None
    return LabelTree(
        str(metadata.get("tree", "")),
        tuple(map(str, metadata["actions"])),
        tuple(map(str, metadata.get("groups", ()))),
        tuple(map(int, metadata.get("group_of", ()))),
    )
