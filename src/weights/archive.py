"""One member out of a zip or tar archive, streamed, without ever trusting a path inside it."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO

from weights.errors import DownloadError

MAX_MEMBER_BYTES = 2 << 30
_CHUNK_BYTES = 1 << 20


def _find(names: Iterable[str], wanted: str, archive: Path) -> str:
    """The only member whose path ends with the components of `wanted`."""
    tail = PurePosixPath(wanted).parts
    found = [name for name in names if PurePosixPath(name).parts[-len(tail) :] == tail]
    if wanted in found:
        return wanted
    if len(found) != 1:
        what = "no such member" if not found else f"{len(found)} of them"
        raise DownloadError(f"{archive.name}: expected one member that ends with {wanted}, found {what}")
    return found[0]


def _copy(source: IO[bytes], target: IO[bytes], declared: int, what: str) -> None:
    """Copy a member; both readers stop at the size that the archive declares, and check what they read."""
    if declared > MAX_MEMBER_BYTES:
        raise DownloadError(f"{what}: expected at most {MAX_MEMBER_BYTES} bytes, the archive says {declared}")
    shutil.copyfileobj(source, target, _CHUNK_BYTES)


def copy_member(archive: Path, member: str, target: IO[bytes]) -> None:
    """Write one member's bytes to `target`; nothing is created under a name that the archive chooses.

    Args:
        archive: a zip (wheels too) or a tar, compressed or not.
        member: the last components of its path; a full path wins over a mere ending.
        target: open for writing.

    Raises:
        DownloadError: not an archive, damaged, encrypted, no such member, several, a link, or too large.
    """
    what = f"{archive.name}: {member}"
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened_zip:
                name = _find((i.filename for i in opened_zip.infolist() if not i.is_dir()), member, archive)
                with opened_zip.open(name) as source:
                    _copy(source, target, opened_zip.getinfo(name).file_size, what)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened_tar:
                name = _find((i.name for i in opened_tar.getmembers() if i.isfile()), member, archive)
                extracted = opened_tar.extractfile(name)
                assert extracted is not None
                with extracted as source:
                    _copy(source, target, opened_tar.getmember(name).size, what)
        else:
            raise DownloadError(f"{archive.name}: expected a zip or tar archive, got neither")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError, NotImplementedError) as error:
        raise DownloadError(f"{what}: expected a sound archive, got {error}; fetch it again") from error


def free_bytes(directory: Path) -> int:
    """Bytes that can still be written in a directory."""
    return shutil.disk_usage(directory).free
