"""Reading a cache: any clip by its id, whole columns as Arrow, all clips in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from poses.cache_schema import (
    METADATA_KEY,
    CacheMetadata,
    CacheRow,
    NotACacheError,
    SourceStamp,
    Status,
    stored_joints,
)
from poses.cache_shards import (
    CorruptShardError,
    ShardIndex,
    cache_json,
    index_shard,
    list_shards,
    open_shard,
    read_group,
    rows_of,
)
from poses.clip import PoseClip
from poses.encoding import decode_row
from poses.layout import get_layout

if TYPE_CHECKING:
    from poses.cache_view import PoseView

__all__ = ["CorruptShardError", "NotACacheError", "PoseCache"]

_GROUPS_KEPT = 2  # decoded row groups in memory, so that neighbours in writing order are cheap
_LARGE_GROUP = 32 << 20  # bytes: a long clip


class PoseCache:
    """A cache directory as it is now; shards that are written later are seen by opening it again.

    Opening reads footers, ids and states only. `clip_ids`, `len`, `in` and `clips` speak of the clips that
    can be read (status `ok` and `no_person`); `failed` and `stamps` know the others.

    Attributes:
        directory: where it lies.
        metadata: layout, models and settings of all clips.
        layout: the joint set of all clips.
        clip_ids: of the readable clips, in writing order.
        shards: the files, in writing order.

    Raises:
        NotACacheError: the directory is absent or holds no pose cache.
        CorruptShardError: a shard cannot be opened; names the file (`check_cache` reads around it).
        CacheMismatchError: a shard belongs to another cache.
        ValueError: a clip is there twice, or the layout is unknown or another one than the name says.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        stored = cache_json(self.directory)
        self.metadata = CacheMetadata.from_json(stored, str(self.directory))
        self.layout = get_layout(self.metadata.layout)
        self._json = stored
        if stored_joints(stored) not in ((), self.layout.joints):
            raise ValueError(
                f"{self.directory}: {self.layout.name} has the joints {stored_joints(stored)} in this cache, "
                f"expected {self.layout.joints}; read it with the version of Fidget that wrote it"
            )
        self.shards = [index_shard(path, stored, self.metadata) for path in list_shards(self.directory)]
        self._starts = np.concatenate([[0], np.cumsum([len(shard.clip_ids) for shard in self.shards])])
        self._row_of: dict[str, int] = {}
        for shard in self.shards:
            for clip_id in shard.clip_ids:
                if clip_id in self._row_of:
                    raise ValueError(
                        f"{self.directory}: clip {clip_id!r} is there twice, again in {shard.path.name}; "
                        "run a check of the cache"
                    )
                self._row_of[clip_id] = len(self._row_of)
        statuses = [status for shard in self.shards for status in shard.statuses]
        self.clip_ids = [clip_id for clip_id, row in self._row_of.items() if statuses[row] != "failed"]
        self._failed = {clip_id for clip_id, row in self._row_of.items() if statuses[row] == "failed"}
        self._groups: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self.clip_ids)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._row_of and clip_id not in self._failed

    def read(self, clip_id: str) -> PoseClip:
        """One clip, wherever it lies; decodes its row group (64 clips of usual length), keeps the last two.

        Raises:
            KeyError: there is no such clip; names a near one.
            ValueError: it failed at extraction, or its row is damaged; names it.
        """
        return decode_row(self.row(clip_id), self.layout)

    def row(self, clip_id: str) -> CacheRow:
        """One row as it is stored, of failed clips too.

        Raises:
            KeyError: there is no such clip; names a near one.
            CorruptShardError: its row group does not decode.
        """
        if clip_id not in self._row_of:
            raise KeyError(self._unknown(clip_id))
        number = self._row_of[clip_id]
        shard_number = int(np.searchsorted(self._starts, number, side="right")) - 1
        shard = self.shards[shard_number]
        group, index = shard.locate(number - int(self._starts[shard_number]))
        table = self._group(shard_number, group)
        row = next(rows_of(shard.path, table.slice(index, 1))) if index < table.num_rows else None
        if row is None or row.clip_id != clip_id:
            raise CorruptShardError(f"{shard.path} changed while it was read; open the cache again")
        return row

    def _unknown(self, clip_id: str) -> str:
        import difflib

        near = difflib.get_close_matches(clip_id, self.clip_ids[:5000], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; it holds {len(self)} clips"
        return f"{self.directory}: no clip {clip_id!r} in this cache{hint}"

    def _group(self, shard_number: int, group: int) -> pa.Table:
        key = (shard_number, group)
        with self._guard:
            if key in self._groups:
                self._groups.move_to_end(key)
                return self._groups[key]
        path = self.shards[shard_number].path
        with open_shard(path) as shard:
            if group >= shard.num_row_groups:
                raise CorruptShardError(f"{path} changed while it was read; open the cache again")
            table = read_group(path, shard, group, self.metadata.schema.names)
        if table.nbytes > _LARGE_GROUP:
            pa.default_memory_pool().release_unused()  # decoding took several times of it, and kept them
        with self._guard:
            self._groups[key] = table
            while len(self._groups) > _GROUPS_KEPT:
                self._groups.popitem(last=False)
        return table

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Columns (all where None) of all rows, failed ones too, as Arrow; numpy sees them without a copy.

        Still encoded: `docs/cache-format.md` says how. The whole of them lies in memory.

        Raises:
            ValueError: a column does not exist.
        """
        known = self.metadata.schema
        names = known.names if columns is None else list(columns)
        unknown = [name for name in names if name not in known.names]
        if unknown:
            raise ValueError(
                f"no column {', '.join(unknown)} in a pose cache; there are {', '.join(known.names)}"
            )
        tables = [table for _, table in self.groups(names)]
        schema = pa.schema([known.field(name) for name in names], metadata={METADATA_KEY: self._json})
        return pa.concat_tables(tables).cast(schema) if tables else schema.empty_table()

    def groups(self, columns: Sequence[str]) -> Iterator[tuple[ShardIndex, pa.Table]]:
        """Columns row group by row group, and the shard they lie in; memory holds one at a time."""
        for index in self.shards:
            with open_shard(index.path) as shard:
                for group in range(shard.num_row_groups):
                    yield index, read_group(index.path, shard, group, columns)

    def stamps(self) -> dict[str, tuple[SourceStamp, Status]]:
        """Source and status of every row, failed ones too: what a job needs to know what is left to do."""
        names = ("clip_id", "source_path", "source_bytes", "source_mtime_ns", "status")
        columns = [column.to_pylist() for column in self.table(names).columns]
        return {
            clip_id: (SourceStamp(path, size, mtime), status)
            for clip_id, path, size, mtime, status in zip(*columns, strict=True)
        }

    def failed(self) -> dict[str, str]:
        """Clips that failed at extraction, and why."""
        if not self._failed:
            return {}
        table = self.table(("clip_id", "error"))
        rows = zip(table["clip_id"].to_pylist(), table["error"].to_pylist(), strict=True)
        return {clip_id: error or "" for clip_id, error in rows if clip_id in self._failed}

    def clips(self) -> Iterator[PoseClip]:
        """Every readable clip in writing order; memory holds one row group at a time."""
        for index, table in self.groups(self.metadata.schema.names):
            for row in rows_of(index.path, table):
                if row.status != "failed":
                    yield decode_row(row, self.layout)

    def view(self) -> PoseView:
        """A memory-mapped view for training readers, built on first use."""
        from poses.cache_view import PoseView

        return PoseView(self)

    def __getstate__(self) -> dict[str, object]:
        return {"directory": self.directory}

    def __setstate__(self, state: dict[str, Path]) -> None:
        self.__init__(state["directory"])  # type: ignore[misc]
