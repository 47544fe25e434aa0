"""The training loop: open, build, resume, train, measure; from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from fidget.reports.training_report import write_training_report
from fidget.training.builders import build_input
from fidget.training.data import ClipSet, PoseClips, check_clips
from fidget.training.ema import AveragedWeights
from fidget.training.environment import describe_environment
from fidget.training.loader import Prefetcher
from fidget.training.losses import ActionLoss
from fidget.training.network import ActionNetwork, load_pretrained, make_network, read_label_embeddings
from fidget.training.optimizer import make_optimizer
from fidget.training.prediction import InputBuilder, measures, predict
from fidget.training.recipe import Recipe, recipe_hash
from fidget.training.run_directory import (
    Row,
    RunDirectory,
    load_tensors,
    read_rows,
    save_tensors,
    write_json,
    write_rows,
)
from fidget.training.sampler import epoch_order
from fidget.training.schedule import base_learning_rate, learning_rate_factor
from protocols.protocol import Protocol
from protocols.scores import ScoreFile, write_scores
from skeleton_models.clip_arrays import ModelBatch
from skeleton_models.random_keys import clip_hashes, clip_keys

_VISITS = 1 << 20  # epochs lie so far apart in the keys' counter: a clip may come so often an epoch


@dataclass(frozen=True)
class Machines:
    """Where to train.

    Attributes:
        device: `auto`, `cpu` or `cuda`.
        devices: processes on each node, one a GPU.
        nodes: how many machines.
    """

    device: str = "auto"
    devices: int = 1
    nodes: int = 1


@dataclass
class _Run:
    """All that one training holds; made once, handed to every phase."""

    recipe: Recipe
    protocol: Protocol
    directory: RunDirectory
    fabric: Fabric
    clips: PoseClips
    sets: dict[str, ClipSet]
    train_input: InputBuilder
    val_input: InputBuilder
    test_input: InputBuilder
    network: ActionNetwork
    wrapped: Any  # the network as Fabric runs it
    optimizer: Any  # the optimiser as Fabric runs it
    loss: ActionLoss
    average: AveragedWeights | None
    say: Callable[[str], None]


def train(
    recipe: Recipe,
    poses: Path,
    protocol: Protocol,
    directory: Path,
    machines: Machines = Machines(),
    checkpoint: Path | None = None,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train one recipe on one cache under one protocol; the same call again goes on where it stopped.

    Args:
        recipe: what to train.
        poses: directory of the pose cache.
        protocol: labels and splits.
        directory: of the run; made, or resumed if this run lies there.
        machines: where to train.
        checkpoint: pretrained weights to begin with, or None.
        say: takes a line of progress, in the first process.

    Returns:
        What `summary.json` holds: measures of each split with the selected weights.

    Raises:
        ValueError: recipe, cache, protocol or run directory do not fit; all before the first step.
    """
    fabric = _launch(recipe, machines)
    run = _open(recipe, poses, protocol, RunDirectory(directory), fabric, checkpoint, say)
    first_epoch, history = _resume(run)
    try:
        for epoch in range(first_epoch, recipe.train.epochs):
            timing = {"epoch": epoch + 1}
            row = _train_epoch(run, epoch, timing) | _validate(run, epoch, timing)
            history.append(row)
            _save(run, epoch, history, timing)
            _tell(run, row, timing)
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(recipe, str(fabric.device)) from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):
            raise
        raise _out_of_memory(recipe, str(fabric.device)) from error
    return _measure(run, history)


def _launch(recipe: Recipe, machines: Machines) -> Fabric:
    """Start the processes; what follows runs in each."""
    if machines.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "--device cuda: torch finds no CUDA device here; use --device cpu, or see fidget doctor"
        )
    device = machines.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if recipe.train.threads:
        torch.set_num_threads(recipe.train.threads)
    precision: Any = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[recipe.train.precision]
    if recipe.train.precision == "16" and device == "cpu":
        raise ValueError("precision '16' needs a GPU; use --set train.precision=bf16 or 32 on a CPU")
    several = machines.devices * machines.nodes > 1
    fabric = Fabric(
        accelerator=device,
        strategy="ddp" if several else "auto",
        devices=machines.devices,
        num_nodes=machines.nodes,
        precision=precision,
    )
    fabric.launch()
    return fabric


def _open(
    recipe: Recipe,
    poses: Path,
    protocol: Protocol,
    directory: RunDirectory,
    fabric: Fabric,
    checkpoint: Path | None,
    say: Callable[[str], None],
) -> _Run:
    """Check the data, make the input, the network and the optimiser."""
    clips = PoseClips(poses, recipe.input.layout)
    sets = check_clips(clips, protocol, recipe.data)
    if recipe.train.tensorboard and find_spec("tensorboard") is None:
        raise ValueError("train.tensorboard needs the package tensorboard; install it, or set it to false")
    if recipe.eval.select == "best_val" and "val" not in sets:
        raise ValueError(
            f"eval.select = 'best_val' needs a split 'val', {protocol.name!r} has {sorted(sets)}"
        )
    train_input, val_input, test_input = build_input(recipe, clips.layout)
    probe = val_input.batch([clips.read(sets["train"].clip_ids[0])], None)
    in_channels = probe.x.shape[-1] if recipe.input.form == "graph" else probe.x.shape[1]

    torch.manual_seed(recipe.train.seed)
    embeddings = None
    if recipe.loss.label_embedding:
        embeddings = read_label_embeddings(recipe.loss.label_embedding, protocol.tree.actions)
    network = make_network(recipe, clips.layout, in_channels, protocol.tree, embeddings)
    if checkpoint is not None:
        load_pretrained(network.model, recipe.model.name, checkpoint)
    counts = torch.from_numpy(np.bincount(sets["train"].labels, minlength=len(protocol.tree.actions)))
    group_of = torch.tensor(protocol.tree.group_of) if protocol.tree.groups else None
    loss = ActionLoss(recipe.loss, counts, group_of, embeddings).to(fabric.device)

    inputs = {
        "protocol": protocol.name,
        "cache_hash": clips.cache_hash,
        "checkpoint": str(checkpoint or ""),
        "processes": str(fabric.world_size),
    }
    if fabric.global_rank == 0:
        directory.prepare(recipe, inputs)
        write_json(directory.path / "environment.json", describe_environment())
        size = f"{sum(p.numel() for p in network.parameters()):,} parameters"
        say(f"{recipe.name}: {recipe.model.name}, {size}, {clips.layout.name}, {fabric.device}")
        for clip_set in sets.values():
            say(clip_set.summary())
    if recipe.train.channels_last:
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimizer = make_optimizer(network, recipe.train)
    module: Any = torch.compile(network) if recipe.train.compile else network
    wrapped, fabric_optimizer = fabric.setup(module, optimizer)
    average = AveragedWeights(network, recipe.train.ema_decay) if recipe.train.ema_decay else None
    return _Run(
        recipe, protocol, directory, fabric, clips, sets, train_input, val_input, test_input,
        network, wrapped, fabric_optimizer, loss, average, say if fabric.global_rank == 0 else _silent,
    )  # fmt: skip


def _silent(_: str) -> None:
    pass


def _resume(run: _Run) -> tuple[int, list[Row]]:
    """The first epoch to train, and the rows of those before it."""
    run.fabric.barrier()
    if not run.directory.last.exists():
        return 0, []
    stored = load_tensors(run.directory.last)
    run.network.load_state_dict(stored["model"])
    run.optimizer.load_state_dict(stored["optimizer"])
    if run.average is not None:
        run.average.load_state_dict(stored["average"])
    if run.fabric.global_rank == 0:
        write_rows(run.directory.path / "metrics.csv", stored["history"])
    if stored["epoch"] + 1 < run.recipe.train.epochs:
        run.say(f"resumed after epoch {stored['epoch'] + 1}")
    return stored["epoch"] + 1, stored["history"]


def _train_epoch(run: _Run, epoch: int, timing: dict[str, float]) -> Row:
    """One pass over the training clips. All randomness comes from (seed, epoch), and from the clip."""
    table, fabric, begin_s = run.recipe.train, run.fabric, time.perf_counter()
    train_set = run.sets["train"]
    hashes = clip_hashes(train_set.clip_ids)
    torch.manual_seed(
        int(np.random.SeedSequence((table.seed, epoch, fabric.global_rank)).generate_state(1)[0])
    )
    sampling = run.recipe.sampling
    order, occurrence = epoch_order(train_set.labels, sampling.balance, sampling.repeat, table.seed, epoch)
    batch_size = table.batch_size * fabric.world_size  # of all processes together
    steps = max(1, len(order) // batch_size)  # the last, incomplete batch is left out
    base_rate = base_learning_rate(table, batch_size)

    def make(step: int) -> tuple[ModelBatch, Tensor]:
        mine = slice(step * batch_size + fabric.global_rank, (step + 1) * batch_size, fabric.world_size)
        numbers, visits = order[mine], occurrence[mine]
        keys = np.empty(len(numbers), np.uint64)
        for visit in np.unique(visits):
            chosen = visits == visit
            keys[chosen] = clip_keys(table.seed, epoch * _VISITS + int(visit), hashes[numbers[chosen]])
        clips = [run.clips.read(train_set.clip_ids[number]) for number in numbers]
        return run.train_input.batch(clips, keys), torch.from_numpy(train_set.labels[numbers])

    run.network.train()
    total = torch.zeros(3, dtype=torch.float64, device=fabric.device)  # loss, right ones, clips
    with Prefetcher(make, steps, table.prefetch) as batches:
        for step, (made, made_labels) in enumerate(batches):
            factor = learning_rate_factor(table, epoch * steps + step, steps)
            for group in run.optimizer.param_groups:
                group["lr"] = base_rate * factor
            batch = made.to(fabric.device, non_blocking=True)
            labels = made_labels.to(fabric.device, non_blocking=True)
            log_probs, embedded = run.wrapped(batch.x, batch.present, batch.position)
            loss = run.loss(log_probs, labels, embedded)
            run.optimizer.zero_grad(set_to_none=True)
            fabric.backward(loss)
            if table.clip_gradient_norm:
                fabric.clip_gradients(run.wrapped, run.optimizer, max_norm=table.clip_gradient_norm)
            run.optimizer.step()
            if run.average is not None:
                run.average.update(run.network)
            with torch.no_grad():
                right = (log_probs.argmax(1) == labels).sum()
                total += torch.stack([loss.detach() * len(labels), right, torch.tensor(len(labels))]).to(
                    total
                )
        waited_s = batches.waited_s
    if fabric.world_size > 1:
        total = fabric.all_reduce(total, reduce_op="sum")
    loss_sum, right_sum, seen = total.tolist()
    if not np.isfinite(loss_sum):
        raise ValueError(
            f"the training loss is {loss_sum} in epoch {epoch + 1}; lower train.learning_rate "
            "or set train.clip_gradient_norm"
        )
    timing["train_s"] = time.perf_counter() - begin_s
    timing["clips_per_s"] = seen / timing["train_s"]
    timing["data_wait_share"] = waited_s / timing["train_s"]
    return {
        "epoch": epoch + 1,
        "learning_rate": base_rate * learning_rate_factor(table, epoch * steps + steps - 1, steps),
        "train_loss": loss_sum / seen,
        "train_top1": right_sum / seen,
    }


def _validate(run: _Run, epoch: int, timing: dict[str, float]) -> Row:
    """Measures on the validation split, with the averaged weights where there are any."""
    row: Row = {"val_loss": None, "val_top1": None, "val_mean_class_recall": None}
    begin_s = time.perf_counter()
    due = (epoch + 1) % run.recipe.eval.every == 0 or epoch + 1 == run.recipe.train.epochs
    if "val" in run.sets and due:
        clip_set = run.sets["val"]
        with _Averaged(run):
            found = measures(_probabilities(run, run.val_input, clip_set), clip_set.labels)
        row = {f"val_{name}": value for name, value in found.items()}
    timing["validation_s"] = time.perf_counter() - begin_s
    return row


class _Averaged:
    """Inside, the network holds the averaged weights, where there are any."""

    def __init__(self, run: _Run) -> None:
        self._network, self._average = run.network, run.average
        self._kept: dict[str, Tensor] = {}

    def __enter__(self) -> None:
        if self._average is not None:
            self._kept = {name: t.detach().clone() for name, t in self._network.state_dict().items()}
            self._network.load_state_dict(self._average.state)

    def __exit__(self, *_: object) -> None:
        if self._average is not None:
            self._network.load_state_dict(self._kept)


def _probabilities(run: _Run, builder: InputBuilder, clip_set: ClipSet) -> NDArray[np.float32]:
    views_at_once = run.recipe.eval.batch_size or run.recipe.train.batch_size
    actions = len(run.protocol.tree.actions)
    prefetch = run.recipe.train.prefetch
    return predict(run.fabric, run.network, builder, run.clips, clip_set, views_at_once, actions, prefetch)


def _save(run: _Run, epoch: int, history: list[Row], timing: dict[str, float]) -> None:
    """The checkpoint of a whole epoch, then the files that follow from it."""
    if run.fabric.global_rank == 0:
        with _Averaged(run):
            if _is_best(run, history):
                save_tensors(run.directory.selected, {"model": run.network.state_dict(), "epoch": epoch})
        content: dict[str, Any] = {
            "model": run.network.state_dict(),
            "optimizer": run.optimizer.state_dict(),
            "average": run.average.state_dict() if run.average is not None else None,
            "epoch": epoch,
            "history": history,
            "recipe_hash": recipe_hash(run.recipe),
        }
        save_tensors(run.directory.last, content)
        write_rows(run.directory.path / "metrics.csv", history)
        if run.recipe.train.tensorboard:
            _write_events(run, history[-1])
        write_rows(run.directory.path / "timing.csv", [*read_rows(run.directory.path / "timing.csv"), timing])
    run.fabric.barrier()


def _write_events(run: _Run, row: Row) -> None:
    """The epoch's row for TensorBoard; what a killed run wrote of the same epoch and later is dropped."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(run.directory.path / "tensorboard", purge_step=row["epoch"]) as writer:
        for name, value in row.items():
            if name != "epoch" and value is not None:
                writer.add_scalar(name, value, row["epoch"])


def _is_best(run: _Run, history: list[Row]) -> bool:
    """Whether this epoch's weights are the selected ones so far."""
    if run.recipe.eval.select == "last":
        return len(history) == run.recipe.train.epochs
    values = [row["val_top1"] for row in history]
    return values[-1] is not None and all(v is None or v < values[-1] for v in values[:-1])


def _tell(run: _Run, row: Row, timing: dict[str, float]) -> None:
    epochs = run.recipe.train.epochs
    left_s = (epochs - row["epoch"]) * (timing["train_s"] + timing["validation_s"])
    val = "" if row["val_top1"] is None else f", val {100 * row['val_top1']:.2f} %"
    run.say(
        f"epoch {row['epoch']}/{epochs}: loss {row['train_loss']:.4f}, "
        f"train {100 * row['train_top1']:.2f} %{val}, {timing['clips_per_s']:.1f} clips/s, "
        f"data wait {100 * timing['data_wait_share']:.1f} %, "
        f"{int(left_s) // 60}:{int(left_s) % 60:02d} min left"
    )


def _out_of_memory(recipe: Recipe, device: str) -> ValueError:
    size = recipe.train.batch_size
    meant_for = recipe.train.reference_batch or size
    return ValueError(
        f"out of memory on {device} with train.batch_size {size}; try "
        f"--set train.batch_size={max(1, size // 2)} --set train.reference_batch={meant_for}"
    )


def _measure(run: _Run, history: list[Row]) -> dict[str, Any]:
    """Score files of validation and test with the selected weights, and the summary."""
    selected = load_tensors(run.directory.selected)
    run.network.load_state_dict(selected["model"])
    recipe = run.recipe
    summary: dict[str, Any] = {
        "recipe": recipe.name,
        "recipe_hash": recipe_hash(recipe),
        "protocol": run.protocol.name,
        "cache_hash": run.clips.cache_hash,
        "seed": recipe.train.seed,
        "epochs": len(history),
        "selected_epoch": selected["epoch"] + 1,
        "select": recipe.eval.select,
        "data": [clip_set.summary() for clip_set in run.sets.values()],
        "train_counts": _counts(run).tolist(),
    }
    for name, clip_set in run.sets.items():
        if name == "train":
            continue
        probabilities = _probabilities(run, run.test_input, clip_set)
        summary[name] = {"clips": len(clip_set), **measures(probabilities, clip_set.labels)}
        if run.fabric.global_rank == 0:
            _write_scores(run, clip_set, probabilities)
        run.say(f"{name}: {100 * summary[name]['top1']:.2f} % of {len(clip_set):,} clips")
    if run.fabric.global_rank == 0:
        timing = read_rows(run.directory.path / "timing.csv")
        for key in ("train_s", "validation_s"):
            summary[key] = sum(float(row[key]) for row in timing)
        write_json(run.directory.path / "summary.json", summary)
        write_training_report(run.directory.path)
        run.say(f"report: {run.directory.path / 'report.html'}")
    return summary


def _counts(run: _Run) -> NDArray[np.int64]:
    return np.bincount(run.sets["train"].labels, minlength=len(run.protocol.tree.actions))


def _write_scores(run: _Run, clip_set: ClipSet, probabilities: NDArray[np.float32]) -> None:
    scores = ScoreFile(
        tree=run.protocol.tree,
        clip_ids=clip_set.clip_ids,
        labels=clip_set.labels,
        scores=probabilities,
        method=run.recipe.name,
        recipe_hash=recipe_hash(run.recipe),
        cache_hash=run.clips.cache_hash,
        seed=run.recipe.train.seed,
    )
    write_scores(run.directory.scores(clip_set.name), scores)
