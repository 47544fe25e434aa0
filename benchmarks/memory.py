"""Peak memory of a worker, for longer and longer videos and for more and more of them.

    python -m benchmarks.memory --clip FILE [--layout NAME]

The last rows are an hour of answers that no model gave (synthetic), followed, encoded and pickled as a worker
does: what the keypoints of long recordings take, models and frames not counted.

The clip is repeated into videos of the lengths asked for (its packets are copied, not encoded again). Each
job runs with one worker, whose peak resident set the kernel reports.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.table import Row, report

PROMISE_MIB = 700


def lengthen(clip: Path, times: int, path: Path) -> Path:
    """The clip's video packets, so many times in a row."""
    import av

    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        length = max(packet.pts + (packet.duration or 0) for packet in packets)
        data = [(bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in packets]
        out = target.add_stream_from_template(stream)
        for turn in range(times):
            for content, pts, dts, is_keyframe in data:
                packet = av.Packet(content)
                packet.pts, packet.dts = pts + turn * length, dts + turn * length
                packet.time_base, packet.stream, packet.is_keyframe = stream.time_base, out, is_keyframe
                target.mux(packet)
    return path


def peak_mib(paths: list[Path], *options: str) -> tuple[float, float, int]:
    """Peak resident set of the worker and of the parent in MiB, and the frames of the job."""
    import json

    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pose_extract.command", *map(str, paths)]
        command += ["-o", f"{directory}/cache", "--workers", "1", "--json", "--quiet", *options]
        job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        peaks: dict[int, float] = {}
        watcher = threading.Thread(target=_watch, args=(job, peaks))
        watcher.start()
        printed, _ = job.communicate()
        watcher.join()
    parent = peaks.pop(job.pid, 0.0)
    return max(peaks.values()), parent, json.loads(printed)["frames"]


HOUR = """
import pickle, resource, sys
from fractions import Fraction
import numpy as np
from pose_extract.estimator import FramePeople
from pose_extract.tracking import ClipTracker
from poses.cache_schema import SourceStamp
from poses.clip import PoseClip
from poses.encoding import encode_clip
from poses.layout import get_layout

layout, frames, persons = get_layout(sys.argv[1]), 108_000, int(sys.argv[2])
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
rng = np.random.default_rng(0)
joints = len(layout.joints)
base = rng.uniform(100, 800, (persons, joints, 2)) + np.arange(persons)[:, None, None] * [900, 0]
tracker = ClipTracker(layout, (1080, 1920), persons)
score = np.full((persons, joints), 0.9, np.float32)
for index in range(frames):
    xy = (base + rng.normal(0, 1, base.shape) + 20 * np.sin(index / 40)).astype(np.float32)
    box = np.concatenate([xy.min(1), xy.max(1)], 1)
    tracker.update(FramePeople(xy, score, box, np.ones(persons, np.float32)))
tracks = tracker.finish()
del tracker
time_s = np.arange(frames) / 30
clip = PoseClip("hour", layout, tracks.xy_px, tracks.score, tracks.box_px, time_s, (1080, 1920), Fraction(30),
                tracks.track_ids)
row = encode_clip(clip, SourceStamp("hour.mp4", 1, 1))
pickle.dumps(row, 5)
print(peak() - before)
"""


def hour_mib(layout: str, persons: int) -> float:
    """What an hour of keypoints adds to a process, at its peak."""
    done = subprocess.run(
        [sys.executable, "-c", HOUR, layout, str(persons)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def _watch(job: subprocess.Popen[str], peaks: dict[int, float]) -> None:
    import psutil

    try:
        parent = psutil.Process(job.pid)
        while job.poll() is None:
            for process in [parent, *parent.children(recursive=True)]:
                peak = _high_water_mib(process.pid)
                peaks[process.pid] = max(peaks.get(process.pid, 0.0), peak)
            time.sleep(0.1)
    except psutil.NoSuchProcess:
        return


def _high_water_mib(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--layout", default="blazepose33")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10, 100], help="lengths, in clips")
    parser.add_argument("--files", type=int, default=60, help="clips of the job of many (default: 60)")
    args = parser.parse_args()
    options = ["--model", "blazepose", "--layout", args.layout]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for times in args.times:
            worker, parent, frames = peak_mib(
                [lengthen(args.clip, times, directory / f"{times}.mp4")], *options
            )
            rows += _rows(f"one video of {frames} frames", worker, parent)
        many = [Path(shutil.copyfile(args.clip, directory / f"c{i}.mp4")) for i in range(args.files)]
        worker, parent, frames = peak_mib(many, *options)
        rows += _rows(f"{args.files} videos, {frames} frames", worker, parent)
    for layout, persons in (("coco17", 2), ("blazepose33", 2), ("coco_wholebody133", 1)):
        rows.append(
            Row(f"an hour of {layout}, {persons} persons (synthetic)", hour_mib(layout, persons), "MiB")
        )
    report(f"memory_{args.layout}", rows)


def _rows(what: str, worker: float, parent: float) -> list[Row]:
    return [
        Row(f"{what}: worker", worker, "MiB", None, f"< {PROMISE_MIB}", worker < PROMISE_MIB),
        Row(f"{what}: parent", parent, "MiB"),
    ]


if __name__ == "__main__":
    main()
