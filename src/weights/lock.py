"""One process at a time per file: an advisory lock that the system drops when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weights.errors import DownloadError

_POLL_S = 0.1


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextmanager
def locked(path: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; wait for another holder at most this long.

    The lock belongs to the open file, so a killed process never leaves it taken. The empty file stays: to
    remove it would let two processes hold "the" lock at once.

    Raises:
        DownloadError: another process still holds it after `timeout_s`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + timeout_s
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise DownloadError(
                    f"{path}: waited {timeout_s:.0f} s for another process that is fetching the same file; "
                    "let it finish or end it, then try again"
                )
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)
