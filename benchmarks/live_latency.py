"""Latency of `fidget recognize --live` on a file played in real time: its distribution, and where it goes.

    python -m benchmarks.live_latency --video a.mp4 --video b.mp4 --minutes 3

The videos are joined, one after the other and again from the first, to a file of that length (another size is
scaled to the first one's), which is then played in real time through the same code as `--live FILE`. The
recogniser is the one that comes with the project, trained on simulated data: what it says is not looked at
here, only when. Writes `benchmarks/results/live_latency.csv` and `docs/images/live_latency.svg`.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, report
from fidget.recognition.analysis import AnalysisRules, extraction_layout, load_model
from fidget.recognition.demo_recogniser import FILE, unpack_run
from fidget.recognition.live import LiveCounts, LiveRecogniser, distribution_ms
from fidget.recognition.live_frames import LiveFrames
from fidget.recognition.recogniser import Recogniser
from fidget.reports.video_file import write_video
from pose_extract.settings import ExtractSettings
from pose_extract.video import VideoFrames
from pose_extract.zoo import build_estimator, resolve

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "live_latency.svg"


@dataclass(frozen=True)
class Played:
    """What one run in real time gave.

    Attributes:
        counts: of the recogniser.
        dropped: frames that nobody looked at.
        wall_s: of the whole run.
        load: the machine's load average at the end, other programs included.
        fps: of the file.
    """

    counts: LiveCounts
    dropped: int
    wall_s: float
    load: float
    fps: float


def joined(videos: Sequence[Path], minutes: float, file: Path) -> float:
    """Write the videos one after the other, over and over, as a file of so many minutes; returns its fps."""
    with VideoFrames(videos[0]) as first:
        frame_hw, fps = (first.info.height, first.info.width), first.info.fps
    wanted = round(minutes * 60 * fps)
    with write_video(file, frame_hw, fps) as out:
        for path in itertools.cycle(videos):
            with VideoFrames(path) as video:
                for _, frame in video:
                    out.add(float(out.frames / fps), _fitted(frame, frame_hw))
                    if out.frames == wanted:
                        return float(fps)
    raise AssertionError("a cycle ends with its file")


def _fitted(frame_bgr: NDArray[np.uint8], frame_hw: tuple[int, int]) -> NDArray[np.uint8]:
    if frame_bgr.shape[:2] == frame_hw:
        return frame_bgr
    import cv2

    return np.asarray(cv2.resize(frame_bgr, frame_hw[::-1]), np.uint8)


def play(model: Recogniser, file: Path, fps: float, max_persons: int = 1) -> Played:
    """Once through a file in real time, as `fidget recognize --live FILE` does."""
    settings = resolve(ExtractSettings("auto", extraction_layout(model), max_persons=max_persons))
    live = LiveRecogniser(model, build_estimator(settings), AnalysisRules(all_views=False), max_persons)
    live.warm_up()
    begin_s = time.perf_counter()
    with LiveFrames(str(file)) as frames:
        for _ in live.events(iter(frames)):
            pass
        dropped = frames.dropped
    return Played(live.counts, dropped, time.perf_counter() - begin_s, os.getloadavg()[1], fps)


def rows(played: Played) -> list[Row]:
    """The table."""
    counts = played.counts
    seconds = counts.last_s - counts.first_s
    found = [Row(f"latency of a window, {name}", ms, "ms") for name, ms in counts.distribution_ms().items()]
    for part, spread in counts.parts_ms().items():
        found += [Row(f"of it {part}, {name}", ms, "ms") for name, ms in spread.items()]
    return [
        *found,
        Row("windows", len(counts.latencies_s), "windows"),
        Row("played", seconds, "s"),
        Row("frames of the file", played.fps, "frames/s"),
        Row("frames looked at", counts.frames / max(seconds, 1e-9), "frames/s"),
        Row("frames passed over", played.dropped, "frames"),
        Row("load average over 5 minutes, other programs included", played.load, "processes"),
        Row("cores", float(os.cpu_count() or 1), "cores"),
    ]


def draw(counts: LiveCounts, picture: Path) -> None:
    """The share of windows that were ready after so long, and the same of each part."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "fidget"
    from matplotlib import pyplot

    columns = {"latency of a window": np.array(counts.latencies_s)}
    for name, column in zip(("waiting", "poses", "network"), np.array(counts.parts).T, strict=True):
        columns[f"of it {name}"] = column
    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), layout="constrained")
    for name, seconds in columns.items():
        shares = np.arange(1, len(seconds) + 1) / len(seconds)
        ms = distribution_ms(seconds)
        whole = name.startswith("latency")
        label = f"{name}: p50 {ms['p50']:.0f} ms, p99 {ms['p99']:.0f} ms"
        axes.step(1000 * np.sort(seconds), 100 * shares, where="post", label=label, lw=2 if whole else 1)
    axes.set(
        xlabel="milliseconds after the arrival of the window's newest frame",
        ylabel="windows, per cent", xlim=(0, None), ylim=(0, 101),
        title=f"Live on a file played in real time, {len(counts.latencies_s)} windows",
    )  # fmt: skip
    axes.legend(frameon=False, loc="lower right", fontsize="small")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, metadata={"Date": None})
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    """Join, play, write, draw; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live_latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--video", type=Path, action="append", required=True, help="may be given several times"
    )
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--max-persons", type=int, default=1)
    args = parser.parse_args(argv)
    missing = [str(path) for path in args.video if not path.is_file()]
    if missing or not args.minutes > 0:
        print(f"live_latency: expected videos and minutes above 0, got {args.minutes:g} minutes and no file "
              f"at {', '.join(missing) or '-'}", file=sys.stderr)  # fmt: skip
        return 2
    with tempfile.TemporaryDirectory() as scratch:
        model = load_model([unpack_run(FILE, Path(scratch) / "run")], "cpu")
        assert isinstance(model, Recogniser)
        file = Path(scratch) / "joined.mp4"
        fps = joined(args.video, args.minutes, file)
        played = play(model, file, fps, args.max_persons)
    if not played.counts.latencies_s:
        print("live_latency: nobody was there for a window; name videos with a person", file=sys.stderr)
        return 1
    report("live_latency", rows(played))
    draw(played.counts, PICTURE)
    print(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
