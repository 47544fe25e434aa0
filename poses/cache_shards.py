"""The files of a cache directory: which are shards, how one is written whole and read with suspicion."""

from __future__ import annotations

import io
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
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
    CacheMetadata,
    CacheMismatchError,
    CacheRow,
    NotACacheError,
    SourceStamp,
    metadata_differences,
)
from poses.quality import ClipQuality

COMMON_METADATA = "_common_metadata"
ROWS_PER_GROUP = 64
VALUES_PER_GROUP = 4_000_000  # of xy: what one random access decodes at most, unless one clip alone is longer
ROWS_READABLE = 2**20  # of one row group; more is a broken or hostile file
TEXT_READABLE = 2**26  # bytes of one text column of one row group

_TEXTS = tuple(field.name for field in SCHEMA if pa.types.is_string(field.type))

_TEMPORARY = ".writing-"
_TROUBLE = (pa.ArrowException, OSError, ValueError, MemoryError, ArithmeticError, LookupError)
_OURS = re.compile(r"shard-(\d{8,})-")
_ENCODINGS = {
    "source_bytes": "DELTA_BINARY_PACKED",
    "source_mtime_ns": "DELTA_BINARY_PACKED",
    "checksum": "PLAIN",
    "time_us.list.element": "DELTA_BINARY_PACKED",
    "track_ids.list.element": "DELTA_BINARY_PACKED",
    "xy.list.element": "BYTE_STREAM_SPLIT",
    "score.list.element": "BYTE_STREAM_SPLIT",
    "box.list.element": "BYTE_STREAM_SPLIT",
}
_DICTIONARIES = ["status", "error", "width", "height", "fps_num", "fps_den", "frames", "persons", "xy_step"]


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
            f"got {type(error).__name__}: {reason[0][:200] if reason else 'no reason given'}; "
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
            shard = pq.ParquetFile(path, page_checksum_verification=True, read_dictionary=list(_TEXTS))
        except KeyError:  # one of the text columns is absent
            shard = pq.ParquetFile(path)
        present = set(shard.schema_arrow.names)
        missing = [name for name in SCHEMA.names if name not in present]
        if missing:
            shard.close()
            raise CorruptShardError(
                f"{path}: expected the columns of a pose cache, {', '.join(missing)} missing"
            )
        return shard


def read_group(path: Path, shard: pq.ParquetFile, group: int, columns: Sequence[str]) -> pa.Table:
    """Columns of one row group, in the cache's types.

    Raises:
        CorruptShardError: it does not decode; names the file.
    """
    with named_errors(path):
        _expect_sane_size(path, shard, group)
        table = shard.read_row_group(group, columns=list(columns), use_threads=False)
        table = table.select(list(columns))
        table.validate()
        for name in _TEXTS:
            if name in columns:
                _expect_sane_text(path, name, table[name])
        wanted = pa.schema([SCHEMA.field(name) for name in columns])
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
        lengths = pc.binary_length(chunk.dictionary).to_numpy()
        used = chunk.indices.drop_null().to_numpy()
        if used.size and int(used.size) * int(lengths.max()) > TEXT_READABLE:
            total = int(lengths[used].sum(dtype=np.int64))
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
            schema = pq.read_schema(common)
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
        lists = {name: _ListColumn(table[name]) for name in ARRAY_COLUMNS}
    columns = {name: table[name].to_pylist() for name in table.column_names if name not in ARRAY_COLUMNS}
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
        **arrays,
    )


def _quality(stored: dict[str, float | None] | None) -> ClipQuality | None:
    if stored is None:
        return None
    return ClipQuality(**{name: float("nan") if value is None else value for name, value in stored.items()})


def write_whole(directory: Path, name: str, content: bytes | memoryview) -> Path:
    """Put a file into place so that it is there whole or not at all, even through a power cut.

    Raises:
        OSError: the disk is full or read-only; nothing is left behind.
    """
    temporary = directory / f"{_TEMPORARY}{secrets.token_hex(4)}"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        target = directory / name
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_directory(directory)
    return target


def sync_directory(directory: Path) -> None:
    """Make renames inside a directory last; Windows knows no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(directory: Path) -> None:
    """Delete temporary files of a writer that was killed; only the holder of the lock may."""
    for entry in list(os.scandir(directory)):
        if entry.name.startswith(_TEMPORARY):
            with suppress(FileNotFoundError):
                os.unlink(entry.path)


def next_shard_name(directory: Path) -> str:
    """A name that was never used here and sorts behind all of ours."""
    numbers = [int(match[1]) for path in list_shards(directory) if (match := _OURS.match(path.name))]
    return f"shard-{max(numbers, default=0) + 1:08d}-{secrets.token_hex(4)}.parquet"


def schema_file(text: bytes) -> bytes:
    """The content of `_common_metadata`: a Parquet file of no rows with the columns and the metadata JSON."""
    sink = pa.BufferOutputStream()
    pq.write_metadata(SCHEMA.with_metadata({METADATA_KEY: text}), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


class ShardBuffer:
    """A Parquet file in memory: tables in, bytes out. Row groups stay small enough for random access."""

    def __init__(self, schema: pa.Schema) -> None:
        self._sink = io.BytesIO()
        self._writer = pq.ParquetWriter(
            self._sink,
            schema,
            compression="zstd",
            compression_level=3,
            use_dictionary=_DICTIONARIES,
            column_encoding=_ENCODINGS,
            write_page_checksum=True,
            write_statistics=["clip_id", "status", "frames", "persons"],
        )
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """Append a table, cut into row groups."""
        start = 0
        for end in _group_ends(table):
            self._writer.write_table(table.slice(start, end - start), row_group_size=max(end - start, 1))
            start = end
        self.rows += table.num_rows

    @property
    def nbytes(self) -> int:
        """Bytes so far."""
        return self._sink.tell()

    def finish(self) -> memoryview:
        """The whole file."""
        self._writer.close()
        return self._sink.getbuffer()


def _group_ends(table: pa.Table) -> list[int]:
    lengths = np.concatenate([[0], np.cumsum(_lengths(table["xy"]))])
    ends, start = [], 0
    for row in range(1, table.num_rows + 1):
        full = row - start >= ROWS_PER_GROUP
        if row == table.num_rows or full or lengths[row + 1] - lengths[start] > VALUES_PER_GROUP:
            ends.append(row)
            start = row
    return ends


def _lengths(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.concatenate([np.diff(chunk.offsets.to_numpy()) for chunk in column.chunks]).astype(np.int64)
