"""Decoding a few frames of a video: from the keyframe before, leaving out what no wanted frame needs.

What comes is, byte for byte, what decoding everything and picking gives. A frame that no other refers to is
skipped by the decoder unless it is wanted, decoding ends with the last wanted packet, and only wanted frames
are converted.

Axis letters: K frames asked for, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fidget.frames.frame_clip import FramesRgb
from fidget.frames.upright_rgb import UprightRgb, scaled_hw
from fidget.frames.video_entry import VideoEntry
from fidget.frames.video_index import index_video
from pose_extract.open_video import UnreadableVideoError, choose_stream, open_container
from pose_extract.video import VideoFrames

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

Place = Callable[[int], NDArray[np.uint8]]
"""Frame number -> where its picture is to be written, (H, W, 3) and C-contiguous."""

_SKIPPING = frozenset({"h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video"})
"""Decoders that leave out frames of no consequence, and only those, when they are told to."""

_WORTH_A_SEEK = 1  # packet that need not be decoded then: a seek costs less than decoding one


def read_frames(
    video: Path | VideoEntry, numbers: NDArray[np.int64], short_side: int | None = None, threads: int = 1
) -> FramesRgb:
    """Some frames of a video, upright and red first.

    Args:
        video: a path, which is then read once to find its frames, or what `index_video` found.
        numbers: (K,) frame numbers, in any order and repeated or not.
        short_side: scale pictures down to this many pixels; None leaves them as large as they are.
        threads: decoding threads.

    Returns:
        (K, H, W, 3).

    Raises:
        ValueError: the video cannot be read, has no such frame, or is no longer what was indexed; names it.
    """
    entry = video if isinstance(video, VideoEntry) else index_video(video)
    numbers = np.asarray(numbers, np.int64)
    wanted, places = np.unique(numbers, return_inverse=True)
    hw = scaled_hw(entry.frame_hw, short_side)
    pictures = np.empty((len(wanted), *hw, 3), np.uint8)  # of the distinct ones
    row_of = {int(number): row for row, number in enumerate(wanted)}
    for _ in write_frames(entry, wanted, hw, lambda number: pictures[row_of[number]], threads):
        pass
    return pictures if np.array_equal(places, np.arange(len(wanted))) else pictures[places]  # (K, H, W, 3)


def write_frames(
    entry: VideoEntry, wanted: NDArray[np.int64], hw: tuple[int, int], place: Place, threads: int = 1
) -> Generator[int, None, None]:
    """Write frames where they are to be, and give each number once its picture stands there, in no set order.

    Args:
        entry: the video.
        wanted: frame numbers, ascending, each once.
        hw: height and width of the pictures, upright.
        place: where each goes; asked for right before it is written.
        threads: decoding threads.

    Raises:
        ValueError: as `read_frames`.
    """
    check_numbers(entry, wanted)
    missing = {int(number) for number in wanted}
    ways = {"seek": _by_seeking, "count": _by_counting, "all": _as_extracted}
    with closing(ways[entry.plan](entry, wanted, hw, place, threads)) as found:
        while missing and (number := next(found, None)) is not None:
            if number in missing:
                missing.remove(number)
                yield number
    if missing:
        raise ValueError(
            f"{str(entry.path)!r}: expected {entry.frames} frames as when it was indexed, frame "
            f"{min(missing)} does not decode: if the file changed, begin again, and its index is renewed"
        )


def check_numbers(entry: VideoEntry, wanted: NDArray[np.int64]) -> None:
    """See that a video has frames of these numbers, ascending.

    Raises:
        ValueError: it cannot be read at all, or has no such frame; names it.
    """
    if entry.error:
        raise UnreadableVideoError(entry.error)
    if len(wanted) and not 0 <= wanted[0] <= wanted[-1] < entry.frames:
        outside = next(int(number) for number in wanted if not 0 <= number < entry.frames)
        raise ValueError(f"{str(entry.path)!r}: no frame {outside}, there are 0 to {entry.frames - 1}")


@dataclass(frozen=True)
class Stretch:
    """Packets that are decoded in one go.

    Attributes:
        begin: the first, a keyframe.
        end: one behind the last that a wanted frame needs.
        numbers: the wanted frames among them.
    """

    begin: int
    end: int
    numbers: frozenset[int]


def plan_stretches(entry: VideoEntry, wanted: NDArray[np.int64]) -> list[Stretch]:
    """Which packets are decoded for some frames of a video of plan `seek`.

    A stretch begins at the last keyframe that is not shown after the wanted frame: frames that follow a
    keyframe but are shown before it may need what came earlier. The decoder runs on from one wanted frame to
    the next unless a keyframe between them saves it some packets.

    Args:
        entry: the video.
        wanted: frame numbers, ascending, each once.
    """
    packet_of = np.argsort(entry.packet_pts, kind="stable")  # frame -> the packet that holds it
    keys, key_frames = entry.key_packets, entry.key_frames
    stretches: list[Stretch] = []
    for number in wanted:
        packet = int(packet_of[number])
        key = int(keys[np.searchsorted(key_frames, number, side="right") - 1])
        last = stretches[-1] if stretches else None
        if last is None or key - last.end >= _WORTH_A_SEEK:
            stretches.append(Stretch(key, packet + 1, frozenset({int(number)})))
        else:
            stretches[-1] = Stretch(last.begin, max(last.end, packet + 1), last.numbers | {int(number)})
    return stretches


class _SeekMissedError(Exception):
    """The container did not lead to the keyframe that was asked for, or it is none that one can begin at."""


def _by_seeking(
    entry: VideoEntry, wanted: NDArray[np.int64], hw: tuple[int, int], place: Place, threads: int
) -> Generator[int, None, None]:
    import av

    converter = UprightRgb(hw, entry.orientation)
    try:
        with open_container(entry.path) as container:
            stream = _opened(entry, container, threads)
            for stretch in plan_stretches(entry, wanted):
                for number, frame in _stretch(entry, container, stream, stretch):
                    converter.write(frame, place(number))
                    yield number
        return
    except (_SeekMissedError, av.FFmpegError):
        pass  # without seeking then
    yield from _by_counting(entry, wanted, hw, place, threads)


def _opened(entry: VideoEntry, container: InputContainer, threads: int) -> VideoStream:
    stream = choose_stream(entry.path, container)
    stream.codec_context.thread_count = threads
    if threads > 1:
        stream.thread_type = "AUTO"
    return stream


def _stretch(
    entry: VideoEntry, container: InputContainer, stream: VideoStream, stretch: Stretch
) -> Iterator[tuple[int, VideoFrame]]:
    """The wanted frames of a stretch."""
    from av.video.frame import PictureType

    decoder = stream.codec_context
    skips = decoder.name in _SKIPPING
    shown = np.sort(entry.packet_pts)
    wanted_pts = {int(shown[number]): number for number in stretch.numbers}
    key_pts = int(entry.packet_pts[stretch.begin])
    if stretch.begin or decoder.is_open:
        container.seek(key_pts, stream=stream, backward=True)
    begun = False
    for packet in _packets(container, stream, key_pts, stretch.end - stretch.begin):
        if skips and packet is not None:
            decoder.skip_frame = "DEFAULT" if packet.pts in wanted_pts or packet.is_keyframe else "NONREF"
        for frame in decoder.decode(packet):
            if not begun and frame.pts is not None and frame.pts >= key_pts:
                begun = frame.pts == key_pts and frame.key_frame and frame.pict_type == PictureType.I
                if not begun:
                    raise _SeekMissedError
            if begun and frame.pts in wanted_pts:
                yield wanted_pts[frame.pts], frame


def _packets(
    container: InputContainer, stream: VideoStream, key_pts: int, count: int
) -> Iterator[Packet[VideoStream] | None]:
    """So many packets from a keyframe on; None at the end asks the decoder for what it still holds."""
    given = 0
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if not given and packet.pts != key_pts:
            if packet.pts is None or (packet.is_keyframe and packet.pts > key_pts):
                raise _SeekMissedError
            continue  # the container led to somewhere before it
        yield packet
        given += 1
        if given == count:
            break
    yield None


def _by_counting(
    entry: VideoEntry, wanted: NDArray[np.int64], hw: tuple[int, int], place: Place, threads: int
) -> Generator[int, None, None]:
    """All frames decoded up to the last one wanted."""
    import av

    converter = UprightRgb(hw, entry.orientation)
    numbers = frozenset(wanted.tolist())
    number = -1
    with open_container(entry.path) as container:
        stream = _opened(entry, container, threads)
        try:
            for packet in container.demux(stream):
                for frame in stream.codec_context.decode(packet):
                    number += 1
                    if number in numbers:
                        converter.write(frame, place(number))
                        yield number
        except av.FFmpegError:  # not the file that was indexed; the caller says what is missing
            return


def _as_extracted(
    entry: VideoEntry, wanted: NDArray[np.int64], hw: tuple[int, int], place: Place, threads: int
) -> Generator[int, None, None]:
    """From the reader of extraction, which passes over damage as it did when the frames were counted."""
    import cv2

    numbers = frozenset(wanted.tolist())
    with VideoFrames(entry.path, threads) as video:
        for number, (_, bgr) in enumerate(video):
            if number in numbers:
                scaled = (
                    bgr if bgr.shape[:2] == hw else cv2.resize(bgr, hw[::-1], interpolation=cv2.INTER_AREA)
                )
                np.copyto(place(number), scaled[..., ::-1])
                yield number
