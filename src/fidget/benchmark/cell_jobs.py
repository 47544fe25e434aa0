"""The jobs of a benchmark, each done by one process: small poses, a trained network, a measured cell."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from fidget.benchmark.adaptation import Adapter
from fidget.benchmark.benchmark_directory import BenchmarkDirectory
from fidget.benchmark.cell import Cell, write_cell
from fidget.benchmark.clip_sources import BenchmarkVideos, open_clips
from fidget.benchmark.finished_run import open_finished_run
from fidget.benchmark.low_bandwidth import for_budget
from fidget.benchmark.methods import Method
from fidget.benchmark.plan import INDUCTIVE, NO_ADAPTATION, PlannedCell, Training
from fidget.benchmark.pose_cost import PoseCosts
from fidget.training.data import ClipSource, check_clips
from fidget.training.loop import train
from fidget.training.prediction import predict
from fidget.training.recipe import Recipe
from fidget.training.run import Machines
from poses.cache_reader import PoseCache
from poses.layout import get_layout
from protocols.k_shot import Support, draw_support, support_rng, write_support
from protocols.protocol import Protocol, Split
from protocols.recognition import measures_of
from protocols.score_fusion import fuse
from protocols.scores import ScoreFile, read_scores, write_scores
from protocols.task import Task

SUPPORT_SEED = 0  # of all support lists: draw 3 is the same list for every network
_NAMED = 20
_ADAPTERS_KEPT = 4  # opened networks in a process


@dataclass(frozen=True)
class Shrinking:
    """Poses made to fit a budget, in KiB a clip."""

    budget_kib: float

    def told(self) -> str:
        """In words, for a line of progress."""
        return f"poses of {self.budget_kib:g} KiB a clip"


Job = Shrinking | Training | PlannedCell


@dataclass(frozen=True)
class Work:
    """What all jobs of a benchmark need; it travels to each process once.

    Attributes:
        directory: of the benchmark.
        poses: the pose cache; None where all methods are over frames.
        tasks: of the benchmark.
        methods: recipes.
        device: `auto`, `cpu` or `cuda`.
        simulated: whether a simulator made the clips.
        videos: of methods over frames; None where there are none.
    """

    directory: Path
    poses: Path | None
    tasks: tuple[Task, ...]
    methods: tuple[Method, ...]
    device: str = "auto"
    simulated: bool = False
    videos: BenchmarkVideos | None = None


def make_do(work: Work, threads: int) -> Callable[[Job, Callable[[str], None]], Any]:
    """What does a job, in a process that has so many threads; 0 leaves them as torch finds them."""
    if threads:
        torch.set_num_threads(threads)
    return CellJobs(work)


class CellJobs:
    """Does the jobs of one benchmark.

    Args:
        work: what all of them need.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._at = BenchmarkDirectory(work.directory)
        self._tasks = {task.name: task for task in work.tasks}
        self._methods = {method.name: method for method in work.methods}
        self._sources = {task.source.name: task.source for task in work.tasks}
        self._costs: dict[float, PoseCosts] = {}
        self._adapters: dict[tuple[str, str], Adapter] = {}
        self._opened: dict[str, ClipSource] = {}

    def __call__(self, job: Job, say: Callable[[str], None]) -> Any:
        """Do a job.

        Raises:
            ValueError, OSError: it cannot be done; what else comes is a bug.
        """
        if isinstance(job, Shrinking):
            return self._shrink(job, say)
        if isinstance(job, Training):
            return self._train(job, say)
        return self._measure(job)

    def _poses(self, budget_kib: float) -> Path | None:
        return self._at.small_poses(budget_kib) if budget_kib else self._work.poses

    def _clips(self, training: Training, recipe: Recipe, say: Callable[[str], None]) -> Path | ClipSource:
        """The pose cache, or the videos as the recipe reads them, which are opened once."""
        if not self._methods[training.method].over_frames:
            poses = self._poses(training.budget_kib)
            assert poses is not None  # whoever plans methods over poses gives them
            return poses
        if training.method not in self._opened:
            self._opened[training.method] = open_clips(recipe, None, self._work.videos, say)
        return self._opened[training.method]

    def _shrink(self, job: Shrinking, say: Callable[[str], None]) -> None:
        out = self._at.small_poses(job.budget_kib)
        assert self._work.poses is not None
        made = for_budget(self._work.poses, out, 1024 * job.budget_kib)
        for line in made.lines():
            say(f"{job.told()}: {line}")

    def _train(self, job: Training, say: Callable[[str], None]) -> None:
        recipe = self._methods[job.method].recipe(job.stream, job.seed)
        clips = self._clips(job, recipe, say)
        if job.budget_kib and isinstance(clips, Path):
            recipe = _with_joints_there(recipe, clips)
        train(
            recipe,
            clips,
            self._sources[job.source],
            self._work.directory / job.path,
            Machines(self._work.device),
            say=lambda line: say(f"{job.told()}: {line}"),
        )

    def _measure(self, planned: PlannedCell) -> Cell:
        begin_s = time.perf_counter()
        task = self._tasks[planned.task]
        facts: dict[str, Any] = {}
        files = [self._scored(planned, task, training, facts) for training in planned.trainings]
        scores = replace(
            files[0] if len(files) == 1 else fuse(files), method=planned.method, seed=planned.seed
        )
        path = self._at.scores(planned.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_scores(path, scores)
        if not self._methods[planned.method].over_frames:
            facts |= self._bytes(planned, task)
        facts |= {
            "clips": len(scores),
            "recipe_hash": self._methods[planned.method].recipe_hash,
            "cache_hash": scores.cache_hash,
            "train_s": sum(self._trained_s(training) for training in planned.trainings),
            "measure_s": time.perf_counter() - begin_s,
        }
        cell = planned.cell(
            task,
            measures=measures_of(scores),
            scores=path.relative_to(self._work.directory).as_posix(),
            simulated=self._work.simulated,
            facts=facts,
        )
        write_cell(self._at.cell(planned.name), cell)
        return cell

    def _scored(
        self, planned: PlannedCell, task: Task, training: Training, facts: dict[str, Any]
    ) -> ScoreFile:
        """The probabilities of the task's clips, of one network."""
        run = self._work.directory / training.path
        recipe = self._methods[training.method].recipe(training.stream, training.seed)
        clips = self._clips(training, recipe, _silent)
        if planned.adaptation == NO_ADAPTATION and planned.setting == INDUCTIVE:
            return score_target(run, clips, task, self._work.device, facts)
        adapter = self._adapter(task, run, clips)
        support = None
        if planned.shots:
            support = self._support(planned, adapter, facts)
        return adapter.scores(planned.shots, planned.draw, planned.adaptation, planned.setting, support)

    def _adapter(self, task: Task, run: Path, clips: Path | ClipSource) -> Adapter:
        """The opened run of a task; the last few are kept."""
        key = (task.name, str(run))
        if key not in self._adapters:
            while len(self._adapters) >= _ADAPTERS_KEPT:
                del self._adapters[next(iter(self._adapters))]
            self._adapters[key] = Adapter(task, run, clips, self._work.device)
        return self._adapters[key]

    def _support(self, planned: PlannedCell, adapter: Adapter, facts: dict[str, Any]) -> Support:
        """The list of shots, saved; the facts take which classes have too few clips."""
        task, rules = adapter.task, adapter.run.recipe.data.model_copy(update={"empty_classes": "keep"})
        assert task.support is not None
        tree = task.source.tree
        usable = check_clips(adapter.run.clips, Protocol(task.name, tree, {"train": task.support}), rules)[
            "train"
        ]
        pool = Split(usable.clip_ids, tuple(usable.labels.tolist()))
        support = draw_support(pool, planned.shots, support_rng(SUPPORT_SEED, planned.draw))
        path = self._at.support(planned.support)
        if not path.exists():
            write_support(path, support, tree)
        facts["support"] = path.relative_to(self._work.directory).as_posix()
        facts["support_clips"] = len(support.split.clip_ids)
        facts["short_classes"] = list(support.short_names(tree))
        return support

    def _bytes(self, planned: PlannedCell, task: Task) -> dict[str, Any]:
        """What the poses of source and target cost, beside their videos where these are known."""
        if planned.budget_kib not in self._costs:
            poses = self._poses(planned.budget_kib)
            assert poses is not None
            self._costs[planned.budget_kib] = PoseCosts(poses)
        costs = self._costs[planned.budget_kib]
        source_ids = [
            clip_id
            for name, split in task.source.splits.items()
            if name in ("train", "val")
            for clip_id in split.clip_ids
        ]
        found: dict[str, Any] = {}
        for name, cost in (("source", costs.of(source_ids)), ("target", costs.of(task.target.clip_ids))):
            found[f"{name}_clips"] = cost.clips
            found[f"{name}_pose_bytes"] = cost.pose_bytes
            found[f"{name}_video_bytes"] = cost.video_bytes
        return found

    def _trained_s(self, training: Training) -> float:
        summary = self._work.directory / training.path / "summary.json"
        return float(json.loads(summary.read_text(encoding="utf-8")).get("train_s", 0.0))


def _with_joints_there(recipe: Recipe, poses: Path) -> Recipe:
    """The recipe on all joints of the poses where these have become too few for its own choice."""
    wanted, there = recipe.input.layout, PoseCache(poses).layout
    if not wanted or set(get_layout(wanted).joints) <= set(there.joints):
        return recipe
    return recipe.model_copy(update={"input": recipe.input.model_copy(update={"layout": ""})})


def score_target(
    run: Path, clips: Path | ClipSource, task: Task, device: str, facts: dict[str, Any]
) -> ScoreFile:
    """Probabilities of a task's measured clips from its source's network, in all views that the recipe asks.

    Args:
        run: directory of the finished run.
        clips: the pose cache; or the clips themselves, of a run over frames.
        task: whose target is measured.
        device: `auto`, `cpu` or `cuda`.
        facts: takes which measured clips are left out, hold nobody or are copies of training clips.

    Raises:
        ValueError: no finished run, or clips that the recipe refuses.
    """
    own = run / "scores" / "test.parquet"
    opened = open_finished_run(run, clips, task.source.tree, device)
    protocol = Protocol(
        task.source.name, task.source.tree, {"train": task.source.splits["train"], "test": task.target}
    )
    target = check_clips(opened.clips, protocol, opened.recipe.data)["test"]
    for reason, ids in target.dropped.items():
        facts[f"left_out_{reason}"] = _few(ids)
    if target.no_person:
        facts["without_person"] = _few(target.no_person)
    if target.in_train:
        facts["copies_of_training_clips"] = _few(target.in_train)
    if own.is_file():
        stored = read_scores(own)
        if stored.clip_ids == target.clip_ids and (stored.labels == target.labels).all():
            return stored
    probabilities = predict(
        opened.process,
        opened.network,
        opened.test_input,
        opened.clips,
        target,
        opened.views_at_once,
        len(task.source.tree.actions),
        opened.recipe.train.prefetch,
    )
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    return ScoreFile(
        task.source.tree,
        target.clip_ids,
        target.labels,
        probabilities,
        method=opened.recipe.name,
        recipe_hash=summary["recipe_hash"],
        cache_hash=opened.clips.cache_hash,
        seed=opened.recipe.train.seed,
    )


def _silent(_: str) -> None:
    pass


def _few(ids: Sequence[str]) -> dict[str, Any]:
    """How many, and the first of them."""
    return {"clips": len(ids), "such_as": list(ids[:_NAMED])}
