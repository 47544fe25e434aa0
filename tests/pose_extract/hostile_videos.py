"""Small videos of many kinds, and files that only pretend: every function writes into a directory.

All of it is made by PyAV, a few kB each. Frame k of a valid video shows a white block whose position tells
k, on a ground whose corners differ, so that a test can see order and orientation.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def picture(index: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """Frame `index`, BGR: a colour in each corner, a bright block that moves right and down."""
    frame = np.full((height, width, 3), 60, np.uint8)
    h, w = height // 4, width // 4
    frame[:h, :w], frame[:h, -w:] = TOP_LEFT, TOP_RIGHT
    frame[-h:, :w], frame[-h:, -w:] = BOTTOM_LEFT, BOTTOM_RIGHT
    x = w + index * 2 % max(width - 3 * w, 1)
    frame[height // 2 - 4 : height // 2 + 4, x : x + w] = 200
    return frame


def write_video(
    path: Path,
    frames: int = 20,
    size: tuple[int, int] = (64, 48),
    codec: str | None = None,
    pixel_format: str | None = None,
    fps: int = 25,
    ticks: Sequence[int] | None = None,
    matrix: Sequence[int] | None = None,
    audio: bool = False,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """A valid video; the container follows from the suffix.

    Args:
        path: where to.
        frames: how many.
        size: width and height.
        codec: encoder, by default one that suits the suffix.
        pixel_format: by default what the codec takes first.
        fps: nominal rate.
        ticks: presentation times in 1/1000 s instead of k / fps.
        matrix: display matrix, nine integers.
        audio: add silence of the same length.
        options: of the encoder.
        container_options: of the muxer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    defaults = {".gif": "gif", ".webm": "libvpx-vp9", ".avi": "mpeg4", ".mjpeg": "mjpeg"}
    codec = codec or defaults.get(path.suffix, "libx264")
    repeatable = {"fflags": "+bitexact"}  # no random track ids
    with av.open(str(path), "w", options=repeatable | (container_options or {})) as container:
        stream = container.add_stream(codec, rate=fps, options=options or {})
        stream.width, stream.height = size
        formats = stream.codec_context.codec.video_formats or []
        stream.pix_fmt = pixel_format or (formats[0].name if formats else "yuv420p")
        time_base = Fraction(1, 1000) if ticks is not None else Fraction(1, fps)
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1  # repeatable to the byte
        if matrix is not None:
            stream.set_display_matrix(matrix)
        sound = container.add_stream("aac", rate=16000) if audio else None
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, size[1], size[0]), "bgr24")
            frame = frame.reformat(format=stream.pix_fmt, threads=1)
            frame.pts, frame.time_base = (ticks[index] if ticks is not None else index), time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            _add_silence(container, sound, frames / fps)
    return path


def _add_silence(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for index in range(int(seconds * 16000) // 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, index * 1024, Fraction(1, 16000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


# What a phone writes for each way it is held: a b u c d v x y w.
_ONE, _W = 1 << 16, 1 << 30
MATRICES = {
    "turned_0": (_ONE, 0, 0, 0, _ONE, 0, 0, 0, _W),
    "turned_90": (0, -_ONE, 0, _ONE, 0, 0, 0, 0, _W),
    "turned_180": (-_ONE, 0, 0, 0, -_ONE, 0, 0, 0, _W),
    "turned_270": (0, _ONE, 0, -_ONE, 0, 0, 0, 0, _W),
    "mirrored": (-_ONE, 0, 0, 0, _ONE, 0, 0, 0, _W),
    "upside_down": (_ONE, 0, 0, 0, -_ONE, 0, 0, 0, _W),
    "transposed": (0, _ONE, 0, _ONE, 0, 0, 0, 0, _W),
    "transverse": (0, -_ONE, 0, -_ONE, 0, 0, 0, 0, _W),
}

VARIABLE_TICKS = [0, 40, 80, 95, 110, 300, 333, 400, 401, 900, 940, 980]


def valid_videos(directory: Path) -> dict[Path, int]:
    """Videos that must read without a word, and how many frames each shows."""

    def at(name: str) -> Path:
        return directory / name

    made: dict[Path, int] = {}
    for name in ("plain.mp4", "plain.mkv", "plain.mov", "plain.avi", "plain.webm", "plain.ts", "plain.gif"):
        made[write_video(at(name))] = 20
    made[write_video(at("reordered.avi"), codec="libx264")] = 20
    made[write_video(at("b_frames.avi"), codec="mpeg4", options={"bf": "2"})] = 20
    made[write_video(at("flash.flv"))] = 20
    made[write_video(at("windows.wmv"), codec="wmv2")] = 20
    made[write_video(at("program.mpg"), codec="mpeg2video")] = 20
    made[write_video(at("elementary.m2v"), codec="mpeg2video")] = 20
    made[write_video(at("plain.nut"))] = 20
    made[write_video(at("plain.mjpeg.avi"), codec="mjpeg", pixel_format="yuvj420p")] = 20
    made[write_video(at("raw.avi"), codec="rawvideo", pixel_format="bgr24", frames=5)] = 5
    made[write_video(at("ffv1.mkv"), codec="ffv1", pixel_format="yuv420p")] = 20
    made[write_video(at("grey.mkv"), codec="ffv1", pixel_format="gray")] = 20
    made[write_video(at("alpha.mov"), codec="png", pixel_format="rgba", frames=5)] = 5
    made[write_video(at("ten_bits.mkv"), codec="ffv1", pixel_format="yuv420p10le")] = 20
    made[write_video(at("odd.mp4"), size=(63, 47), pixel_format="yuv444p")] = 20
    made[write_video(at("odd_rows.mkv"), size=(61, 49), codec="ffv1", pixel_format="bgr0")] = 20
    made[write_video(at("interlaced.mp4"), options={"flags": "+ildct+ilme", "x264-params": "tff=1"})] = 20
    made[write_video(at("sound.mp4"), audio=True)] = 20
    made[write_video(at("sound.mkv"), audio=True)] = 20
    made[write_video(at("one.mp4"), frames=1)] = 1
    made[write_video(at("one.png.mov"), frames=1, codec="png", pixel_format="rgb24")] = 1
    made[write_video(at("fragmented.mp4"), container_options={"movflags": "frag_keyframe+empty_moov"})] = 20
    for suffix in ("mp4", "mkv"):
        path = write_video(at(f"variable.{suffix}"), len(VARIABLE_TICKS), ticks=VARIABLE_TICKS)
        made[path] = len(VARIABLE_TICKS)
    for name, matrix in MATRICES.items():
        made[write_video(at(f"{name}.mp4"), frames=3, matrix=matrix)] = 3
    made[edit_list(directory)] = 12
    return made


def edit_list(directory: Path, stored: int = 20, shown: int = 12, fps: int = 25) -> Path:
    """An mp4 that stores 20 frames, says 20, and by its edit list shows 12."""
    source = write_video(directory / "edited.mp4", frames=stored, fps=fps, options={"bf": "0"})
    data = bytearray(source.read_bytes())
    movie, edit = data.index(b"mvhd"), data.index(b"elst")
    (scale,) = struct.unpack(">I", data[movie + 16 : movie + 20])
    length = struct.pack(">I", shown * scale // fps)
    data[movie + 20 : movie + 24] = length
    data[edit + 12 : edit + 16] = length
    source.write_bytes(data)
    return source


def no_times(directory: Path) -> Path:
    """A bare H.264 stream: pictures without any timestamp."""
    return write_video(directory / "bare.h264", frames=20)


def changing_size(directory: Path) -> Path:
    """A transport stream whose pictures change from 64x48 to 96x64 after 10 frames."""
    small = write_video(directory / "small.ts", frames=10).read_bytes()
    large = write_video(directory / "large.ts", frames=10, size=(96, 64)).read_bytes()
    for name in ("small.ts", "large.ts"):
        (directory / name).unlink()
    path = directory / "changing.ts"
    path.write_bytes(small + large)
    return path


def repeated_times(directory: Path) -> Path:
    """A transport stream followed by itself: its clock starts again in the middle."""
    path = write_video(directory / "again.ts", frames=10)
    path.write_bytes(path.read_bytes() * 2)
    return path


def sound_only(directory: Path, name: str = "sound.m4a") -> Path:
    """Silence, half a second."""
    path = directory / name
    with av.open(str(path), "w") as container:
        _add_silence(container, container.add_stream("aac", rate=16000), 0.5)
    return path


def cover_picture(directory: Path, name: str = "song.mp3") -> Path:
    """An mp3 whose only picture is its cover (an ID3v2 APIC frame)."""
    path = directory / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=16000, layout="mono")
        for index in range(8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 16000, index * 1024
            frame = next(iter(av.AudioResampler("s16p", "mono", 16000).resample(frame)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    body = b"\0image/png\0\3\0" + _png()
    frame_size = len(body).to_bytes(4, "big")
    tag = b"APIC" + frame_size + b"\0\0" + body
    size = bytes((len(tag) >> shift) & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\3\0\0" + size + tag + path.read_bytes())
    return path


def video_with_cover(directory: Path) -> Path:
    """An mp4 with 20 frames of video and, before it, a cover picture of another size."""
    path = directory / "covered.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 200, 100, "rgb24"
        cover.disposition = Disposition.attached_pic
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), "bgr24")))
        container.mux(stream.encode(None))
        container.mux(
            cover.encode(av.VideoFrame.from_ndarray(picture(0, 100, 200), "bgr24").reformat(format="rgb24"))
        )
        container.mux(cover.encode(None))
    return path


def _png() -> bytes:
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "rgb24", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture(0), "bgr24").reformat(format="rgb24")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def no_frames(directory: Path) -> Path:
    """A Matroska file with a video track and no frame in it."""
    path = directory / "no_frames.mkv"
    whole = write_video(directory / "whole.mkv").read_bytes()
    (directory / "whole.mkv").unlink()
    path.write_bytes(whole[: whole.index(b"\x1f\x43\xb6\x75")])  # up to the first cluster
    return path


def absurd_size(directory: Path) -> Path:
    """An uncompressed avi whose header says 60000x60000."""
    path = write_video(directory / "absurd.avi", codec="rawvideo", pixel_format="bgr24", frames=2)
    data = bytearray(path.read_bytes())
    header = data.index(b"strf") + 8
    data[header + 4 : header + 12] = struct.pack("<ii", 60000, 60000)
    path.write_bytes(data)
    return path


def absurd_gif(directory: Path) -> Path:
    """A gif whose logical screen is 65535x65535."""
    path = write_video(directory / "absurd.gif", frames=2)
    data = bytearray(path.read_bytes())
    data[6:10] = b"\xff" * 4
    path.write_bytes(data)
    return path


def playlist(directory: Path) -> Path:
    """A live playlist named .mp4: it names another file, and has no end."""
    write_video(directory / "segment.ts", frames=5)
    path = directory / "playlist.mp4"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsegment.ts\n")
    return path


def unreadable_videos(directory: Path) -> dict[Path, str]:
    """Files of which no frame can be had, and a word that the message must hold."""
    plain = write_video(directory / "whole.mp4").read_bytes()
    (directory / "whole.mp4").unlink()
    random = np.random.default_rng(7).bytes(5000)
    contents = {
        "empty.mp4": (b"", "empty"),
        "text.mp4": (b"this is no video\n" * 20, "text"),
        "zeros.mp4": (bytes(4000), "zeros"),
        "random.mp4": (random, "FFmpeg does not know"),
        "one_byte.mkv": (b"\x1a", "FFmpeg does not know"),
        "no_index.mp4": (plain[: plain.index(b"moov") - 4], "index"),
        "half_index.mp4": (plain[: plain.index(b"moov") + 100], "lists no stream"),
        "header_only.mp4": (plain[:40], "index"),
        "page.webm": (b"<!DOCTYPE html><html><body>404 not found</body></html>", "text"),
    }
    made = {}
    for name, (content, word) in contents.items():
        (directory / name).write_bytes(content)
        made[directory / name] = word
    made[sound_only(directory)] = "audio"
    made[sound_only(directory, "sound_named_video.mp4")] = "audio"
    made[cover_picture(directory)] = "cover"
    made[no_frames(directory)] = "before its first picture"
    made[absurd_size(directory)] = "no picture size"
    made[absurd_gif(directory)] = "no picture size"
    made[playlist(directory)] = "text"
    return made


def truncated_videos(directory: Path) -> dict[Path, int]:
    """Videos cut off in the middle of their pictures, and how many frames the whole one has."""
    made = {}
    long = {"frames": 60, "size": (160, 120), "options": {"g": "12"}}
    front = {"movflags": "faststart"}
    for name, extra in (("cut.mp4", {"container_options": front}), ("cut.mkv", {}), ("cut.avi", {}),
                        ("cut_sound.mp4", {"container_options": front, "audio": True}),
                        ("cut_sound.mkv", {"audio": True})):  # fmt: skip
        for percent in (60, 80, 95):
            path = write_video(directory / name.replace("cut", f"cut_{percent}"), **long, **extra)
            data = path.read_bytes()
            path.write_bytes(data[: len(data) * percent // 100])
            made[path] = 60
    return made


def damaged_in_the_middle(directory: Path) -> dict[Path, int]:
    """Videos with a stretch of their pictures overwritten, and how many frames the whole one has."""
    made = {}
    rng = np.random.default_rng(11)
    for name in ("damaged.mp4", "damaged.mkv", "damaged.avi"):
        path = write_video(directory / name, frames=60, size=(160, 120), options={"g": "12"})
        data = bytearray(path.read_bytes())
        begin = len(data) * 2 // 5
        data[begin : begin + 800] = rng.bytes(800)
        path.write_bytes(data)
        made[path] = 60
    return made


def _flip_bits(data: bytearray, rng: np.random.Generator) -> None:
    for position in rng.integers(0, len(data), rng.integers(1, 20)):
        data[position] ^= 1 << int(rng.integers(8))


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(1, len(data))) :]


def _zero(data: bytearray, rng: np.random.Generator) -> None:
    begin, length = int(rng.integers(len(data))), int(rng.integers(1, 2000))
    data[begin : begin + length] = bytes(len(data[begin : begin + length]))


def _insert(data: bytearray, rng: np.random.Generator) -> None:
    begin = int(rng.integers(len(data)))
    data[begin:begin] = rng.bytes(int(rng.integers(1, 2000)))


def _drop(data: bytearray, rng: np.random.Generator) -> None:
    begin = int(rng.integers(len(data)))
    del data[begin : begin + int(rng.integers(1, 500))]


def _splice(data: bytearray, rng: np.random.Generator) -> None:
    source, target = (int(value) for value in rng.integers(0, len(data), 2))
    length = int(rng.integers(1, 3000))
    data[target : target + length] = data[source : source + length]


def _extremes(data: bytearray, rng: np.random.Generator) -> None:
    """Overwrite a few numbers, most of them in the header, with values that hurt."""
    hurting = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", bytes(4), b"\0\0\0\1", b"\1\0\0\0")
    for _ in range(int(rng.integers(1, 6))):
        begin = int(rng.integers(min(len(data), 1500 if rng.random() < 0.7 else len(data))))
        data[begin : begin + 4] = hurting[int(rng.integers(len(hurting)))]


_MUTATIONS: tuple[Callable[[bytearray, np.random.Generator], None], ...] = (
    _flip_bits, _cut, _zero, _insert, _drop, _splice, _extremes,
)  # fmt: skip


def mutated_videos(directory: Path, count: int, seed: int) -> list[Path]:
    """Small videos in four containers, each hurt in one or two ways; the same seed gives the same files."""
    directory.mkdir(parents=True, exist_ok=True)
    seeds = directory / "seeds"
    busy = {"frames": 24, "size": (160, 120)}
    often = {"g": "6", "crf": "8"}  # much picture, little header
    wholes = [
        write_video(
            seeds / "a.mp4", **busy, options=often, container_options={"movflags": "faststart"}, audio=True
        ),
        write_video(seeds / "b.mkv", **busy, options=often, audio=True),
        write_video(seeds / "c.avi", **busy, options={"g": "6", "qmax": "4"}),
        write_video(
            seeds / "d.webm", **busy, options={"g": "6", "crf": "8", "deadline": "realtime", "cpu-used": "8"}
        ),
    ]
    contents = [(path.suffix, path.read_bytes()) for path in wholes]
    for path in wholes:
        path.unlink()
    seeds.rmdir()
    rng = np.random.default_rng(seed)
    paths = []
    for index in range(count):
        suffix, whole = contents[index % len(contents)]
        data = bytearray(whole)
        for kind in rng.integers(0, len(_MUTATIONS), rng.integers(1, 3)):
            if len(data) > 1:
                _MUTATIONS[kind](data, rng)
        path = directory / f"mutated_{index:04d}{suffix}"
        path.write_bytes(data)
        paths.append(path)
    return paths
