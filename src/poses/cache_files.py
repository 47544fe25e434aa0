"""Writing the files of a cache: each is there whole or not at all."""

from __future__ import annotations

import io
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from poses.cache_shards import list_shards

ROWS_PER_GROUP = 64
VALUES_PER_GROUP = 4_000_000  # of xy: what one random access decodes at most, unless one clip alone is longer
_TEMPORARY = ".writing-"
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
_Z_ENCODINGS = {"z.list.element": "BYTE_STREAM_SPLIT", "z_checksum": "PLAIN"}
_DICTIONARIES = ["status", "error", "width", "height", "fps_num", "fps_den", "frames", "persons", "xy_step"]


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


def schema_file(schema: pa.Schema) -> bytes:
    """The content of `_common_metadata`: a Parquet file of no rows with the columns and the metadata."""
    sink = pa.BufferOutputStream()
    pq.write_metadata(schema, sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


class ShardBuffer:
    """A Parquet file in memory: tables in, bytes out. Row groups stay small enough for random access.

    Args:
        schema: of the tables.
        rows_per_group: clips that one random access decodes at most.
        compression_level: of zstd, 1 to 22.
    """

    def __init__(
        self, schema: pa.Schema, rows_per_group: int = ROWS_PER_GROUP, compression_level: int = 3
    ) -> None:
        self._rows_per_group = rows_per_group
        self._sink = io.BytesIO()
        self._writer = pq.ParquetWriter(
            self._sink,
            schema,
            compression="zstd",
            compression_level=compression_level,
            use_dictionary=_DICTIONARIES,
            column_encoding=_ENCODINGS | _Z_ENCODINGS if "z" in schema.names else _ENCODINGS,
            write_page_checksum=True,
            write_statistics=["clip_id", "status", "frames", "persons"],
        )
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """Append a table, cut into row groups."""
        start = 0
        for end in _group_ends(table, self._rows_per_group):
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


def _group_ends(table: pa.Table, rows_per_group: int) -> list[int]:
    lengths = np.concatenate([[0], np.cumsum(_lengths(table["xy"]))])
    ends, start = [], 0
    for row in range(1, table.num_rows + 1):
        full = row - start >= rows_per_group
        if row == table.num_rows or full or lengths[row + 1] - lengths[start] > VALUES_PER_GROUP:
            ends.append(row)
            start = row
    return ends


def _lengths(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.concatenate([np.diff(chunk.offsets.to_numpy()) for chunk in column.chunks]).astype(np.int64)
