"""Keypoints to the batches of graph networks, against pyskl's sample pipeline in plain numpy.

    python -m benchmarks.graph_samples [--rounds 15] [--clips 64]

Clips of 80 frames, 17 joints, 100 frames sampled, two person slots, scores as a third channel, as in the
published recipes. Every round runs all contenders once, in turn, in one process; figures are microseconds of
processor time a clip (all threads; neighbours on the machine move it little) at each contender's median,
ratios are medians of the ratios within a round. The row of two threads is wall time, against one thread.
The four streams of the reference are four passes, ours is one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.pyskl_graphs import Sample, build
from benchmarks.table import Row, report

STREAMS = {"j": "joint", "b": "bone", "jm": "joint_motion", "bm": "bone_motion"}
FOUR = "GraphInput, four streams"
TWO_THREADS = "GraphInput, four streams, 2 threads"


def contenders(clips: int, persons: int, reference: int) -> dict[str, tuple[Callable[[], object], int]]:
    """Name -> work, and how many clips it does; the reference does `reference` of them."""
    from poses.layout import get_layout
    from skeleton_models.clip_arrays import ClipArrays
    from skeleton_models.graph_input import GraphInput
    from skeleton_models.random_keys import clip_keys

    rng = np.random.default_rng(0)
    arrays, samples = [], []
    for _ in range(clips):
        xyz = (rng.random((persons, 80, 17, 2)) * [1920, 1080]).astype(np.float32)
        score = rng.uniform(0.1, 1, (persons, 80, 17)).astype(np.float32)
        arrays.append(ClipArrays(xyz, score, (1080, 1920)))
        samples.append(Sample(
            keypoint=xyz, keypoint_score=score, total_frames=80, img_shape=(1080, 1920), label=0,
            frame_dir="clip", original_shape=(1080, 1920), start_index=0, modality="Pose", test_mode=False,
        ))  # fmt: skip
    keys = clip_keys(0, 0, [f"clip-{i}" for i in range(clips)])

    def ours(streams: tuple[str, ...], threads: int = 1) -> Callable[[], object]:
        made = GraphInput(
            get_layout("coco17"), 100, streams, persons=2, normalise="pyskl2d", confidence=True,
            missing="filled", bones="pyskl", min_score=0.01, threads=threads,
        )  # fmt: skip
        return lambda: made.batch(arrays, keys)

    def theirs(*streams: str) -> Callable[[], object]:
        return lambda: [torch.cat([build(s, stream, rng) for s in samples[:reference]]) for stream in streams]

    four = tuple(STREAMS.values())
    table = {f"reference {name}": (theirs(name), reference) for name in STREAMS}
    table["reference, four streams"] = (theirs(*STREAMS), reference)
    table |= {f"GraphInput {stream}": (ours((stream,)), clips) for stream in four}
    table[FOUR] = (ours(four), clips)
    if (os.cpu_count() or 1) > 1:
        table[TWO_THREADS] = (ours(four, 2), clips)
    return table


def measure(persons: int, clips: int, rounds: int) -> list[Row]:
    """The table for clips of so many persons."""
    work = contenders(clips, persons, max(1, clips // 8))
    seconds: dict[str, list[float]] = {name: [] for name in work}
    wall: dict[str, list[float]] = {name: [] for name in work}
    for name in work:
        work[name][0]()  # compiled before it counts
    for _ in range(rounds):
        for name, (function, count) in work.items():
            begin_s, begin_wall_s = time.process_time(), time.perf_counter()
            repeats = 8 if name.startswith("GraphInput") else 1  # still a fraction of the reference's time
            for _ in range(repeats):
                function()
            seconds[name].append((time.process_time() - begin_s) / count / repeats)
            wall[name].append((time.perf_counter() - begin_wall_s) / count / repeats)
    rows = []
    for name, values in seconds.items():
        what, figures, baseline, target = f"{persons} person: {name}", values, None, ""
        if name == TWO_THREADS:
            figures, baseline, what = wall[name], wall[FOUR], what + ", wall"
        elif name == FOUR:
            baseline, target = seconds["reference, four streams"], "x80"
        elif name.startswith("GraphInput"):
            short = next(short for short, long in STREAMS.items() if name == f"GraphInput {long}")
            baseline, target = seconds[f"reference {short}"], "x30"
        figure = statistics.median(figures) * 1e6
        if baseline is None:
            rows.append(Row(what, figure, "us/clip"))
            continue
        ratio = statistics.median(b / a for a, b in zip(figures, baseline, strict=True))
        rows.append(
            Row(what, figure, "us/clip", ratio, target, ratio >= float(target[1:]) if target else None)
        )
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clips", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    report("graph_samples", [row for m in (1, 2) for row in measure(m, args.clips, args.rounds)])


if __name__ == "__main__":
    main()
