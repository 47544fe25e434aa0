"""A memory-mapped view of a cache for training readers: any clip as float32 in microseconds.

Built beside the Parquet on first use (`_view`, which dataset readers pass over), again whenever the shards
changed, and in a private temporary folder where the cache is read-only. Nothing depends on it: delete it
at will.

A view is a folder with `index.npy` (one record a clip) and `data.bin`. There, clip by clip and padded to
8 bytes: the coordinates (M, T, V, 2), or (M, T, V, 3) with z, as steps from an origin, int16 where they span
less than 2**16 of them, else int32; then the scores (M, T, V), uint8.
"""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from poses.cache_lock import DirectoryLock
from poses.cache_shards import ShardIndex, rows_of
from poses.encoding import check_row, running_sum

if TYPE_CHECKING:
    from poses.cache_reader import PoseCache
    from poses.cache_schema import CacheRow

VIEW_FOLDER = "_view"
_VERSION = b"view 1"
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)
_ALIGNMENT = 8
_RECORD = np.dtype(
    [
        ("offset", "<i8"),
        ("persons", "<i4"),
        ("frames", "<i4"),
        ("origin", "<i4"),
        ("wide", "u1"),
        ("gaps", "u1"),
        ("step", "<f4"),
    ]
)


class PoseView:
    """Clips of a cache as float32 arrays; cheap to open once built, cheap to send to another process.

    Args:
        cache: an open cache; the view is that of its readable clips.

    Raises:
        ValueError: a row is damaged; names the clip.
        OSError: there is no room for the view.
    """

    def __init__(self, cache: PoseCache) -> None:
        self._joints = len(cache.layout.joints)
        self._axes = len(cache.metadata.axes)
        self._directory = cache.directory
        self.folder = _ready_folder(cache)
        self._number = {clip_id: number for number, clip_id in enumerate(cache.clip_ids)}
        self._map()

    def _map(self) -> None:
        try:
            records = np.load(self.folder / "index.npy", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(f"{self.folder}: the view cannot be read ({error}); delete it") from error
        if records.dtype != _RECORD or len(records) != len(self._number):
            raise ValueError(f"{self.folder}: the view does not belong to {self._directory}; delete it")
        size = (self.folder / "data.bin").stat().st_size
        joints = records["persons"].astype(np.int64) * records["frames"] * self._joints
        ends = records["offset"] + joints * np.where(
            records["wide"] == 1, 4 * self._axes + 1, 2 * self._axes + 1
        )
        if len(records) and (records["offset"].min() < 0 or joints.min() < 0 or ends.max() > size):
            raise ValueError(f"{self.folder}: the view is damaged; delete it")
        self._records = records
        with open(self.folder / "data.bin", "rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""

    def __len__(self) -> int:
        return len(self._number)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._number

    @property
    def clip_ids(self) -> list[str]:
        """The readable clips, in the cache's order."""
        return list(self._number)

    def read(self, clip_id: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coordinates (M, T, V, 2), NaN where a joint is missing, and scores (M, T, V) of one clip.

        The same numbers as `PoseCache.read` gives, x and y only; the arrays are the caller's own.

        Raises:
            KeyError: there is no such clip, or it failed at extraction.
        """
        coordinates, score = self.read_xyz(clip_id)
        return (coordinates if self._axes == 2 else coordinates[..., :2].copy()), score

    def read_xyz(
        self, clip_id: str, joints: NDArray[np.intp] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """All coordinates the cache has, (M, T, V, 3) or (M, T, V, 2), and scores (M, T, V) of one clip.

        NaN where a joint is missing; the arrays are the caller's own.

        Args:
            clip_id: of the clip.
            joints: (V,) places of those wanted; None for all. Only these take memory.

        Raises:
            KeyError: there is no such clip, or it failed at extraction.
        """
        offset, m, t, origin, wide, gaps, step = self._records[self._number[clip_id]].item()
        values = m * t * self._joints
        wanted = self._joints if joints is None else len(joints)
        if not values:
            return np.empty((m, t, wanted, self._axes), np.float32), np.empty((m, t, wanted), np.float32)
        units = np.frombuffer(self._data, np.int32 if wide else np.int16, self._axes * values, offset)
        scores = np.frombuffer(self._data, np.uint8, values, offset + units.nbytes)
        units, scores = units.reshape(m, t, self._joints, self._axes), scores.reshape(m, t, self._joints)
        if joints is not None:
            units, scores = units[:, :, joints], scores[:, :, joints]
        coordinates = (
            units.astype(np.float32) if not origin else (units.astype(np.int32) + origin).astype(np.float32)
        )
        coordinates *= np.float32(step)
        score = scores.astype(np.float32)
        score /= np.float32(255)
        if gaps:
            coordinates[score == 0] = np.nan
        return coordinates, score

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_data", "_records")}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._map()


def _fingerprint(shards: Sequence[ShardIndex]) -> str:
    """Changes whenever a shard is added, replaced or removed."""
    digest = hashlib.sha256(_VERSION)
    for shard in shards:
        stamp = f"{shard.path.name}\0{shard.size}\0{shard.mtime_ns}\0"
        digest.update(stamp.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:24]


def _ready_folder(cache: PoseCache) -> Path:
    """The view of the shards as the cache found them, built where it is missing."""
    name = _fingerprint(cache.shards)
    beside = cache.directory / VIEW_FOLDER
    if (beside / name).is_dir():
        return beside / name
    try:
        beside.mkdir(exist_ok=True)
        lock = DirectoryLock(beside, wait=True)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        beside = _private_folder(cache.directory)
        lock = DirectoryLock(beside, wait=True)
    try:
        if not (beside / name).is_dir():  # another process may have built it while this one waited
            _build(cache, beside, name)
    finally:
        lock.release()
    return beside / name


def _private_folder(directory: Path) -> Path:
    """A folder for the view of a read-only cache, below the system's temporary one, ours alone."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    base = Path(tempfile.gettempdir()) / f"fidget-views-{user}"
    base.mkdir(mode=0o700, exist_ok=True)
    stat = base.lstat()
    if base.is_symlink() or (hasattr(os, "getuid") and (stat.st_uid != user or stat.st_mode & 0o022)):
        raise PermissionError(errno.EACCES, "expected a folder that only this user can write to", str(base))
    name = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:24]
    (base / name).mkdir(mode=0o700, exist_ok=True)
    return base / name


def _build(cache: PoseCache, beside: Path, name: str) -> None:
    """Write a view under a temporary name and move it into place; older ones go."""
    for old in list(os.scandir(beside)):
        if old.is_dir(follow_symlinks=False):
            shutil.rmtree(old.path, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=".building-", dir=beside))
    try:
        with open(temporary / "data.bin", "wb", buffering=2**20) as file:
            records = np.array(list(_write_clips(cache, file)), _RECORD)
        with open(temporary / "index.npy", "wb") as file:
            np.save(file, records)
        _expect_unchanged(cache.shards)
        os.rename(temporary, beside / name)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _expect_unchanged(shards: Sequence[ShardIndex]) -> None:
    for shard in shards:
        stat = shard.path.stat() if shard.path.exists() else None
        if stat is None or (stat.st_size, stat.st_mtime_ns) != (shard.size, shard.mtime_ns):
            raise ValueError(f"{shard.path} changed while a view was built from it; open the cache again")


def _write_clips(cache: PoseCache, file: BinaryIO) -> Iterator[tuple[int | bool | float, ...]]:
    """Write every readable clip and yield its record."""
    offset = 0
    for index, table in cache.groups(cache.metadata.schema.names):
        for row in rows_of(index.path, table):
            if row.status == "failed":
                continue
            check_row(row, cache.layout)
            gaps = bool(row.score.size) and int(row.score.min()) == 0
            units, origin = _narrowed(row, len(cache.layout.joints), gaps)
            content = units.tobytes() + row.score.tobytes()
            content += bytes(-len(content) % _ALIGNMENT)
            file.write(content)
            wide = units.dtype == np.int32
            yield (offset, row.persons, row.frames, origin, wide, gaps, row.xy_step)
            offset += len(content)


def _narrowed(row: CacheRow, joints: int, gaps: bool) -> tuple[NDArray[np.int16] | NDArray[np.int32], int]:
    """Coordinates as steps from an origin, in the narrowest type that holds them."""
    units = running_sum(row.xy.reshape(row.persons * row.frames, 2 * joints), row.frames)
    units = units.reshape(-1, 2)  # (M * T * V, 2)
    if row.z is not None:
        depth = running_sum(row.z.reshape(row.persons * row.frames, joints), row.frames)
        units = np.concatenate([units, depth.reshape(-1, 1)], axis=1)  # (M * T * V, 3)
    if gaps:  # what stands at a missing joint is never read; it shall not widen the range
        found = row.score > 0
        units[~found] = units[found][0] if found.any() else 0
    low, high = (int(units.min()), int(units.max())) if units.size else (0, 0)
    if low >= -(2**15) and high < 2**15:
        return units.astype(np.int16), 0
    if high - low < 2**16:
        origin = low + 2**15
        return (units - np.int32(origin)).astype(np.int16), origin
    return units, 0
