"""Whether a cache is whole: every row decodes, counts and checksums agree, no clip is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from poses.cache_schema import CacheMetadata, CacheRow
from poses.cache_shards import (
    CorruptShardError,
    cache_json,
    expect_same_metadata,
    list_shards,
    open_shard,
    read_group,
    rows_of,
    shard_metadata,
)
from poses.encoding import check_row, decode_row
from poses.layout import Layout, get_layout


@dataclass(frozen=True)
class CacheCheck:
    """What a check found.

    Attributes:
        rows: that could be read, of any status.
        ok: rows with people.
        no_person: rows of clips without people.
        failed: rows of clips that failed at extraction; they are counted, and no problem of the cache.
        problems: one line each, naming file and clip; empty where the cache is whole.
    """

    rows: int
    ok: int
    no_person: int
    failed: int
    problems: tuple[str, ...]


def check_cache(directory: Path | str) -> CacheCheck:
    """Read everything once, one row group at a time. What is unreadable is named, the rest checked.

    Raises:
        NotACacheError: the directory holds no cache at all, or one of a newer format.
        ValueError: its layout is unknown.
    """
    directory = Path(directory)
    metadata = _metadata(directory)
    layout = get_layout(metadata.layout)
    problems: list[str] = []
    first_seen: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for path in list_shards(directory):
        for row in _rows(path, metadata, problems):
            counts[row.status] += 1
            problem = _problem(row, layout)
            if problem:
                problems.append(f"{path.name}: {problem}")
            if row.clip_id in first_seen:
                earlier = first_seen[row.clip_id]
                problems.append(f"{path.name}: clip {row.clip_id!r} is there twice, first in {earlier}")
            first_seen.setdefault(row.clip_id, path.name)
    return CacheCheck(counts.total(), counts["ok"], counts["no_person"], counts["failed"], tuple(problems))


def _metadata(directory: Path) -> CacheMetadata:
    return CacheMetadata.from_json(cache_json(directory), str(directory))


def _problem(row: CacheRow, layout: Layout) -> str | None:
    try:
        if row.status == "failed":
            check_row(row, layout)
        else:
            decode_row(row, layout)
    except ValueError as error:
        return str(error)
    return None


def _rows(path: Path, metadata: CacheMetadata, problems: list[str]) -> Iterator[CacheRow]:
    """Every row of a shard that can be read; what cannot is added to the problems."""
    try:
        shard = open_shard(path)
    except CorruptShardError as error:
        problems.append(str(error))
        return
    with shard:
        try:
            expect_same_metadata(path, shard_metadata(path, shard), metadata)
        except ValueError as error:
            problems.append(str(error))
        for group in range(shard.num_row_groups):
            try:
                table = read_group(path, shard, group, metadata.schema.names)
            except CorruptShardError as error:
                problems.append(f"{error} ({_clips_named(path, shard, group)})")
                continue
            yield from _rows_one_by_one(path, table, problems)


def _rows_one_by_one(path: Path, table: pa.Table, problems: list[str]) -> Iterator[CacheRow]:
    for number in range(table.num_rows):
        try:
            row = next(rows_of(path, table.slice(number, 1)))
        except CorruptShardError as error:
            problems.append(str(error))
        else:
            yield row


def _clips_named(path: Path, shard: pq.ParquetFile, group: int) -> str:
    """Which clips an unreadable row group held, as far as can be told."""
    rows = shard.metadata.row_group(group).num_rows
    try:
        clip_ids = read_group(path, shard, group, ("clip_id",))["clip_id"].to_pylist()
    except CorruptShardError:
        return f"row group {group} with {rows} clips is lost"
    return f"row group {group} is lost with the clips {', '.join(repr(clip_id) for clip_id in clip_ids)}"
