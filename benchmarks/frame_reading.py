"""How fast sampled frames of videos reach a network, against decoding every frame and picking.

    python -m benchmarks.frame_reading [--clips DIR] [--rounds 5]

Eight frames of each clip, one from the middle of each segment, become (8, 224, 224, 3): short side 256, the
middle cropped. --clips names a directory of recordings; clips made here are marked as simulated: short ones
as those of MA-52 (one keyframe), with and without B-frames, and a longer one with a keyframe every 2 seconds.
Every round runs all contenders once on each clip, in turn, in one process, on one decoding thread; figures
are medians over the rounds, ratios are medians of the ratios within a round. Time is processor time, the one
to trust on a machine that others use too.

Videos are indexed and the frame caches filled before anything is timed. "First time" is a read that fills the
cache: it decodes, scales and encodes every frame, once in the life of a cache.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, report

SEGMENTS, SHORT_SIDE, SIZE = 8, 256, 224
BASELINE = "every frame decoded to RGB, picked"
PROMISED = 3.0
PROMISING = ("sampled decoding", "frame cache, JPEG")
MADE = {
    "simulated, 60 frames": (60, {"bf": "3"}),
    "simulated, 60 frames, no B-frames": (60, {"bf": "0"}),
    "simulated, 600 frames, keyframe every 60": (600, {"bf": "3", "g": "60"}),
}

Clips = list[Path]
Contender = Callable[[Path], NDArray[np.uint8]]


def make_clip(
    path: Path, frames: int, options: dict[str, str], width: int = 1080, height: int = 1296
) -> Path:
    """H.264 of a texture that moves, about as hard to decode as a recording."""
    import av
    import cv2

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height // 8 + 40, width // 8 + 80, 3), np.uint8)
    texture = cv2.resize(noise, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    settings = {"preset": "veryfast", "crf": "28"} | options
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options=settings)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            x, y = round(160 + 150 * np.sin(index / 60)), 80 + round(60 * np.sin(index / 9))
            view = np.ascontiguousarray(texture[y : y + height, x : x + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, "bgr24")))
        container.mux(stream.encode(None))
    return path


def finished(pictures: list[NDArray[np.uint8]] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(8, 224, 224, 3): the short side brought to 256 where it is not, and the middle."""
    import cv2

    crops = []
    for picture in pictures:
        height, width = picture.shape[:2]
        scale = SHORT_SIDE / min(height, width)
        if scale != 1:
            size = (round(width * scale), round(height * scale))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        top, left = (picture.shape[0] - SIZE) // 2, (picture.shape[1] - SIZE) // 2
        crops.append(picture[top : top + SIZE, left : left + SIZE])
    return np.stack(crops)


def every_frame(path: Path, numbers: NDArray[np.int64], keep_all: bool) -> NDArray[np.uint8]:
    """PyAV decodes and converts every frame; all are kept until the last, or those wanted only."""
    import av

    wanted = set(numbers.tolist())
    pictures: dict[int, NDArray[np.uint8]] = {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(stream)):
            picture = frame.to_ndarray(format="rgb24")
            if keep_all or number in wanted:
                pictures[number] = picture
    return finished([pictures[number] for number in numbers.tolist()])


def contenders(clips: Clips, scratch: Path) -> dict[str, Contender]:
    """What is compared; videos are indexed and caches filled here, before anything is timed."""
    from fidget.frames.frame_cache import CacheForm, FrameCache
    from fidget.frames.sampled_decoding import read_frames
    from fidget.frames.video_index import index_video
    from poses.sampling import segment_indices

    entries = {path: index_video(path) for path in clips}
    numbers = {path: segment_indices(entry.frames, SEGMENTS) for path, entry in entries.items()}
    jpeg = FrameCache(scratch / "jpeg", 10**10, CacheForm("jpeg"))
    raw = FrameCache(scratch / "raw", 10**10, CacheForm("raw"))
    rounds = iter(range(1_000_000))

    def first_time(path: Path) -> NDArray[np.uint8]:
        cache = FrameCache(scratch / f"cold{next(rounds)}", 10**10)
        return finished(cache.read(entries[path], numbers[path], SHORT_SIDE))

    for path in clips:
        jpeg.read(entries[path], numbers[path], SHORT_SIDE)
        raw.read(entries[path], numbers[path], SHORT_SIDE)
    return {
        BASELINE: lambda path: every_frame(path, numbers[path], keep_all=True),
        "every frame decoded to RGB, the picked ones kept": lambda path: every_frame(
            path, numbers[path], False
        ),
        "sampled decoding": lambda path: finished(read_frames(entries[path], numbers[path], SHORT_SIDE)),
        "frame cache, JPEG": lambda path: finished(jpeg.read(entries[path], numbers[path], SHORT_SIDE)),
        "frame cache, raw": lambda path: finished(raw.read(entries[path], numbers[path], SHORT_SIDE)),
        "frame cache, JPEG, first time": first_time,
    }


def measure(clips: Clips, rounds: int) -> dict[Path, dict[str, list[float]]]:
    """Processor milliseconds of each round, by clip and contender."""
    taken_ms: dict[Path, dict[str, list[float]]] = {path: {} for path in clips}
    with tempfile.TemporaryDirectory() as scratch:
        works = contenders(clips, Path(scratch))
        for _ in range(rounds):
            for path in clips:
                for what, work in works.items():
                    begin_s = time.process_time()
                    work(path)
                    spent_ms = (time.process_time() - begin_s) * 1e3
                    taken_ms[path].setdefault(what, []).append(spent_ms)
    return taken_ms


def rows_of(name: str, taken_ms: dict[str, list[float]]) -> list[Row]:
    """The table's rows of one clip, or of several together."""
    rows = []
    for what, measured in taken_ms.items():
        ratio = statistics.median(b / m for b, m in zip(taken_ms[BASELINE], measured, strict=True))
        promised = what in PROMISING
        rows.append(
            Row(
                f"{name}: {what}",
                statistics.median(measured),
                "ms/clip",
                None if what == BASELINE else ratio,
                f"at least {PROMISED:g}" if promised else "",
                ratio >= PROMISED if promised else None,
            )
        )
    return rows


def mean_of(clips: Iterable[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Milliseconds a clip of each round over several clips."""
    listed = list(clips)
    return {what: np.mean([clip[what] for clip in listed], axis=0).tolist() for what in listed[0]}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, help="a directory of recordings (mp4)")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    rows = []
    if args.clips:
        paths = sorted(args.clips.glob("*.mp4"))
        if not paths:
            parser.error(f"{args.clips}: expected a directory with mp4 files, got none")
        recordings = measure(paths, args.rounds)
        rows += rows_of(f"all {len(recordings)} recordings", mean_of(recordings.values()))
        for path, taken_ms in recordings.items():
            rows += rows_of(path.stem, taken_ms)
    with tempfile.TemporaryDirectory() as directory:
        for name, (frames, options) in MADE.items():
            clip = make_clip(Path(directory) / f"{len(rows)}.mp4", frames, options)
            rows += rows_of(name, measure([clip], args.rounds)[clip])
    report("frame_reading", rows)


if __name__ == "__main__":
    main()
