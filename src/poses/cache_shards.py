"""The shards of a cache directory: which files they are, and how they are read, with suspicion."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from poses.cache_schema import (
    ARRAY_COLUMNS,
    METADATA_KEY,
    SCHEMA,
    STATUSES,
    VALUES_LIMIT,
    XYZ_SCHEMA,
    CacheMetadata,
    CacheMismatchError,
    CacheRow,
    NotACacheError,
    SourceStamp,
    metadata_differences,
)
from poses.quality import ClipQuality

COMMON_METADATA = "_common_metadata"
ROWS_READABLE = 2**20  # of one row group; more is a broken or hostile file
TEXT_READABLE = 2**26  # bytes of one text column of one row group

_TEXTS = tuple(field.name for field in SCHEMA if pa.types.is_string(field.type))

_TROUBLE = (pa.ArrowException, OSError, ValueError, MemoryError, ArithmeticError, LookupError)


class CorruptShardError(ValueError):
    """A Parquet file of a cache cannot be read; the message names it."""


def list_shards(directory: Path) -> list[Path]:
    """The Parquet files of a cache in writing order; names that begin with `.` or `_` are none."""
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if entry.name.endswith(".parquet"))
    except NotADirectoryError as error:
        raise NotACacheError(f"{directory}: expected a pose cache (a directory), got a file") from error
    except FileNotFoundError as error:
        raise NotACacheError(f"{directory}: no such directory, expected a pose cache") from error
    return [directory / name for name in names if not name.startswith((".", "_"))]


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Whatever the Parquet library finds wrong becomes a CorruptShardError that names the file."""
    try:
        yield
    except (NotACacheError, CorruptShardError, CacheMismatchError):
        raise
    except _TROUBLE as error:
        reason = str(error).strip().splitlines()
        raise CorruptShardError(
            f"{path}: expected a whole Parquet file of a pose cache, "
            f"got {type(error).__name__}: {reason[0][:200].rstrip('.') if reason else 'no reason given'}; "
            "delete it, and the next run extracts its clips again"
        ) from error


def open_shard(path: Path) -> pq.ParquetFile:
    """Open a shard and check its columns; the caller closes it.

    Raises:
        CorruptShardError: it is truncated, no Parquet file, or a column is missing; names the file.
    """
    with named_errors(path):
        try:
            # dictionaries, so that a text that is used a million times is not spread out before it is checked
            shard = pq.ParquetFile(
                _source(path), page_checksum_verification=True, read_dictionary=list(_TEXTS)
            )
        except KeyError:  # one of the text columns is absent
            shard = pq.ParquetFile(_source(path))
        present = set(shard.schema_arrow.names)
        missing = [name for name in SCHEMA.names if name not in present]
        if missing:
            shard.close()
            raise CorruptShardError(
                f"{path}: expected the columns of a pose cache, {', '.join(missing)} missing"
            )
        return shard


def _source(path: Path) -> Path | pa.BufferReader:
    """What Parquet can open: the path, or the content where the path is not Unicode."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return pa.BufferReader(path.read_bytes())
    return path


def read_group(path: Path, shard: pq.ParquetFile, group: int, columns: Sequence[str]) -> pa.Table:
    """Columns of one row group, in the cache's types.

    Raises:
        CorruptShardError: it does not decode; names the file.
    """
    with named_errors(path):
        _expect_sane_size(path, shard, group)
        table = shard.read_row_group(group, columns=list(columns), use_threads=False)
        missing = [name for name in columns if name not in table.column_names]
        if missing:
            raise CorruptShardError(
                f"{path}: expected the columns of a pose cache, {', '.join(missing)} missing"
            )
        table = table.select(list(columns))
        table.validate()
        for name in _TEXTS:
            if name in columns:
                _expect_sane_text(path, name, table[name])
        wanted = pa.schema([XYZ_SCHEMA.field(name) for name in columns])
        nulls = [field.name for field in wanted if not field.nullable and table[field.name].null_count]
        if nulls:
            raise CorruptShardError(f"{path}: column {', '.join(nulls)} holds nulls where a value is due")
        return table if table.schema.equals(wanted) else table.cast(wanted)


def _expect_sane_size(path: Path, shard: pq.ParquetFile, group: int) -> None:
    """Refuse a footer whose counts would make the library allocate without end."""
    footer = shard.metadata.row_group(group)
    if not 0 <= footer.num_rows <= ROWS_READABLE:
        raise CorruptShardError(
            f"{path}: row group {group} claims {footer.num_rows} rows, expected at most {ROWS_READABLE}"
        )
    for index in range(footer.num_columns):
        column = footer.column(index)
        if not 0 <= column.num_values <= VALUES_LIMIT:
            raise CorruptShardError(
                f"{path}: column {column.path_in_schema} claims {column.num_values} values in one row group, "
                f"expected at most {VALUES_LIMIT}"
            )


def _expect_sane_text(path: Path, name: str, column: pa.ChunkedArray) -> None:
    """Refuse a dictionary of few long texts and many uses, before it is spread out."""
    for chunk in column.chunks:
        if not pa.types.is_dictionary(chunk.type):
            continue
        lengths = pc.binary_length(chunk.dictionary)
        if len(chunk) * (pc.max(lengths).as_py() or 0) <= TEXT_READABLE:
            continue
        total = pc.sum(pc.take(lengths, chunk.indices)).as_py()
        if total > TEXT_READABLE:
            raise CorruptShardError(
                f"{path}: column {name} spreads out to {total} bytes, expected at most {TEXT_READABLE}"
            )


@dataclass(frozen=True)
class ShardIndex:
    """What is known of a shard without reading a clip: its ids and states by row, where row groups end."""

    path: Path
    size: int
    mtime_ns: int
    clip_ids: list[str]
    statuses: list[str]
    group_ends: NDArray[np.int64]

    def locate(self, row: int) -> tuple[int, int]:
        """Row group of a row, and the row's number inside it."""
        group = int(np.searchsorted(self.group_ends, row, side="right"))
        return group, row - (int(self.group_ends[group - 1]) if group else 0)


def index_shard(path: Path, stored: bytes, metadata: CacheMetadata) -> ShardIndex:
    """Read ids and states of a shard that must belong to the cache with this metadata (`stored` is its JSON).

    Raises:
        CorruptShardError: it cannot be read.
        CacheMismatchError: it belongs to another cache.
    """
    with named_errors(path):
        stat = path.stat()
    with open_shard(path) as shard:
        own = shard_metadata(path, shard)
        if own != stored:
            expect_same_metadata(path, own, metadata)
        ends = [shard.metadata.row_group(group).num_rows for group in range(shard.num_row_groups)]
        tables = [read_group(path, shard, group, ("clip_id", "status")) for group in range(len(ends))]
    ids: list[str] = [clip_id for table in tables for clip_id in table["clip_id"].to_pylist()]
    statuses: list[str] = [status for table in tables for status in table["status"].to_pylist()]
    if len(ids) != sum(ends):
        raise CorruptShardError(f"{path}: expected {sum(ends)} rows, got {len(ids)}")
    return ShardIndex(path, stat.st_size, stat.st_mtime_ns, ids, statuses, np.cumsum(ends, dtype=np.int64))


def shard_metadata(path: Path, shard: pq.ParquetFile) -> bytes:
    """The metadata JSON a shard carries.

    Raises:
        NotACacheError: it carries none.
    """
    stored: bytes | None = (shard.schema_arrow.metadata or {}).get(METADATA_KEY)
    if stored is None:
        raise NotACacheError(
            f"{path}: expected a shard of a pose cache, got a Parquet file without the key "
            f"{METADATA_KEY.decode()!r} in its metadata; move it elsewhere"
        )
    return stored


def cache_json(directory: Path) -> bytes:
    """The metadata JSON of a whole cache: of `_common_metadata`, or where that is absent of the first shard.

    Raises:
        NotACacheError: there is neither.
    """
    common = directory / COMMON_METADATA
    shards = list_shards(directory)
    if common.exists():
        with named_errors(common):
            schema = pq.read_schema(_source(common))
        stored: bytes | None = (schema.metadata or {}).get(METADATA_KEY)
        if stored is not None:
            return stored
    if not shards:
        raise NotACacheError(
            f"{directory}: expected a pose cache ({COMMON_METADATA} and *.parquet), found neither; "
            "extract-poses writes one"
        )
    with open_shard(shards[0]) as shard:
        return shard_metadata(shards[0], shard)


def expect_same_metadata(path: Path, stored: bytes, metadata: CacheMetadata) -> None:
    """Whether a shard belongs to the cache it lies in.

    Raises:
        CacheMismatchError: names every value that differs.
    """
    other = CacheMetadata.from_json(stored, str(path))
    differences = metadata_differences(metadata, other, "the cache", path.name)
    if differences:
        raise CacheMismatchError(f"{path} belongs to another cache: " + "; ".join(differences))


def rows_of(path: Path, table: pa.Table) -> Iterator[CacheRow]:
    """Rows of a table with all columns of the cache, arrays without a copy.

    Raises:
        CorruptShardError: a count does not agree with its list, or a status is unknown; names file and clip.
    """
    with named_errors(path):
        lists = {
            name: _ListColumn(table[name]) for name in (*ARRAY_COLUMNS, "z") if name in table.column_names
        }
    columns = {name: table[name].to_pylist() for name in table.column_names if name not in lists}
    for index in range(table.num_rows):
        scalars = {name: values[index] for name, values in columns.items()}
        arrays = {name: column[index] for name, column in lists.items()}
        counts = (scalars["frames"], scalars["persons"])
        if counts != (len(arrays["time_us"]), len(arrays["track_ids"])):
            raise CorruptShardError(
                f"{path}: clip {scalars['clip_id']!r} says {counts[0]} frames and {counts[1]} persons, "
                f"got {len(arrays['time_us'])} times and {len(arrays['track_ids'])} track ids"
            )
        if scalars["status"] not in STATUSES:
            raise CorruptShardError(
                f"{path}: clip {scalars['clip_id']!r} has status {scalars['status']!r}, "
                f"expected one of {', '.join(STATUSES)}"
            )
        yield _row(scalars, arrays)


class _ListColumn:
    """A list column as numpy slices."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        chunk = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        self.offsets = chunk.offsets.to_numpy()
        self.values = chunk.values.to_numpy(zero_copy_only=True)

    def __getitem__(self, index: int) -> NDArray[np.generic]:
        values: NDArray[np.generic] = self.values[self.offsets[index] : self.offsets[index + 1]]
        return values


def _row(scalars: dict[str, Any], arrays: dict[str, Any]) -> CacheRow:
    return CacheRow(
        clip_id=scalars["clip_id"],
        source=SourceStamp(scalars["source_path"], scalars["source_bytes"], scalars["source_mtime_ns"]),
        status=scalars["status"],
        error=scalars["error"],
        frame_hw=(scalars["height"], scalars["width"]),
        fps_num=scalars["fps_num"],
        fps_den=scalars["fps_den"],
        xy_step=scalars["xy_step"],
        quality=_quality(scalars["quality"]),
        checksum=scalars["checksum"],
        z_checksum=scalars.get("z_checksum", 0),
        **arrays,
    )


def _quality(stored: dict[str, float | None] | None) -> ClipQuality | None:
    if stored is None:
        return None
    return ClipQuality(**{name: float("nan") if value is None else value for name, value in stored.items()})
