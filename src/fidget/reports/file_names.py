"""File names from clip ids, whatever those hold."""

from __future__ import annotations

import hashlib
from pathlib import Path

_LONGEST_BYTES = 200


def file_below(directory: Path, clip_id: str, suffix: str) -> Path:
    """A file for a clip, below the directory whatever the id holds; different ids get different files.

    Slashes make folders. Control characters, a leading dot and what some file system refuses become `%XX`;
    a part too long for a file system is cut and ends in a hash.
    """
    parts = [_safe_part(part) for part in clip_id.split("/")]
    return directory.joinpath(*parts[:-1], parts[-1] + suffix)


def _safe_part(part: str) -> str:
    characters = [
        character if character.isprintable() and character not in '%\\:*?"<>|' else _percent(character)
        for character in part
    ]
    if characters[:1] == ["."] or not characters:
        characters[:1] = ["%2E" if characters else "%00"]
    escaped = "".join(characters)
    data = escaped.encode()
    if len(data) <= _LONGEST_BYTES:
        return escaped
    return data[: _LONGEST_BYTES - 20].decode("utf-8", "ignore") + "~" + hashlib.sha256(data).hexdigest()[:16]


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
