"""One writer at a time: a lock that dies with its process, so that a stale one cannot exist."""

from __future__ import annotations

import errno
import os
import weakref
from pathlib import Path

LOCK_NAME = "_lock"

_held: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()
_fork_hooks: list[int] = []


class CacheLockedError(ValueError):
    """Another process is writing to the cache; the message names the lock file and the process."""


class DirectoryLock:
    """An exclusive lock on `_lock` inside a directory, held until `release` or the end of the process.

    Args:
        directory: must exist.
        wait: wait for the other holder instead of raising.

    Raises:
        CacheLockedError: somebody else holds it.
        OSError: the file cannot be created.
    """

    def __init__(self, directory: Path, wait: bool = False) -> None:
        self.path = directory / LOCK_NAME
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._descriptor, wait)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
                os.close(self._descriptor)
                raise OSError(error.errno, "this file system offers no locks", str(self.path)) from error
            holder = os.pread(self._descriptor, 32, 0).decode(errors="replace") if os.name != "nt" else ""
            os.close(self._descriptor)
            raise CacheLockedError(
                f"{self.path}: expected to be the only writer, but {holder.strip() or 'another process'} "
                "is writing to this cache; wait for it, or write to another directory"
            ) from error
        if os.name != "nt":
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"process {os.getpid()}\n".encode(), 0)
        _held.add(self)
        _forget_in_children()

    def release(self) -> None:
        """Give the lock up; doing so twice is harmless."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            if os.name == "nt":
                _unlock_windows(descriptor)
            os.close(descriptor)
        _held.discard(self)

    def _forget(self) -> None:
        """In a forked child: close the inherited descriptor, which leaves the parent's lock in force."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _forget_in_children() -> None:
    """A worker forked from the writer must not keep the lock alive when the writer is killed."""
    if not _fork_hooks and hasattr(os, "register_at_fork"):
        _fork_hooks.append(os.getpid())
        os.register_at_fork(after_in_child=_forget_all)


def _forget_all() -> None:
    for lock in list(_held):
        lock._forget()


def _lock(descriptor: int, wait: bool) -> None:
    if os.name == "nt":
        _lock_windows(descriptor, wait)
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _lock_windows(descriptor: int, wait: bool) -> None:
    import msvcrt  # its functions exist on Windows only

    locking = getattr(msvcrt, "locking")  # noqa: B009
    os.lseek(descriptor, 0, os.SEEK_SET)
    while True:
        try:
            locking(descriptor, getattr(msvcrt, "LK_LOCK" if wait else "LK_NBLCK"), 1)
            return
        except OSError:
            if not wait:
                raise


def _unlock_windows(descriptor: int) -> None:
    import msvcrt

    os.lseek(descriptor, 0, os.SEEK_SET)
    getattr(msvcrt, "locking")(descriptor, getattr(msvcrt, "LK_UNLCK"), 1)  # noqa: B009
