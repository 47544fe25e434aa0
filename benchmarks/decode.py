"""What reading video costs beyond decoding it, and what decoding threads gain and cost.

    python -m benchmarks.decode [--clip FILE] [--rounds 7]

Without --clip a textured clip of 1080x1296 is made. Every round runs all contenders once, in turn, in one
process; figures are medians over the rounds, ratios are medians of the ratios within a round. Processor time
counts all threads, and is the figure to trust on a machine that others use too. The pairs run two processes
side by side, as two workers do.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.table import Row, report

BARE = "PyAV alone, 1 thread"


def make_clip(path: Path, frames: int = 60, width: int = 1080, height: int = 1296) -> Path:
    """H.264 of a texture that moves, about as hard to decode as a recording."""
    import av
    import cv2

    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height // 8 + 40, width // 8 + 40, 3), np.uint8)
    texture = cv2.resize(noise, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "28"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            x, y = 2 * index, 80 + round(60 * np.sin(index / 9))
            view = np.ascontiguousarray(texture[y : y + height, x : x + width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(view, "bgr24")))
        container.mux(stream.encode(None))
    return path


def bare(clip: Path, thread_type: str = "SLICE", threads: int = 1, convert: bool = False) -> int:
    """PyAV's own loop, by wish with its one-call conversion; the number of frames."""
    import av

    frames = 0
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        stream.thread_type = thread_type
        stream.codec_context.thread_count = threads
        for frame in container.decode(stream):
            frames += 1
            if convert:
                frame.to_ndarray(format="bgr24")
    return frames


def video_frames(clip: Path, threads: int = 1) -> int:
    """Ours: upright BGR frames with times."""
    from pose_extract.video import VideoFrames

    with VideoFrames(clip, threads) as video:
        return sum(1 for _ in video)


def ahead(clip: Path) -> int:
    """Ours, in the thread that runs beside inference."""
    from pose_extract.read_ahead import read_ahead
    from pose_extract.video import VideoFrames

    with VideoFrames(clip) as video:
        return sum(len(batch) for batch in read_ahead(video, 2))


def opencv(clip: Path) -> int:
    """OpenCV's reader, which states no times and is silent about damage."""
    import cv2

    capture = cv2.VideoCapture(str(clip))
    frames = 0
    while capture.read()[0]:
        frames += 1
    capture.release()
    return frames


CONTENDERS: dict[str, Callable[[Path], int]] = {
    BARE: bare,
    "PyAV alone, AUTO threads": lambda clip: bare(clip, "AUTO", 0),
    "PyAV and to_ndarray, 1 thread": lambda clip: bare(clip, convert=True),
    "OpenCV": opencv,
    "VideoFrames": video_frames,
    "VideoFrames, 2 threads": lambda clip: video_frames(clip, 2),
    "VideoFrames through read_ahead": ahead,
}

PAIR = "two processes, 1 thread each"
PAIRS = {PAIR: ("SLICE", 1), "two processes, AUTO threads each": ("AUTO", 0)}


def timed(work: Callable[[Path], int], clip: Path) -> tuple[float, float]:
    """Wall and processor milliseconds a frame."""
    begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
    frames = work(clip)
    return (
        (time.perf_counter() - begin_s) * 1e3 / frames,
        (time.process_time() - begin_cpu_s) * 1e3 / frames,
    )


def _repeat(thread_type: str, threads: int, clip: Path, times: int) -> None:
    for _ in range(times):
        bare(clip, thread_type, threads)


def side_by_side(clip: Path, thread_type: str, threads: int, times: int = 4) -> tuple[float, float]:
    """Wall and processor milliseconds a frame of two processes at once."""
    frames = 2 * times * bare(clip)
    context = mp.get_context("fork")
    both = [context.Process(target=_repeat, args=(thread_type, threads, clip, times)) for _ in range(2)]
    begin_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for process in both:
        process.start()
    for process in both:
        process.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (time.perf_counter() - begin_s) * 1e3 / frames, processor_s * 1e3 / frames


def rows(wall: dict[str, list[float]], processor: dict[str, list[float]]) -> list[Row]:
    """Medians as a table, larger ratios better."""

    def ratio(values: dict[str, list[float]], what: str, against: str) -> float:
        return statistics.median(b / a for a, b in zip(values[what], values[against], strict=True))

    table = []
    for values, suffix, unit in ((wall, "", "frames/s"), (processor, ": processor", "ms/frame")):
        for what in values:
            value_ms = statistics.median(values[what])
            baseline = PAIR if what in PAIRS else BARE
            against = None if what == baseline else ratio(values, what, baseline)
            value = value_ms if suffix else 1e3 / value_ms
            table.append(
                Row(what + suffix, value, unit, against, "" if against is None else f"to {baseline}")
            )
    return table


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path, help="a video of a second or more (default: one is made)")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        clip = args.clip or make_clip(Path(directory) / "texture.mp4")
        wall: dict[str, list[float]] = {}
        processor: dict[str, list[float]] = {}
        for _ in range(args.rounds):
            for what, (thread_type, threads) in PAIRS.items():  # before our threads: these processes fork
                wall_ms, processor_ms = side_by_side(clip, thread_type, threads)
                wall.setdefault(what, []).append(wall_ms)
                processor.setdefault(what, []).append(processor_ms)
            for what, work in CONTENDERS.items():
                wall_ms, processor_ms = timed(work, clip)
                wall.setdefault(what, []).append(wall_ms)
                processor.setdefault(what, []).append(processor_ms)
    report("decode", rows(wall, processor))


if __name__ == "__main__":
    main()
