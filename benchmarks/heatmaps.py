"""Keypoints to finished batches of heatmaps, against PYSKL's pipeline in plain numpy, on one core.

    python -m benchmarks.heatmaps [--rounds 7] [--clips 16]

One person, 80 frames, COCO-17, 1080 x 1296, to 17 x 48 x 56 x 56; the variants take turns, and the fastest
turn of each counts. Both sides end with the batch's tensor; ours goes into memory that is kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pyskl_heatmaps import PysklHeatmaps
from benchmarks.table import Row, report
from poses.layout import get_layout
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.heatmap_input import DTYPES, HeatmapInput
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


def fastest(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of each run's fastest turn."""
    best = dict.fromkeys(runs, np.inf)
    for _ in range(rounds + 1):  # the first compiles
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def rows_of(kind: str, clips: list[ClipArrays], keys: NDArray[np.uint64], rounds: int) -> list[Row]:
    """Training and test-time figures of joints or limbs."""
    rng = np.random.default_rng(0)
    reference = PysklHeatmaps(COCO, limbs=kind == "limb")
    few = [annotation(clip) for clip in clips[:2]]
    runs: dict[str, Callable[[], object]] = {"pyskl": lambda: reference.batch(few, rng)}
    for dtype in DTYPES:
        builder = HeatmapInput(COCO, kind=kind, dtype=dtype)  # type: ignore[arg-type]
        ring = torch.zeros((len(clips), builder.channels(), 48, 56, 56), dtype=DTYPES[dtype])
        runs[dtype] = lambda builder=builder, ring=ring: builder.batch(clips, keys, out=ring)  # type: ignore[misc]
        runs[f"{dtype} written once"] = lambda ring=ring: ring.numpy().fill(0)  # type: ignore[misc]
    test = PysklHeatmaps(COCO, limbs=kind == "limb", test_clips=10)
    ours = HeatmapInput(COCO, kind=kind, test_clips=10, test_flip=True)  # type: ignore[arg-type]
    views = torch.zeros((20, ours.channels(), 48, 64, 64))
    runs["test, pyskl"] = lambda: test.batch(few[:1], rng)
    runs["test, float32"] = lambda: ours.batch(clips[:1], None, out=views)
    best = fastest(runs, rounds)
    rows = [
        Row(f"{kind}: pyskl's pipeline in numpy, batch stacked", best["pyskl"] / len(few) * 1e3, "ms/clip")
    ]
    for dtype in DTYPES:
        own, floor = best[dtype] / len(clips), best[f"{dtype} written once"] / len(clips)
        ratio, target = best["pyskl"] / len(few) / own, TARGETS.get((kind, dtype))
        rows.append(
            Row(f"{kind}: {dtype}", own * 1e3, "ms/clip", ratio, f">= x{target}" if target else "",
                ratio >= target if target else None)
        )  # fmt: skip
        bound = dtype == "float32" and kind == "joint"
        rows.append(
            Row(f"{kind}: {dtype}, times writing the tensor once", own / floor, "times", None,
                "<= 1.3" if bound else "", own / floor <= 1.3 if bound else None)
        )  # fmt: skip
    ratio = best["test, pyskl"] / best["test, float32"]
    rows.append(Row(f"{kind}: ten test clips and flips, pyskl", best["test, pyskl"] * 1e3, "ms/clip"))
    rows.append(
        Row(f"{kind}: ten test clips and flips, float32", best["test, float32"] * 1e3, "ms/clip", ratio,
            ">= x40", ratio >= 40)
    )  # fmt: skip
    return rows


def main() -> int:
    """Measure, print, write the table; 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clips", type=int, default=16)
    args = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    torch.set_num_threads(1)
    clips = [moving_person(seed) for seed in range(args.clips)]
    keys = clip_keys(0, 0, [str(seed) for seed in range(args.clips)])
    rows = [row for kind in ("joint", "limb") for row in rows_of(kind, clips, keys, args.rounds)]
    report("heatmaps", rows)
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
