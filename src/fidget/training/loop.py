"""The training loop: open, resume, train, measure; from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from torch import Tensor

from fidget.training.data import ClipSource
from fidget.training.ema import holding
from fidget.training.epoch_data import EpochData
from fidget.training.frame_batch import FrameBatch
from fidget.training.loader import Prefetcher
from fidget.training.losses import mean_of_heads, mixed_loss
from fidget.training.measuring import measure, validate
from fidget.training.memory_errors import naming_lack_of_memory
from fidget.training.progress import Progress, clock
from fidget.training.recipe import Recipe, recipe_hash
from fidget.training.resuming import is_best, resume, save_last
from fidget.training.run import Machines, Run, launch, open_run
from fidget.training.run_directory import Row, RunDirectory, save_tensors
from fidget.training.schedule import base_learning_rate, learning_rate_factor
from protocols.protocol import Protocol


def train(
    recipe: Recipe,
    clips: Path | ClipSource,
    protocol: Protocol,
    directory: Path,
    machines: Machines | None = None,
    checkpoint: Path | str | None = None,
    say: Callable[[str], None] = print,
    live: TextIO | None = None,
) -> dict[str, Any]:
    """Train one recipe on some clips under one protocol; the same call again goes on where it stopped.

    Args:
        recipe: what to train.
        clips: directory of the pose cache; or the clips themselves, as a recipe over frames needs them.
        protocol: labels and splits.
        directory: of the run; made, or resumed if this run lies there.
        machines: where to train; one process on the best device if None.
        checkpoint: pretrained weights to begin with, or None; for a network over frames a file or the name of
            a published weight.
        say: takes a line of progress, in the first process.
        live: where progress within an epoch goes: a live line on a terminal, else a line now and then.

    Returns:
        What `summary.json` holds: measures of each split with the selected weights.

    Raises:
        ValueError: recipe, cache, protocol or run directory do not fit; all before the first step.
    """
    fabric = launch(recipe, machines or Machines())
    progress = Progress(say, live) if fabric.global_rank == 0 else Progress(_silent)
    run = open_run(recipe, clips, protocol, RunDirectory(directory), fabric, checkpoint, progress)
    first_epoch, history = resume(run)
    try:
        with naming_lack_of_memory(recipe.train, fabric.device):
            for epoch in range(first_epoch, recipe.train.epochs):
                timing: dict[str, float] = {"epoch": epoch + 1}
                row = train_epoch(run, epoch, timing) | validate(run, epoch, timing)
                history.append(row)
                _save(run, epoch, history, timing)
                _tell(run, row, timing)
            return measure(run, history)
    finally:
        progress.close()
        if run.lock is not None:
            run.lock.release()


def _silent(_: str) -> None:
    pass


def train_epoch(run: Run, epoch: int, timing: dict[str, float]) -> Row:
    """One pass over the training clips. All randomness comes from (seed, epoch), and from the clip."""
    table, fabric, begin_s = run.recipe.train, run.fabric, time.perf_counter()
    seeds = np.random.SeedSequence((table.seed, epoch, fabric.global_rank)).generate_state(1)
    torch.manual_seed(int(seeds[0]))  # of dropout
    data = EpochData(
        run.recipe,
        run.clips,
        run.sets["train"],
        run.train_input,
        epoch,
        fabric.global_rank,
        fabric.world_size,
    )
    base_rate = base_learning_rate(table, data.clips_a_step)
    run.progress.begin(epoch + 1, table.epochs, data.steps, data.clips_a_step)
    run.network.train()
    total = torch.zeros(3, dtype=torch.float64, device=fabric.device)  # loss, right ones, clips
    with Prefetcher(data.make, data.steps, table.prefetch) as batches:
        for step, (made, made_labels) in enumerate(batches):
            factor = learning_rate_factor(table, epoch * data.steps + step, data.steps)
            for group in run.optimizer.param_groups:
                group["lr"] = base_rate * factor * group.get("rate", 1.0)
            batch = run.train_input.finish(made.to(fabric.device, non_blocking=True))
            labels = made_labels.to(fabric.device, non_blocking=True)
            log_probs, embedded = run.wrapped(*batch.inputs)
            partner, share = (batch.partner, batch.share) if isinstance(batch, FrameBatch) else (None, None)
            loss = mixed_loss(run.loss, log_probs, labels, embedded, partner, share)
            run.optimizer.zero_grad(set_to_none=True)
            fabric.backward(loss)
            if table.clip_gradient_norm:
                fabric.clip_gradients(run.wrapped, run.optimizer, max_norm=table.clip_gradient_norm)
            run.optimizer.step()
            if run.average is not None:
                run.average.update(run.network)
            with torch.no_grad():
                right = (mean_of_heads(log_probs).argmax(1) == labels).sum()
                seen = torch.tensor(len(labels))
                total += torch.stack([loss.detach() * len(labels), right, seen.to(right)]).to(total)
            run.progress.step(batches.waited_s)
        waited_s = batches.waited_s
    if fabric.world_size > 1:
        reduced = fabric.all_reduce(total, reduce_op="sum")
        assert isinstance(reduced, Tensor)
        total = reduced
    loss_sum, right_sum, clips = total.tolist()
    if not np.isfinite(loss_sum):
        raise ValueError(
            f"the training loss is {loss_sum} in epoch {epoch + 1}; lower train.learning_rate "
            "or set train.clip_gradient_norm"
        )
    timing["train_s"] = time.perf_counter() - begin_s
    timing["clips_per_s"] = clips / timing["train_s"]
    timing["data_wait_share"] = waited_s / timing["train_s"]
    last = learning_rate_factor(table, (epoch + 1) * data.steps - 1, data.steps)
    return {
        "epoch": epoch + 1,
        "learning_rate": base_rate * last,
        "train_loss": loss_sum / clips,
        "train_top1": right_sum / clips,
    }


def _save(run: Run, epoch: int, history: list[Row], timing: dict[str, float]) -> None:
    """The checkpoint of a whole epoch, then the files that follow from it."""
    if run.fabric.global_rank == 0:
        if is_best(run, history, "val_top1"):
            with holding(run.network, run.average):
                save_tensors(run.directory.selected, {"model": run.network.state_dict(), "epoch": epoch})
        save_last(run, recipe_hash(run.recipe), epoch, history, timing)
        if run.recipe.train.tensorboard:
            _write_events(run, history[-1])
    run.fabric.barrier()


def _write_events(run: Run, row: Row) -> None:
    """The epoch's row for TensorBoard; what a killed run wrote of the same epoch and later is dropped."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(run.directory.path / "tensorboard", purge_step=row["epoch"]) as writer:
        for name, value in row.items():
            if name != "epoch" and value is not None:
                writer.add_scalar(name, value, row["epoch"])


def _tell(run: Run, row: Row, timing: dict[str, float]) -> None:
    epochs = run.recipe.train.epochs
    left_s = (epochs - row["epoch"]) * (timing["train_s"] + timing["validation_s"])
    val = "" if row["val_top1"] is None else f", val {100 * row['val_top1']:.2f} %"
    run.progress.say(
        f"epoch {row['epoch']}/{epochs}: loss {row['train_loss']:.4f}, "
        f"train {100 * row['train_top1']:.2f} %{val}, {timing['clips_per_s']:.1f} clips/s, "
        f"data wait {100 * timing['data_wait_share']:.1f} %, {clock(left_s)} left"
    )
