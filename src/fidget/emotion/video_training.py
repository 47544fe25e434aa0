"""Training of an emotion network from videos: open, resume, train, measure; from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from fidget.emotion.video_clips import EmotionClips
from fidget.emotion.video_measuring import measure, validate
from fidget.emotion.video_recipe import EmotionRecipe, recipe_hash
from fidget.emotion.video_run import EmotionRun, open_emotion_run
from fidget.training.ema import holding
from fidget.training.epoch_data import EpochData
from fidget.training.loader import Prefetcher
from fidget.training.memory_errors import naming_lack_of_memory
from fidget.training.progress import Progress, clock
from fidget.training.resuming import is_best, resume, save_last
from fidget.training.run import Machines, launch
from fidget.training.run_directory import Row, save_tensors
from fidget.training.schedule import base_learning_rate, learning_rate_factor


def train_from_videos(
    recipe: EmotionRecipe,
    clips: EmotionClips,
    directory: Path,
    device: str = "auto",
    checkpoint: Path | str | None = None,
    say: Callable[[str], None] = print,
    live: TextIO | None = None,
) -> dict[str, Any]:
    """Train one recipe on some clips; the same call again goes on where it stopped.

    Args:
        recipe: what to train.
        clips: videos, faces and labels.
        directory: of the run; made, or resumed if this run lies there.
        device: `auto`, `cpu` or `cuda`.
        checkpoint: pretrained weights of the encoders, a file or a published weight's name; or None.
        say: takes a line of progress.
        live: where progress within an epoch goes.

    Returns:
        What `summary.json` holds.

    Raises:
        ValueError: recipe, clips or run directory do not fit, all before the first step; memory does not
            suffice; the loss is not a number.
    """
    fabric = launch(recipe, Machines(device))  # type: ignore[arg-type]  # of a recipe it reads [train]
    progress = Progress(say, live)
    run = open_emotion_run(recipe, clips, directory, fabric, checkpoint, progress)
    try:
        first_epoch, history = resume(run)
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


def train_epoch(run: EmotionRun, epoch: int, timing: dict[str, float]) -> Row:
    """One pass over the training clips. All randomness comes from (seed, epoch), and from the clip."""
    table, fabric, begin_s = run.recipe.train, run.fabric, time.perf_counter()
    torch.manual_seed(int(np.random.SeedSequence((table.seed, epoch)).generate_state(1)[0]))  # of dropout
    data = EpochData(run.recipe, run.clips, run.sets["train"], run.train_input, epoch, 0, 1)  # type: ignore[arg-type]
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
            said = run.wrapped(*batch.inputs)
            loss = run.loss(said, labels, batch.actions)
            run.optimizer.zero_grad(set_to_none=True)
            fabric.backward(loss)
            if table.clip_gradient_norm:
                fabric.clip_gradients(run.wrapped, run.optimizer, max_norm=table.clip_gradient_norm)
            run.optimizer.step()
            if run.average is not None:
                run.average.update(run.network)
            with torch.no_grad():
                right = (said[0].argmax(1) == labels).sum()
                seen = torch.tensor(len(labels))
                total += torch.stack([loss.detach() * len(labels), right, seen.to(right)]).to(total)
            run.progress.step(batches.waited_s)
        waited_s = batches.waited_s
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
        "train_accuracy": right_sum / clips,
    }


def _save(run: EmotionRun, epoch: int, history: list[Row], timing: dict[str, float]) -> None:
    """The checkpoint of a whole epoch, then the files that follow from it."""
    if is_best(run, history, "val_uf1"):
        with holding(run.network, run.average):
            save_tensors(run.directory.selected, {"model": run.network.state_dict(), "epoch": epoch})
    save_last(run, recipe_hash(run.recipe), epoch, history, timing)


def _tell(run: EmotionRun, row: Row, timing: dict[str, float]) -> None:
    epochs = run.recipe.train.epochs
    left_s = (epochs - row["epoch"]) * (timing["train_s"] + timing["validation_s"])
    val = "" if row["val_accuracy"] is None else f", val {100 * row['val_accuracy']:.2f} %"
    precise = row["val_micro_action_map"]
    val += "" if precise is None else f", micro-action mAP {100 * precise:.2f} %"
    run.progress.say(
        f"epoch {row['epoch']}/{epochs}: loss {row['train_loss']:.4f}, "
        f"train {100 * row['train_accuracy']:.2f} %{val}, {timing['clips_per_s']:.1f} clips/s, "
        f"data wait {100 * timing['data_wait_share']:.1f} %, {clock(left_s)} left"
    )
