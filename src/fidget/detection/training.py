"""The training loop of detectors: open, resume, train, measure; from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from fidget.detection.epoch_windows import EpochWindows
from fidget.detection.measuring import measure, validate
from fidget.detection.recipe import DetectionRecipe, recipe_hash
from fidget.detection.recordings import Recordings
from fidget.detection.run import DetectionRun, open_detection_run
from fidget.training.ema import holding
from fidget.training.loader import Prefetcher
from fidget.training.memory_errors import naming_lack_of_memory
from fidget.training.progress import Progress, clock
from fidget.training.resuming import is_best, resume, save_last
from fidget.training.run import Machines, launch
from fidget.training.run_directory import Row, save_tensors
from fidget.training.schedule import base_learning_rate, learning_rate_factor
from protocols.detection_table import DetectionTable

_LOSSES = ("total", "classification", "regression", "groups")


def train_detector(
    recipe: DetectionRecipe,
    recordings: Recordings,
    table: DetectionTable,
    directory: Path,
    machines: Machines | None = None,
    checkpoint: Path | str | None = None,
    say: Callable[[str], None] = print,
    live: TextIO | None = None,
) -> dict[str, Any]:
    """Train one recipe on some recordings; the same call again goes on where it stopped.

    Args:
        recipe: what to train.
        recordings: poses, frames or features.
        table: what happens in them, and the splits.
        directory: of the run; made, or resumed if this run lies there.
        machines: where to train; one process on the best device if None.
        checkpoint: pretrained weights to begin with, or None.
        say: takes a line of progress, in the first process.
        live: where progress within an epoch goes.

    Returns:
        What `summary.json` holds.

    Raises:
        ValueError: recipe, recordings, annotations or run directory do not fit, all before the first step; no
            point of an epoch learnt a segment; the loss is not a number.
    """
    fabric = launch(recipe, machines or Machines())
    progress = Progress(say, live) if fabric.global_rank == 0 else Progress(_silent)
    run = open_detection_run(recipe, recordings, table, directory, fabric, checkpoint, progress)
    try:
        first_epoch, history = resume(run, {"loss": run.loss})
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


def train_epoch(run: DetectionRun, epoch: int, timing: dict[str, float]) -> Row:
    """One pass over the training recordings. All randomness comes from (seed, epoch), and the recording."""
    table, fabric, begin_s = run.recipe.train, run.fabric, time.perf_counter()
    seeds = np.random.SeedSequence((table.seed, epoch, fabric.global_rank)).generate_state(1)
    torch.manual_seed(int(seeds[0]))  # of dropout
    data = EpochWindows(run.recipe, run.recordings, run.sets["train"], run.train_input, epoch,
                        fabric.global_rank, fabric.world_size)  # fmt: skip
    base_rate = base_learning_rate(table, data.windows_a_step)
    run.progress.begin(epoch + 1, table.epochs, data.steps, data.windows_a_step)
    run.network.train()
    run.loss.train()
    sums = torch.zeros(len(_LOSSES), dtype=torch.float64, device=fabric.device)
    counts = torch.zeros(5, dtype=torch.float64)  # positives, unmatched, cut, left out, instances
    with Prefetcher(data.make, data.steps, table.prefetch) as batches:
        for step, (made, annotated) in enumerate(batches):
            factor = learning_rate_factor(table, epoch * data.steps + step, data.steps)
            for group in run.optimizer.param_groups:
                group["lr"] = base_rate * factor * group.get("rate", 1.0)
            batch = run.train_input.finish(made.to(fabric.device, non_blocking=True))
            segments = [torch.from_numpy(one.segments).to(fabric.device) for one in annotated]
            labels = [torch.from_numpy(one.labels).to(fabric.device) for one in annotated]
            output = run.plain.whole(run.wrapped(batch.x, batch.valid))
            losses = run.loss(output, segments, labels)
            run.optimizer.zero_grad(set_to_none=True)
            fabric.backward(losses.total)
            if table.clip_gradient_norm:
                fabric.clip_gradients(run.wrapped, run.optimizer, max_norm=table.clip_gradient_norm)
            run.optimizer.step()
            if run.average is not None:
                run.average.update(run.network)
            with torch.no_grad():
                sums += torch.stack([getattr(losses, name).double() for name in _LOSSES])
            counts += torch.tensor([
                losses.positives, losses.unmatched, sum(one.cut for one in annotated),
                sum(one.left_out for one in annotated), sum(len(one.labels) for one in annotated),
            ])  # fmt: skip
            run.progress.step(batches.waited_s)
        waited_s = batches.waited_s
    counts = counts.to(fabric.device)
    if fabric.world_size > 1:
        sums, counts = (fabric.all_reduce(value, reduce_op="sum") for value in (sums, counts))
        sums = sums / fabric.world_size
    timing["train_s"] = time.perf_counter() - begin_s
    timing["clips_per_s"] = data.steps * data.windows_a_step / timing["train_s"]
    timing["data_wait_share"] = waited_s / timing["train_s"]
    last = learning_rate_factor(table, (epoch + 1) * data.steps - 1, data.steps)
    means = dict(zip(_LOSSES, (sums / data.steps).tolist(), strict=True))
    said = ("positive_points", "unmatched", "cut", "left_out", "instances")
    row = {"epoch": epoch + 1, "learning_rate": base_rate * last, "train_loss": means.pop("total"), **means}
    row |= dict(zip(said, (int(count) for count in counts.tolist()), strict=True))
    _expect_learning(row)
    return row


def _expect_learning(row: Row) -> None:
    """See that an epoch taught something.

    Raises:
        ValueError: the loss is not a number, or no point had a segment.
    """
    if not np.isfinite(row["train_loss"]):
        raise ValueError(
            f"the training loss is {row['train_loss']} in epoch {row['epoch']}; lower train.learning_rate "
            "or set train.clip_gradient_norm"
        )
    if not row["positive_points"]:
        raise ValueError(
            f"no point of the pyramid learnt a segment in epoch {row['epoch']}: {row['instances']} instances "
            f"were in its windows, {row['left_out']} left out for being cut; are the windows "
            "(input.points x input.stride) too short, or the annotations those of other recordings?"
        )


def _save(run: DetectionRun, epoch: int, history: list[Row], timing: dict[str, float]) -> None:
    """The checkpoint of a whole epoch, then the files that follow from it."""
    if run.fabric.global_rank == 0:
        if is_best(run, history, "val_avg"):
            with holding(run.network, run.average):
                save_tensors(run.directory.selected, {
                    "model": run.network.state_dict(),
                    "epoch": epoch,
                    "channels": run.shapes.channels,
                    "layout": run.shapes.layout,
                })  # fmt: skip
        save_last(run, recipe_hash(run.recipe), epoch, history, timing, {"loss": run.loss})
    run.fabric.barrier()


def _tell(run: DetectionRun, row: Row, timing: dict[str, float]) -> None:
    epochs = run.recipe.train.epochs
    left_s = (epochs - row["epoch"]) * (timing["train_s"] + timing["validation_s"])
    val = "" if row["val_avg"] is None else f", val mAP {100 * row['val_avg']:.2f} %"
    run.progress.say(
        f"epoch {row['epoch']}/{epochs}: loss {row['train_loss']:.4f} (scores {row['classification']:.4f}, "
        f"bounds {row['regression']:.4f}), {row['positive_points']} positive points, {row['cut']} instances "
        f"cut, {row['left_out']} left out{val}, {timing['clips_per_s']:.1f} windows/s, "
        f"data wait {100 * timing['data_wait_share']:.1f} %, {clock(left_s)} left"
    )
