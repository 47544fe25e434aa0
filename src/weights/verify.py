"""Is this file the one that is meant? SHA-256 once per file, and hashes recorded at first sight."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tomllib
from pathlib import Path

from weights.errors import DownloadError, HashMismatchError
from weights.lock import locked
from weights.manifest import Weight
from weights.places import is_writable

RECORD_NAME = "recorded-sha256.toml"
MANIFEST = "the manifest"
_DIGITS = 64
_LOCK_TIMEOUT_S = 30.0
_RECORD_HEADER = (
    "# Hashes of files whose publisher states none, as they were when first seen. Delete a line to accept\n"
    "# another file under that name.\n"
)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _stamp_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.verified")


def _stamp(path: Path, sha256: str) -> str:
    status = path.stat()
    return f"{sha256} {status.st_size} {status.st_mtime_ns}\n"


def cached_sha256(path: Path) -> str:
    """SHA-256 of a file, computed once: later calls trust it while size and modification time stay.

    What is known is kept in a small file beside it; where that cannot be written, each call computes.
    """
    stamp_path = _stamp_path(path)
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known = stamp_path.read_text(encoding="ascii")
        sha256 = known.split(" ", 1)[0]
        if len(sha256) == 64 and known == _stamp(path, sha256):
            return sha256
    before = _stamp(path, "")
    sha256 = file_sha256(path)
    if is_writable(path.parent):
        with contextlib.suppress(OSError):
            _replace_text(stamp_path, sha256 + before)
    return sha256


def _replace_text(path: Path, text: str) -> None:
    """Write a small file whole: under a name of this process first, then renamed."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _read_record(directory: Path) -> dict[str, str]:
    path = directory / RECORD_NAME
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HashMismatchError(
            f'{path}: expected lines of `name = "sha256"`, got {error}; correct it or delete it'
        ) from error
    return {name: value for name, value in table.items() if isinstance(value, str)}


def expected_sha256(weight: Weight, directory: Path) -> tuple[str, str] | None:
    """The hash that a file must have, and who says so; None where nobody has said yet.

    It is 64 digits long, or fewer: the first ones, where the manifest knows no more and no file was seen yet.
    """
    if weight.sha256_is_known:
        return weight.sha256, MANIFEST
    recorded = _read_record(directory).get(weight.name)
    first = weight.sha256_prefix
    if first and not (recorded and recorded.startswith(first)):
        return first, MANIFEST
    return (recorded, str(directory / RECORD_NAME)) if recorded else None


def in_words(expected: tuple[str, str]) -> str:
    """What `expected_sha256` says, for a message."""
    sha256, origin = expected
    return f"SHA-256 {'' if len(sha256) == _DIGITS else 'that begins with '}{sha256} ({origin})"


def record(weight: Weight, directory: Path, sha256: str) -> None:
    """Write down the hash of a file that nobody states one for; a hash already there stays.

    One that contradicts the first digits in the manifest does not: it was of another release of the file.
    """
    with locked(directory / f".{RECORD_NAME}.lock", _LOCK_TIMEOUT_S):
        known = _read_record(directory)
        first = weight.sha256_prefix or ""
        if weight.name not in known or not known[weight.name].startswith(first):
            known[weight.name] = sha256
        lines = "".join(f'{name} = "{value}"\n' for name, value in sorted(known.items()))
        _replace_text(directory / RECORD_NAME, _RECORD_HEADER + lines)


def verify(weight: Weight, path: Path) -> str:
    """Check a file against the manifest, or against what its first sight recorded; return its SHA-256.

    Args:
        weight: the row it should be.
        path: where it lies. A file with unknown hash is recorded in this directory, where it can be written.

    Raises:
        HashMismatchError: naming both hashes, and what to do.
    """
    sha256 = cached_sha256(path)
    expected = expected_sha256(weight, path.parent)
    if expected is not None and not sha256.startswith(expected[0]):
        raise HashMismatchError(
            f"{path}: expected {in_words(expected)}, got {sha256}; "
            f"remove the file and run `fidget weights fetch {weight.name}`"
        )
    if (expected is None or len(expected[0]) < _DIGITS) and is_writable(path.parent):
        with contextlib.suppress(OSError, DownloadError):
            record(weight, path.parent, sha256)
    return sha256
