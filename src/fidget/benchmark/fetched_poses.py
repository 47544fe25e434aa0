"""Poses that lie elsewhere: a cache behind a URI is copied here, once, file by file.

Any URI that pyarrow opens: `s3://bucket/poses`, `gs://...`, `file:///...`; credentials are those of its
environment. Only the cache's own files travel. A call again copies what has changed since.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyarrow import fs

from fidget.benchmark.byte_tables import size_told
from poses.cache_schema import NotACacheError
from poses.cache_shards import COMMON_METADATA
from poses.whole_file import replacing

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LIST = ".fetched.json"
_BLOCK = 1 << 22


def is_uri(place: str) -> bool:
    """Whether a place is named by a URI and not by a path."""
    return bool(_URI.match(place))


def fetch_poses(uri: str, into: Path, say: Callable[[str], None] = print) -> Path:
    """A pose cache behind a URI as a directory here.

    Args:
        uri: of the directory that holds the cache.
        into: the directory of the copy; made, or brought up to date.
        say: takes one line: what was copied, and how many bytes.

    Raises:
        NotACacheError: there is no pose cache at the URI.
        ValueError: pyarrow knows no such scheme.
        OSError: it cannot be reached, or there is no room here.
    """
    system, path = _opened(uri)
    entries = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    files = {entry.base_name: entry for entry in entries if entry.is_file and _belongs(entry.base_name)}
    if COMMON_METADATA not in files and not any(name.endswith(".parquet") for name in files):
        raise NotACacheError(f"{uri}: expected a pose cache (shards *.parquet), found none there")
    into.mkdir(parents=True, exist_ok=True)
    held = _held(into)
    wanted = {name: [entry.size, entry.mtime_ns or 0] for name, entry in files.items()}
    for stale in [file for file in into.iterdir() if _belongs(file.name) and file.name not in wanted]:
        stale.unlink()
    copied = 0
    for name, entry in sorted(files.items()):
        if held.get(name) != wanted[name] or not (into / name).is_file():
            _copy(system, entry.path, into / name)
            copied += entry.size
            held[name] = wanted[name]
            _write_list(into, held)
    _write_list(into, wanted)
    total = sum(size for size, _ in wanted.values())
    say(f"poses: {uri}, {size_told(total)}, {size_told(copied)} of it copied to {into}")
    return into


def fetch_file(uri: str, into: Path) -> Path | None:
    """A single file behind a URI as a file here; None where there is none.

    Raises:
        ValueError: pyarrow knows no such scheme.
        OSError: it cannot be reached, or there is no room here.
    """
    system, path = _opened(uri)
    if not system.get_file_info(path).is_file:
        return None
    _copy(system, path, into)
    return into


def _opened(uri: str) -> tuple[Any, str]:
    try:
        system, path = fs.FileSystem.from_uri(uri)
    except ValueError as error:
        raise ValueError(f"{uri}: expected a path or a URI such as s3://bucket/poses: {error}") from error
    return system, path.rstrip("/")


def _belongs(name: str) -> bool:
    """Shards and their metadata; neither a lock nor a view nor a half-written file."""
    return name == COMMON_METADATA or (name.endswith(".parquet") and not name.startswith((".", "_")))


def _copy(system: Any, path: str, to: Path) -> None:
    with replacing(to) as part, system.open_input_stream(path) as source, open(part, "wb") as file:
        while block := source.read(_BLOCK):
            file.write(block)


def _held(into: Path) -> dict[str, list[int]]:
    """What was copied before, as the other side had it then; nothing where that is not known."""
    try:
        found = json.loads((into / _LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_list(into: Path, files: dict[str, list[int]]) -> None:
    with replacing(into / _LIST) as part:
        part.write_text(json.dumps(files), encoding="utf-8")
