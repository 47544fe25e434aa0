"""What was tried, on validation only: one change at a time against a base, which has three seeds.

    python -m benchmarks.skeleton_trials --shared ../shared --runs runs/trials

Northwestern-UCLA trains on camera 1 and validates on camera 2 (`nw_ucla_views_cleaned`): how well a change
carries over to a camera that was never seen, and camera 3 is never looked at. Writes
`results/nw_ucla_trials.csv`.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.skeletons import PLANS, ROOT, SEEDS, Job, commit, finished_runs, import_skeletons, train_all

BASE = ("train.epochs=30", 'input.streams=["joint"]', "input.separate=false")
TRIALS: dict[str, tuple[str, ...]] = {
    "32 frames by uniform sampling, which goes round again in short clips": (
        "input.sampling=uniform", "input.frames=32", "model.options={frames=32}",
    ),
    "32 frames, not 64": ("input.frames=32", "model.options={frames=32}"),
    "frames drawn at random and sorted, as CTR-GCN's authors": ("input.sampling=sorted",),
    "hardly any cropping in time, one pace": (
        "augment.crop_range=[0.9,1.0]", "augment.speed_range=[1.0,1.0]",
    ),
    "the view turned by up to 30 degrees, not 60": ("augment.yaw_deg=30",),
    "the view tilted by up to 45 degrees, not 20": ("augment.pitch_deg=45",),
    "no turned views": ("augment.yaw_deg=0", "augment.pitch_deg=0", "augment.roll_deg=0"),
    "skeletons turned to face the camera, no turned views": (
        "input.align_yaw=true", "augment.yaw_deg=0", "augment.pitch_deg=0", "augment.roll_deg=0",
    ),
    "each axis to -1..1, as CTR-GCN's authors": ("input.normalise=ctrgcn_ucla",),
    "half of the clips lose an arm, a leg ...": ("augment.drop_part_probability=0.5",),
    "half of the clips lose an axis": ("augment.drop_axis_probability=0.5",),
    "half of the clips lose a block of joints and frames": ("augment.drop_block_probability=0.5",),
    "bones instead of joints": ('input.streams=["bone"]',),
}  # fmt: skip


def jobs() -> dict[str, list[Job]]:
    """Name -> its trainings."""
    base = Job("nw_ucla_views_cleaned", "nw_ucla_ddnet", 1, BASE, "base")
    found = {"base: DD-Net, joints, 30 epochs": [replace(base, seed=seed) for seed in SEEDS]}
    for number, (name, changes) in enumerate(TRIALS.items()):
        found[name] = [replace(base, overrides=(*BASE, *changes), tag=f"trial{number:02d}")]
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing and write; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True, help="the folder of the real material")
    parser.add_argument("--runs", type=Path, required=True, help="where caches and runs are kept")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    args = parser.parse_args(argv)
    plan = PLANS[1]
    import_skeletons(args.shared / plan.source, plan.poses(args.runs))
    failed = train_all(args.runs, [(plan, job) for own in jobs().values() for job in own], args.jobs)
    rows, base = [], 0.0
    for name, own in jobs().items():
        values = [
            100 * json.loads((folder / "summary.json").read_text(encoding="utf-8"))["val"]["top1"]
            for job in own
            for folder in finished_runs(args.runs, job).values()
        ]
        if not values:
            continue
        mean = statistics.fmean(values)
        base = base or mean
        spread = f"{statistics.stdev(values):.2f}" if len(values) > 1 else ""
        changes = " ".join(TRIALS.get(name, BASE))
        rows.append((name, len(values), f"{mean:.2f}", spread, f"{mean - base:+.2f}", changes, commit()))
    with (ROOT / "results" / "nw_ucla_trials.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("change", "runs", "val_top1_percent", "spread", "difference", "settings", "commit"))
        writer.writerows(rows)
    print(*(f"{row[0]}: {row[2]} ({row[4]})" for row in rows), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
