"""Opening a video: what is refused before anything of it is decoded, and in which words."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

MAX_PIXELS = 64_000_000
"""Largest picture that is read: 8K is 33 million pixels."""

_BINARY = bytes({*range(9), *range(14, 32)})  # control characters that no text file holds
_SECONDS_FOR_A_READ = 120.0  # a demuxer or a disk that gives nothing for so long is given up

# They read other files, devices or the network, without end perhaps, or draw text as pictures.
_REFUSED_FORMATS = {
    "adf", "bin", "concat", "dash", "fbdev", "ffmetadata", "hls", "idf", "image2", "image2pipe", "imf",
    "lavfi", "rtp", "rtsp", "sap", "sdp", "tty", "video4linux2,v4l2", "webm_dash_manifest", "xbin",
}  # fmt: skip


class UnreadableVideoError(ValueError):
    """A file gives no video frame; the message says what was expected, what came and what to do."""


def unreadable(path: Path, came: str, advice: str) -> UnreadableVideoError:
    """The error in the form that all of them have."""
    return UnreadableVideoError(f"{str(path)!r}: expected a video file, got {came}: {advice}")


def reason(error: Exception) -> str:
    """What the system or FFmpeg said, on one line and without the file's name."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def checked_size(path: Path) -> int:
    """Bytes of a regular file that may be opened without waiting for anyone."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        raise unreadable(path, f"nothing ({reason(error)})", "check the path") from error
    kinds = (
        (stat.S_ISDIR, "a directory", "name it to extract-poses as such, or name the files in it"),
        (stat.S_ISFIFO, "a pipe", "save the video to a file first"),
        (stat.S_ISSOCK, "a socket", "save the video to a file first"),
        (lambda mode: not stat.S_ISREG(mode), "a device", "save the video to a file first"),
    )
    for matches, came, advice in kinds:
        if matches(status.st_mode):
            raise unreadable(path, came, advice)
    if status.st_size == 0:
        raise unreadable(path, "an empty file", "copy or download it again")
    return status.st_size


def open_container(path: Path) -> InputContainer:
    """Open a file as video, restricted to that one file.

    Raises:
        UnreadableVideoError: FFmpeg makes nothing of it.
    """
    import av

    allowed = ",".join(sorted(av.formats_available - _REFUSED_FORMATS))
    try:
        return av.open(
            f"file:{path}",  # so that a name like `http:clip.mp4` stays a name
            options={
                "format_whitelist": allowed,
                "protocol_whitelist": "file",
                "max_pixels": str(MAX_PIXELS),
            },
            metadata_errors="replace",
            timeout=_SECONDS_FOR_A_READ,
        )
    except (av.FFmpegError, OSError) as error:
        came, advice = _describe_unopened(path, error)
        raise unreadable(path, came, advice) from error


def _describe_unopened(path: Path, error: Exception) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as reading:
        return f"a file that may not be read ({reason(reading)})", "check its permissions"
    if head[4:8] == b"ftyp":
        return (
            f"an mp4 without a usable index ({reason(error)})",
            "the recording or the copy was cut off: copy it again, or repair it with its recorder's tool",
        )
    if not head.strip(b"\0"):
        return "nothing but zeros", "copy or download it again"
    if not any(byte in head for byte in _BINARY):
        return "text", "name the video itself; a list of videos ends in .txt"
    if isinstance(error, EOFError):
        return "a file that ends before its first picture", "copy or download it again"
    return f"data that FFmpeg does not know ({reason(error)})", "check that it plays"


def choose_stream(path: Path, container: InputContainer) -> VideoStream:
    """The stream to read: not a cover picture, and the one FFmpeg thinks best where there are several."""
    from av.stream import Disposition

    video = container.streams.video
    moving = [stream for stream in video if not stream.disposition & Disposition.attached_pic]
    if not moving:
        if not container.streams:
            raise unreadable(path, "a file that lists no stream", "its index may be cut off: copy it again")
        kinds = sorted({stream.type for stream in container.streams if stream not in video})
        holds = " and ".join([*kinds, *(["a cover picture"] if video else [])])
        raise unreadable(path, f"a file with {holds} but no video", "leave it out")
    best = container.streams.best("video")
    stream = best if best in moving else moving[0]
    if stream.codec_context is None:
        raise unreadable(path, "a video codec that this FFmpeg has no decoder for", "convert it to h264")
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise unreadable(
            path,
            f"pictures of {width}x{height}",
            f"at most {MAX_PIXELS // 1_000_000} million pixels are read, scale it down if that is real",
        )
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream
