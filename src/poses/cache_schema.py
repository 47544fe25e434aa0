"""What a pose cache stores: the columns, the metadata and the records that travel to and from them.

`docs/cache-format.md` specifies the same for readers and writers that do not use this code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from poses.quality import ClipQuality

FORMAT_VERSION = 1
METADATA_KEY = b"fidget"
VALUES_LIMIT = 2**29  # numbers in one list, and in one column of a row group
DEFAULT_XY_STEP = 1 / 16  # px: an error of at most 1/32 px

Status = Literal["ok", "no_person", "failed"]
STATUSES: tuple[Status, ...] = ("ok", "no_person", "failed")

_QUALITY = pa.struct(
    [(name, pa.float32()) for name in ("person_share", "mean_score", "jitter_px", "motion_px")]
)

SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("source_path", pa.string(), nullable=False),
        pa.field("source_bytes", pa.int64(), nullable=False),
        pa.field("source_mtime_ns", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("error", pa.string()),
        pa.field("width", pa.int32(), nullable=False),
        pa.field("height", pa.int32(), nullable=False),
        pa.field("fps_num", pa.int64(), nullable=False),
        pa.field("fps_den", pa.int64(), nullable=False),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("persons", pa.int32(), nullable=False),
        pa.field("time_us", pa.list_(pa.int64()), nullable=False),
        pa.field("track_ids", pa.list_(pa.int64()), nullable=False),
        pa.field("xy_step", pa.float64(), nullable=False),
        pa.field("xy", pa.list_(pa.int32()), nullable=False),
        pa.field("score", pa.list_(pa.uint8()), nullable=False),
        pa.field("box", pa.list_(pa.int32()), nullable=False),
        pa.field("quality", _QUALITY),
        pa.field("checksum", pa.uint32(), nullable=False),
    ]
)

ARRAY_COLUMNS = ("time_us", "track_ids", "xy", "score", "box")
Axes = Literal["xy", "xyz"]

XYZ_SCHEMA = SCHEMA.append(pa.field("z", pa.list_(pa.int32()), nullable=False)).append(
    pa.field("z_checksum", pa.uint32(), nullable=False)
)


class NotACacheError(ValueError):
    """A directory that should be a pose cache is none."""


class CacheMismatchError(ValueError):
    """Two caches, or a cache and a job, differ in layout, models or settings; names each value."""


@dataclass(frozen=True)
class SourceStamp:
    """Which file a clip came from, and how that file looked then.

    Attributes:
        path: as the user named it.
        bytes: its size.
        mtime_ns: its time of last change, nanoseconds since 1970.
    """

    path: str
    bytes: int
    mtime_ns: int


@dataclass(frozen=True)
class CacheMetadata:
    """What every clip of one cache has in common; a cache holds one combination of these.

    Attributes:
        layout: name of the joint layout.
        models: weight name -> SHA-256 of the file.
        settings: everything else that decides what is written for a clip.
        format_version: version of the cache format.
        axes: `xyz` where every joint has a third coordinate.
    """

    layout: str
    models: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    axes: Axes = "xy"

    @property
    def schema(self) -> pa.Schema:
        """The columns of a cache with these axes, without metadata."""
        return XYZ_SCHEMA if self.axes == "xyz" else SCHEMA

    def to_json(self, joints: Sequence[str] = ()) -> bytes:
        """The value stored under `fidget`; joint names are added for readers that do not know the layout."""
        stored: dict[str, object] = {
            "format_version": self.format_version,
            "layout": self.layout,
            "joints": list(joints),
            "models": dict(self.models),
            "settings": dict(self.settings),
        }
        if self.axes != "xy":
            stored["axes"] = self.axes
        return json.dumps(stored, ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def from_json(cls, text: bytes, where: str) -> CacheMetadata:
        """Read what `to_json` wrote.

        Raises:
            NotACacheError: it is not such a JSON, or of a newer format; the message begins with `where`.
        """
        try:
            stored = json.loads(text)
            metadata = cls(
                stored["layout"],
                stored["models"],
                stored["settings"],
                stored["format_version"],
                stored.get("axes", "xy"),
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise NotACacheError(
                f"{where}: expected JSON with format_version, layout, models and settings "
                f"under the key {METADATA_KEY.decode()!r}, got {text[:80]!r}"
            ) from error
        if not (
            isinstance(metadata.layout, str)
            and isinstance(metadata.models, dict)
            and isinstance(metadata.settings, dict)
        ):
            raise NotACacheError(
                f"{where}: layout must be a text, models and settings objects, got {text[:80]!r}"
            )
        if metadata.axes not in ("xy", "xyz"):
            raise NotACacheError(f"{where}: axes must be xy or xyz, got {metadata.axes!r}")
        if metadata.format_version != FORMAT_VERSION:
            raise NotACacheError(
                f"{where}: cache format version {metadata.format_version!r}, "
                f"this program reads {FORMAT_VERSION}; "
                "read it with the version of Fidget that wrote it"
            )
        return metadata


def stored_joints(text: bytes) -> tuple[str, ...]:
    """Joint names recorded in the metadata JSON, empty where a writer left them out."""
    joints = json.loads(text).get("joints", [])
    return tuple(joints) if isinstance(joints, list) else ()


def metadata_differences(old: CacheMetadata, new: CacheMetadata, old_name: str, new_name: str) -> list[str]:
    """Every value in which two caches differ, as `settings.max_persons is 2 in OLD, 1 in NEW`."""

    def flat(metadata: CacheMetadata) -> dict[str, object]:
        return {
            "format_version": metadata.format_version,
            "layout": metadata.layout,
            "axes": metadata.axes,
            **{f"models.{name}": value for name, value in metadata.models.items()},
            **{f"settings.{name}": value for name, value in metadata.settings.items()},
        }

    absent = "absent"
    before, after = flat(old), flat(new)
    return [
        f"{name} is {before.get(name, absent)} in {old_name}, {after.get(name, absent)} in {new_name}"
        for name in dict.fromkeys((*before, *after))
        if before.get(name, absent) != after.get(name, absent)
    ]


@dataclass(frozen=True, eq=False)
class CacheRow:
    """One row of the cache: its fields are the columns, still encoded (see `docs/cache-format.md`).

    Attributes:
        clip_id: path below the input root without suffix, POSIX slashes.
        source: the file the clip came from.
        status: `ok`, `no_person` or `failed`.
        error: why it failed; with status `ok` a remark such as a truncated file; else None.
        frame_hw: height and width of the upright frame, (0, 0) in a failed row.
        fps_num: numerator of the nominal frame rate, 0 in a failed row.
        fps_den: its denominator, at least 1.
        time_us: (T,) int64, strictly increasing microseconds.
        track_ids: (M,) int64.
        xy_step: pixels per unit of `xy` and `box`, a power of two.
        xy: (M * T * V * 2,) int32, zigzag differences along time.
        score: (M * T * V,) uint8.
        box: (M * T * 4,) int32, zigzag differences along time, -1 where there is no box.
        quality: measures of the clip, None in a failed row.
        checksum: CRC-32 of the arrays and counts.
        z: (M * T * V,) int32, coded like `xy` in the same step; None in a cache of two axes.
        z_checksum: the CRC-32 continued over `z`; 0 without it.
    """

    clip_id: str
    source: SourceStamp
    status: Status
    error: str | None
    frame_hw: tuple[int, int]
    fps_num: int
    fps_den: int
    time_us: NDArray[np.int64]
    track_ids: NDArray[np.int64]
    xy_step: float
    xy: NDArray[np.int32]
    score: NDArray[np.uint8]
    box: NDArray[np.int32]
    quality: ClipQuality | None
    checksum: int
    z: NDArray[np.int32] | None = None
    z_checksum: int = 0

    @property
    def frames(self) -> int:
        """Number of frames, T."""
        return len(self.time_us)

    @property
    def persons(self) -> int:
        """Number of people, M."""
        return len(self.track_ids)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays."""
        planar = sum(cast("int", getattr(self, name).nbytes) for name in ARRAY_COLUMNS)
        return planar + (0 if self.z is None else self.z.nbytes)


def rows_to_table(rows: Sequence[CacheRow], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table with the cache's columns.

    Raises:
        ValueError: a text is not valid Unicode or a number leaves its column's range, or a row has other
            axes than the schema.
    """
    spatial = "z" in schema.names
    for row in rows:
        if (row.z is not None) != spatial:
            axes = ("x and y", "x, y and z")
            raise ValueError(
                f"clip {row.clip_id!r} has {axes[row.z is not None]}, this cache holds {axes[spatial]}; "
                "write it to a cache of its own"
            )
    scalars: dict[str, Sequence[object]] = {
        "clip_id": [row.clip_id for row in rows],
        "source_path": [row.source.path for row in rows],
        "source_bytes": [row.source.bytes for row in rows],
        "source_mtime_ns": [row.source.mtime_ns for row in rows],
        "status": [row.status for row in rows],
        "error": [row.error for row in rows],
        "width": [row.frame_hw[1] for row in rows],
        "height": [row.frame_hw[0] for row in rows],
        "fps_num": [row.fps_num for row in rows],
        "fps_den": [row.fps_den for row in rows],
        "frames": [row.frames for row in rows],
        "persons": [row.persons for row in rows],
        "xy_step": [row.xy_step for row in rows],
        "quality": [None if row.quality is None else _quality_fields(row.quality) for row in rows],
        "checksum": [row.checksum for row in rows],
        "z_checksum": [row.z_checksum for row in rows],
    }
    columns = []
    for column in schema:
        try:
            if column.name in ARRAY_COLUMNS or column.name == "z":
                columns.append(_list_column([getattr(row, column.name) for row in rows], column.type))
            else:
                columns.append(pa.array(scalars[column.name], column.type))
        except (pa.ArrowException, UnicodeError, OverflowError) as error:
            raise ValueError(f"column {column.name} of {rows[0].clip_id!r} and followers: {error}") from error
    return pa.Table.from_arrays(columns, schema=schema)


def _list_column(arrays: Sequence[NDArray[np.generic]], kind: pa.ListType) -> pa.ListArray:
    lengths = np.fromiter((array.size for array in arrays), np.int64, len(arrays))
    if lengths.max(initial=0) > VALUES_LIMIT:
        raise OverflowError(
            f"expected at most {VALUES_LIMIT} numbers a clip, got {lengths.max()}; split the video"
        )
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    if offsets[-1] > np.iinfo(np.int32).max:
        raise OverflowError(f"expected at most 2**31 - 1 values in one row group, got {offsets[-1]}")
    joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)  # one long clip is not copied
    values = pa.array(joined, kind.value_type)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=kind)


def _quality_fields(quality: ClipQuality) -> dict[str, float | None]:
    """NaN (nothing to measure) becomes null, which averages in SQL pass over."""
    stored: dict[str, float | None] = {}
    for part in _QUALITY:
        value = float(getattr(quality, part.name))
        stored[part.name] = value if np.isfinite(value) else None
    return stored
