"""Names of clips: from paths to ids that are unique, stable and encodable as UTF-8."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Candidate:
    """A video and the directory its id is relative to (its root)."""

    path: Path
    root: Path


def assign_ids(candidates: Sequence[Candidate]) -> list[str]:
    """One unique id each, in the same order.

    The id is the path below the root without suffix. Ids that collide keep their suffix; those that still
    collide are preceded by the names of the directories they lie in, one more of them until they differ
    (`train/a` and `val/a` for the roots `train` and `val`). Each step touches colliding ids only.
    """
    paths = [_below(candidate) for candidate in candidates]
    stems = [utf8_safe(path.with_suffix("").as_posix()) for path in paths]
    ids = list(stems)
    kept = [utf8_safe(path.as_posix()) for path in paths]
    while _replace_colliding(ids, kept):
        pass  # an id with its suffix may be another one's without
    parents: list[Sequence[str]] = []
    for candidate, path in zip(candidates, paths, strict=True):
        absolute = Path(os.path.abspath(candidate.path))
        parents.append(absolute.parts[1 : len(absolute.parts) - len(path.parts)])
    for depth in range(1, max(map(len, parents), default=0) + 1):
        if len(set(ids)) == len(ids):
            break
        longer = [
            "/".join([*map(utf8_safe, parts[-depth:]), stem])
            for parts, stem in zip(parents, stems, strict=True)
        ]
        _replace_colliding(ids, longer)
    return _numbered(ids)


def utf8_safe(text: str) -> str:
    r"""Text that Parquet can store: bytes of a file name that are not UTF-8 become `\xNN`, the rest stays."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _below(candidate: Candidate) -> Path:
    try:
        return candidate.path.relative_to(candidate.root)
    except ValueError:
        return Path(candidate.path.name)


def _replace_colliding(ids: list[str], replacements: Sequence[str]) -> bool:
    """Change the ids that occur more than once; False if that changed nothing."""
    before = list(ids)
    times = Counter(before)
    for index, name in enumerate(before):
        if times[name] > 1:
            ids[index] = replacements[index]
    return ids != before


def _numbered(ids: Sequence[str]) -> list[str]:
    """The last resort, for names that differ only in what `utf8_safe` cannot show."""
    taken = set(ids)
    seen: set[str] = set()
    unique = []
    for name in ids:
        fresh, number = name, 2
        while fresh in seen or (fresh != name and fresh in taken):
            fresh, number = f"{name}~{number}", number + 1
        seen.add(fresh)
        unique.append(fresh)
    return unique
