"""Several caches into one, in bounded memory; also turns many small shards into a few large ones."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from poses.cache_files import (
    ROWS_PER_GROUP,
    VALUES_PER_GROUP,
    ShardBuffer,
    next_shard_name,
    schema_file,
    sync_directory,
    write_whole,
)
from poses.cache_reader import PoseCache
from poses.cache_schema import (
    ARRAY_COLUMNS,
    METADATA_KEY,
    CacheMismatchError,
    CacheRow,
    metadata_differences,
)
from poses.cache_shards import (
    COMMON_METADATA,
    CorruptShardError,
)

ROWS_PER_MERGED_SHARD = 2048
BYTES_PER_MERGED_SHARD = 64 * 2**20  # compressed

_GROUPS_AT_ONCE = 8  # row groups joined before they are cut anew


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        rows: in the new cache.
        repeated: rows that were in several sources and are there once now.
    """

    rows: int
    repeated: int


def merge_caches(
    sources: Sequence[Path | str],
    target: Path | str,
    on_conflict: Literal["error", "first", "last"] = "error",
) -> Merged:
    """Write the rows of all sources, failed ones too, into a new cache, which is there whole or not at all.

    Args:
        sources: caches of equal layout, models and settings; one is enough to compact it.
        target: a directory that does not exist yet, or is empty.
        on_conflict: a clip that is in two sources with different rows is an error, or the row of the first
            or last source that has it is taken. Equal rows are no conflict.

    Raises:
        CacheMismatchError: the sources differ in layout, models or settings; names each value.
        ValueError: a conflict (names clip and sources), no sources, the target exists, a source is no cache
            or damaged, or changed meanwhile.
        OSError: no room; nothing is left at the target.
    """
    if not sources:
        raise ValueError("merging needs at least one cache, got none")
    if on_conflict not in ("error", "first", "last"):
        raise ValueError(f"on_conflict must be error, first or last, got {on_conflict!r}")
    target = Path(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target}: a merged cache needs a new or empty directory, this one is in use")
    caches = [PoseCache(source) for source in sources]
    _expect_equal_metadata(caches)
    dropped = _choose(caches, on_conflict)
    total = sum(len(shard.clip_ids) for cache in caches for shard in cache.shards)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{target.name}.merging-{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        rows = _write(caches, dropped, temporary)
        expected = total - sum(len(clips) for clips in dropped)
        if rows != expected:
            raise CorruptShardError(
                f"a source changed while it was merged: expected {expected} rows, got {rows}"
            )
        if target.exists():
            target.rmdir()
        os.rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_directory(target.parent)
    return Merged(rows, total - rows)


def _expect_equal_metadata(caches: Sequence[PoseCache]) -> None:
    first = caches[0]
    differences = [
        difference
        for other in caches[1:]
        for difference in metadata_differences(
            first.metadata, other.metadata, str(first.directory), str(other.directory)
        )
    ]
    if differences:
        raise CacheMismatchError(
            f"only caches made in the same way can be merged: {'; '.join(differences)}. "
            "Extract one of them again with the settings of the other"
        )


def _choose(caches: Sequence[PoseCache], on_conflict: str) -> list[set[str]]:
    """For each cache the clips that are taken from another one."""
    dropped: list[set[str]] = [set() for _ in caches]
    taken_from: dict[str, int] = {}
    for number, cache in enumerate(caches):
        for shard in cache.shards:
            for clip_id in shard.clip_ids:
                earlier = taken_from.setdefault(clip_id, number)
                if earlier == number:
                    continue
                if on_conflict == "error" and not _equal(caches[earlier].row(clip_id), cache.row(clip_id)):
                    raise ValueError(
                        f"clip {clip_id!r} is in {caches[earlier].directory} and in {cache.directory} "
                        "with different contents; say which to keep (on_conflict: first or last)"
                    )
                if on_conflict == "last":
                    dropped[earlier].add(clip_id)
                    taken_from[clip_id] = number
                else:
                    dropped[number].add(clip_id)
    return dropped


def _equal(one: CacheRow, other: CacheRow) -> bool:
    """Whether two rows store the same; measures follow from the arrays and are left out."""
    scalars = ("source", "status", "error", "frame_hw", "fps_num", "fps_den", "xy_step", "checksum")
    return all(getattr(one, name) == getattr(other, name) for name in scalars) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in (*ARRAY_COLUMNS, "z")
    )


def _write(caches: Sequence[PoseCache], dropped: Sequence[set[str]], directory: Path) -> int:
    """Stream the rows into large shards; returns how many there were."""
    text = caches[0].metadata.to_json(caches[0].layout.joints)
    schema = caches[0].metadata.schema.with_metadata({METADATA_KEY: text})
    write_whole(directory, COMMON_METADATA, schema_file(schema))
    buffer, rows = ShardBuffer(schema), 0
    for table in _batches(caches, dropped):
        buffer.add(table.cast(schema))
        rows += table.num_rows
        if buffer.rows >= ROWS_PER_MERGED_SHARD or buffer.nbytes >= BYTES_PER_MERGED_SHARD:
            write_whole(directory, next_shard_name(directory), buffer.finish())
            buffer = ShardBuffer(schema)
    if buffer.rows:
        write_whole(directory, next_shard_name(directory), buffer.finish())
    return rows


def _batches(caches: Sequence[PoseCache], dropped: Sequence[set[str]]) -> Iterator[pa.Table]:
    """The rows that are kept, a few row groups at a time."""
    waiting: list[pa.Table] = []
    for cache, unwanted in zip(caches, dropped, strict=True):
        for _, table in cache.groups(cache.metadata.schema.names):
            if unwanted:
                mask = [clip_id not in unwanted for clip_id in table["clip_id"].to_pylist()]
                table = table.filter(pa.array(mask, pa.bool_()))
            waiting.append(table.replace_schema_metadata(None))
            rows = sum(table.num_rows for table in waiting)
            values = sum(table["xy"].nbytes for table in waiting) // 4
            if rows >= _GROUPS_AT_ONCE * ROWS_PER_GROUP or values >= VALUES_PER_GROUP:
                yield pa.concat_tables(waiting).combine_chunks()
                waiting = []
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()
