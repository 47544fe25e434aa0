"""Networks that never saw some classes, and how well these are recognised by vectors of their names.

A job is one network (or one of each stream) of one choice of unseen classes: trained where it is missing,
then measured. It leaves a cell a way, with two score files: `..._pure.parquet` (clips of unseen classes, only
these to choose from) and `..._generalised.parquet` (all measured clips, all classes).
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from fidget.benchmark.benchmark_directory import BenchmarkDirectory
from fidget.benchmark.cell import Cell, write_cell
from fidget.benchmark.clip_sources import BenchmarkVideos, open_clips
from fidget.benchmark.finished_run import open_finished_run
from fidget.benchmark.methods import Method
from fidget.benchmark.plan import Training, file_name
from fidget.benchmark.run_cells import is_trained, room
from fidget.benchmark.seen_networks import SeenNetworks
from fidget.benchmark.unseen_tasks import BENCHMARK, UnseenTask, unrelated
from fidget.benchmark.workers import Outcome, cores, one_by_one, side_by_side
from fidget.training.loop import train
from fidget.training.run import Machines
from protocols.label_vectors import LabelVectors
from protocols.recognition import measures_of
from protocols.scores import write_scores
from protocols.unseen_classes import (
    generalised_measures,
    generalised_zero_shot,
    pure_zero_shot,
)

WAYS = ("conse", "feature_map")


@dataclass(frozen=True)
class UnseenWork:
    """What all jobs need; it travels to each process once.

    Attributes:
        directory: of the results.
        poses: the pose cache; None where all methods are over frames.
        tasks: choices of unseen classes.
        methods: recipes.
        vectors: of all classes.
        vectors_name: what they are, in a few words; differs where they do.
        ways: some of `WAYS`.
        seen_penalty: as in `generalised_zero_shot`.
        device: `auto`, `cpu` or `cuda`.
        simulated: whether a simulator made the clips.
        videos: of methods over frames; None where there are none.
    """

    directory: Path
    poses: Path | None
    tasks: tuple[UnseenTask, ...]
    methods: tuple[Method, ...]
    vectors: LabelVectors
    vectors_name: str
    ways: tuple[str, ...] = WAYS
    seen_penalty: float = 0.0
    device: str = "auto"
    simulated: bool = False
    videos: BenchmarkVideos | None = None


@dataclass(frozen=True)
class UnseenJob:
    """A method trained with a seed without the unseen classes of a task, and measured."""

    task: str
    method: str
    seed: int

    def told(self) -> str:
        """In words, for a line of progress."""
        return f"{self.task}, {self.method}, seed {self.seed}"


def run_unseen(
    work: UnseenWork, seeds: Sequence[int], processes: int = 0, say: Callable[[str], None] = print
) -> list[Cell]:
    """Train what is missing, measure what is missing; the same call again goes on where it was stopped.

    A job that fails makes failed cells and the others go on; it is tried again by the next call. The caller
    holds the directory's lock.

    Args:
        work: what the jobs need.
        seeds: of the trainings.
        processes: side by side; 0 for as many as there is room for.
        say: takes lines of progress.

    Returns:
        The cells of every task, method, seed and way.
    """
    at = BenchmarkDirectory(work.directory)
    jobs = [
        UnseenJob(task.task.name, method.name, seed)
        for seed in seeds
        for task in work.tasks
        for method in work.methods
    ]
    names = {job: [cell_name(job, way, work) for way in work.ways] for job in jobs}
    found: dict[UnseenJob, Sequence[Cell | None]] = {
        job: [at.done_cell(name) for name in names[job]] for job in jobs
    }
    missing = [job for job in jobs if any(cell is None for cell in found[job])]
    count = processes or (room(work.device, work.methods, len(missing)) if missing else 1)
    say(f"{len(missing)} of {len(jobs)} networks to train or measure, {count} at a time")
    for number, outcome in enumerate(_outcomes(work, deque(missing), count, say), 1):
        if outcome.error:
            at.log(file_name(outcome.job.told())).parent.mkdir(parents=True, exist_ok=True)
            at.log(file_name(outcome.job.told())).write_text(outcome.trace or outcome.error, encoding="utf-8")
            found[outcome.job] = _failed(work, outcome)
            say(f"[{number}/{len(missing)}] failed: {outcome.job.told()}: {outcome.error}")
        else:
            found[outcome.job] = outcome.value
            told = ", ".join(
                f"{cell.adaptation} {100 * cell.measures['action/mean_class']:.2f} %"
                for cell in outcome.value
            )
            say(f"[{number}/{len(missing)}] {outcome.job.told()}: mean class accuracy {told}")
    return [cell for cells in found.values() for cell in cells if cell is not None]


def cell_name(job: UnseenJob, way: str, work: UnseenWork) -> str:
    """Name of a cell's files, without their suffix."""
    parts = [job.task, job.method, f"seed{job.seed}", way, work.vectors_name]
    if work.seen_penalty:
        parts.append(f"penalty{work.seen_penalty:g}")
    return "__".join(file_name(part) for part in parts)


def _outcomes(
    work: UnseenWork, ready: deque[UnseenJob], processes: int, say: Callable[[str], None]
) -> Iterator[Outcome]:
    if processes == 1:
        return one_by_one(make_do(work, 0), ready, say)
    threads = max(1, cores() // processes)
    return side_by_side(make_do, work, ready, processes, threads, say)


def _failed(work: UnseenWork, outcome: Outcome) -> list[Cell]:
    at, job = BenchmarkDirectory(work.directory), outcome.job
    task = next(task for task in work.tasks if task.task.name == job.task)
    cells = []
    for way in work.ways:
        cell = replace(_cell(work, task, job, way), status="failed", error=outcome.error)
        write_cell(at.cell(cell_name(job, way, work)), cell)
        cells.append(cell)
    return cells


def _cell(work: UnseenWork, task: UnseenTask, job: UnseenJob, way: str) -> Cell:
    """What is known of a cell before it is measured."""
    facts: dict[str, Any] = {
        "group": task.group,
        "unseen": list(task.unseen),
        "classes": len(task.split.tree.actions),
        "vectors": work.vectors_name,
        "seen_penalty": work.seen_penalty,
        "unrelated": list(unrelated(task.split, work.vectors)),
    }
    return Cell(
        BENCHMARK, task.task.name, "", "", job.method, job.seed, draw=task.draw, adaptation=way,
        simulated=work.simulated, facts=facts,
    )  # fmt: skip


def make_do(work: UnseenWork, threads: int) -> Callable[[UnseenJob, Callable[[str], None]], list[Cell]]:
    """What does a job, in a process that has so many threads; 0 leaves them as torch finds them."""
    if threads:
        torch.set_num_threads(threads)

    def do(job: UnseenJob, say: Callable[[str], None]) -> list[Cell]:
        task = next(task for task in work.tasks if task.task.name == job.task)
        method = next(method for method in work.methods if method.name == job.method)
        return _train_and_measure(work, task, method, job, say)

    return do


def _train_and_measure(
    work: UnseenWork, task: UnseenTask, method: Method, job: UnseenJob, say: Callable[[str], None]
) -> list[Cell]:
    source = task.task.source
    trainings = [Training(source.name, method.name, stream, job.seed) for stream in method.streams]
    for training in trainings:
        directory = work.directory / training.path
        if not is_trained(directory):
            recipe = method.recipe(training.stream, job.seed)
            train(
                recipe, open_clips(recipe, work.poses, work.videos, say), source, directory,
                Machines(work.device), say=partial(_told, say, training.told()),
            )  # fmt: skip
    begin_s = time.perf_counter()
    runs = [
        open_finished_run(
            work.directory / training.path,
            open_clips(method.recipe(training.stream, job.seed), work.poses, work.videos),
            source.tree,
            work.device,
        )
        for training in trainings
    ]
    seen = SeenNetworks(runs, task)
    run_path = trainings[0].path.rpartition("/")[0] if trainings[0].stream else trainings[0].path
    trained_s = [_trained_s(work.directory / training.path) for training in trainings]
    cells = []
    for way in work.ways:
        cell = _measured(work, seen, replace(_cell(work, task, job, way), run=run_path), job)
        known = {"train_s": sum(trained_s), "measure_s": time.perf_counter() - begin_s}
        facts = cell.facts | known | {"recipe_hash": method.recipe_hash}
        cell = replace(cell, facts=facts)
        write_cell(BenchmarkDirectory(work.directory).cell(cell_name(job, way, work)), cell)
        cells.append(cell)
    return cells


def _told(say: Callable[[str], None], who: str, line: str) -> None:
    say(f"{who}: {line}")


def _trained_s(run: Path) -> float:
    return float(json.loads((run / "summary.json").read_text(encoding="utf-8")).get("train_s", 0.0))


def _measured(work: UnseenWork, seen: SeenNetworks, cell: Cell, job: UnseenJob) -> Cell:
    """The cell with its measures; its score files are written."""
    at, split, name = (
        BenchmarkDirectory(work.directory),
        seen.task.split,
        cell_name(job, cell.adaptation, work),
    )
    scores = replace(seen.scores, method=f"{job.method}, {cell.adaptation}", seed=job.seed)
    places = seen.places(cell.adaptation, work.vectors)
    pure = pure_zero_shot(scores, split, work.vectors, places)
    general = generalised_zero_shot(scores, split, work.vectors, places, seen_penalty=work.seen_penalty)
    files = {"pure": at.scores(f"{name}_pure"), "generalised": at.scores(f"{name}_generalised")}
    write_scores(files["pure"], pure)
    write_scores(files["generalised"], general)
    measures = measures_of(pure) | generalised_measures(general, split)
    clips = seen.measured
    return replace(
        cell,
        measures=measures | {"seen/mean_class": seen.among_seen()},
        scores=files["pure"].relative_to(work.directory).as_posix(),
        facts=cell.facts
        | {
            "generalised_scores": files["generalised"].relative_to(work.directory).as_posix(),
            "clips": len(clips),
            "unseen_clips": len(pure),
            "left_out": {reason: len(ids) for reason, ids in clips.dropped.items()},
            "copies_of_training_clips": len(clips.in_train),
            "cache_hash": scores.cache_hash,
        },
    )
