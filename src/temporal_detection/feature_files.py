"""Feature sequences that a recogniser wrote, one file a recording, as (T, C) with their places in time.

Numpy's .npy (OpenTAD, ActionFormer), .npz (`feats` in OpenTAD's) and .csv with a row a feature (mmaction2's,
with a header). Files are data only: nothing in them is run, and a size that a header claims is believed only
if the file can hold it.

Letters: T features of a recording, C channels, F frames.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temporal_detection.time_grid import TimeGrid, resized

SUFFIXES = (".npy", ".npz", ".csv")
MOST_BYTES = 1 << 32  # of one array; 100,000 features of 10,000 channels in float32
_KEY = "feats"
_PICKLED = (".pkl", ".pickle", ".pt", ".pth")
_NOTHING = re.compile(rb"^\s*$")


def find_features(directory: Path | str) -> dict[str, Path]:
    """Recordings -> their files: everything below a directory that has one of `SUFFIXES`.

    A recording's id is the file's path below the directory without its suffix, with slashes.

    Raises:
        ValueError: no such directory, no such file in it, or two files of one recording.
    """
    root = Path(directory)
    if not root.is_dir():
        raise ValueError(f"{root}: expected a directory with files {', '.join(SUFFIXES)}, there is none")
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        name = path.relative_to(root).with_suffix("").as_posix()
        if name in found:
            raise ValueError(
                f"{root}: two files of recording {name!r}, {found[name].name} and {path.name}; remove one"
            )
        found[name] = path
    if not found:
        raise ValueError(f"{root}: expected files {', '.join(SUFFIXES)}, one a recording, found none")
    return found


def read_features(
    path: Path | str, *, channels: int | None = None, channels_first: bool = False, key: str | None = None
) -> NDArray[np.float32]:
    """The features of one recording.

    Args:
        path: .npy, .npz or .csv.
        channels: C that they must have; None for any.
        channels_first: the file has (C, T).
        key: the array of an .npz; None for `feats`, or the only one there.

    Returns:
        (T, C) float32, all of them numbers.

    Raises:
        ValueError: another kind of file, or what is in it is no such array; the message names the file.
        OSError: the file cannot be read.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix in _PICKLED:
        raise ValueError(
            f"{file}: a pickle may run code when it is opened and is not read; write the array by numpy.save"
        )
    if suffix == ".npy":
        with file.open("rb") as opened:
            array = _read_npy(opened, file.stat().st_size, str(file))
    elif suffix == ".npz":
        array = _read_npz(file, key)
    elif suffix == ".csv":
        array = _read_csv(file)
    else:
        raise ValueError(f"{file}: expected a file {', '.join(SUFFIXES)}")
    return _checked(array, str(file), channels, channels_first)


def _read_npy(opened: IO[bytes], size: int, name: str) -> NDArray[np.generic]:
    """An array of numbers out of `size` bytes; what its header claims is checked before any is read."""
    try:
        version = np.lib.format.read_magic(opened)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in read:
            raise ValueError(f"its format is {version}")
        shape, fortran, dtype = read[version](opened)
        if dtype.hasobject or dtype.kind not in "fiu":
            raise ValueError(f"its values are {dtype}")
        # Axes of length 0 would let any claim pass; an empty array is refused with the rest.
        needed = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 1 or needed > min(size, MOST_BYTES):
            raise ValueError(f"its header claims {shape} of {dtype}, the file has {size} bytes")
        content = opened.read(needed)
        if len(content) < needed:
            raise ValueError(f"it ends after {len(content)} of {needed} bytes")
    except (ValueError, EOFError, OverflowError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{name}: expected an array of numbers as numpy.save writes it, got {error}"
        ) from error
    array = np.frombuffer(content, dtype)
    return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)


def _read_npz(file: Path, key: str | None) -> NDArray[np.generic]:
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            wanted = key or (_KEY if _KEY in members or len(members) != 1 else next(iter(members)))
            if wanted not in members:
                raise ValueError(
                    f"{file}: expected an array {wanted!r}, there are {', '.join(sorted(members)) or 'none'};"
                    " say which one"
                )
            with archive.open(members[wanted]) as opened:
                return _read_npy(opened, members[wanted].file_size, f"{file}, {wanted!r}")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:  # damaged, or encrypted
        raise ValueError(f"{file}: expected an archive as numpy.savez writes it, got {error}") from error


def _read_csv(file: Path) -> NDArray[np.float64]:
    """A row a feature; a first row that is not of numbers is the header."""
    with file.open("rb") as opened:
        first = opened.readline(1 << 22)
        if _NOTHING.match(first):
            raise ValueError(
                f"{file}: expected a row of numbers a feature, the file begins with an empty one"
            )
        header = 0 if _is_of_numbers(first) else 1
        opened.seek(0)
        try:
            return np.loadtxt(opened, delimiter=",", skiprows=header, ndmin=2, comments=None)
        except ValueError as error:
            raise ValueError(f"{file}: expected a row of numbers a feature, got {error}") from error


def _is_of_numbers(line: bytes) -> bool:
    try:
        float(line.split(b",")[0])
    except ValueError:
        return False
    return True


def _checked(
    array: NDArray[np.generic], name: str, channels: int | None, channels_first: bool
) -> NDArray[np.float32]:
    if array.ndim > 2:  # means over pictures often keep their axes
        array = array.reshape([len(array), *(size for size in array.shape[1:] if size > 1)])
        array = array[0] if array.ndim == 3 and len(array) == 1 else array
    if array.ndim != 2 or not array.size:
        raise ValueError(f"{name}: expected features (T, C), got {array.shape}")
    if channels_first:
        array = array.T
    if channels is not None and array.shape[1] != channels:
        hint = "; it may have its channels first" if array.shape[0] == channels else ""
        raise ValueError(f"{name}: expected features of {channels} channels, got {array.shape}{hint}")
    with np.errstate(over="ignore"):
        features = np.ascontiguousarray(array, np.float32)
    bad = ~np.isfinite(features)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise ValueError(
            f"{name}: {bad.sum()} of {bad.size} values are not numbers or too great, the first in feature "
            f"{row}, channel {column}; write the features anew"
        )
    return features


def feature_grid(
    frame_time_s: ArrayLike,
    points: int,
    *,
    stride_frames: float | None,
    clip_frames: float = 1,
    first_frame: float = 0,
    name: str = "features",
) -> TimeGrid:
    """Where in a recording its features are: each in the middle of the clip that it was made of.

    Args:
        frame_time_s: (F,) seconds of every frame.
        points: T features.
        stride_frames: frames from one clip to the next; None for features resized to their number, which
            cover the whole recording (mmaction2's 100 rows).
        clip_frames: frames of a clip, from its first to its last.
        first_frame: of the first clip.
        name: what to call them in an error.

    Raises:
        ValueError: the features are too many or too few for the recording by more than a clip and two
            strides: they belong to another one, or the stride is another. As `TimeGrid` too.
    """
    times = np.asarray(frame_time_s, np.float64)
    if stride_frames is None:
        return resized(times, points)
    if clip_frames < 1:
        raise ValueError(f"{name}: expected clips of at least 1 frame, got {clip_frames}")
    grid = TimeGrid(times, first_frame + (clip_frames - 1) / 2, stride_frames, points)
    end = first_frame + points * stride_frames
    if abs(end - len(times)) > clip_frames + 2 * stride_frames:
        raise ValueError(
            f"{name}: {points} features at a stride of {stride_frames:g} frames end at frame {end:g}, but "
            f"the recording has {len(times)} frames; are they another recording's, or is the stride another?"
        )
    return grid
