"""What the pose cache costs: bytes, opening, random access and memory, at the size of MMA-82-Rec.

    python -m benchmarks.cache                 # 39,816 clips of 79 frames, about two minutes
    python -m benchmarks.cache --clips 2000

The clips are made here: 17 joints in smooth slow movement with 0.35 px of noise a frame, scores that drift.
Access times are medians over random clips of one run, with the files in the page cache.
"""

from __future__ import annotations

import argparse
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.table import Row, report
from poses.cache_merge import merge_caches
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout

PYSKL = "pyskl pickle, float32"
MMA82_CLIPS = 39_816
FRAMES = 79
JITTER_PX = 0.35
FPS = Fraction(30)


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


def against(what: str, value: float, unit: str, baseline: float, name: str, promise: float) -> Row:
    """A row whose ratio, baseline over value, the project promises to be at least `promise`."""
    ratio = baseline / value
    return Row(what, value, unit, ratio, f">= {promise:g} of: {name}", ratio >= promise)


def at_most(what: str, value: float, unit: str, limit: float) -> Row:
    """A row whose value the project promises to stay below a limit."""
    return Row(what, value, unit, limit / value, f"<= {limit:g} {unit}", value <= limit)


def measure(clips: int, seed: int, work: Path) -> list[Row]:
    """Everything in the table."""
    as_written, merged = work / "written", work / "merged"
    peer_bytes, build_s = build(as_written, clips, seed)
    start = time.perf_counter()
    merge_caches([as_written], merged)
    merge_s = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    person_frames, pickle_mib = clips * FRAMES, peer_bytes / 2**20
    unit = "bytes per person-frame"
    rows = [
        Row("clips of 79 frames", clips, "clips"),
        Row(PYSKL, peer_bytes / person_frames, unit),
        Row(f"{PYSKL}, whole", pickle_mib, "MiB"),
        Row("encode and write, measures of quality included", build_s / clips * 1e6, "us per clip"),
        Row("merge into large shards", merge_s, "s"),
        at_most("building and merging, peak memory", peak, "MiB", 400),
    ]
    for name, directory in (("as written", as_written), ("merged", merged)):
        size = directory_bytes(directory) / person_frames
        rows.append(against(f"size, {name}", size, unit, peer_bytes / person_frames, PYSKL, 4))
        opened = [in_fresh_process(OPEN_CODE, str(directory)) for _ in range(3)]
        spent, memory = (statistics.median(values) for values in zip(*opened, strict=True))
        rows.append(at_most(f"open, {name}", spent * 1e3, "ms", 1000))
        rows.append(at_most(f"open, {name}, peak memory", memory, "MiB", 200))
    return rows + measure_access(merged, peer_bytes / person_frames, seed)


def measure_access(directory: Path, peer: float, seed: int) -> list[Row]:
    """Random access through the cache and through its view; `peer` is pyskl's bytes per person-frame."""
    cache = PoseCache(directory)
    rng = np.random.default_rng(seed + 1)
    chosen = [cache.clip_ids[index] for index in rng.integers(0, len(cache), 2000)]
    cache_us = median_us(cache.read, chosen[:300])
    built_s, opened_s, memory = in_fresh_process(VIEW_CODE, str(directory))
    view = cache.view()
    size = sum(path.stat().st_size for path in view.folder.iterdir()) / (len(cache) * FRAMES)
    median_us(view.read, chosen)  # into the page cache
    view_us = median_us(view.read, chosen)
    return [
        Row("random access, PoseCache", cache_us, "us per clip"),
        at_most("random access, PoseView", view_us, "us per clip", 50),
        Row("view, built on first use", built_s, "s"),
        Row("view, opened again", opened_s * 1e3, "ms"),
        Row("view, peak memory of building", memory, "MiB"),
        Row("view, size", size, "bytes per person-frame", peer / size, f"of: {PYSKL}"),
    ]


def main(arguments: Sequence[str] = ()) -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=MMA82_CLIPS, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the random clips (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as work:
        rows = measure(chosen.clips, chosen.seed, Path(work))
    report("cache", rows)


if __name__ == "__main__":
    main(sys.argv[1:])
