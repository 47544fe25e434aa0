"""What frames come from: a webcam, a stream of the network, or a file that is played in real time.

Streams are read with PyAV: RTSP over TCP, and what else FFmpeg reads under an address, such as the MJPEG of a
camera over HTTP. Nothing waits for ever: an address that does not answer, and a stream that falls silent, are
errors after `SILENCE_S`.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import numpy as np
from numpy.typing import NDArray

WEBCAM = re.compile(r"\d{1,3}")
SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "srt")
SILENCE_S = 10.0

Timed = Iterator[tuple[float | None, NDArray[np.uint8]]]


class Source(Protocol):
    """What is read once it is open.

    Attributes:
        shown: its name in messages, without a password.
        returns: whether it is worth opening again once it broke.
    """

    shown: str
    returns: bool

    def open(self) -> None:
        """Begin, or begin again.

        Raises:
            ValueError: it does not open; one line says why.
        """
        ...

    def frames(self, stopping: threading.Event) -> Timed:
        """Time on the source's own clock in seconds, None for the time of arrival; and (H, W, 3) uint8.

        Raises:
            ValueError: reading failed; one line says why.
        """
        ...

    def close(self) -> None:
        """Let go of it; doing so twice is harmless."""
        ...


def source_of(text: str, silence_s: float = SILENCE_S) -> Source:
    """What `--live TEXT` means, not yet open.

    Args:
        text: number of a webcam, an address, or a file.
        silence_s: after which an address counts as gone.

    Raises:
        ValueError: it means nothing.
    """
    if WEBCAM.fullmatch(text):
        return Webcam(int(text))
    if text.partition("://")[0].lower() in SCHEMES and "://" in text:
        return NetworkStream(text, silence_s)
    path = Path(text)
    if not path.is_file():
        raise ValueError(
            f"--live {without_password(text)}: expected the number of a webcam, rtsp://... or a file; there "
            "is no such file"
        )
    return PlayedFile(path)


def without_password(address: str) -> str:
    """An address as it may be shown: user and password left out."""
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address
    return urlunsplit(parts._replace(netloc="***@" + parts.netloc.rpartition("@")[2]))


class NetworkStream:
    """See `Source`; frames have the time of their arrival.

    Args:
        address: with its scheme.
        silence_s: see the module.
    """

    returns = True

    def __init__(self, address: str, silence_s: float = SILENCE_S) -> None:
        self.shown = without_password(address)
        self._address, self._silence_s = address, silence_s
        self._container = None

    def open(self) -> None:
        """See `Source.open`."""
        import av

        self.close()
        options = {"fflags": "nobuffer"}
        if self._address.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
        wait_s = (self._silence_s, self._silence_s)
        try:
            container = av.open(self._address, options=options, timeout=wait_s)
        except (av.error.FFmpegError, OSError) as error:
            why = _unknown_machine(self._address) or self._reason(error)
            raise ValueError(f"{self.shown}: does not open: {why}") from error
        if not container.streams.video:
            container.close()
            raise ValueError(f"{self.shown}: there is no picture in it; name the address of a video stream")
        container.streams.video[0].thread_type = "SLICE"  # threads over frames would hold frames back
        self._container = container

    def frames(self, stopping: threading.Event) -> Timed:
        """See `Source.frames`."""
        import av

        container = self._container
        if container is None:
            raise ValueError(f"{self.shown}: not open")
        packets = container.demux(container.streams.video[0])
        while not stopping.is_set():
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                raise ValueError(self._reason(error)) from error
            if packet is None:
                raise ValueError("it gives no more frames")
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:  # a damaged packet; the next whole picture goes on
                continue
            for frame in decoded:
                yield None, frame.to_ndarray(format="bgr24")

    def close(self) -> None:
        """See `Source.close`."""
        container, self._container = self._container, None
        if container is not None:
            container.close()

    def _reason(self, error: Exception) -> str:
        """Of an error of FFmpeg, without the address, which may hold a password."""
        import av

        if isinstance(error, av.error.ExitError):
            return f"nothing came for {self._silence_s:g} s"
        words = getattr(error, "strerror", None) or type(error).__name__
        return " ".join(str(words).split())


def _unknown_machine(address: str) -> str:
    """That an address names no machine that is known here; nothing where it does."""
    name = urlsplit(address).hostname
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        return f"no machine of the name {name} is known here"
    return ""


class Webcam:
    """See `Source`; frames have the time of their arrival.

    Args:
        number: as the system counts its cameras, from 0.
    """

    returns = True

    def __init__(self, number: int) -> None:
        self.shown = f"webcam {number}"
        self._number = number
        self._capture = None

    def open(self) -> None:
        """See `Source.open`."""
        import cv2

        self.close()
        before = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # two lines about each backend
        try:
            capture = cv2.VideoCapture(self._number)
        finally:
            cv2.utils.logging.setLogLevel(before)
        if not capture.isOpened():
            capture.release()
            raise ValueError(f"--live {self._number}: no webcam of that number opens; {_webcams()}")
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._capture = capture

    def frames(self, stopping: threading.Event) -> Timed:
        """See `Source.frames`."""
        while not stopping.is_set() and self._capture is not None:
            there, frame = self._capture.read()
            if not there:
                raise ValueError("it gives no more frames")
            yield None, np.asarray(frame, np.uint8)

    def close(self) -> None:
        """See `Source.close`."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()


def _webcams() -> str:
    """Which there are, where the system shows them as files."""
    devices = Path("/dev")
    if not devices.is_dir():
        return "see that it is plugged in and that no other program holds it"
    names = sorted(one.name for one in devices.glob("video[0-9]*"))
    if not names:
        return "this machine shows none (no /dev/video*)"
    return f"this machine shows {', '.join(names)}; another program may hold it"


class PlayedFile:
    """See `Source`; each frame comes when it would be shown, at its time in the file.

    Args:
        path: of a video.
    """

    returns = False

    def __init__(self, path: Path) -> None:
        from pose_extract.video import VideoFrames

        self.shown = str(path)
        self._path = path
        self._video: VideoFrames | None = None

    def open(self) -> None:
        """See `Source.open`."""
        from pose_extract.video import VideoFrames

        self._video = VideoFrames(self._path)  # its error is a ValueError of one line

    def frames(self, stopping: threading.Event) -> Timed:
        """See `Source.frames`."""
        if self._video is None:
            raise ValueError(f"{self.shown}: not open")
        begin_s = first_s = None
        for time_us, frame in self._video:
            if begin_s is None or first_s is None:
                begin_s, first_s = time.perf_counter(), time_us / 1e6
            due_s = begin_s + time_us / 1e6 - first_s
            if stopping.wait(max(0.0, due_s - time.perf_counter())):
                return
            yield time_us / 1e6, frame

    def close(self) -> None:
        """See `Source.close`."""
        video, self._video = self._video, None
        if video is not None:
            video.close()
