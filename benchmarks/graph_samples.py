"""Keypoints to the batches of graph networks, against pyskl's sample pipeline in plain numpy.

    python -m benchmarks.graph_samples [--rounds 11] [--clips 16]

Clips of 80 frames, 17 joints, 100 frames sampled, two person slots, scores as a third channel, as in the
published recipes. In every round each contender builds eight batches of `--clips` clips, reference and ours
in turn (the other way round in every second round), each batch from arrays that no other contender sees.
Figures are microseconds of processor time a clip (all threads; neighbours on the machine move it
little) at each contender's median, ratios are medians of the ratios within a round. The row of two threads
is wall time, against one thread, of batches of 64 clips: a smaller one stays on one thread. The four
streams of the reference are four passes, ours is one. The last row has no reference: 3D clips of 20 joints
and 40 frames, torso frame, turned, stretched and cropped.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.pyskl_graphs import Sample, build
from benchmarks.table import Row, report
from poses.layout import get_layout
from skeleton_models.augment import Augment
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.graph_input import GraphInput
from skeleton_models.random_keys import clip_keys

STREAMS = {"j": "joint", "b": "bone", "jm": "joint_motion", "bm": "bone_motion"}
TWO_THREADS = "GraphInput, four streams, 2 threads"
MANY = 64  # clips of a batch that two threads share
SETS = 8  # batches of a turn, each of other clips


@dataclass(frozen=True)
class Contender:
    """What builds batch number `i`.

    Attributes:
        name: in the table.
        work: of the batch's number.
        baseline: whose time is divided by this one's.
        target: what the ratio should reach.
    """

    name: str
    work: Callable[[int], object]
    baseline: str = ""
    target: float | None = None


def contenders(clips: int, persons: int, threads: bool = False) -> list[Contender]:
    """Every reference, each followed by ours; or one thread, followed by two."""
    layout = get_layout("coco17")
    keys = clip_keys(0, 0, [f"clip-{i}" for i in range(clips)])

    def arrays(seed: int) -> list[ClipArrays]:
        rng = np.random.default_rng(seed)
        size = (persons, 80, 17)
        return [
            ClipArrays(
                (rng.random((*size, 2)) * [1920, 1080]).astype(np.float32),
                rng.uniform(0.1, 1, size).astype(np.float32),
                (1080, 1920),
            )
            for _ in range(clips)
        ]

    def ours(streams: tuple[str, ...], threads: int = 1) -> Callable[[int], object]:
        made = GraphInput(
            layout, 100, streams, persons=2, normalise="pyskl2d", confidence=True, missing="filled",
            bones="pyskl", min_score=0.01, threads=threads,
        )  # fmt: skip
        sets = [arrays(seed) for seed in range(SETS)]
        return lambda i: made.batch(sets[i], keys)

    def theirs(*streams: str) -> Callable[[int], object]:
        rng = np.random.default_rng(0)
        sets = [
            [
                Sample(
                    keypoint=xyz, keypoint_score=score, total_frames=80, img_shape=(1080, 1920), label=0,
                    frame_dir="clip", original_shape=(1080, 1920), start_index=0, modality="Pose",
                    test_mode=False,
                )
                for xyz, score, _ in arrays(seed)
            ]
            for seed in range(SETS)
        ]  # fmt: skip
        return lambda i: [torch.cat([build(sample, stream, rng) for sample in sets[i]]) for stream in streams]

    four = tuple(STREAMS.values())
    if threads:
        return [
            Contender("GraphInput, four streams", ours(four)),
            Contender(TWO_THREADS, ours(four, 2), "GraphInput, four streams"),
        ]
    table = []
    for short, stream in STREAMS.items():
        table.append(Contender(f"reference {short}", theirs(short)))
        table.append(Contender(f"GraphInput {stream}", ours((stream,)), f"reference {short}", 30))
    table.append(Contender("reference, four streams", theirs(*STREAMS)))
    table.append(Contender("GraphInput, four streams", ours(four), "reference, four streams", 80))
    return table


def augmented(clips: int) -> Contender:
    """The joint stream of Northwestern-UCLA's size in training."""
    rng = np.random.default_rng(0)
    made = GraphInput(
        get_layout("nwucla20"), 64, sampling="sorted",
        augment=Augment(yaw_deg=60, pitch_deg=20, stretch=0.1, crop_range=(0.6, 1.0)),
    )  # fmt: skip
    sets = [
        [
            ClipArrays(
                rng.standard_normal((1, 40, 20, 3)).astype(np.float32),
                np.ones((1, 40, 20), np.float32),
                (1, 1),
            )
            for _ in range(clips)
        ]
        for _ in range(SETS)
    ]
    keys = clip_keys(0, 0, [f"clip-{i}" for i in range(clips)])
    return Contender("GraphInput joint, 3D, augmented", lambda i: made.batch(sets[i], keys))


def measure(group: str, table: list[Contender], clips: int, rounds: int) -> list[Row]:
    """The rows of some contenders that take turns."""
    seconds: dict[str, list[float]] = {contender.name: [] for contender in table}
    wall: dict[str, list[float]] = {contender.name: [] for contender in table}
    for contender in table:
        contender.work(0)  # compiled before it counts
    for turn in range(rounds):
        for contender in table if turn % 2 else table[::-1]:
            begin_s, begin_wall_s = time.process_time(), time.perf_counter()
            for batch in range(SETS):
                contender.work(batch)
            seconds[contender.name].append((time.process_time() - begin_s) / clips / SETS)
            wall[contender.name].append((time.perf_counter() - begin_wall_s) / clips / SETS)
    rows = []
    for contender in table:
        clock = wall if contender.name == TWO_THREADS else seconds
        figures, what = clock[contender.name], f"{group}: {contender.name}"
        figure = statistics.median(figures) * 1e6
        if not contender.baseline:
            rows.append(Row(what, figure, "us/clip"))
            continue
        ratio = statistics.median(b / a for a, b in zip(figures, clock[contender.baseline], strict=True))
        target = "" if contender.target is None else f"x{contender.target:g}"
        met = None if contender.target is None else ratio >= contender.target
        rows.append(Row(what + (", wall" if clock is wall else ""), figure, "us/clip", ratio, target, met))
    return rows


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--clips", type=int, default=16, help="of a batch")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for persons in (1, 2):
        group = f"{persons} person{'s' * (persons > 1)}, batch {args.clips}"
        rows += measure(group, contenders(args.clips, persons), args.clips, args.rounds)
    if (os.cpu_count() or 1) > 1:
        rows += measure(f"2 persons, batch {MANY}", contenders(MANY, 2, threads=True), MANY, args.rounds)
    rows += measure(f"1 person, batch {args.clips}", [augmented(args.clips)], args.clips, args.rounds)
    report("graph_samples", rows)


if __name__ == "__main__":
    main()
