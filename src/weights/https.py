"""A file over HTTP(S), whole or not at all: resumed, retried, bounded; the environment's proxies hold."""

from __future__ import annotations

import errno
import http.client
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from weights.archive import free_bytes
from weights.errors import DownloadError

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known

_CHUNK_BYTES = 1 << 18
_GONE = (400, 401, 403, 404, 405, 410, 451)  # asking again does not help


@dataclass(frozen=True)
class Patience:
    """How long to try.

    Attributes:
        timeout_s: the server may stay silent this long.
        attempts: tries in a row without a single new byte before it is given up.
        first_pause_s: before the second try; doubled before each further one.
        max_bytes: a larger file is refused.
    """

    timeout_s: float = 30.0
    attempts: int = 5
    first_pause_s: float = 1.0
    max_bytes: int = 4 << 30


class _StartAgainError(Exception):
    """What lies in the part file cannot be continued."""


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never from https to anything less."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if req.full_url.startswith("https://") and not newurl.startswith("https://"):
            raise DownloadError(f"the server redirects from https to {newurl}, which is refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _no_progress(done: int, total: int | None) -> None:
    """Nobody looks."""


def _validator_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.source")


def _read_validator(part: Path, url: str) -> str | None:
    """The validator under which the part file was begun; None if it cannot be continued."""
    try:
        known = json.loads(_validator_path(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(known, dict) or known.get("url") != url:
        return None
    validator = known.get("validator")
    return validator if isinstance(validator, str) and validator else None


def _validator(headers: http.client.HTTPMessage) -> str | None:
    """What identifies these bytes on the server: a strong ETag, else the modification date."""
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def _total_bytes(response: http.client.HTTPResponse, offset: int) -> int | None:
    length = response.headers.get("Content-Length")
    return offset + int(length) if length is not None and length.isdigit() else None


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_path(part).unlink(missing_ok=True)


def _open(url: str, part: Path, patience: Patience) -> tuple[http.client.HTTPResponse, int]:
    """The server's answer, and the offset from which it continues (0: from the start)."""
    validator = _read_validator(part, url)
    have = part.stat().st_size if part.is_file() and validator else 0
    headers = {"User-Agent": "fidget-weights", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": str(validator)}
    opener = urllib.request.build_opener(_NoDowngrade)  # with the environment's proxies
    request = urllib.request.Request(url, headers=headers)
    response: http.client.HTTPResponse = opener.open(request, timeout=patience.timeout_s)
    if response.status != 206:
        return response, 0
    begins = response.headers.get("Content-Range", "").removeprefix("bytes ").split("-", 1)[0]
    if begins != str(have):
        response.close()
        raise _StartAgainError(f"asked for bytes from {have}, the server sent from {begins or 'nowhere'}")
    return response, have


def _check_room(part: Path, total: int | None, offset: int, patience: Patience) -> None:
    if total is None:
        return
    if total > patience.max_bytes:
        raise DownloadError(f"expected at most {patience.max_bytes} bytes, the server announces {total}")
    free = free_bytes(part.parent)
    if total - offset > free:
        raise DownloadError(f"{part.parent} has {free} bytes free, {total - offset} are needed; make room")


def _receive(
    response: http.client.HTTPResponse, opened: IO[bytes], done: int, total: int | None, report: Progress,
    max_bytes: int,
) -> None:  # fmt: skip
    report(done, total)
    while chunk := response.read1(_CHUNK_BYTES):
        done += len(chunk)
        if done > max_bytes:
            raise DownloadError(f"expected at most {max_bytes} bytes, the server sends more")
        opened.write(chunk)
        report(done, total)
    if total is not None and done != total:
        raise ConnectionError(f"the connection ended after {done} of {total} bytes")


def _attempt(url: str, part: Path, patience: Patience, report: Progress) -> None:
    response, offset = _open(url, part, patience)
    with response:
        total = _total_bytes(response, offset)
        if not offset:
            _forget(part)
        _check_room(part, total, offset, patience)
        with part.open("ab") as opened:
            validator = _validator(response.headers)
            if validator and not offset:
                note = json.dumps({"url": url, "validator": validator})
                _validator_path(part).write_text(note, encoding="utf-8")
            _receive(response, opened, offset, total, report, patience.max_bytes)
            opened.flush()
            os.fsync(opened.fileno())


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _give_up_on(error: Exception, part: Path) -> None:
    """Raise what asking again cannot mend; a full disk, a refusal by the server."""
    if isinstance(error, urllib.error.HTTPError) and error.code in _GONE:
        raise DownloadError(f"the server answers {error.code} {error.reason}") from error
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, OSError) and reason.errno in (errno.ENOSPC, errno.EDQUOT):
        raise DownloadError(f"the disk of {part.parent} is full; make room and run it again") from error
    if error is reason and isinstance(reason, PermissionError | IsADirectoryError | FileNotFoundError):
        raise DownloadError(f"cannot write {part}: {reason}") from error


def download(url: str, part: Path, report: Progress = _no_progress, patience: Patience | None = None) -> None:
    """Bring all bytes behind an address into `part`, going on where an earlier try stopped.

    The caller renames the part file once its hash is right. It is continued only if the server still serves
    the same bytes (If-Range with its ETag or date), else begun again. The caller holds a lock on it.

    Raises:
        DownloadError: what the server or the disk said. The part file stays for the next try.
    """
    patience = patience or Patience()
    pause_s, failures = patience.first_pause_s, 0
    while True:
        before = _size(part)
        try:
            _attempt(url, part, patience, report)
            _validator_path(part).unlink(missing_ok=True)
            return
        except _StartAgainError as error:
            _forget(part)
            problem: Exception = error
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code == 416:
                _forget(part)  # more bytes here than there: another file lies there now
            _give_up_on(error, part)
            problem = error
        failures = 1 if _size(part) > before else failures + 1
        if failures >= patience.attempts:
            raise DownloadError(f"{_in_words(problem, patience)}; gave up after {failures} tries")
        time.sleep(pause_s if failures > 1 else patience.first_pause_s)
        pause_s = min(pause_s * 2, 30.0)


def _in_words(problem: Exception, patience: Patience) -> str:
    reason = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    if isinstance(reason, socket.gaierror):
        return f"no network here, or the server's name leads nowhere ({reason.strerror})"
    if isinstance(reason, TimeoutError):
        return f"no answer within {patience.timeout_s:g} s"
    if isinstance(problem, urllib.error.HTTPError):
        return f"the server answers {problem.code} {problem.reason}"
    return str(reason) or type(reason).__name__
