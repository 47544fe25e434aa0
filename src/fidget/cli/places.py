"""Where a command writes: beside the cache it reads, never inside it."""

from __future__ import annotations

from pathlib import Path

from fidget.cli.usage import UsageError


def output_beside(cache: Path, output: str | None, kind: str) -> Path:
    """The directory for results: as asked, else `<cache>-<kind>` beside the cache.

    Raises:
        UsageError: it lies inside the cache, which holds only poses, or is a file.
    """
    resolved = cache.resolve()
    place = Path(output) if output else _beside(cache, kind)
    if place.resolve().is_relative_to(resolved):
        raise UsageError(f"-o {place}: expected a place outside the cache {cache}, which holds only poses")
    if place.exists() and not place.is_dir():
        raise UsageError(f"-o {place}: expected a directory, or a new name for one; this is a file")
    return place


def _beside(cache: Path, kind: str) -> Path:
    if cache.name in ("", ".", ".."):
        cache = cache.resolve()
    return cache.with_name(f"{cache.name or 'cache'}-{kind}")
