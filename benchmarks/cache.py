"""What the pose cache costs: bytes, opening, random access and memory, at the size of MMA-82-Rec.

    python benchmarks/cache.py                 # 39,816 clips of 79 frames, about two minutes
    python benchmarks/cache.py --clips 2000

The clips are made here: 17 joints in smooth slow movement with 0.35 px of noise a frame, scores that drift.
Prints a table and writes it to benchmarks/results/cache.csv, each row with its unit and what it is measured
against. Access times are medians over random clips of one run, with the files in the page cache.
"""

from __future__ import annotations

import argparse
import csv
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from poses.cache_merge import merge_caches
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout

RESULTS = Path(__file__).parent / "results" / "cache.csv"
MMA82_CLIPS = 39_816
FRAMES = 79
JITTER_PX = 0.35
FPS = Fraction(30)


@dataclass(frozen=True)
class Measure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    baseline: str
    baseline_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the baseline is of the value."""
        return None if self.baseline_value is None else self.baseline_value / self.value


def make_clip(number: int, rng: np.random.Generator) -> PoseClip:
    """A seated person of 17 joints: three slow oscillations a joint, each of a few pixels, plus noise."""
    layout = get_layout("coco17")
    v = len(layout.joints)
    time_s = np.arange(FRAMES) / float(FPS)
    xy = rng.uniform((300, 200), (800, 1000), (v, 2))[None]
    for _ in range(3):
        hertz, swing_px = rng.uniform(0.1, 1.0), rng.gamma(1.0, 3.0, (v, 2))
        xy = xy + swing_px * np.sin(2 * np.pi * hertz * time_s[:, None, None] + rng.uniform(0, 6.28, (v, 2)))
    xy_px = (xy + rng.normal(0, JITTER_PX, (FRAMES, v, 2))).astype(np.float32)  # (T, V, 2)
    score = np.clip(rng.beta(8, 2, (1, v)) + rng.normal(0, 0.02, (FRAMES, v)), 0.01, 1).astype(np.float32)
    box_px = np.concatenate([xy_px.min(axis=1) - 20, xy_px.max(axis=1) + 20], axis=1)
    return PoseClip(
        clip_id=f"train/clip_{number:06d}",
        layout=layout,
        xy_px=xy_px[None],
        score=score[None],
        box_px=box_px[None],
        time_s=time_s,
        frame_hw=(1296, 1080),
        fps=FPS,
        track_ids=np.zeros(1, np.int64),
    )


def pyskl_bytes(clip: PoseClip) -> int:
    """Size of the clip in pyskl's pickle, keypoints in float32."""
    annotation = {
        "frame_dir": clip.clip_id,
        "label": 0,
        "img_shape": clip.frame_hw,
        "original_shape": clip.frame_hw,
        "total_frames": clip.frames,
        "keypoint": clip.xy_px,
        "keypoint_score": clip.score,
    }
    return len(pickle.dumps([annotation], protocol=4))


def directory_bytes(directory: Path) -> int:
    """Size of the Parquet files of a cache."""
    return sum(path.stat().st_size for path in directory.glob("*.parquet"))


def median_us(read: Callable[[str], object], clip_ids: list[str]) -> float:
    """Median time of a call, microseconds; every call is timed on its own."""
    spent = []
    for clip_id in clip_ids:
        start = time.perf_counter()
        read(clip_id)
        spent.append(time.perf_counter() - start)
    return float(np.median(spent)) * 1e6


def in_fresh_process(code: str, *arguments: str) -> list[float]:
    """Run code that prints numbers in a process of its own, so that its memory is its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True
    )
    return [float(word) for word in done.stdout.split()]


PEAK_CODE = """
def peak_mib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
"""  # ru_maxrss would be inherited from the parent

OPEN_CODE = (
    PEAK_CODE
    + """
import sys, time
from poses.cache_reader import PoseCache
start = time.perf_counter(); cache = PoseCache(sys.argv[1]); spent = time.perf_counter() - start
print(spent, peak_mib())
"""
)

VIEW_CODE = (
    PEAK_CODE
    + """
import sys, time
from poses.cache_reader import PoseCache
cache = PoseCache(sys.argv[1])
start = time.perf_counter(); cache.view(); built = time.perf_counter() - start
start = time.perf_counter(); cache.view(); opened = time.perf_counter() - start
print(built, opened, peak_mib())
"""
)


def build(directory: Path, clips: int, seed: int) -> tuple[float, float]:
    """Write a cache with the usual settings; returns pyskl's bytes for it and seconds spent in the cache."""
    rng = np.random.default_rng(seed)
    peer_bytes, spent = 0.0, 0.0
    with CacheWriter(directory, CacheMetadata("coco17")) as writer:
        for number in range(clips):
            clip = make_clip(number, rng)
            if number % 100 == 0:
                peer_bytes += pyskl_bytes(clip)
            start = time.perf_counter()
            writer.add(
                encode_clip(clip, SourceStamp(f"/videos/{clip.clip_id}.mp4", 1_234_567 + number, number))
            )
            spent += time.perf_counter() - start
    return peer_bytes * clips / len(range(0, clips, 100)), spent


def measure(clips: int, seed: int, work: Path) -> list[Measure]:
    """Everything in the table."""
    as_written, merged = work / "written", work / "merged"
    peer_bytes, build_s = build(as_written, clips, seed)
    start = time.perf_counter()
    merge_caches([as_written], merged)
    merge_s = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    person_frames = clips * FRAMES
    peer = peer_bytes / person_frames
    rows = [
        Measure("clips", clips, "clips", f"{MMA82_CLIPS} of MMA-82-Rec"),
        Measure("encode and write", build_s / clips * 1e6, "us per clip", "quality measures included"),
        Measure("merge into large shards", merge_s, "s", "one pass"),
    ]
    pyskl = "pyskl pickle, float32"
    for name, directory in (("as written", as_written), ("merged", merged)):
        size = directory_bytes(directory) / person_frames
        rows.append(Measure(f"size, {name}", size, "bytes per person-frame", pyskl, peer))
        in_fresh_process(OPEN_CODE, str(directory))
        spent, memory = in_fresh_process(OPEN_CODE, str(directory))
        rows.append(Measure(f"open, {name}", spent, "s", "at most 1 s", 1.0))
        rows.append(
            Measure(
                f"open, peak of the process, {name}", memory, "MiB", "the pickle alone", peer_bytes / 2**20
            )
        )
    cache = PoseCache(merged)
    rng = np.random.default_rng(seed + 1)
    chosen = [cache.clip_ids[index] for index in rng.integers(0, len(cache), 2000)]
    rows.append(
        Measure("random access, PoseCache", median_us(cache.read, chosen[:300]), "us per clip", "row group")
    )
    built_s, opened_s, memory = in_fresh_process(VIEW_CODE, str(merged))
    rows.append(Measure("view, first use", built_s, "s", "built once"))
    rows.append(Measure("view, opened again", opened_s, "s", "every process"))
    rows.append(Measure("view, peak memory of building", memory, "MiB", "whole process"))
    view = cache.view()
    size = sum(path.stat().st_size for path in view.folder.iterdir()) / person_frames
    rows.append(Measure("view, size", size, "bytes per person-frame", pyskl, peer))
    median_us(view.read, chosen)
    rows.append(
        Measure("random access, PoseView", median_us(view.read, chosen), "us per clip", "at most 50 us", 50)
    )
    rows.append(
        Measure("peak memory, building and merging", peak, "MiB", "the pickle alone", peer_bytes / 2**20)
    )
    return rows


def show(rows: list[Measure]) -> None:
    """The table on the terminal."""
    for row in rows:
        ratio = "" if row.ratio is None else f"x{row.ratio:.2f}"
        base = row.baseline + ("" if row.baseline_value is None else f" ({row.baseline_value:.4g})")
        print(f"{row.name:36s} {row.value:12.4g} {row.unit:24s} {ratio:>9s}  {base}")


def save(rows: list[Measure], path: Path) -> None:
    """The table as CSV."""
    path.parent.mkdir(exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "value", "unit", "baseline", "baseline_value", "ratio"])
        for row in rows:
            numbers = [
                "" if number is None else f"{number:.4g}" for number in (row.baseline_value, row.ratio)
            ]
            writer.writerow([row.name, f"{row.value:.5g}", row.unit, row.baseline, *numbers])


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--clips", type=int, default=MMA82_CLIPS, help="how many clips (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS, help="CSV file (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        rows = measure(arguments.clips, arguments.seed, Path(work))
    show(rows)
    save(rows, arguments.output)
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
