"""Webcams, streams and files as sources of frames: what comes, and what is said when nothing does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer

import cv2
import numpy as np
import pytest
from tests.fidget.rtsp_server import Ending, RtspServer, h264_frames

from fidget.recognition.live_frames import LiveFrames, StreamBrokenError
from fidget.recognition.live_sources import NetworkStream, source_of, without_password

FPS = 50
FRAMES = h264_frames(40, (320, 240), FPS)


def _watch(
    url: str, reconnects: int = 0, silence_s: float = 2.0
) -> tuple[list[float], LiveFrames, list[str], str]:
    """Arrival times, the reader, what it said, and how it broke."""
    said: list[str] = []
    times: list[float] = []
    stream = LiveFrames(NetworkStream(url, silence_s), 0.0, reconnects, said.append, pause_s=0.05)
    broke = ""
    with stream as frames:
        try:
            for frame in frames:
                assert frame.frame_bgr.shape == (240, 320, 3) and frame.frame_bgr.mean() > 120
                times.append(frame.time_s)
        except StreamBrokenError as error:
            broke = str(error)
    return times, stream, said, broke


def test_a_stream_of_rtsp_is_read_until_its_end() -> None:
    with RtspServer(FRAMES, fps=FPS) as server:
        times, stream, said, broke = _watch(server.url)
    assert len(times) + stream.dropped >= 10  # the first second goes to finding out what it is
    assert times == sorted(times) and not said
    assert broke == f"{server.url}: the stream broke: it gives no more frames"


def test_a_camera_that_loses_its_power_is_opened_again() -> None:
    with RtspServer(FRAMES, ("vanish", "bye"), FPS) as server:
        times, stream, said, broke = _watch(server.url, reconnects=2)
    assert server.connections == 2 and stream.breaks == 1
    assert said[1] == f"{server.url}: there again" and said[0].endswith("in 0.05 s, try 1 of 2")
    assert times == sorted(times)  # the clock goes on
    assert [line[-10:] for line in said[2:]] == ["try 1 of 2", "try 2 of 2"]  # the tries count anew
    assert "does not open: Connection refused" in said[-1] and broke.endswith(
        "it did not come back in 2 tries"
    )


def test_a_stream_that_falls_silent_ends() -> None:
    begin_s = time.perf_counter()
    with RtspServer(FRAMES, ("silence",), FPS) as server:
        _, _, _, broke = _watch(server.url, silence_s=1.0)
        assert time.perf_counter() - begin_s < 8
    assert broke.endswith("the stream broke: nothing came for 1 s")


def test_who_ends_early_is_not_kept_by_the_network() -> None:
    with RtspServer(FRAMES, ("silence",), FPS) as server:
        stream = LiveFrames(NetworkStream(server.url, 30.0), seconds=0.5, reconnects=0)
        begin_s = time.perf_counter()
        with stream as frames:
            assert len(list(frames)) >= 1
        assert time.perf_counter() - begin_s < 5


def test_addresses_that_lead_nowhere_say_why_without_their_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(
        ValueError, match=r"^rtsp://\*\*\*@127.0.0.1:\d+/x: does not open: Connection refused$"
    ):
        LiveFrames(f"rtsp://me:secret@127.0.0.1:{port}/x")
    with pytest.raises(ValueError, match=r"no machine of the name nowhere\.invalid is known here"):
        LiveFrames("rtsp://nowhere.invalid/x")
    wrong = pytest.raises(ValueError, match=r"/other: does not open: .*404 Not Found")
    with RtspServer(FRAMES, fps=FPS) as server, wrong:
        LiveFrames(server.url.replace("camera", "other"))
    with pytest.raises(ValueError, match=r"ftp://\*\*\*@b/c: expected the number of a webcam"):
        source_of("ftp://a:secret@b/c")
    assert without_password("rtsp://host:554/a?b=c") == "rtsp://host:554/a?b=c"


def test_a_webcam_that_is_not_there_is_said_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"^--live 987: no webcam of that number opens; this machine shows"):
        LiveFrames("987")
    assert capfd.readouterr().err == ""


class _Mjpeg(BaseHTTPRequestHandler):
    """Pictures one after the other, as a network camera sends them."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        picture = cv2.imencode(".jpg", np.full((240, 320, 3), 180, np.uint8))[1].tobytes()
        for _ in range(30):
            head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
            self.wfile.write(head.encode() + picture + b"\r\n")
            time.sleep(0.02)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_pictures_over_http_are_a_stream_too() -> None:
    with HTTPServer(("127.0.0.1", 0), _Mjpeg) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        times, stream, _, broke = _watch(f"http://127.0.0.1:{server.server_port}/video")
        thread.join(5)
    assert len(times) + stream.dropped >= 5 and "the stream broke" in broke


@pytest.mark.parametrize("endings", [("bye",), ("vanish",)])
def test_without_reconnecting_a_break_is_the_end(endings: Sequence[Ending]) -> None:
    with RtspServer(FRAMES[:20], endings, FPS) as server:
        _, stream, said, broke = _watch(server.url)
    assert not said and stream.breaks == 0 and "the stream broke" in broke
