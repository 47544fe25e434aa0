"""Where weight files lie on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from weights.errors import WeightError

VARIABLE = "FIDGET_WEIGHTS"


def user_cache_dir() -> Path:
    """The platform's place for a user's caches, with our own directory in it; it may not exist yet."""
    try:
        home = Path.home()
    except RuntimeError as error:
        raise WeightError(f"this user has no home directory; set {VARIABLE} to a directory") from error
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "fidget"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "fidget"
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if os.path.isabs(named) else home / ".cache") / "fidget"  # the XDG rule: absolute


def weights_dirs() -> tuple[Path, ...]:
    """Every directory that is looked at, first come first served: FIDGET_WEIGHTS, then the user's cache."""
    named = os.environ.get(VARIABLE, "").strip()
    cache = user_cache_dir() / "weights"
    return (Path(named).expanduser().absolute(), cache) if named else (cache,)


def weights_dir() -> Path:
    """The first of them: FIDGET_WEIGHTS where it is set, else `fidget/weights` in the user's cache."""
    return weights_dirs()[0]


def is_writable(directory: Path) -> bool:
    """Whether files may be made here; a directory marked read-only is left alone even by root."""
    try:
        marked = os.name == "posix" and not directory.stat().st_mode & 0o222
    except OSError:
        return False
    return not marked and os.access(directory, os.W_OK | os.X_OK)


def writable_dir() -> Path:
    """The first of them that can be written, made if need be.

    Raises:
        WeightError: none can; the message names each and why.
    """
    refusals = []
    for directory in weights_dirs():
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            refusals.append(f"{directory}: {error.strerror}")
            continue
        if is_writable(directory):
            return directory
        refusals.append(f"{directory}: not writable")
    raise WeightError(
        f"no place for weights ({'; '.join(refusals)}); set {VARIABLE} to one that can be written"
    )
