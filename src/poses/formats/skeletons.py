"""Skeletons of published data sets as they are passed around: one NPZ, all clips behind one another.

Northwestern-UCLA (`xyz`, 20 Kinect joints) and the shared part of JHMDB (`xy`, 15 joints). docs/formats.md
has the keys, the units and the directions of the axes. Nothing in it is pickled.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from poses.formats.npz import archive_headers
from poses.formats.record import (
    MAX_JOINTS,
    SPATIAL_FRAME_HW,
    FormatError,
    LabelledClip,
    OnBroken,
    RawClip,
    expect_joint_count,
    expect_size,
)
from poses.layout import Layout, get_layout

_LAYOUT_OF = {("xyz", 20): "nwucla20", ("xy", 15): "jhmdb15"}
_MAX_CLIPS = 2**22
_MAX_TEXT = 2**12  # characters of one name


def is_skeletons(path: str | Path) -> bool:
    """Whether an NPZ has the keys of this format: `xyz` or `xy`, `offsets`, `labels` and `split`.

    Raises:
        FormatError: not a whole NPZ.
    """
    try:
        keys = archive_headers(path).keys()
    except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{path}: expected a whole NPZ (zip) file: {error}") from None
    return {"offsets", "labels", "split"} <= keys and bool({"xyz", "xy"} & keys)


def skeleton_layout(path: str | Path) -> str | None:
    """Name of the layout that the number of joints and axes tells; None where none does."""
    headers = archive_headers(path)
    key = "xyz" if "xyz" in headers else "xy"
    shape = headers[key][1]
    return _LAYOUT_OF.get((key, shape[1])) if len(shape) == 3 else None


def read_skeletons(
    path: str | Path,
    layout: Layout | None = None,
    fps: Fraction | None = None,
    on_broken: OnBroken | None = None,
) -> Iterator[LabelledClip]:
    """Read such a file; the coordinates stay as they are, joints at exactly 0 on every axis are missing.

    Clips are named by `names`; where there are none, by split, class and their number there, in file order
    (`train/catch_003`).

    Args:
        path: the file.
        layout: its joint set; else what the number of joints tells.
        fps: frame rate; the file has none, 30 is assumed.
        on_broken: called with clip id and problem instead of raising, for one bad clip among good.

    Raises:
        FormatError: not this format, arrays that do not agree, or another number of joints than the layout's.
    """
    path = Path(path)
    if not is_skeletons(path):
        raise FormatError(
            f"{path}: expected the keys offsets, labels, split and xyz or xy, "
            f"found {sorted(archive_headers(path))[:20]}; docs/formats.md describes them"
        )
    arrays = _arrays(path)
    coordinates = arrays["xyz" if "xyz" in arrays else "xy"]  # (sum of T, V, C)
    layout = layout or get_layout(_known_layout(path, coordinates))
    expect_joint_count(coordinates.shape[1], layout, str(path))
    classes = [str(name) for name in arrays["class_names"]] if "class_names" in arrays else []
    bounds = arrays["offsets"].tolist()
    for number, clip_id in enumerate(_clip_ids(arrays, classes)):
        frames = coordinates[bounds[number] : bounds[number + 1]]  # (T, V, C)
        label = int(arrays["labels"][number])
        try:
            if classes and not 0 <= label < len(classes):
                raise FormatError(f"clip {clip_id!r}: label {label}, expected 0..{len(classes) - 1}")
            expect_size(1, len(frames), layout, str(path))
            raw = RawClip(clip_id, layout, frames[None, ..., :2], None, fps=fps, frame_hw=SPATIAL_FRAME_HW)
            if frames.shape[2] == 3:
                raw.z = frames[None, ..., 2]  # (1, T, V)
            split = str(arrays["split"][number])
            yield raw.finish(label, (split,) if split else (), classes[label] if classes else None)
        except ValueError as error:
            if on_broken is None:
                raise FormatError(f"{path}: {error}") from None
            on_broken(clip_id, str(error))


def _known_layout(path: Path, coordinates: NDArray[Any]) -> str:
    v, c = coordinates.shape[1:]
    name = _LAYOUT_OF.get(("xyz" if c == 3 else "xy", v))
    if name is None:
        raise FormatError(
            f"{path}: no layout is known for {v} joints of {c} axes in this format; name it (--layout)"
        )
    return name


def _clip_ids(arrays: dict[str, NDArray[Any]], classes: list[str]) -> list[str]:
    if "names" in arrays:
        return [str(name) for name in arrays["names"]]
    counted: Counter[str] = Counter()
    ids = []
    for label, split in zip(arrays["labels"].tolist(), arrays["split"].tolist(), strict=True):
        word = classes[label] if 0 <= label < len(classes) else f"class{label}"
        place = f"{split}/{word}"
        ids.append(f"{place}_{counted[place]:03d}")
        counted[place] += 1
    return ids


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Every array of the file that is needed, with types and shapes that agree."""
    wanted = {
        "xyz": "f",
        "xy": "f",
        "offsets": "iu",
        "labels": "iu",
        "split": "U",
        "names": "U",
        "class_names": "U",
    }
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for key, kinds in wanted.items():
                if f"{key}.npy" in archive.namelist():
                    arrays[key] = _array(archive, path, key, kinds)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise FormatError(f"{path}: expected a whole NPZ (zip) file: {error}") from None
    key, other = ("xyz", "xy") if "xyz" in arrays else ("xy", "xyz")
    arrays.pop(other, None)
    shape, clips = arrays[key].shape, len(arrays["labels"])
    if len(shape) != 3 or shape[2] != len(key):
        raise FormatError(f"{path}: expected {key} of shape (frames, joints, {len(key)}), got {shape}")
    for name, expected in (("labels", clips), ("split", clips), ("names", clips), ("offsets", clips + 1)):
        if name in arrays and arrays[name].shape != (expected,):
            raise FormatError(f"{path}: expected {name} of shape ({expected},), got {arrays[name].shape}")
    offsets = arrays["offsets"].astype(np.int64)
    if offsets[0] != 0 or offsets[-1] != shape[0] or np.any(np.diff(offsets) < 0):
        raise FormatError(
            f"{path}: expected offsets that rise from 0 to {shape[0]} frames, "
            f"got {offsets[:3]} ... {offsets[-1]}"
        )
    arrays["offsets"] = offsets
    return arrays


def _array(archive: zipfile.ZipFile, path: Path, key: str, kinds: str) -> NDArray[Any]:
    """One plain array, refused before it is read where its header promises more than the member holds."""
    info = archive.getinfo(f"{key}.npy")
    with archive.open(info) as file:
        try:
            read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except (ValueError, EOFError) as error:
            raise FormatError(f"{path}: {key} is no numpy array: {error}") from None
        limit = MAX_JOINTS * 3 if kinds == "f" else _MAX_CLIPS
        size = math.prod(shape)
        if (
            dtype.kind not in kinds
            or (fortran and len(shape) > 1)
            or not shape
            or min(shape) < 0
            or size > limit
            or (dtype.kind == "U" and dtype.itemsize > 4 * _MAX_TEXT)
            or size * dtype.itemsize > info.file_size
        ):
            raise FormatError(f"{path}: {key} of type {dtype} and shape {shape} does not fit the format")
        raw = file.read(size * dtype.itemsize)
        if len(raw) != size * dtype.itemsize:
            raise FormatError(f"{path}: {key} ends early; the file is cut short, get it again")
    return np.frombuffer(raw, dtype).reshape(shape)
