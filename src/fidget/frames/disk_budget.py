"""Files in a directory that together stay within a budget: those used longest ago leave.

What was used since the directory was opened stays. A training run uses every clip once an epoch: where not
all of them fit, each would leave shortly before it is wanted again (with half of them fitting, one read in
six finds its clip), while a half that stays is found by every second read.

The bytes in use are written down before a file is written, so that after a crash they may be too many, never
too few; they are counted anew when they seem to reach the budget. Writers of all processes wait for one
another.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from poses.cache_files import write_whole
from poses.cache_lock import DirectoryLock

_USED = "_used_bytes"
_TEMPORARY = ".writing-"  # as `write_whole` names files until they are whole
_ABANDONED_S = 3600.0  # after so long, a temporary file's writer is gone
_ROOM = 0.95  # of the budget that is left in use when room is made, so that not every file counts anew


class DiskBudget:
    """Keeps the files of one suffix in a directory within a number of bytes, for any number of processes.

    A file's time of last change says when it was used; whoever uses one sets it to now.

    Args:
        directory: made if absent.
        budget_bytes: at least 1.
        suffix: of the files that may be deleted; others are left alone.

    Raises:
        ValueError: the budget is below 1.
        OSError: the directory cannot be made or written.
    """

    def __init__(self, directory: Path, budget_bytes: int, suffix: str) -> None:
        if budget_bytes < 1:
            raise ValueError(f"expected a budget of at least 1 byte, got {budget_bytes}")
        self.budget_bytes = budget_bytes
        self._directory, self._suffix = directory, suffix
        directory.mkdir(parents=True, exist_ok=True)
        lock = DirectoryLock(directory, wait=True)
        try:
            self._make_room(0, self._files(), None)  # what there is may be of a larger budget
            self._opened_ns = (directory / _USED).stat().st_mtime_ns  # by the clock of the files
        finally:
            lock.release()

    def put(self, name: str, content: bytes) -> bool:
        """Write a file, whole; where there is no room, others leave first, if not used since the opening.

        Returns:
            False where that gives no room, and nothing was written.

        Raises:
            OSError: the disk is full or cannot be written; nothing is left behind.
        """
        if len(content) > self.budget_bytes:
            return False
        lock = DirectoryLock(self._directory, wait=True)
        try:
            if (self._directory / name).exists():
                return True  # another process was quicker
            used = self._used()
            if used is None or used + len(content) > self.budget_bytes:
                used = self._make_room(len(content), self._files(), self._opened_ns)
            if used + len(content) > self.budget_bytes:
                return False
            self._note(used + len(content))
            write_whole(self._directory, name, content)
        finally:
            lock.release()
        return True

    def used(self) -> int:
        """Bytes of the files there are."""
        return sum(size for _, size, path in self._files() if path.suffix == self._suffix)

    def _files(self) -> list[tuple[int, int, Path]]:
        """Time of last use (ns), bytes and path of each file of ours, finished or being written."""
        found = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if entry.name.endswith(self._suffix) or entry.name.startswith(_TEMPORARY):
                    with suppress(FileNotFoundError):
                        status = entry.stat()
                        found.append((status.st_mtime_ns, status.st_size, Path(entry.path)))
        return sorted(found)

    def _make_room(self, wanted: int, files: list[tuple[int, int, Path]], before_ns: int | None) -> int:
        """Delete files last used before a time until `wanted` more bytes fit; the bytes that stay.

        Only under the lock.
        """
        used = sum(size for _, size, _ in files)
        goal = self.budget_bytes - wanted
        if used > goal:
            goal = min(goal, int(self.budget_bytes * _ROOM))
        abandoned_ns = time.time_ns() - int(_ABANDONED_S * 1e9)
        for used_ns, size, path in files:
            writing = path.name.startswith(_TEMPORARY)
            old = before_ns is None or used_ns < before_ns
            if (used_ns < abandoned_ns) if writing else (used > goal and old):
                path.unlink(missing_ok=True)
                used -= size
        self._note(used)
        return used

    def _used(self) -> int | None:
        try:
            return int((self._directory / _USED).read_bytes())
        except (OSError, ValueError):
            return None

    def _note(self, used: int) -> None:
        (self._directory / _USED).write_bytes(b"%d\n" % used)
