"""A small RTSP server on this machine: one H.264 stream over TCP, and the ways in which cameras fail.

RTSP 1.0 (RFC 2326) with RTP interleaved in its connection, H.264 packets after RFC 6184.
"""

from __future__ import annotations

import base64
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import BinaryIO, Literal

import av
import numpy as np

Ending = Literal["bye", "vanish", "silence"]
_LARGEST = 1200  # bytes of a packet's payload
_CLOCK_HZ = 90_000


def h264_frames(count: int, size: tuple[int, int] = (64, 48), fps: int = 25) -> list[list[bytes]]:
    """The NAL units of each frame of a grey picture that grows lighter; each is a whole picture."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, fps), Fraction(fps)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "1"}
    found = []
    for number in range(count):
        picture = np.full((size[1], size[0], 3), 130 + number % 120, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts = number
        found += [bytes(packet) for packet in encoder.encode(frame)]
    found += [bytes(packet) for packet in encoder.encode(None)]
    return [
        [unit for unit in frame.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit] for frame in found
    ]


class RtspServer:
    """Plays the same frames to whoever asks; a context manager.

    Args:
        frames: NAL units of each frame, see `h264_frames`.
        endings: how the first, second, ... connection ends after the last frame; whoever comes later is
            not let in, since the server is gone.
        fps: of the frames.

    Attributes:
        url: of the stream; any other address of the server is not found.
        connections: that began to play.
    """

    def __init__(
        self, frames: Sequence[list[bytes]], endings: Sequence[Ending] = ("bye",), fps: int = 25
    ) -> None:
        self._frames, self._endings, self._fps = frames, list(endings), fps
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtsp://127.0.0.1:{self._listener.getsockname()[1]}/camera"
        self.connections = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> RtspServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with suppress(OSError):  # gone already
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._listener.close()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        while self.connections < len(self._endings):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self._talk(connection)
                except (ConnectionError, TimeoutError):
                    continue
        self._listener.close()

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        reader = connection.makefile("rb")
        while request := _request(reader):
            method, url, sequence = request
            head = f"CSeq: {sequence}\r\n"
            if method == "OPTIONS":
                _answer(connection, head + "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n")
            elif url.rstrip("/").removesuffix("/track0") != self.url:
                _answer(connection, head, "404 Not Found")
            elif method == "DESCRIBE":
                body = self._description()
                _answer(
                    connection,
                    f"{head}Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n",
                    body=body,
                )
            elif method == "SETUP":
                _answer(connection, head + "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n")
            elif method == "PLAY":
                _answer(connection, head + "Session: 1\r\n")
                self._play(connection)
                return
            else:
                _answer(connection, head)

    def _description(self) -> str:
        sets = [unit for unit in self._frames[0] if unit[0] & 31 in (7, 8)]
        told = ",".join(base64.b64encode(unit).decode() for unit in sets)
        lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=test", "t=0 0", "m=video 0 RTP/AVP 96"]
        lines += ["a=rtpmap:96 H264/90000", f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={told}"]
        return "\r\n".join([*lines, "a=control:track0", ""])

    def _play(self, connection: socket.socket) -> None:
        ending = self._endings[self.connections]
        self.connections += 1
        sequence = 0
        begin_s = time.perf_counter()
        for number, units in enumerate(self._frames):
            if self._stopping.wait(max(0.0, begin_s + number / self._fps - time.perf_counter())):
                return
            payloads = [part for unit in units for part in _payloads(unit)]
            for place, payload in enumerate(payloads):
                marker = 0x80 * (place == len(payloads) - 1)
                stamp = number * _CLOCK_HZ // self._fps
                packet = struct.pack(">BBHII", 0x80, marker | 96, sequence & 0xFFFF, stamp, 1) + payload
                connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                sequence += 1
        if ending == "silence":
            self._stopping.wait(20)
        elif ending == "vanish":  # the connection is reset, as by a camera that lost its power
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _request(reader: BinaryIO) -> tuple[str, str, str] | None:
    """Method, address and number of the next request; None where there is none."""
    first = reader.readline().decode()
    if not first.strip():
        return None
    sequence = "0"
    while line := reader.readline().decode().strip():
        name, _, value = line.partition(":")
        if name.lower() == "cseq":
            sequence = value.strip()
    method, url, _ = first.split(" ", 2)
    return method, url, sequence


def _answer(connection: socket.socket, head: str, status: str = "200 OK", body: str = "") -> None:
    connection.sendall(f"RTSP/1.0 {status}\r\n{head}\r\n{body}".encode())


def _payloads(unit: bytes) -> Iterator[bytes]:
    """A NAL unit as it is, or in fragments (FU-A)."""
    if len(unit) <= _LARGEST:
        yield unit
        return
    indicator, kind, rest = (unit[0] & 0xE0) | 28, unit[0] & 31, unit[1:]
    for at in range(0, len(rest), _LARGEST):
        begins, ends = at == 0, at + _LARGEST >= len(rest)
        yield bytes([indicator, begins << 7 | ends << 6 | kind]) + rest[at : at + _LARGEST]
