"""Fidget's own NPZ: plain numpy arrays, people and frames of all clips behind one another.

The keys are in docs/formats.md. Nothing in it is pickled: `numpy.load(path)` opens it anywhere.
"""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from poses.clip import PoseClip
from poses.formats.record import FormatError, LabelledClip, OnBroken, expect_joint_count
from poses.layout import Layout, get_layout
from poses.whole_file import replacing

FORMAT_VERSION = 1
# Read a clip at a time from the file; the others are a few bytes a clip and read whole.
_LONG = {"xy_px": np.float32, "score": np.float32, "box_px": np.float32, "time_s": np.float64}
_SPATIAL = {"z": np.float32}  # beside them where the joints are points in space
_INDEX = (
    ("clip_id", "U"), ("layout", "U"), ("joints", "U"), ("persons", "i"), ("frames", "i"), ("frame_hw", "i"),
    ("fps", "i"), ("track_ids", "i"), ("label", "i"), ("has_label", "b"), ("splits", "U"),
)  # fmt: skip


def read_npz(
    path: str | Path, layout: Layout | None = None, on_broken: OnBroken | None = None
) -> Iterator[LabelledClip]:
    """Read an NPZ that `write_npz` wrote, one clip in memory at a time.

    Args:
        path: the file.
        layout: if given, must be the file's; else the file's own is looked up by name.
        on_broken: called with clip id and problem instead of raising, for one bad clip among good.

    Raises:
        FormatError: not this format (the message lists the keys found), or another layout.
    """
    path = Path(path)
    try:
        yield from _clips(path, layout, on_broken)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{path}: expected a whole NPZ (zip) file: {error}") from None


def layout_name(path: str | Path) -> str:
    """The joint layout a file says it has.

    Raises:
        FormatError: not this format.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return str(_read_index(archive, Path(path))["layout"])
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{path}: expected a whole NPZ (zip) file: {error}") from None


def archive_headers(path: str | Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Key -> dtype and shape of every array of any NPZ, without reading the arrays.

    Raises:
        FormatError: a member is no plain array.
    """
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                shape, _, dtype = _header(file, Path(path), name)
            headers[name.removesuffix(".npy")] = (str(dtype), shape)
    return headers


def _clips(path: Path, layout: Layout | None, on_broken: OnBroken | None) -> Iterator[LabelledClip]:
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        index = _read_index(archive, path)
        layout = _layout_of(index, layout, path)
        spatial = _SPATIAL if "z.npy" in archive.namelist() else {}
        streams = {key: _Stream(stack, archive, key, path) for key in (*_LONG, *spatial)}
        first_person, v = 0, len(layout.joints)
        for n, (m, t) in enumerate(zip(index["persons"].tolist(), index["frames"].tolist(), strict=True)):
            shapes = {"xy_px": (m, t, v, 2), "score": (m, t, v), "box_px": (m, t, 4), "time_s": (t,)}
            shapes |= {key: (m, t, v) for key in spatial}
            arrays = {key: streams[key].take(shape) for key, shape in shapes.items()}
            arrays["track_ids"] = index["track_ids"][first_person : first_person + m].astype(np.int64)
            first_person += m
            try:
                labelled = _labelled(index, n, layout, arrays)
            except ValueError as error:
                if on_broken is None:
                    raise FormatError(f"{path}: {error}") from None
                on_broken(str(index["clip_id"][n]), str(error))
                continue
            yield labelled


def _labelled(
    index: dict[str, NDArray[Any]], n: int, layout: Layout, arrays: dict[str, NDArray[Any]]
) -> LabelledClip:
    numerator, denominator = index["fps"][n].tolist()
    if denominator < 1:
        raise ValueError(f"fps must be a fraction above 0, got {numerator}/{denominator}")
    clip = PoseClip(
        clip_id=str(index["clip_id"][n]),
        layout=layout,
        frame_hw=(int(index["frame_hw"][n, 0]), int(index["frame_hw"][n, 1])),
        fps=Fraction(numerator, denominator),
        **arrays,
    )
    label = int(index["label"][n]) if index["has_label"][n] else None
    return LabelledClip(clip, label, _splits(str(index["splits"][n])))


def _splits(text: str) -> tuple[str, ...]:
    names = json.loads(text)
    if not isinstance(names, list):
        raise ValueError(f"splits must be a JSON list of names, got {text!r}")
    return tuple(str(name) for name in names)


def _layout_of(index: dict[str, NDArray[Any]], wanted: Layout | None, path: Path) -> Layout:
    name, joints = str(index["layout"]), tuple(str(joint) for joint in index["joints"])
    layout = wanted or get_layout(name)
    if name != layout.name:
        expect_joint_count(len(joints), layout, str(path))
        raise FormatError(f"{path}: the file's layout is {name}, {layout.name} was asked for; use {name}")
    if joints != layout.joints:
        raise FormatError(
            f"{path}: layout {name} has the joints {layout.joints[:3]}..., the file has {joints[:3]}...; "
            "it was written with another definition of this layout"
        )
    return layout


def _read_index(archive: zipfile.ZipFile, path: Path) -> dict[str, NDArray[Any]]:
    members = {name.removesuffix(".npy") for name in archive.namelist()}
    wanted = {key for key, _ in _INDEX} | set(_LONG)
    if not members >= wanted:
        raise FormatError(
            f"{path}: not a Fidget NPZ: expected the keys {sorted(wanted)}, found {sorted(members)[:20]}; "
            "docs/formats.md describes them"
        )
    index = {}
    for key, kind in _INDEX:
        info = archive.getinfo(f"{key}.npy")
        with archive.open(info) as file:
            shape, _, dtype = _header(file, path, key)
            if dtype.kind != kind or math.prod(shape) * dtype.itemsize > info.file_size:
                raise FormatError(f"{path}: {key} of type {dtype} and shape {shape} does not fit the format")
            raw = file.read(math.prod(shape) * dtype.itemsize)
            index[key] = np.frombuffer(raw, dtype).reshape(shape)
    clips = len(index["clip_id"]) if index["clip_id"].ndim == 1 else -1
    shapes = {
        "persons": (clips,), "frames": (clips,), "frame_hw": (clips, 2), "fps": (clips, 2),
        "label": (clips,), "has_label": (clips,), "splits": (clips,), "layout": (),
    }  # fmt: skip
    for key, expected in shapes.items():
        if index[key].shape != expected:
            raise FormatError(f"{path}: expected {key} of shape {expected}, got {index[key].shape}")
    persons = int(index["persons"].sum())
    if index["track_ids"].shape != (persons,):
        raise FormatError(f"{path}: expected track_ids ({persons},), got {index['track_ids'].shape}")
    return index


def _header(file: IO[bytes], path: Path, key: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, EOFError) as error:
        raise FormatError(f"{path}: {key} is no numpy array: {error}") from None
    if dtype.hasobject or (fortran and len(shape) > 1) or min(shape, default=0) < 0:
        raise FormatError(f"{path}: expected {key} as a plain C-ordered array, got {dtype} {shape}")
    return shape, fortran, dtype


class _Stream:
    """One long array of the archive, taken from front to back."""

    def __init__(self, stack: ExitStack, archive: zipfile.ZipFile, key: str, path: Path) -> None:
        self.where = f"{path}: {key}"
        self.left = archive.getinfo(f"{key}.npy").file_size
        self.file = stack.enter_context(archive.open(f"{key}.npy"))
        _, _, dtype = _header(self.file, path, key)
        expected = np.dtype((_LONG | _SPATIAL)[key]).newbyteorder("<")
        if dtype != expected:
            raise FormatError(f"{self.where}: expected {expected}, got {dtype}")
        self.dtype = dtype

    def take(self, shape: tuple[int, ...]) -> NDArray[Any]:
        size = math.prod(shape) * self.dtype.itemsize
        if min(shape, default=0) < 0:
            raise FormatError(f"{self.where}: a clip with a negative number of persons or frames: {shape}")
        raw = self.file.read(size) if size <= self.left else b""
        if len(raw) != size:
            raise FormatError(
                f"{self.where} ends before its last clip; the file is cut short, write it again"
            )
        return np.frombuffer(raw, self.dtype).reshape(shape).copy()


@dataclass
class _Columns:
    """What is known of each clip after its arrays went to disk."""

    clip_id: list[str] = field(default_factory=list)
    persons: list[int] = field(default_factory=list)
    frames: list[int] = field(default_factory=list)
    frame_hw: list[tuple[int, int]] = field(default_factory=list)
    fps: list[tuple[int, int]] = field(default_factory=list)
    track_ids: list[int] = field(default_factory=list)
    label: list[int] = field(default_factory=list)
    has_label: list[bool] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)

    def add(self, labelled: LabelledClip) -> None:
        clip = labelled.clip
        self.clip_id.append(clip.clip_id)
        self.persons.append(clip.persons)
        self.frames.append(clip.frames)
        self.frame_hw.append(clip.frame_hw)
        self.fps.append((clip.fps.numerator, clip.fps.denominator))
        self.track_ids.extend(clip.track_ids.tolist())
        self.label.append(-1 if labelled.label is None else labelled.label)
        self.has_label.append(labelled.label is not None)
        self.splits.append(json.dumps(labelled.splits))

    def arrays(self) -> dict[str, NDArray[Any]]:
        n = len(self.clip_id)
        return {
            "clip_id": np.array(self.clip_id, dtype="U"),
            "persons": np.array(self.persons, np.int64),
            "frames": np.array(self.frames, np.int64),
            "frame_hw": np.array(self.frame_hw, np.int64).reshape(n, 2),
            "fps": np.array(self.fps, np.int64).reshape(n, 2),
            "track_ids": np.array(self.track_ids, np.int64),
            "label": np.array(self.label, np.int64),
            "has_label": np.array(self.has_label, np.bool_),
            "splits": np.array(self.splits, dtype="U"),
        }


def write_npz(path: str | Path, clips: Iterable[LabelledClip], layout: Layout) -> int:
    """Write clips of one layout as an NPZ, one clip in memory at a time; how many were written.

    Raises:
        ValueError: a clip of another layout or with other axes than the first, or an id that numpy text
            cannot hold (it ends in NUL).
    """
    path = Path(path)
    columns = _Columns()
    with ExitStack() as stack:
        part = stack.enter_context(replacing(path))
        spools = {key: stack.enter_context(tempfile.TemporaryFile(dir=path.parent)) for key in _LONG}
        for labelled in clips:
            clip = labelled.clip
            if clip.layout != layout:
                raise ValueError(
                    f"clip {clip.clip_id!r} is {clip.layout.name}, the file {layout.name}; convert it"
                )
            if clip.clip_id.endswith("\0"):
                raise ValueError(f"clip id {clip.clip_id!r} ends in NUL, which numpy text drops; rename it")
            if not columns.clip_id and clip.z is not None:
                spools["z"] = stack.enter_context(tempfile.TemporaryFile(dir=path.parent))
            if (clip.z is not None) != ("z" in spools):
                raise ValueError(f"clip {clip.clip_id!r} has other axes than the first; export them apart")
            columns.add(labelled)
            for key in spools:
                dtype = (_LONG | _SPATIAL)[key]
                array = np.ascontiguousarray(getattr(clip, key), np.dtype(dtype).newbyteorder("<"))
                spools[key].write(array.tobytes())
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            small: dict[str, Any] = {"version": np.int64(FORMAT_VERSION), "layout": np.array(layout.name)}
            for key, array in (small | {"joints": np.array(layout.joints)} | columns.arrays()).items():
                with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                    npy.write_array(member, np.asarray(array), allow_pickle=False)
            v = len(layout.joints)
            tails = {"xy_px": (v, 2), "score": (v,), "box_px": (4,), "z": (v,)}
            for key, spool in spools.items():
                _copy(archive, key, spool, tails.get(key, ()))
    return len(columns.clip_id)


def _copy(archive: zipfile.ZipFile, key: str, spool: IO[bytes], tail: tuple[int, ...]) -> None:
    """The spooled rows as one array of shape (rows, *tail)."""
    import shutil

    dtype = np.dtype((_LONG | _SPATIAL)[key]).newbyteorder("<")
    rows = spool.tell() // (math.prod(tail) * dtype.itemsize)
    spool.seek(0)
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *tail)}
    with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
        npy.write_array_header_1_0(member, header)
        shutil.copyfileobj(spool, member, 1 << 20)
