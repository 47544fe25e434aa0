"""The zip of a submission: `prediction.csv` at its root, read with suspicion; equal texts make equal zips."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from pathlib import Path

MEMBER = "prediction.csv"
_MOST_BYTES = 512 * 2**20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # equal predictions give equal bytes
# What zipfile raises for damaged bytes in memory: places that cannot be, streams that end, methods it lacks.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, OSError,
)  # fmt: skip


def write_prediction(path: Path, text: str) -> None:
    """Write the zip; equal texts give equal bytes.

    Raises:
        OSError: no room, or no permission.
    """
    member = zipfile.ZipInfo(MEMBER, _EPOCH)
    member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, text)


def read_prediction(path: Path) -> tuple[str | None, list[str], list[str]]:
    """The text of a zip's `prediction.csv`, or of the bare file; and what is wrong and what is odd about it.

    Returns:
        The text, None where there is a problem; problems; warnings.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    warnings: list[str] = []
    if content[:2] == b"PK":
        try:
            content = _member(content, warnings)
        except _NoMember as error:
            return None, [str(error)], warnings
        except _DAMAGE as error:
            return None, [f"the zip is broken or encrypted: {error}"], warnings
    elif path.suffix.lower() == ".csv":
        warnings.append(f"a bare CSV: the server takes a zip that holds it as {MEMBER}")
    else:
        return None, [f"expected a zip that holds {MEMBER}, this is no zip"], warnings
    if len(content) > _MOST_BYTES:
        return None, [f"expected at most {_MOST_BYTES >> 20} MiB of {MEMBER}, there is more"], warnings
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return None, [f"{MEMBER}: expected UTF-8, byte {error.start} is none"], warnings
    if text.startswith("\ufeff"):
        warnings.append(f"{MEMBER} begins with a byte order mark")
    return text.removeprefix("\ufeff"), [], warnings


class _NoMember(ValueError):
    """A whole zip, but not with what it should hold."""


def _member(content: bytes, warnings: list[str]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [info.filename for info in archive.infolist()]
        if names.count(MEMBER) != 1:
            told = ", ".join(map(repr, names[:4])) or "nothing"
            raise _NoMember(f"expected {MEMBER} at the root of the zip, in no folder, once; got {told}")
        others = [name for name in names if name != MEMBER]
        if others:
            warnings.append(f"the zip holds more than {MEMBER}: {', '.join(map(repr, others[:4]))}")
        with archive.open(MEMBER) as file:
            return file.read(_MOST_BYTES + 1)
