"""What there is to do: which networks are trained, which cells are measured with them, where each lies."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fidget.benchmark.cell import Cell
from protocols.protocol import Protocol
from protocols.task import Task

if TYPE_CHECKING:
    from fidget.benchmark.methods import Method

INDUCTIVE, NO_ADAPTATION = "inductive", "none"
_PLAIN = re.compile(r"[A-Za-z0-9._+ /-]+")
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Training:
    """One network: a stream of a method, trained on a source with a seed.

    Attributes:
        source: name of the source's protocol.
        method: name of the method.
        stream: of the method, or empty.
        seed: of the training.
        budget_kib: of the poses, 0 where they are whole.
    """

    source: str
    method: str
    stream: str
    seed: int
    budget_kib: float = 0.0

    @property
    def path(self) -> str:
        """Directory of the run, below the benchmark's."""
        place = (
            f"runs/{file_name(self.source)}/{file_name(self.method)}/seed{self.seed}{_of(self.budget_kib)}"
        )
        return f"{place}/{file_name(self.stream)}" if self.stream else place

    def told(self) -> str:
        """In words, for a line of progress."""
        parts = (self.method, self.stream, f"seed {self.seed}", f"on {self.source}")
        return " ".join(filter(None, parts)) + _told(self.budget_kib)


@dataclass(frozen=True)
class PlannedCell:
    """One cell, before it is run; the fields as in `Cell`.

    Attributes:
        trainings: the networks it needs, one a stream.
    """

    task: str
    method: str
    seed: int
    trainings: tuple[Training, ...]
    shots: int = 0
    draw: int = 0
    adaptation: str = NO_ADAPTATION
    setting: str = INDUCTIVE
    budget_kib: float = 0.0

    @property
    def name(self) -> str:
        """Name of its files, without their suffix."""
        parts = [self.task, self.method, f"seed{self.seed}"]
        if self.shots:
            parts += [f"k{self.shots}", f"draw{self.draw}"]
        if self.adaptation != NO_ADAPTATION or self.setting != INDUCTIVE:
            parts += [self.adaptation, self.setting]
        return "__".join(file_name(part) for part in parts) + _of(self.budget_kib)

    @property
    def support(self) -> str:
        """Name of its list of shots, which all methods and seeds share."""
        return "__".join(file_name(part) for part in (self.task, f"k{self.shots}", f"draw{self.draw}"))

    @property
    def run(self) -> str:
        """Directory of its training run, or of the runs of its streams."""
        path = self.trainings[0].path
        return path.rpartition("/")[0] if self.trainings[0].stream else path

    def told(self) -> str:
        """In words, for a line of progress."""
        shots = (f"K {self.shots}", f"draw {self.draw}") if self.shots else ()
        way = () if self.adaptation == NO_ADAPTATION else (self.adaptation,)
        setting = () if self.setting == INDUCTIVE else (self.setting,)
        parts = (self.task, self.method, f"seed {self.seed}", *shots, *way, *setting)
        return ", ".join(parts) + _told(self.budget_kib)

    def cell(self, task: Task, **found: object) -> Cell:
        """The cell with what was found."""
        own = {"budget_kib": self.budget_kib} if self.budget_kib else {}
        given = found.pop("facts", {})
        assert isinstance(given, dict)
        return Cell(
            benchmark=task.benchmark,
            task=self.task,
            source_domain=task.source_domain,
            target_domain=task.target_domain,
            method=self.method,
            seed=self.seed,
            shots=self.shots,
            draw=self.draw,
            adaptation=self.adaptation,
            setting=self.setting,
            run=self.run,
            facts=own | given,
            **found,  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class Choices:
    """What is run of a benchmark.

    Attributes:
        seeds: of the training.
        draws: support lists for each K.
        adaptations: ways to use the shots.
        settings: `inductive`, and transductive ones; the source's network alone is always measured.
        budgets_kib: bytes a clip that poses are made to fit, in KiB; none for the poses as they are.
    """

    seeds: tuple[int, ...] = (0,)
    draws: int = 10
    adaptations: tuple[str, ...] = ()
    settings: tuple[str, ...] = (INDUCTIVE,)
    budgets_kib: tuple[float, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Networks and cells, in the order in which they are wanted."""

    trainings: tuple[Training, ...]
    cells: tuple[PlannedCell, ...]


def make_plan(tasks: Sequence[Task], methods: Sequence[Method], choices: Choices) -> Plan:
    """Every cell of some tasks, and the networks these need; tasks with one source share its networks.

    Budgets are of poses: methods over frames have no cells of them.

    Raises:
        ValueError: two tasks of one name, two sources of one name, nothing to do, a number out of range.
    """
    _check(tasks, methods, choices)
    cells = [
        cell
        for seed in choices.seeds
        for budget in (0.0, *choices.budgets_kib)
        for task in tasks
        for method in methods
        if not (budget and method.over_frames)
        for cell in _cells_of(task, method, seed, budget, choices)
    ]
    trainings = dict.fromkeys(training for cell in cells for training in cell.trainings)
    names = Counter(name.casefold() for entries in (cells, trainings) for name in map(_place, entries))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ValueError(
            f"tasks, domains or methods differ too little for file names: {', '.join(twice[:4])}"
        )
    return Plan(tuple(trainings), tuple(cells))


def _cells_of(
    task: Task, method: Method, seed: int, budget: float, choices: Choices
) -> Iterable[PlannedCell]:
    """The source's network alone, between domains in every setting; then every way to use every list.

    Poses of a budget are measured with the source's network alone: bytes are the question there.
    """
    trainings = tuple(
        Training(task.source.name, method.name, stream, seed, budget) for stream in method.streams
    )
    plain = PlannedCell(task.name, method.name, seed, trainings, budget_kib=budget)
    yield plain
    if budget or task.source_domain == task.target_domain:
        return
    for setting in choices.settings:
        if setting != INDUCTIVE:
            yield PlannedCell(task.name, method.name, seed, trainings, setting=setting)
    for shots in task.shots if task.support is not None else ():
        for draw in range(choices.draws):
            for adaptation in choices.adaptations:
                for setting in choices.settings:
                    yield PlannedCell(
                        task.name, method.name, seed, trainings, shots, draw, adaptation, setting
                    )


def _place(entry: PlannedCell | Training) -> str:
    return entry.name if isinstance(entry, PlannedCell) else entry.path


def _check(tasks: Sequence[Task], methods: Sequence[Method], choices: Choices) -> None:
    if not tasks or not methods or not choices.seeds:
        raise ValueError(
            f"expected tasks, methods and seeds, got {len(tasks)}, {len(methods)} and {len(choices.seeds)}"
        )
    names = [task.name for task in tasks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"tasks must have names of their own, twice: {', '.join(twice)}")
    if min(choices.seeds) < 0 or len(set(choices.seeds)) < len(choices.seeds):
        raise ValueError(f"expected seeds of 0 or more, each once, got {list(choices.seeds)}")
    if choices.draws < 1:
        raise ValueError(f"expected at least 1 draw, got {choices.draws}")
    if any(not budget > 0 for budget in choices.budgets_kib):
        raise ValueError(f"expected budgets above 0 KiB, got {list(choices.budgets_kib)}")
    sources: dict[str, Protocol] = {}
    for task in tasks:
        if sources.setdefault(task.source.name, task.source) != task.source:
            raise ValueError(f"two sources have the name {task.source.name!r} and differ; name each once")


def file_name(text: str) -> str:
    """A readable name that any file system takes: spaces and slashes become `-`, the rest a hash."""
    if _PLAIN.fullmatch(text) and text.strip(". /-") == text and len(text) <= _LONGEST_NAME:
        return re.sub(r"[ /]", "-", text)
    kept = re.sub(r"[^A-Za-z0-9._+-]+", "-", text).strip("._-")[:_LONGEST_NAME]
    return f"{kept}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def _of(budget_kib: float) -> str:
    return f"__{budget_kib:g}KiB" if budget_kib else ""


def _told(budget_kib: float) -> str:
    return f", {budget_kib:g} KiB a clip" if budget_kib else ""


def task_hashes(tasks: Sequence[Task]) -> Mapping[str, str]:
    """Task -> 16 hexadecimal digits that change with any clip or label of it."""
    found = {}
    for task in tasks:
        content = [
            task.source.tree,
            sorted((name, split.clip_ids, split.labels) for name, split in task.source.splits.items()),
            (task.target.clip_ids, task.target.labels),
            None if task.support is None else (task.support.clip_ids, task.support.labels),
        ]
        digest = hashlib.sha256(repr(content).encode("utf-8", "surrogatepass"))
        found[task.name] = digest.hexdigest()[:16]
    return found
