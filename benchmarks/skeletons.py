"""Accuracy on real skeletons: every run of `results/*.csv`, by the commands a user would type.

    python -m benchmarks.skeletons --shared ../shared --runs runs/skeletons

Imports Northwestern-UCLA and JHMDB-14, trains the shipped recipes with `fidget train` (three seeds; a run
that was stopped goes on, one that is finished is only read), fuses the score files of each seed with equal
weights, and writes one row a run and one a mean into `results/nw_ucla.csv` and `results/jhmdb14.csv`. The
test split is measured once a run, with the weights of the last epoch; nothing is chosen by it.

Two runs go side by side, one thread each: `minutes` is the wall time of one of them, on one of two cores.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np

from fidget.training.data import PoseClips, check_clips
from fidget.training.recipe import DataTable
from protocols.catalogue import find_protocol
from protocols.recognition import top_k
from protocols.score_fusion import fuse
from protocols.scores import ScoreFile, expect_labels, read_scores

ROOT = Path(__file__).parents[1]
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Job:
    """One `fidget train`: a recipe under a protocol, with one seed.

    Attributes:
        protocol: as `--protocol` takes it.
        recipe: a shipped recipe.
        seed: of the training.
        overrides: further `--set KEY=VALUE`.
        tag: tells runs of one recipe with different overrides apart.
        folder_of: name of the folder where the protocol is a file.
    """

    protocol: str
    recipe: str
    seed: int
    overrides: tuple[str, ...] = ()
    tag: str = ""
    folder_of: str = ""

    @property
    def folder(self) -> str:
        """Below the directory of all runs."""
        tag = f"-{self.tag}" if self.tag else ""
        return f"{self.folder_of or self.protocol}/{self.recipe}{tag}-seed{self.seed}"


@dataclass(frozen=True)
class Result:
    """One row of a results file.

    Attributes:
        method: recipe, and stream where it has several; or the name of an ensemble.
        seed: of the run; `mean of 3` for a mean.
        test_clips: how many clips were measured.
        top1_percent: of the test split, last epoch.
        spread: standard deviation over the seeds; empty in a row of one run.
        unseen_clips: those of them whose poses are not, number for number, those of a training clip.
        unseen_top1_percent: of these alone.
        unseen_spread: as above.
        epochs: passes over the training clips.
        minutes: of training, wall clock; the sum over its members for an ensemble.
        recipe_hash: of the resolved recipe.
        commit: of the project when the table was written.
    """

    method: str
    seed: str
    test_clips: int
    top1_percent: float
    spread: float | None
    unseen_clips: int
    unseen_top1_percent: float
    unseen_spread: float | None
    epochs: int | None
    minutes: float
    recipe_hash: str
    commit: str


@dataclass(frozen=True)
class Plan:
    """What is trained on one data set, and what is fused.

    Attributes:
        name: of the results file.
        source: of the skeletons, below the shared folder.
        protocol: of every run.
        recipes: shipped recipes; those with separate streams give a method for each stream.
        ensembles: name -> methods whose probabilities are averaged with equal weights.
    """

    name: str
    source: str
    protocol: str
    recipes: tuple[str, ...]
    ensembles: dict[str, tuple[str, ...]]

    def poses(self, runs: Path) -> Path:
        """Its pose cache, which plans over the same skeletons share."""
        return runs / "poses" / Path(self.source).stem


_NW_UCLA_RECIPES = ("nw_ucla_ddnet", "nw_ucla_stgcnpp", "nw_ucla_posec3d")
_NW_UCLA_ENSEMBLES = {
    "DD-Net, joint and bone": ("nw_ucla_ddnet/joint", "nw_ucla_ddnet/bone"),
    "DD-Net and ST-GCN++": ("nw_ucla_ddnet/joint", "nw_ucla_ddnet/bone", "nw_ucla_stgcnpp"),
    "DD-Net, ST-GCN++ and PoseC3D": (
        "nw_ucla_ddnet/joint",
        "nw_ucla_ddnet/bone",
        "nw_ucla_stgcnpp",
        "nw_ucla_posec3d",
    ),
}

PLANS = (
    Plan(
        "nw_ucla",
        "data/skeletons/nw_ucla.npz",
        "nw_ucla_full",
        _NW_UCLA_RECIPES,
        _NW_UCLA_ENSEMBLES,
    ),
    Plan(
        "nw_ucla_cleaned",
        "data/skeletons/nw_ucla.npz",
        "nw_ucla_full_cleaned",
        _NW_UCLA_RECIPES,
        _NW_UCLA_ENSEMBLES,
    ),
    Plan(
        "jhmdb14",
        "data/skeletons/jhmdb_gt_split1.npz",
        "jhmdb14_full",
        ("jhmdb_ddnet", "jhmdb_stgcnpp", "jhmdb_posec3d"),
        {
            "DD-Net, joint and bone": ("jhmdb_ddnet/joint", "jhmdb_ddnet/bone"),
            "DD-Net and ST-GCN++": ("jhmdb_ddnet/joint", "jhmdb_ddnet/bone", "jhmdb_stgcnpp"),
            "DD-Net, ST-GCN++ and PoseC3D": (
                "jhmdb_ddnet/joint",
                "jhmdb_ddnet/bone",
                "jhmdb_stgcnpp",
                "jhmdb_posec3d",
            ),
        },
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, then write the results; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True, help="the folder of the real material")
    parser.add_argument("--runs", type=Path, required=True, help="where caches and runs are kept")
    parser.add_argument("--only", default="", help="part of a job's folder name; the others are not trained")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--no-results", action="store_true", help="leave results/*.csv as they are")
    args = parser.parse_args(argv)
    jobs = [
        (plan, Job(plan.protocol, recipe, seed))
        for seed in SEEDS
        for plan in PLANS
        for recipe in plan.recipes
    ]
    for plan in PLANS:
        import_skeletons(args.shared / plan.source, plan.poses(args.runs))
    failed = train_all(args.runs, [pair for pair in jobs if args.only in pair[1].folder], args.jobs)
    for plan in PLANS:
        rows = list(_rows(plan, args.runs))
        if rows and not args.no_results:
            write_results(ROOT / "results" / f"{plan.name}.csv", rows)
    for folder in failed:
        print(f"failed: {folder}, see {args.runs / folder}.log", file=sys.stderr)
    return 1 if failed else 0


def import_skeletons(source: Path, target: Path) -> None:
    """The pose cache of a data set, made where it is not there yet."""
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([_fidget(), "poses", "import", str(source), "-o", str(target)], check=True)


def _fidget() -> str:
    return str(Path(sys.executable).with_name("fidget"))


def train_all(runs: Path, chosen: Sequence[tuple[Plan, Job]], at_once: int) -> list[str]:
    """Train what is not finished, some at a time; returns the folders of those that failed."""
    with ThreadPoolExecutor(at_once) as pool:
        statuses = pool.map(lambda pair: _train(runs, *pair), chosen)
        return [job.folder for (_, job), status in zip(chosen, statuses, strict=True) if status]


def _train(runs: Path, plan: Plan, job: Job) -> int:
    """Run one job to its end; its output goes to a log beside its folder."""
    target = runs / job.folder
    target.parent.mkdir(parents=True, exist_ok=True)
    settings = ("train.threads=1", f"train.seed={job.seed}", *job.overrides)
    command = [_fidget(), "train", job.recipe, "--poses", str(plan.poses(runs))]
    command += ["--protocol", job.protocol, "-o", str(target), "--device", "cpu"]
    for setting in settings:
        command += ["--set", setting]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    print(f"train {job.folder}", flush=True)
    with open(f"{target}.log", "a", encoding="utf-8") as log:
        status = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, env=environment).returncode
    print(f"{'done' if status == 0 else 'FAILED'} {job.folder}", flush=True)
    return status


def finished_runs(runs: Path, job: Job) -> dict[str, Path]:
    """Method -> run directory of what a job has finished: one entry, or one a stream."""
    folder = runs / job.folder
    name = f"{job.recipe}-{job.tag}" if job.tag else job.recipe
    if (folder / "summary.json").exists():
        return {name: folder}
    return {f"{name}/{path.parent.name}": path.parent for path in sorted(folder.glob("*/summary.json"))}


def _rows(plan: Plan, runs: Path) -> Iterator[Result]:
    """Runs, ensembles, and the mean of each method over its seeds."""
    copies = copied_clips(plan.poses(runs), plan.protocol)
    found: dict[str, list[Result]] = {}
    for seed in SEEDS:
        done: dict[str, Path] = {}
        for recipe in plan.recipes:
            done |= finished_runs(runs, Job(plan.protocol, recipe, seed))
        for method, folder in done.items():
            found.setdefault(method, []).append(_row(method, seed, folder, copies))
        for name, members in plan.ensembles.items():
            if all(member in done for member in members):
                minutes = sum(row.minutes for m in members for row in found[m] if row.seed == str(seed))
                folders = [done[member] for member in members]
                found.setdefault(name, []).append(_fused_row(name, seed, folders, minutes, copies))
    for method, rows in found.items():
        yield from rows
        yield _mean_row(method, rows)


def copied_clips(poses: Path, protocol: str) -> frozenset[str]:
    """Test clips with the poses of a training clip."""
    clips = PoseClips(poses)
    sets = check_clips(clips, find_protocol(protocol, clips.cache.clip_ids), DataTable())
    return frozenset(sets["test"].in_train)


def measured(scores: ScoreFile, copies: frozenset[str]) -> tuple[int, float, None, int, float, None]:
    """Clips and top-1 of all and of the unseen, with the places of their spreads."""
    labels = expect_labels(scores)
    unseen = np.array([clip_id not in copies for clip_id in scores.clip_ids])
    return (
        len(labels), 100 * top_k(scores.scores, labels, 1), None,
        int(unseen.sum()), 100 * top_k(scores.scores[unseen], labels[unseen], 1), None,
    )  # fmt: skip


def _row(method: str, seed: int, folder: Path, copies: frozenset[str]) -> Result:
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    figures = measured(read_scores(folder / "scores" / "test.parquet"), copies)
    minutes = summary["train_s"] / 60
    return Result(method, str(seed), *figures, summary["epochs"], minutes, summary["recipe_hash"], commit())


def _fused_row(name: str, seed: int, folders: list[Path], minutes: float, copies: frozenset[str]) -> Result:
    fused = fuse([read_scores(folder / "scores" / "test.parquet") for folder in folders])
    return Result(name, str(seed), *measured(fused, copies), None, minutes, "", commit())


def _mean_row(method: str, rows: list[Result]) -> Result:
    first = rows[0]
    return replace(
        first,
        seed=f"mean of {len(rows)}",
        top1_percent=statistics.fmean(row.top1_percent for row in rows),
        spread=_spread([row.top1_percent for row in rows]),
        unseen_top1_percent=statistics.fmean(row.unseen_top1_percent for row in rows),
        unseen_spread=_spread([row.unseen_top1_percent for row in rows]),
        minutes=statistics.fmean(row.minutes for row in rows),
    )


def _spread(values: list[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


@cache
def commit() -> str:
    """The project's commit the runs are collected under."""
    return subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def write_results(path: Path, rows: Sequence[Result]) -> None:
    """One CSV row a result; numbers with two decimals."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([entry.name for entry in fields(Result)])
        for row in rows:
            cells = ["" if v is None else f"{v:.2f}" if isinstance(v, float) else v for v in astuple(row)]
            writer.writerow(cells)
    print(f"{path}: {len(rows)} rows")


if __name__ == "__main__":
    sys.exit(main())
