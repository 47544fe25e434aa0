"""Writing a cache: rows are gathered into shards, and a shard is there whole or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc

from poses.cache_files import (
    ROWS_PER_GROUP,
    ShardBuffer,
    next_shard_name,
    remove_leftovers,
    schema_file,
    sync_directory,
    write_whole,
)
from poses.cache_lock import CacheLockedError, DirectoryLock
from poses.cache_schema import (
    METADATA_KEY,
    CacheMetadata,
    CacheMismatchError,
    CacheRow,
    NotACacheError,
    metadata_differences,
    rows_to_table,
    stored_joints,
)
from poses.cache_shards import (
    COMMON_METADATA,
    cache_json,
    index_shard,
    list_shards,
    open_shard,
    read_group,
)
from poses.layout import get_layout

__all__ = ["CacheLockedError", "CacheMismatchError", "CacheWriter"]

BYTES_PER_SHARD = 16 * 2**20  # of rows in memory: long clips make shards of few rows


class CacheWriter:
    """The only writer of a cache directory, which it creates where it is absent; a context manager.

    Rows wait in memory until `rows_per_shard` of them are there, or `seconds_per_shard` have passed since
    the first (looked at when a row is added), or on `flush` and `close`. A killed process loses these and
    nothing else.

    Args:
        directory: of the cache.
        metadata: layout, models and settings of every row.
        rows_per_shard: rows of one file.
        seconds_per_shard: how much work a crash may cost.
        rows_per_group: clips that one random access decodes at most; more of them take less room.
        compression_level: of zstd, 1 to 22.

    Raises:
        CacheMismatchError: the directory holds a cache of another layout, other models or settings.
        CacheLockedError: somebody else is writing to it.
        NotACacheError: it holds something else than a pose cache.
        ValueError: the layout is unknown.
        OSError: the place is read-only or full.
    """

    def __init__(
        self,
        directory: Path | str,
        metadata: CacheMetadata,
        rows_per_shard: int = 64,
        seconds_per_shard: float = 30.0,
        rows_per_group: int = ROWS_PER_GROUP,
        compression_level: int = 3,
    ) -> None:
        if rows_per_shard < 1:
            raise ValueError(f"rows_per_shard must be at least 1, got {rows_per_shard}")
        self.directory = Path(directory)
        self.metadata = metadata
        self._rows_per_shard = rows_per_shard
        self._seconds_per_shard = seconds_per_shard
        self._packing = (rows_per_group, compression_level)
        self._rows: list[CacheRow] = []
        self._waiting_since = 0.0
        self._waiting_bytes = 0
        self._closed = False
        layout = get_layout(metadata.layout)
        make_directory(self.directory)
        self._lock = DirectoryLock(self.directory)
        try:
            remove_leftovers(self.directory)
            self._schema = metadata.schema.with_metadata({METADATA_KEY: self._agree(layout.joints)})
            self._shard_of = self._index()
        except BaseException:
            self._lock.release()
            raise

    def _agree(self, joints: tuple[str, ...]) -> bytes:
        """The metadata JSON of the directory, written now where it is new."""
        text = self.metadata.to_json(joints)
        if not list_shards(self.directory):  # nothing is held yet: a job that never began binds nobody
            write_whole(
                self.directory,
                COMMON_METADATA,
                schema_file(self.metadata.schema.with_metadata({METADATA_KEY: text})),
            )
            return text
        stored = cache_json(self.directory)
        before = CacheMetadata.from_json(stored, str(self.directory))
        differences = metadata_differences(before, self.metadata, "the cache", "this job")
        if before.layout == self.metadata.layout and stored_joints(stored) not in ((), joints):
            differences.append(
                f"joints of {before.layout} are {stored_joints(stored)} in the cache, {joints} here"
            )
        if differences:
            raise CacheMismatchError(
                f"{self.directory} holds poses made in another way: {'; '.join(differences)}. "
                "Write to another directory, or repeat the old settings"
            )
        return stored

    def _index(self) -> dict[str, Path | None]:
        """Where each clip lies; None is the buffer."""
        shard_of: dict[str, Path | None] = {}
        stored = self._schema.metadata[METADATA_KEY]
        for path in list_shards(self.directory):
            for clip_id in index_shard(path, stored, self.metadata).clip_ids:
                if clip_id in shard_of:
                    raise ValueError(
                        f"{self.directory}: clip {clip_id!r} is in {shard_of[clip_id]} and again in {path}; "
                        "delete one of the files"
                    )
                shard_of[clip_id] = path
        return shard_of

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._shard_of

    def add(self, row: CacheRow) -> None:
        """Take a row; now and then this writes a shard.

        Raises:
            ValueError: the clip is in the cache already, or the writer is closed.
            OSError: a shard could not be written. The row is kept all the same: make room and `flush`.
        """
        self._expect_open()
        if row.clip_id in self._shard_of:
            raise ValueError(
                f"{self.directory}: clip {row.clip_id!r} is in this cache already; remove it first"
            )
        rows_to_table([row], self._schema)  # a row that cannot be stored must not spoil its neighbours
        if not self._rows:
            self._waiting_since = time.monotonic()
        self._shard_of[row.clip_id] = None
        self._rows.append(row)
        self._waiting_bytes += row.nbytes
        waited = time.monotonic() - self._waiting_since
        if (
            len(self._rows) >= self._rows_per_shard
            or waited >= self._seconds_per_shard
            or self._waiting_bytes >= BYTES_PER_SHARD
        ):
            self.flush()

    def flush(self) -> None:
        """Write the waiting rows as one shard that survives a crash of the machine from here on.

        Raises:
            OSError: the disk is full or gone; nothing half-written stays and the rows keep waiting.
        """
        self._expect_open()
        if not self._rows:
            return
        buffer = ShardBuffer(self._schema, *self._packing)
        buffer.add(rows_to_table(self._rows, self._schema))
        path = write_whole(self.directory, next_shard_name(self.directory), buffer.finish())
        for row in self._rows:
            self._shard_of[row.clip_id] = path
        self._rows, self._waiting_bytes = [], 0

    def remove(self, clip_ids: Iterable[str]) -> int:
        """Take clips out and return how many there were; ids that are not there are passed over.

        Their shards are replaced by ones without them before anything else happens, so that a crash can
        make a clip missing but never double.

        Raises:
            OSError: a shard could not be replaced; it then still holds all its rows.
        """
        self._expect_open()
        by_shard: dict[Path | None, set[str]] = {}
        for clip_id in clip_ids:
            if clip_id in self._shard_of:
                by_shard.setdefault(self._shard_of[clip_id], set()).add(clip_id)
        for path, stale in by_shard.items():
            if path is None:
                self._rows = [row for row in self._rows if row.clip_id not in stale]
                self._waiting_bytes = sum(row.nbytes for row in self._rows)
            else:
                self._rewrite(path, stale)
            for clip_id in stale:
                del self._shard_of[clip_id]
        return sum(len(stale) for stale in by_shard.values())

    def _rewrite(self, path: Path, stale: set[str]) -> None:
        buffer = ShardBuffer(self._schema, *self._packing)
        with open_shard(path) as shard:
            for group in range(shard.num_row_groups):
                table = read_group(path, shard, group, self._schema.names)
                kept = table.filter(
                    pc.invert(pc.is_in(table["clip_id"], pa.array(sorted(stale), pa.string())))
                )
                if kept.num_rows:
                    buffer.add(kept.replace_schema_metadata(self._schema.metadata))
        content = buffer.finish()
        if buffer.rows:
            write_whole(self.directory, path.name, content)
        else:
            path.unlink()
            sync_directory(self.directory)

    def close(self) -> None:
        """Flush, and let the next writer in; doing so twice is harmless.

        Raises:
            OSError: the last rows could not be written; they are lost.
        """
        if self._closed:
            return
        try:
            self.flush()
        finally:
            self._closed = True
            self._lock.release()

    def _expect_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self.directory}: this writer is closed; open another CacheWriter")

    def __enter__(self) -> CacheWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def make_directory(directory: Path) -> None:
    """Create a cache directory, unless something else is in its place."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"{directory}: expected a directory for the cache, a file is in the way") from error
    if (directory / COMMON_METADATA).exists() or list_shards(directory):
        return
    for entry in sorted(directory.iterdir()):
        if not entry.name.startswith(("_", ".")):
            raise NotACacheError(
                f"{directory}: expected a pose cache, a new or an empty directory, it holds {entry.name!r}; "
                "name another directory"
            )
