"""A web server on this machine that misbehaves on demand, and weights directories below tmp_path."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from weights import manifest
from weights.manifest import Weight


@dataclass
class Site:
    """What the server serves at every path, and how badly."""

    data: bytes = b""
    base: str = ""
    etag: str | None = '"one"'
    ranges: bool = True
    statuses: list[int] = field(default_factory=list)  # answered first, one a request
    cut_after: list[int | None] = field(default_factory=list)  # bytes sent before the connection breaks
    redirect_to: str | None = None
    wrong_range: bool = False
    announce: int | None = None
    chunked: bool = False
    hang: threading.Event | None = None
    asked: list[dict[str, str]] = field(default_factory=list)


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            site.asked.append({"path": self.path, **dict(self.headers.items())})
            self.close_connection = True
            if site.hang is not None:
                site.hang.wait(20)
                return
            if site.statuses:
                self.send_response(site.statuses.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if site.redirect_to and self.path != "/moved":
                self.send_response(302)
                self.send_header("Location", site.redirect_to)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._send()

        def _send(self) -> None:
            start = 0
            asked = self.headers.get("Range")
            same = self.headers.get("If-Range") in (None, site.etag)
            if asked and site.ranges and same:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(site.data):
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                said = start + 1 if site.wrong_range else start
                self.send_header("Content-Range", f"bytes {said}-{len(site.data) - 1}/{len(site.data)}")
            else:
                self.send_response(200)
            body = site.data[start + (site.wrong_range and start > 0) :]
            if site.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(site.announce or len(body)))
            if site.etag:
                self.send_header("ETag", site.etag)
            self.end_headers()
            cut = site.cut_after.pop(0) if site.cut_after else None
            sent = body if cut is None else body[:cut]
            if site.chunked:
                self.wfile.write(
                    b"%x\r\n%s\r\n" % (len(sent), sent) + (b"" if cut is not None else b"0\r\n\r\n")
                )
            else:
                self.wfile.write(sent)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    """A running server; `site.base` is its address."""
    made = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.base = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    if made.hang is not None:
        made.hang.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """FIDGET_WEIGHTS and the user's cache, both below tmp_path; neither exists yet. No proxy is used."""
    named, cache = tmp_path / "named", tmp_path / "cache"
    monkeypatch.setenv("FIDGET_WEIGHTS", str(named))
    monkeypatch.setattr("weights.places.user_cache_dir", lambda: cache)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return named, cache / "weights"


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replace the manifest by these rows."""

    def put(*rows: Weight) -> None:
        monkeypatch.setattr(manifest, "_shipped", lambda: {row.name: row for row in rows})

    return put
