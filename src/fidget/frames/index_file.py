"""What is known of many videos, in one file beside the user's output: a second run reads no video for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fidget.frames.video_entry import VideoEntry
from fidget.frames.video_index import index_video
from pose_extract.upright import Orientation
from poses.whole_file import replacing

Progress = Callable[[int, int], None]  # videos done, videos to do

_VERSION = b"1"
_SAVED_EVERY_S = 60.0
_TIMES = pa.list_(pa.int64())
_SCHEMA = pa.schema(
    [
        pa.field("path", pa.binary()),  # absolute, as the file system has it
        pa.field("bytes", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("checksum", pa.string()),
        pa.field("problem", pa.string()),
        pa.field("plan", pa.string()),
        pa.field("stored_height", pa.int32()),
        pa.field("stored_width", pa.int32()),
        pa.field("transpose", pa.bool_()),
        pa.field("flip_rows", pa.bool_()),
        pa.field("flip_columns", pa.bool_()),
        pa.field("time_us", _TIMES),
        pa.field("packet_pts", _TIMES),
        pa.field("key_packets", _TIMES),
    ],
    metadata={b"fidget.video_index": _VERSION},
)


def index_videos(
    paths: Sequence[Path],
    file: Path,
    known_time_us: Callable[[Path], NDArray[np.int64] | None] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[Path, VideoEntry]:
    """Entries of videos: from the file where size and time of change are still the same, the rest read anew.

    The file is written whole every minute and at the end, also when the work is interrupted. Videos that
    cannot be read have entries with an error; they are not kept, so that each run tries them again.

    Args:
        paths: of the videos.
        file: where entries are kept; a file that cannot be read, or of another version, is replaced.
        known_time_us: what a pose cache knows of a video, see `index_video`.
        workers: threads that read, each with one decoding thread; by default one for each core.
        progress: called after each video that is read, in this thread.

    Raises:
        OSError: the file cannot be written.
    """
    kept = _load(file)
    entries: dict[Path, VideoEntry] = {}
    for path in paths:
        entry = kept.get(os.fsencode(os.path.abspath(path)))
        if entry is not None and _same(path, entry):
            entries[path] = entry
    todo = [path for path in paths if path not in entries]
    if todo:
        _read_all(todo, entries, kept, file, known_time_us, workers or _cores(), progress)
    return {path: entries[path] for path in paths}


def _read_all(
    todo: Sequence[Path],
    entries: dict[Path, VideoEntry],
    kept: dict[bytes, VideoEntry],
    file: Path,
    known_time_us: Callable[[Path], NDArray[np.int64] | None] | None,
    workers: int,
    progress: Progress | None,
) -> None:
    """Read videos side by side; `entries` and `kept` get what is found."""

    def read(path: Path) -> VideoEntry:
        return index_video(path, known_time_us(path) if known_time_us else None)

    saved_s, unsaved = time.monotonic(), 0
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fidget-index")
    try:
        futures = {pool.submit(read, path): path for path in todo}
        for done, future in enumerate(as_completed(futures), start=1):
            path, entry = futures[future], future.result()
            entries[path] = entry
            if not entry.error:
                kept[os.fsencode(os.path.abspath(path))] = entry
                unsaved += 1
            if progress is not None:
                progress(done, len(todo))
            if unsaved and time.monotonic() - saved_s > _SAVED_EVERY_S:
                _save(file, kept)
                saved_s, unsaved = time.monotonic(), 0
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if unsaved:
            _save(file, kept)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _same(path: Path, entry: VideoEntry) -> bool:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return False
    return (status.st_size, status.st_mtime_ns) == (entry.bytes, entry.mtime_ns)


def _save(file: Path, kept: Mapping[bytes, VideoEntry]) -> None:
    rows = list(kept.items())
    plain: dict[str, list[Any]] = {
        "path": [path for path, _ in rows],
        "stored_height": [entry.stored_hw[0] for _, entry in rows],
        "stored_width": [entry.stored_hw[1] for _, entry in rows],
    }
    for name in ("transpose", "flip_rows", "flip_columns"):
        plain[name] = [getattr(entry.orientation, name) for _, entry in rows]
    for column in _SCHEMA:
        if column.name not in plain:
            plain[column.name] = [getattr(entry, column.name) for _, entry in rows]
    table = pa.table({column.name: plain[column.name] for column in _SCHEMA}, schema=_SCHEMA)
    encodings = {
        f"{name}.list.element": "DELTA_BINARY_PACKED" for name in ("time_us", "packet_pts", "key_packets")
    }
    with replacing(file) as part:
        pq.write_table(
            table, part, compression="zstd", use_dictionary=["problem", "plan"], column_encoding=encodings
        )


def _load(file: Path) -> dict[bytes, VideoEntry]:
    try:
        table = pq.read_table(file, memory_map=False)
    except (OSError, pa.ArrowException):
        return {}
    if (table.schema.metadata or {}).get(b"fidget.video_index") != _VERSION:
        return {}
    lists = {name: _arrays(table[name]) for name in ("time_us", "packet_pts", "key_packets")}
    plain = [column for column in table.column_names if column not in lists]
    entries: dict[bytes, VideoEntry] = {}
    for number, row in enumerate(table.select(plain).to_pylist()):
        turn = Orientation(row["transpose"], row["flip_rows"], row["flip_columns"])
        entries[row["path"]] = VideoEntry(
            path=Path(os.fsdecode(row["path"])),
            bytes=row["bytes"],
            mtime_ns=row["mtime_ns"],
            checksum=row["checksum"],
            problem=row["problem"],
            plan=row["plan"],
            stored_hw=(row["stored_height"], row["stored_width"]),
            orientation=turn,
            time_us=lists["time_us"][number],
            packet_pts=lists["packet_pts"][number],
            key_packets=lists["key_packets"][number],
        )
    return entries


def _arrays(column: pa.ChunkedArray) -> list[NDArray[np.int64]]:
    """Lists of a column as arrays, without a Python number in between."""
    arrays: list[NDArray[np.int64]] = []
    for chunk in column.chunks:
        offsets, values = chunk.offsets.to_numpy(), chunk.values.to_numpy()
        arrays += [values[a:b] for a, b in pairwise(offsets)]
    return arrays
