"""Score files: what a model made of each clip. Metrics, fusion, submissions and reports read only these.

A Parquet file, one row a clip: `clip_id` (string), `label` (int32, null where it is not known), `scores`
(list<float32>, probabilities over the actions). The schema metadata holds under `fidget` one JSON object: the
label tree, the method, the hashes of recipe and cache, the seed, and the split where it is known.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from protocols.label_tree import LabelTree

METADATA_KEY = b"fidget"
NO_LABEL = -1

_SUM_TOLERANCE = 1e-2  # float16 models over many classes stay far below
_ROWS_READABLE = 2**24
_SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("label", pa.int32()),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
    ]
)


@dataclass(frozen=True, eq=False)
class ScoreFile:
    """Probabilities of clips, and where they came from; it checks itself once.

    Attributes:
        tree: names of the actions, and their groups.
        clip_ids: N, each once.
        labels: (N,) int64, `NO_LABEL` where a label is not known.
        scores: (N, A) float32 probabilities.
        method: the recipe's name, or of what was fused.
        recipe_hash: of the resolved recipe.
        cache_hash: of the poses.
        seed: of the training, None where there are several.
        split: of the protocol, such as `val`; empty where it is not known.

    Raises:
        ValueError: shapes that do not agree, a clip twice, no probabilities, a label out of range; named.
    """

    tree: LabelTree
    clip_ids: tuple[str, ...]
    labels: NDArray[np.int64]
    scores: NDArray[np.float32]
    method: str = ""
    recipe_hash: str = ""
    cache_hash: str = ""
    seed: int | None = None
    split: str = ""

    def __post_init__(self) -> None:
        n, a = len(self.clip_ids), len(self.tree.actions)
        problems = []
        if self.labels.shape != (n,) or self.labels.dtype != np.int64:
            problems.append(f"labels must be int64 ({n},), got {self.labels.dtype} {self.labels.shape}")
        elif n and not (self.labels.min() >= NO_LABEL and self.labels.max() < a):
            wrong = [int(label) for label in np.unique(self.labels) if not NO_LABEL <= label < a]
            problems.append(f"labels must lie in 0..{a - 1}, got {wrong[:8]}")
        if self.scores.shape != (n, a) or self.scores.dtype != np.float32:
            problems.append(
                f"scores must be float32 ({n}, {a}) for the {a} actions of {self.tree.name}, "
                f"got {self.scores.dtype} {self.scores.shape}"
            )
        else:
            problems += self._no_probabilities()
        if len(set(self.clip_ids)) != n:
            seen: set[str] = set()
            twice = [one for one in self.clip_ids if one in seen or seen.add(one)]  # type: ignore[func-returns-value]
            problems.append(f"clips are there twice: {', '.join(map(repr, twice[:8]))}")
        if problems:
            raise ValueError(f"scores of {self.method or self.tree.name!r}: " + "; ".join(problems))

    def _no_probabilities(self) -> list[str]:
        with np.errstate(invalid="ignore"):
            fits = (self.scores >= 0).all(axis=1)
            fits &= np.abs(self.scores.sum(axis=1, dtype=np.float64) - 1) <= _SUM_TOLERANCE
        if fits.all():
            return []
        row = int(np.flatnonzero(~fits)[0])
        return [
            f"{int((~fits).sum())} clips, such as {self.clip_ids[row]!r}, have no probabilities "
            f"(sum {self.scores[row].sum():g}, smallest {self.scores[row].min():g}); "
            "apply a softmax before writing"
        ]

    def __len__(self) -> int:
        return len(self.clip_ids)


def expect_labels(scores: ScoreFile) -> NDArray[np.int64]:
    """The labels, all of them known.

    Raises:
        ValueError: there are no clips, labels are missing, or are placeholders (all 0, as in test lists whose
            labels are kept back): those are refused, not scored.
    """
    name = scores.method or scores.tree.name
    if not len(scores):
        raise ValueError(f"scores of {name!r}: no clips to measure")
    unknown = np.flatnonzero(scores.labels == NO_LABEL)
    if unknown.size:
        raise ValueError(
            f"scores of {name!r}: {unknown.size} of {len(scores)} clips have no label, such as "
            f"{scores.clip_ids[int(unknown[0])]!r}; only labelled clips can be measured"
        )
    if len(scores) > 1 and not scores.labels.any():
        raise ValueError(
            f"scores of {name!r}: all {len(scores)} labels are 0, which is what lists write that keep their "
            "labels back; there is nothing to measure, hand them in with fidget submit"
        )
    return scores.labels


def write_scores(path: str | Path, scores: ScoreFile) -> None:
    """Write a score file; it is there whole or not at all.

    Raises:
        OSError: no room, or no permission.
    """
    path = Path(path)
    tree = scores.tree
    metadata = {
        "format_version": 1,
        "tree": tree.name,
        "actions": tree.actions,
        "groups": tree.groups,
        "group_of": tree.group_of,
        "method": scores.method,
        "recipe_hash": scores.recipe_hash,
        "cache_hash": scores.cache_hash,
        "seed": scores.seed,
        **({"split": scores.split} if scores.split else {}),
    }
    n, a = scores.scores.shape
    values = pa.array(np.ascontiguousarray(scores.scores).reshape(-1))
    columns = [
        pa.array(scores.clip_ids, pa.string()),
        pa.array(scores.labels.astype(np.int32), mask=scores.labels == NO_LABEL),
        pa.ListArray.from_arrays(pa.array(np.arange(n + 1) * a, pa.int32()), values),
    ]
    text = json.dumps(metadata, ensure_ascii=False, sort_keys=True).encode()
    schema = _SCHEMA.with_metadata({METADATA_KEY: text})
    table = pa.Table.from_arrays(columns, schema=schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        pq.write_table(table, temporary, compression="zstd")
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def read_scores(path: str | Path) -> ScoreFile:
    """Read a score file.

    Raises:
        ValueError: it is none, or its parts do not agree; names the file.
        OSError: it cannot be opened.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(2, "expected a score file (Parquet)", str(path))
    try:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows > _ROWS_READABLE:
                raise ValueError(f"claims {file.metadata.num_rows} rows, at most {_ROWS_READABLE} are read")
            stored = (file.schema_arrow.metadata or {}).get(METADATA_KEY)
            missing = [name for name in _SCHEMA.names if name not in file.schema_arrow.names]
            if missing or stored is None:
                raise ValueError(
                    "expected the columns clip_id, label, scores and the metadata key 'fidget', "
                    f"missing: {', '.join([*missing, *(['the metadata'] if stored is None else [])])}"
                )
            table = file.read(columns=_SCHEMA.names).select(_SCHEMA.names).cast(_SCHEMA)
        return _from_table(table, json.loads(stored))
    except (pa.ArrowException, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: no score file: {' '.join(str(error).split())[:300]}") from error


def _from_table(table: pa.Table, metadata: Any) -> ScoreFile:
    if not isinstance(metadata, dict):
        raise ValueError(f"expected a JSON object under the key 'fidget', got {type(metadata).__name__}")
    for name in ("clip_id", "scores"):
        if table[name].null_count:
            raise ValueError(f"column {name} holds nulls")
    lists = table["scores"].combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.chunk(0) if lists.num_chunks else pa.array([], _SCHEMA.field("scores").type)
    lengths = np.unique(np.diff(lists.offsets.to_numpy()))
    if lengths.size > 1:
        raise ValueError(f"expected as many scores for every clip, got {lengths[:4].tolist()}")
    classes = int(lengths[0]) if lengths.size else len(metadata.get("actions", [])) or 1
    actions = metadata.get("actions") or [f"class {number}" for number in range(classes)]
    tree = LabelTree(
        str(metadata["tree"]),
        tuple(map(str, actions)),
        tuple(map(str, metadata.get("groups", ()))),
        tuple(map(int, metadata.get("group_of", ()))),
    )
    if lists.flatten().null_count:
        raise ValueError("column scores holds nulls")
    seed = metadata.get("seed")
    return ScoreFile(
        tree,
        tuple(table["clip_id"].to_pylist()),
        table["label"].fill_null(NO_LABEL).to_numpy().astype(np.int64),
        lists.flatten().to_numpy().reshape(len(table), classes).astype(np.float32),
        str(metadata.get("method", "")),
        str(metadata.get("recipe_hash", "")),
        str(metadata.get("cache_hash", "")),
        None if seed is None else int(seed),
        str(metadata.get("split", "")),
    )


def aligned(files: Sequence[ScoreFile]) -> list[ScoreFile]:
    """The files with their clips in the order of the first: rows are joined by id, never by position.

    Raises:
        ValueError: other actions, a clip that one has and another lacks, two labels for one clip; names them.
    """
    if not files:
        raise ValueError("expected at least one score file, got none")
    first = files[0]
    joined = [first]
    for number, other in enumerate(files[1:], 2):
        name = f"score file {number} ({other.method})"
        if other.tree.actions != first.tree.actions:
            raise ValueError(
                f"{name}: expected the {len(first.tree.actions)} actions of {first.tree.name}, got "
                f"{len(other.tree.actions)} of {other.tree.name}, or other names; "
                "only scores over the same actions can be joined"
            )
        row_of = {clip_id: row for row, clip_id in enumerate(other.clip_ids)}
        absent = [clip_id for clip_id in first.clip_ids if clip_id not in row_of]
        extra = sorted(set(other.clip_ids) - set(first.clip_ids))
        if absent or extra:
            raise ValueError(
                f"{name}: expected the clips of the first file; {len(absent)} missing {absent[:3]}, "
                f"{len(extra)} more {extra[:3]}; score the same split with both"
            )
        order = np.array([row_of[clip_id] for clip_id in first.clip_ids], np.int64)
        labels = other.labels[order]
        both = (labels != NO_LABEL) & (first.labels != NO_LABEL) & (labels != first.labels)
        if both.any():
            row = int(np.flatnonzero(both)[0])
            raise ValueError(
                f"{name}: clip {first.clip_ids[row]!r} has label {labels[row]}, "
                f"{first.labels[row]} in the first, and {int(both.sum()) - 1} more differ; "
                "the files belong to different protocols"
            )
        joined.append(
            ScoreFile(
                other.tree, first.clip_ids, labels, other.scores[order], other.method, other.recipe_hash,
                other.cache_hash, other.seed, other.split,
            )
        )  # fmt: skip
    return joined
