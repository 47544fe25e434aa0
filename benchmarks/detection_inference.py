"""A skeleton detector over a pose cache of ten minutes, all included, against real time.

    python -m benchmarks.detection_inference [--run runs/det] [--rounds 3] [--threads 2]

The cache is simulated: untrimmed recordings one behind the other, 18,000 frames of 133 joints at 30 frames a
second in one row. Measured is what `fidget detect run` does once Python has its modules: open the run and the
cache, windows, network, candidates, suppression over the recording, three result files; and in a row of its
own the whole command in a new process. The target is of the time on the clock, with two threads on two cores
that nobody else uses. Without --run the network of the shipped recipe has fresh weights, of which every point
gives candidates: suppression has more to do than after training.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from benchmarks.table import Row, report

FRAMES, FPS, TARGET = 18_000, 30, 100
RECIPE = "sim_skeleton_detector"


def long_cache(directory: Path, frames: int = FRAMES) -> Path:
    """A pose cache with one simulated recording of so many frames."""
    from fidget.benchmark.simulator.untrimmed import simulate_untrimmed
    from poses.cache_reader import PoseCache
    from poses.cache_writer import CacheWriter
    from poses.encoding import encode_clip

    # MMA-52's videos last ten seconds or so; twice as many as that would need are enough.
    simulate_untrimmed(directory / "parts", -(-frames // (5 * FPS)))
    parts, taken = PoseCache(directory / "parts"), 0
    xy, score, box = [], [], []
    for clip in parts.clips():
        if clip.persons and taken < frames:
            kept = slice(0, min(clip.frames, frames - taken))
            xy.append(clip.xy_px[:1, kept])
            score.append(clip.score[:1, kept])
            box.append(clip.box_px[:1, kept])
            taken += clip.frames
            last = clip
    whole = dataclasses.replace(
        last,
        clip_id="ten_minutes",
        xy_px=np.concatenate(xy, axis=1),
        score=np.concatenate(score, axis=1),
        box_px=np.concatenate(box, axis=1),
        time_s=np.arange(frames) / FPS,
        fps=Fraction(FPS),
        track_ids=np.zeros(1, np.int64),
    )
    with CacheWriter(directory / "long", parts.metadata) as writer:
        writer.add(encode_clip(whole, parts.row(last.clip_id).source))
    return directory / "long"


def fresh_run(directory: Path, cache: Path) -> Path:
    """A run directory of the shipped recipe with fresh weights."""
    from fidget.detection.network import make_detector
    from fidget.detection.recipe import load_recipe, parse_recipe
    from fidget.detection.recordings import PoseRecordings
    from fidget.detection.shapes import shapes_of, tree_as_json
    from fidget.training.recipe import to_toml
    from fidget.training.run_directory import RunDirectory, save_tensors, write_json
    from protocols.trees import tree

    recipe, labels = load_recipe(RECIPE), tree("mma82")
    shapes = shapes_of(recipe, PoseRecordings(cache, recipe.input.layout))
    network, _ = make_detector(recipe, shapes, labels)
    (directory / "checkpoints").mkdir(parents=True)
    (directory / "recipe.toml").write_text(to_toml(recipe), encoding="utf-8")
    write_json(directory / "tree.json", tree_as_json(labels))
    save_tensors(RunDirectory(directory, parse_recipe).selected, {
        "model": network.state_dict(), "epoch": 0, "channels": shapes.channels, "layout": shapes.layout,
    })  # fmt: skip
    return directory


def found_in(run: Path, cache: Path, output: Path) -> dict[str, float]:
    """Seconds of each part of one call."""
    from fidget.detection.found_files import write_found
    from fidget.detection.recordings import PoseRecordings
    from fidget.detection.trained_detector import load_detector

    begin_s = time.perf_counter()
    detector = load_detector(run, "cpu")
    recordings = PoseRecordings(cache, detector.shapes.layout)
    opened_s = time.perf_counter()
    found = list(detector.find(recordings, ["ten_minutes"]))
    found_s = time.perf_counter()
    write_found(output, found, detector.tree, "benchmark", {"ten_minutes": FRAMES / FPS})
    end_s = time.perf_counter()
    return {"open": opened_s - begin_s, "find": found_s - opened_s, "write": end_s - found_s,
            "all": end_s - begin_s}  # fmt: skip


def main() -> int:
    """Measure, print, write the table; 1 if the target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, help="a finished run of a skeleton detector")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    import torch

    torch.set_num_threads(args.threads)
    length_s = FRAMES / FPS
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        cache = long_cache(directory)
        run = args.run or fresh_run(directory / "run", cache)
        found_in(run, cache, directory / "out")  # kernels are compiled, the view is built
        taken, processor = [], []
        for _ in range(args.rounds):
            begin_s = time.process_time()
            taken.append(found_in(run, cache, directory / "out"))
            processor.append(time.process_time() - begin_s)
        words = ["-c", "from fidget.cli.main import main; import sys; sys.exit(main())", "detect", "run"]
        environment = os.environ | {"OMP_NUM_THREADS": str(args.threads)}
        begin_s = time.perf_counter()
        subprocess.run(
            [sys.executable, *words, str(cache), "--run", str(run), "-o", str(directory / "out")],
            check=True, stdout=subprocess.DEVNULL, env=environment,
        )  # fmt: skip
        command_s = time.perf_counter() - begin_s
    middle = {part: statistics.median(one[part] for one in taken) for part in taken[0]}
    what = f"{'trained' if args.run else 'fresh weights'}, ten minutes, {args.threads} threads"
    spent_s = statistics.median(processor)
    ratio = length_s / middle["all"]
    rows = [Row(f"{what}: {part}", middle[part], "s") for part in ("open", "find", "write")]
    rows += [
        Row(f"{what}: all, on the clock", middle["all"], "s", ratio, f">= x{TARGET}", ratio >= TARGET),
        Row(f"{what}: all, processor time", spent_s, "s", length_s / spent_s),
        Row(f"{what}: the command in a new process", command_s, "s", length_s / command_s),
    ]  # fmt: skip
    report("detection_inference", rows)
    return int(ratio < TARGET)


if __name__ == "__main__":
    sys.exit(main())
