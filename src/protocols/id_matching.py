"""Names in a list and clip ids of a pose cache: the same clip, one with its folder, the other without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from protocols.clip_table import ClipTable


def match_ids(names: Sequence[str], clip_ids: Iterable[str]) -> dict[str, str]:
    """Name -> clip id, of the names that are found.

    A name that is a clip id is that clip. Else one of the two is the end of the other, by whole folders:
    `0003_01_0001` and `videos_train/0003_01_0001`; a name may also carry a suffix that the id lacks. Clips of
    other folders are never taken for each other.

    Raises:
        ValueError: a name fits several clips, or two names fit one; named.
    """
    ids = dict.fromkeys(clip_ids)
    by_last: dict[str, list[str]] = {}
    for clip_id in ids:
        by_last.setdefault(clip_id.rpartition("/")[2], []).append(clip_id)
    found: dict[str, str] = {}
    names_of: dict[str, str] = {}
    problems = []
    for name in names:
        fitting = [name] if name in ids else _fitting(name, by_last)
        if len(fitting) > 1:
            problems.append(f"{name!r} may be {' or '.join(map(repr, fitting[:3]))}")
        elif fitting and names_of.setdefault(fitting[0], name) != name:
            problems.append(f"{names_of[fitting[0]]!r} and {name!r} may both be {fitting[0]!r}")
        elif fitting:
            found[name] = fitting[0]
    if problems:
        more = f" ... and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise ValueError(
            f"names of clips and poses do not fit one to one: {'; '.join(problems[:4])}{more}; "
            "give the clips the names of the cache"
        )
    return found


def with_cache_ids(table: ClipTable, clip_ids: Iterable[str]) -> ClipTable:
    """The table with the clip ids of a cache where its own names differ from them; other names stay.

    Raises:
        ValueError: as `match_ids`.
    """
    found = match_ids(table.clip_ids, clip_ids)
    ids = tuple(found.get(name, name) for name in table.clip_ids)
    return table if ids == table.clip_ids else replace(table, clip_ids=ids)


def _fitting(name: str, by_last: dict[str, list[str]]) -> list[str]:
    stem, dot, suffix = name.rpartition(".")
    spellings = [name, stem] if dot and stem and "/" not in suffix else [name]
    for spelling in spellings:
        parts = spelling.split("/")
        fitting = []
        for clip_id in by_last.get(parts[-1], ()):
            other = clip_id.split("/")
            shared = min(len(parts), len(other))
            if parts[-shared:] == other[-shared:]:
                fitting.append(clip_id)
        if fitting:
            return fitting
    return []
