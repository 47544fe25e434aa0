"""Reading a video once, so that any of its frames is found later without reading what lies before.

Headers lie: packets that a container lists may not decode, an edit list may hide frames, a file may be cut
off. What counts is what decodes, numbered as `pose_extract.video.VideoFrames` numbers it, so that frame k
here is frame k of a pose cache. A sound mp4 or Matroska file is decoded once, without any conversion of its
pictures; it is only demuxed where a pose cache has counted the frames of the very same file.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fidget.frames.upright_rgb import UprightRgb
from fidget.frames.video_entry import Plan, VideoEntry
from pose_extract.open_video import UnreadableVideoError, checked_size, choose_stream, open_container
from pose_extract.upright import Orientation, display_matrix
from pose_extract.video import VideoFrames
from pose_extract.video_damage import truncation

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_SEEKABLE = frozenset({"mov", "matroska"})  # containers that list every frame with its exact time
_GAP_AT_MOST_US = 86_400_000_000  # a day, as in extraction


def index_video(path: Path, known_time_us: NDArray[np.int64] | None = None) -> VideoEntry:
    """Read a video once and say what is in it; a file that gives no frame becomes an entry with an `error`.

    Args:
        path: of the video.
        known_time_us: (T,) times of its frames from a pose cache that was made from this very file; if its
            packets state the same times, the video is not decoded again.
    """
    size = mtime_ns = 0
    try:
        checked_size(path)
        status = path.stat()
        size, mtime_ns = status.st_size, status.st_mtime_ns
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()[:32]
        entry = _sound(path, known_time_us) or _as_extracted(path)
    except UnreadableVideoError as error:
        return VideoEntry(path, size, mtime_ns, error=str(error))
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        said = getattr(error, "strerror", None) or str(error)
        return VideoEntry(path, size, mtime_ns, error=f"{str(path)!r}: expected a video file, got: {said}")
    return replace(entry, bytes=size, mtime_ns=mtime_ns, checksum=checksum)


def _as_extracted(path: Path) -> VideoEntry:
    """From the reader of extraction, which knows every kind of damage and odd clock."""
    with VideoFrames(path) as video:
        info = video.info
        time_us = np.array([time_us for time_us, _ in video], np.int64)
        problem = video.problem or ""
    if not len(time_us):
        raise UnreadableVideoError(
            f"{str(path)!r}: expected a video file, got one of which no frame converts"
        )
    orientation = Orientation(
        transpose=info.rotation_deg in (90, 270),
        flip_rows=info.rotation_deg in (90, 180),
        flip_columns=(info.rotation_deg in (180, 270)) != info.mirrored,
    )
    stored_hw = (info.width, info.height) if orientation.transpose else (info.height, info.width)
    plan: Plan = "all" if problem else "count"
    return VideoEntry(
        path, problem=problem, plan=plan, stored_hw=stored_hw, orientation=orientation, time_us=time_us
    )


@dataclass
class _Seen:
    """What a pass over a sound video found, packet by packet and frame by frame."""

    packet_pts: list[int] = field(default_factory=list)
    key_packets: list[int] = field(default_factory=list)
    frame_pts: list[int] = field(default_factory=list)
    first: VideoFrame | None = None


def _sound(path: Path, known_time_us: NDArray[np.int64] | None) -> VideoEntry | None:
    """An entry of plan `seek`; None where anything about the file is unusual."""
    import av

    with open_container(path) as container:
        stream = choose_stream(path, container)
        if not _SEEKABLE.intersection(container.format.name.split(",")) or container.start_time is None:
            return None
        try:
            seen = _pass_over(container, stream, decode_all=known_time_us is None)
        except av.FFmpegError:
            return None
        if seen is None or seen.first is None:
            return None
        time_us = _times(container, stream, seen)
        if time_us is None or (known_time_us is not None and not np.array_equal(time_us, known_time_us)):
            return None if known_time_us is None else _sound(path, None)
        if _is_cut(container, stream, seen, decoded=known_time_us is None):
            return None
    orientation = Orientation.from_display_matrix(display_matrix(seen.first))
    stored_hw = (seen.first.height, seen.first.width)
    upright_hw = stored_hw[::-1] if orientation.transpose else stored_hw
    try:
        UprightRgb(upright_hw, orientation).write(seen.first, np.empty((*upright_hw, 3), np.uint8))
    except av.FFmpegError:
        return None
    return VideoEntry(
        path,
        plan="seek",
        stored_hw=stored_hw,
        orientation=orientation,
        time_us=time_us,
        packet_pts=np.array(seen.packet_pts, np.int64),
        key_packets=np.array(seen.key_packets, np.int64),
    )


def _pass_over(container: InputContainer, stream: VideoStream, decode_all: bool) -> _Seen | None:
    """Every packet, and every frame or the first one; None as soon as something is unusual."""
    seen = _Seen()
    decoder = stream.codec_context
    for packet in container.demux(stream):
        if packet.size:
            if packet.pts is None or packet.is_corrupt or packet.is_discard:
                return None
            if packet.is_keyframe:
                seen.key_packets.append(len(seen.packet_pts))
            seen.packet_pts.append(packet.pts)
        if not decode_all and seen.first is not None:
            continue
        for frame in decoder.decode(packet if packet.size else None):
            if not _add(seen, frame):
                return None
    return seen


def _add(seen: _Seen, frame: VideoFrame) -> bool:
    """Note a frame; False if it is damaged, has no time or is unlike the first."""
    if seen.first is None:
        seen.first = frame
    first = seen.first
    if frame.pts is None or frame.is_corrupt:
        return False
    seen.frame_pts.append(frame.pts)
    return (frame.width, frame.height, frame.format.name) == (first.width, first.height, first.format.name)


def _times(container: InputContainer, stream: VideoStream, seen: _Seen) -> NDArray[np.int64] | None:
    """(T,) microseconds since the container's start; None unless each packet gives one frame at its time."""
    shown = np.sort(np.array(seen.packet_pts, np.int64))
    keys = np.array(seen.packet_pts, np.int64)[seen.key_packets]
    base = stream.time_base
    if not base or not len(shown) or not len(keys) or np.any(np.diff(keys) <= 0):
        return None
    if seen.key_packets[0] or seen.packet_pts[0] != shown[0]:
        return None  # the first packet is no keyframe, or is not shown first
    if seen.frame_pts != shown[: len(seen.frame_pts)].tolist():
        return None
    ticks = [int(pts) * 2_000_000 * base.numerator for pts in shown]
    shown_us = np.array([(tick + base.denominator) // (2 * base.denominator) for tick in ticks], np.int64)
    time_us = shown_us - max(container.start_time or 0, 0)
    steps = np.diff(time_us)
    if not 0 <= time_us[0] <= _GAP_AT_MOST_US or np.any(steps <= 0) or np.any(steps > _GAP_AT_MOST_US):
        return None
    return time_us


def _is_cut(container: InputContainer, stream: VideoStream, seen: _Seen, decoded: bool) -> bool:
    """Whether packets gave no frame, or the container says that there should be more of them."""
    if (decoded and len(seen.frame_pts) != len(seen.packet_pts)) or stream.time_base is None:
        return True
    rate = stream.guessed_rate or stream.average_rate or 25
    step_us = max(1, round(1_000_000 / rate))
    end_us = round(max(seen.packet_pts) * stream.time_base * 1_000_000) + step_us
    return truncation(container, stream, len(seen.packet_pts), end_us, step_us) is not None
