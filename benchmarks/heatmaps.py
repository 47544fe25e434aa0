"""Keypoints to finished batches of heatmaps, against PYSKL's pipeline in plain numpy, on one core.

    python -m benchmarks.heatmaps [--rounds 7] [--clips 16]

One person, 80 frames, COCO-17, 1080 x 1296, to 17 x 48 x 56 x 56, in batches of `clips`. In every round each
contender does the same clips in turn; times are processor time a clip, medians over the rounds, and ratios
are medians of the ratios within a round, so a busy machine moves them little. Both sides end with the batch's
tensor: the reference's is stacked from its samples, as a loader does; ours is drawn in memory that is kept
from one batch to the next (`Canvases`), as training does. "Writing its memory once" fills memory that is kept
too: ours can be below it, for only what was drawn before is cleared. The row of two threads is wall time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from benchmarks.pyskl_heatmaps import PysklHeatmaps
from benchmarks.table import Row, report
from poses.layout import get_layout
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.heatmap_input import DTYPES, Canvases, HeatmapInput
from skeleton_models.random_keys import clip_keys

COCO = get_layout("coco17")
# A standing person, as shares of the frame.
STANDING = [(50, 10), (52, 8), (48, 8), (55, 9), (45, 9), (62, 25), (38, 25), (68, 42), (32, 42), (70, 56),
            (30, 56), (58, 55), (42, 55), (59, 75), (41, 75), (60, 95), (40, 95)]  # fmt: skip
TARGETS = {("joint", "float32"): 35, ("joint", "uint8"): 100, ("limb", "float32"): 50, ("limb", "uint8"): 85}


def moving_person(seed: int, frames: int = 80) -> ClipArrays:
    """A person who stands and sways."""
    rng = np.random.default_rng(seed)
    sway = np.cumsum(rng.normal(0, 2, (1, frames, 17, 2)), axis=1)
    xy = np.array(STANDING) / 100 * [600, 1100] + [240, 100] + sway
    return ClipArrays(
        xy.astype(np.float32), rng.uniform(0.3, 1, (1, frames, 17)).astype(np.float32), (1296, 1080)
    )


def annotation(clip: ClipArrays) -> dict[str, object]:
    """The clip as PYSKL's pickles hold it."""
    return {
        "keypoint": clip.xyz, "keypoint_score": clip.score, "img_shape": clip.frame_hw,
        "total_frames": clip.xyz.shape[1], "label": 0, "start_index": 0, "modality": "Pose",
    }  # fmt: skip


@dataclass(frozen=True)
class Contender:
    """What is timed.

    Attributes:
        work: does `clips` clips, `repeats` times a turn (short work is lost in the clock).
        clips: of one run.
        repeats: runs of a turn.
    """

    work: Callable[[], object]
    clips: int
    repeats: int = 1


def turns(contenders: dict[str, Contender], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of processor time a clip: of every round, in which each has its turn."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 1):  # the first compiles, and touches the memory
        for name, contender in contenders.items():
            start = time.process_time()
            for _ in range(contender.repeats):
                contender.work()
            spent = time.process_time() - start
            if number:
                taken[name].append(spent / contender.repeats / contender.clips * 1e3)
    return taken


def against(taken: dict[str, list[float]], slow: str, fast: str) -> float:
    """Median over the rounds of one contender's time over another's."""
    return statistics.median(a / b for a, b in zip(taken[slow], taken[fast], strict=True))


def training_rows(kind: str, clips: list[ClipArrays], rounds: int) -> list[Row]:
    """Figures of training batches of joints or limbs."""
    rng = np.random.default_rng(0)
    keys = clip_keys(0, 0, [str(seed) for seed in range(len(clips))])
    reference = PysklHeatmaps(COCO, limbs=kind == "limb")
    annotations = [annotation(clip) for clip in clips]
    runs = {"pyskl": Contender(lambda: reference.batch(annotations, rng), len(clips))}
    for dtype in DTYPES:
        builder = HeatmapInput(COCO, kind=kind, dtype=dtype)  # type: ignore[arg-type]
        ring = torch.zeros((len(clips), builder.channels(), 48, 56, 56), dtype=DTYPES[dtype])
        own = partial(builder.batch, clips, keys, Canvases())
        runs[dtype] = Contender(own, len(clips), 3)
        runs[f"{dtype} written"] = Contender(partial(ring.numpy().fill, 0), len(clips), 3)
    taken = turns(runs, rounds)
    middle = {name: statistics.median(values) for name, values in taken.items()}
    rows = [Row(f"{kind}: pyskl's pipeline in numpy, batch of {len(clips)}", middle["pyskl"], "ms/clip")]
    for dtype in DTYPES:
        ratio, target = against(taken, "pyskl", dtype), TARGETS.get((kind, dtype))
        promise = f">= x{target}" if target else ""
        rows.append(
            Row(f"{kind}: {dtype}", middle[dtype], "ms/clip", ratio, promise,
                ratio >= target if target else None)
        )  # fmt: skip
        share = against(taken, dtype, f"{dtype} written")
        bound = dtype == "float32" and kind == "joint"
        rows.append(
            Row(f"{kind}: {dtype}, times writing its memory once", share, "times", None,
                "<= 1.3" if bound else "", share <= 1.3 if bound else None)
        )  # fmt: skip
    return rows


def test_rows(kind: str, clip: ClipArrays, rounds: int) -> list[Row]:
    """Figures of ten test clips and their mirror images."""
    rng = np.random.default_rng(0)
    reference = PysklHeatmaps(COCO, limbs=kind == "limb", test_clips=10)
    ours = HeatmapInput(COCO, kind=kind, test_clips=10, test_flip=True)  # type: ignore[arg-type]
    canvases = Canvases()
    taken = turns(
        {
            "pyskl": Contender(lambda: reference.batch([annotation(clip)], rng), 1),
            "float32": Contender(lambda: ours.batch([clip], None, canvases), 1, 3),
        },
        rounds,
    )
    ratio, name = against(taken, "pyskl", "float32"), f"{kind}: ten test clips and flips"
    return [
        Row(f"{name}, pyskl", statistics.median(taken["pyskl"]), "ms/clip"),
        Row(f"{name}, float32", statistics.median(taken["float32"]), "ms/clip", ratio, ">= x40", ratio >= 40),
    ]


def core_rows(clips: list[ClipArrays], rounds: int) -> list[Row]:
    """Wall time of one thread over that of two; uint8, which the memory does not hold up."""
    keys = clip_keys(0, 0, [str(seed) for seed in range(len(clips))])
    walls: dict[int, list[float]] = {1: [], 2: []}
    builders = {
        threads: (HeatmapInput(COCO, kind="limb", dtype="uint8", threads=threads), Canvases())
        for threads in walls
    }
    for number in range(3 * rounds + 1):
        for threads, wall in walls.items():
            builder, canvases = builders[threads]
            start = time.perf_counter()
            builder.batch(clips, keys, canvases)
            if number:
                wall.append((time.perf_counter() - start) / len(clips) * 1e3)
    ratio = statistics.median(a / b for a, b in zip(walls[1], walls[2], strict=True))
    return [Row("limb: uint8, two threads, wall", statistics.median(walls[2]), "ms/clip", ratio)]


def main() -> int:
    """Measure, print, write the table; 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--print-only", action="store_true", help="write no table")
    args = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    torch.set_num_threads(1)
    clips = [moving_person(seed) for seed in range(args.clips)]
    rows = [row for kind in ("joint", "limb") for row in training_rows(kind, clips, args.rounds)]
    rows += [row for kind in ("joint", "limb") for row in test_rows(kind, clips[0], args.rounds)]
    rows += core_rows(clips, args.rounds)
    (print_rows if args.print_only else report)("heatmaps", rows)
    return int(any(row.met is False for row in rows))


def print_rows(name: str, rows: list[Row]) -> None:
    """The rows on the screen only."""
    for row in rows:
        ratio = "" if row.ratio is None else f"x{row.ratio:.1f}"
        print(f"{name}: {row.what:55} {row.value:9.3f} {row.unit:8} {ratio:>7} {row.target:8} {row.met}")


if __name__ == "__main__":
    sys.exit(main())
