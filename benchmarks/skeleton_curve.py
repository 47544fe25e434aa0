"""Accuracy against minutes of training, on Northwestern-UCLA: whole schedules of several lengths.

    python -m benchmarks.skeleton_curve --shared ../shared --runs runs/skeletons

Every point is a training of its own, from the first step to the end of its schedule, seed 1, and is measured
once, with the weights of the last epoch. Joints and bones are trained side by side, one core each; `minutes`
is the wall time of the longer one where both are fused. Writes `results/nw_ucla_minutes.csv` and the picture
`docs/images/nw_ucla_minutes.svg`.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from benchmarks.skeletons import (
    PLANS,
    ROOT,
    Job,
    commit,
    copied_clips,
    finished_runs,
    import_skeletons,
    measured,
    train_all,
)
from protocols.score_fusion import fuse
from protocols.scores import ScoreFile, read_scores

RECIPE = "nw_ucla_ddnet"
EPOCHS = (10, 40, 120)
TARGET_PERCENT, TARGET_MINUTES = 93.0, 15.0


@dataclass(frozen=True)
class Point:
    """One row of the file.

    Attributes:
        method: recipe and stream, or what was fused.
        epochs: of the schedule.
        minutes: of training, wall clock, one core a stream.
        top1_percent: of all test clips.
        unseen_top1_percent: of those that are no copies of training clips.
        commit: of the project.
    """

    method: str
    epochs: int
    minutes: float
    top1_percent: float
    unseen_top1_percent: float
    commit: str


def jobs() -> dict[int, Job]:
    """Epochs -> training; that of the recipe's own length is the one of `benchmarks.skeletons`."""
    longest = max(EPOCHS)
    return {
        epochs: Job("nw_ucla_full_cleaned", RECIPE, 1)
        if epochs == longest
        else Job("nw_ucla_full_cleaned", RECIPE, 1, (f"train.epochs={epochs}",), f"e{epochs}")
        for epochs in EPOCHS
    }


def points(runs: Path) -> Iterator[Point]:
    """Of every finished schedule: each stream, then both fused."""
    plan = PLANS[1]
    copies = copied_clips(plan.poses(runs), plan.protocol)
    for epochs, job in jobs().items():
        streams: list[tuple[float, ScoreFile]] = []
        for name, folder in finished_runs(runs, job).items():
            summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
            if summary["epochs"] != epochs:
                raise ValueError(f"{folder}: expected {epochs} epochs, got {summary['epochs']}; move it away")
            streams.append((summary["train_s"] / 60, read_scores(folder / "scores" / "test.parquet")))
            method = f"{RECIPE}/{name.rsplit('/', 1)[-1]}"
            yield _point(method, epochs, *streams[-1], copies)
        if len(streams) > 1:
            fused = fuse([scores for _, scores in streams])
            yield _point("DD-Net, joint and bone", epochs, max(m for m, _ in streams), fused, copies)


def _point(method: str, epochs: int, minutes: float, scores: ScoreFile, copies: frozenset[str]) -> Point:
    _, top1, _, _, unseen, _ = measured(scores, copies)
    return Point(method, epochs, minutes, top1, unseen, commit())


def draw(path: Path, picture: Path) -> None:
    """The picture of a file of points."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "fidget"
    from matplotlib import pyplot

    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), layout="constrained")
    for method in dict.fromkeys(row["method"] for row in rows):
        own = sorted((float(r["minutes"]), float(r["top1_percent"])) for r in rows if r["method"] == method)
        axes.plot(*zip(*own, strict=True), marker="o", markersize=4, label=method)
    axes.axhline(TARGET_PERCENT, color="0.6", linewidth=0.8, linestyle=":")
    axes.axvline(TARGET_MINUTES, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(
        xscale="log", xlabel="minutes of training, one core a stream", ylabel="top-1 of camera 3, per cent",
        title="Northwestern-UCLA: every point is a whole schedule",
    )  # fmt: skip
    ticks = [0.25, 0.5, 1, 2, 4, 8, 15, 30]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, loc="lower right")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, metadata={"Date": None})
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, write and draw; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True, help="the folder of the real material")
    parser.add_argument("--runs", type=Path, required=True, help="where caches and runs are kept")
    args = parser.parse_args(argv)
    plan = PLANS[1]
    import_skeletons(args.shared / plan.source, plan.poses(args.runs))
    failed = train_all(args.runs, [(plan, job) for job in jobs().values()], at_once=1)
    path = ROOT / "results" / "nw_ucla_minutes.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([entry.name for entry in fields(Point)])
        for point in points(args.runs):
            writer.writerow([f"{v:.2f}" if isinstance(v, float) else v for v in astuple(point)])
    draw(path, ROOT / "docs" / "images" / "nw_ucla_minutes.svg")
    print(path)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
