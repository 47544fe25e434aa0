"""Detection files: when a model saw which action in a video. Submissions and metrics read these.

A Parquet file, one row a segment: `video_id` (string), `t_start_s` and `t_end_s` (double, seconds), `action`
(index of the tree's action; names are read too), `score` (double). The schema metadata holds under `fidget` a
JSON object with the label tree and the method, as in a score file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
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
_ROWS_READABLE = 2**24


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
        coded = pa.array(self.video_ids, pa.string()).dictionary_encode()
        return tuple(coded.dictionary.to_pylist()), coded.indices.to_numpy().astype(np.int64)


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
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > _ROWS_READABLE:
                raise ValueError(f"claims {file.metadata.num_rows} rows, at most {_ROWS_READABLE} are read")
            stored = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
            missing = [name for name in _COLUMNS if name not in file.schema_arrow.names]
            if missing:
                raise ValueError(f"expected the columns {', '.join(_COLUMNS)}, missing: {', '.join(missing)}")
            table = file.read(columns=list(_COLUMNS))
        return _from_table(table, json.loads(stored) if stored else {}, tree)
    except (pa.ArrowException, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: no detection file: {' '.join(str(error).split())[:300]}") from error


def _from_table(table: pa.Table, metadata: Any, tree: LabelTree | None) -> Detections:
    if not isinstance(metadata, dict):
        raise ValueError(f"expected a JSON object under the key 'fidget', got {type(metadata).__name__}")
    for name in _COLUMNS:
        if table[name].null_count:
            raise ValueError(f"column {name} holds nulls")
    found = _tree_of(metadata) or tree
    if found is None:
        raise ValueError("names no label tree under the metadata key 'fidget', and none was given")
    if tree is not None and tree.actions != found.actions:
        raise ValueError(
            f"expected the {len(tree.actions)} actions of {tree.name}, got those of {found.name}"
        )
    actions = table["action"]
    if pa.types.is_string(actions.type) or pa.types.is_large_string(actions.type):
        indices = np.array(action_indices(found, actions.to_pylist()), np.int64)
    else:
        indices = actions.cast(pa.int64()).to_numpy()
    numbers = [table[name].cast(pa.float64()).to_numpy() for name in ("t_start_s", "t_end_s", "score")]
    coded = table["video_id"].cast(pa.string()).combine_chunks().dictionary_encode()
    names = np.array(coded.dictionary.to_pylist(), object)  # one string a video, not one a row
    ids = tuple(names[coded.indices.to_numpy()].tolist())
    start, end, scores = numbers
    return Detections(found, ids, start, end, indices, scores, str(metadata.get("method", "")))


def _tree_of(metadata: dict[str, Any]) -> LabelTree | None:
    if "actions" not in metadata:
        return None
    return LabelTree(
        str(metadata.get("tree", "")),
        tuple(map(str, metadata["actions"])),
        tuple(map(str, metadata.get("groups", ()))),
        tuple(map(int, metadata.get("group_of", ()))),
    )
