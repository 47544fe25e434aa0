"""Doing a plan: what is missing, in the order of what needs what, side by side where there is room."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fidget.benchmark.benchmark_directory import BenchmarkDirectory
from fidget.benchmark.cell import Cell, write_cell
from fidget.benchmark.cell_jobs import Job, Shrinking, Work, make_do
from fidget.benchmark.methods import Method
from fidget.benchmark.plan import Plan, PlannedCell, Training
from fidget.benchmark.workers import Outcome, cores, one_by_one, room_for, side_by_side
from fidget.training.progress import clock
from poses.cache_reader import PoseCache
from poses.cache_schema import NotACacheError
from poses.whole_file import replacing

_TELL_EVERY_S = 5.0  # cells that take milliseconds are not all told


@dataclass
class _Todo:
    """Jobs that wait for others, and those that are ready.

    Attributes:
        ready: the queue.
        waits_for: job -> jobs it still needs.
        needed_by: job -> jobs that need it.
    """

    ready: deque[Job] = field(default_factory=deque)
    waits_for: dict[Job, set[Job]] = field(default_factory=dict)
    needed_by: dict[Job, list[Job]] = field(default_factory=dict)

    def add(self, job: Job, needs: Iterable[Job]) -> None:
        """A job that can begin once others are done."""
        needed = set(needs)
        if not needed:
            self.ready.append(job)
            return
        self.waits_for[job] = needed
        for other in needed:
            self.needed_by.setdefault(other, []).append(job)

    def done(self, job: Job) -> None:
        """What waited for this job alone is ready."""
        for other in self.needed_by.pop(job, ()):
            waits = self.waits_for.get(other)
            if waits is None:  # given up already
                continue
            waits.discard(job)
            if not waits:
                del self.waits_for[other]
                self.ready.append(other)

    def give_up(self, job: Job) -> Iterator[Job]:
        """Every job that can no longer be done, now that this one failed."""
        for other in self.needed_by.pop(job, ()):
            if self.waits_for.pop(other, None) is not None:
                yield other
                yield from self.give_up(other)


def run_cells(plan: Plan, work: Work, jobs: int = 0, say: Callable[[str], None] = print) -> list[Cell]:
    """Do what is missing of a plan; the same call again goes on where it was stopped.

    A cell that fails, or whose training fails, becomes a cell of the status `failed`; the others go on. It is
    tried again by the next call. The caller holds the directory's lock.

    Args:
        plan: what is wanted.
        work: what the jobs need.
        jobs: processes side by side; 0 for as many as cores and memory have room for, on a GPU one. With 1,
            everything is done in this process.
        say: takes lines of progress.

    Returns:
        The cells of the plan, in its order; those that failed say why.
    """
    at = BenchmarkDirectory(work.directory)
    found = {planned.name: at.done_cell(planned.name) for planned in plan.cells}
    missing = [planned for planned in plan.cells if found[planned.name] is None]
    todo = _todo(missing, at)
    if not missing:
        say(f"all {len(plan.cells):,} cells are there")
        return [cell for cell in found.values() if cell is not None]
    processes = jobs or room(
        work.device, work.methods, len(todo.ready) if len(todo.ready) > 1 else len(missing)
    )
    say(
        f"{len(missing):,} of {len(plan.cells):,} cells to do, "
        f"{sum(isinstance(job, Training) for job in _all(todo)):,} networks to train, "
        f"{processes} at a time"
    )
    tell = _Teller(len(missing), say)
    tasks = {task.name: task for task in work.tasks}
    for outcome in _outcomes(work, todo.ready, processes, say):
        if outcome.error:
            _log(at, outcome)
            failed = [outcome.job, *todo.give_up(outcome.job)]
            what = outcome.job.told()
            for job in failed:
                if isinstance(job, PlannedCell):
                    error = outcome.error if job is outcome.job else f"{what} failed: {outcome.error}"
                    cell = job.cell(tasks[job.task], status="failed", error=error, simulated=work.simulated)
                    write_cell(at.cell(job.name), cell)
                    found[job.name] = cell
            tell.failed(outcome, sum(isinstance(job, PlannedCell) for job in failed))
        else:
            todo.done(outcome.job)
            if isinstance(outcome.value, Cell):
                found[outcome.job.name] = outcome.value
                tell.done(outcome)
    return [cell for cell in found.values() if cell is not None]


def _outcomes(work: Work, ready: deque[Job], processes: int, say: Callable[[str], None]) -> Iterator[Outcome]:
    if processes == 1:
        return one_by_one(make_do(work, 0), ready, say)
    threads = max(1, cores() // processes)
    return side_by_side(make_do, work, ready, processes, threads, say)


def room(device: str, methods: Sequence[Method], jobs: int) -> int:
    """Processes that so many jobs of some methods have room for; on a GPU one."""
    import torch

    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        return 1
    threads = max(method.recipe("", 0).train.threads for method in methods)
    return room_for(jobs, threads)


def _all(todo: _Todo) -> set[Job]:
    return {*todo.ready, *todo.waits_for}


def _todo(missing: list[PlannedCell], at: BenchmarkDirectory) -> _Todo:
    """Small poses, then networks, then cells; what is there already is not waited for."""
    todo = _Todo()
    trainings = dict.fromkeys(training for cell in missing for training in cell.trainings)
    budgets = dict.fromkeys(training.budget_kib for training in trainings if training.budget_kib)
    shrinkings = {budget: Shrinking(budget) for budget in budgets if not _is_cache(at.small_poses(budget))}
    for shrinking in shrinkings.values():
        todo.add(shrinking, ())
    to_train = [training for training in trainings if not is_trained(at.path / training.path)]
    for training in to_train:
        todo.add(training, [shrinkings[training.budget_kib]] if training.budget_kib in shrinkings else ())
    for cell in missing:
        todo.add(cell, [training for training in cell.trainings if training in to_train])
    return todo


def is_trained(run: Path) -> bool:
    """Whether a run has been measured, which is the last thing it does."""
    return all((run / name).is_file() for name in ("summary.json", "checkpoints/selected.pt", "recipe.toml"))


def _is_cache(directory: Path) -> bool:
    try:
        PoseCache(directory)
    except NotACacheError:
        return False
    return True


def _log(at: BenchmarkDirectory, outcome: Outcome) -> None:
    job = outcome.job
    name = job.name if isinstance(job, PlannedCell) else job.told().replace("/", "-")
    with replacing(at.log(name)) as part:
        part.write_text(outcome.trace or outcome.error, encoding="utf-8")


class _Teller:
    """Says what is done, now and then, and every failure.

    Args:
        total: cells to do.
        say: takes the lines.
    """

    def __init__(self, total: int, say: Callable[[str], None]) -> None:
        self._total, self._say = total, say
        self._done = 0
        self._begin_s = self._last_s = time.monotonic()
        self._told_s = 0.0

    def done(self, outcome: Outcome) -> None:
        """A cell is measured."""
        self._done += 1
        now = time.monotonic()
        if now - self._told_s < _TELL_EVERY_S and self._done < self._total:
            return
        self._told_s = now
        top1 = 100 * outcome.value.measures["action/top1"]
        self._say(
            f"[{self._done}/{self._total}] {outcome.job.told()}: top-1 {top1:.2f} % "
            f"({clock(now - self._begin_s)} so far)"
        )

    def failed(self, outcome: Outcome, cells: int) -> None:
        """A job failed, and with it some cells."""
        self._done += cells
        more = f" ({cells} cells need it)" if not isinstance(outcome.job, PlannedCell) else ""
        self._say(f"[{self._done}/{self._total}] failed: {outcome.job.told()}{more}: {outcome.error}")
