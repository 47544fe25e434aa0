"""What a training from videos measures: the validation of an epoch; at the end scores and the summary."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fidget.emotion.video_batches import EmotionBatches
from fidget.emotion.video_networks import softmax_and_sigmoid
from fidget.emotion.video_recipe import recipe_hash
from fidget.emotion.video_run import EmotionRun
from fidget.training.data import ClipSet
from fidget.training.ema import holding
from fidget.training.prediction import mean_over_views
from fidget.training.progress import clock
from fidget.training.run_directory import Row, load_tensors, read_rows, write_json, write_rows
from protocols.emotion_measures import emotion_measures, mean_average_precision
from protocols.scores import ScoreFile, write_scores

_MEASURES = ("accuracy", "weighted_f1", "uf1", "uar")


def validate(run: EmotionRun, epoch: int, timing: dict[str, float]) -> Row:
    """Measures on the validation split, with the averaged weights where there are any."""
    row: Row = {"val_loss": None, **{f"val_{name}": None for name in _MEASURES}, "val_micro_action_map": None}
    begin_s = time.perf_counter()
    due = (epoch + 1) % run.recipe.eval.every == 0 or epoch + 1 == run.recipe.train.epochs
    if "val" in run.sets and due:
        with holding(run.network, run.average):
            likely, acting = _predicted(run, run.val_input, run.sets["val"])
        found = _measured(run, run.sets["val"], likely, acting)
        row = {f"val_{name}": value for name, value in found.items()}
    timing["validation_s"] = time.perf_counter() - begin_s
    return row


def measure(run: EmotionRun, history: list[Row]) -> dict[str, Any]:
    """Score files of the test split with the selected weights, and the summary."""
    selected = load_tensors(run.directory.selected)
    run.network.load_state_dict(selected["model"])
    recipe, clip_set, table = run.recipe, run.sets["test"], run.clips.table
    likely, acting = _predicted(run, run.test_input, clip_set)
    found = _measured(run, clip_set, likely, acting)
    mean = found["micro_action_map"]
    method = f"{run.condition}: {recipe.network}, recipe {recipe.name}"
    method += " (simulated)" if table.simulated else ""
    write_scores(
        run.directory.scores(run.condition),
        ScoreFile(
            table.emotion_tree,
            clip_set.clip_ids,
            clip_set.labels,
            likely,
            method,
            recipe_hash=recipe_hash(recipe),
            cache_hash=run.clips.cache_hash,
            seed=recipe.train.seed,
            split="test",
        ),
    )
    if acting is not None:
        _write_actions(run, clip_set, acting)
    summary: dict[str, Any] = {
        "recipe": recipe.name,
        "recipe_hash": recipe_hash(recipe),
        "network": recipe.network,
        "table": table.name,
        "simulated": table.simulated,
        "cache_hash": run.clips.cache_hash,
        "emotions": list(table.emotions),
        "micro_actions": len(table.tree.actions),
        "seed": recipe.train.seed,
        "epochs": len(history),
        "selected_epoch": selected["epoch"] + 1,
        "select": recipe.eval.select,
        "data": [one.summary() for one in run.sets.values()],
        "notes": [f"left out, {line}" for line in run.clips.left_out],
        "used": run.used,
        "test": {"clips": len(clip_set), **found},
        "micro_action_map": {} if mean is None else {run.condition: mean},
        **_times(run),
    }
    write_json(run.directory.path / "summary.json", summary)
    precise = "" if mean is None else f", micro-action mAP {100 * mean:.2f} %"
    run.progress.say(
        f"test: {100 * found['accuracy']:.2f} % of {len(clip_set):,} clips{precise}; trained "
        f"{clock(summary['train_s'])} on {run.used['device']}"
    )
    return summary


def _write_actions(run: EmotionRun, clip_set: ClipSet, acting: NDArray[np.float32]) -> None:
    """Probabilities of micro-actions, a column each; they are many to a clip, so no score file holds them."""
    rows = [
        {"clip_id": clip_id, **dict(zip(run.clips.table.tree.actions, own, strict=True))}
        for clip_id, own in zip(clip_set.clip_ids, acting.round(6).tolist(), strict=True)
    ]
    write_rows(run.directory.path / "micro_actions.csv", rows)


def _times(run: EmotionRun) -> dict[str, float]:
    """Seconds of training and validation, and the share of training spent waiting for data."""
    timing = read_rows(run.directory.path / "timing.csv")
    train_s = sum(float(row["train_s"]) for row in timing)
    waited_s = sum(float(row["train_s"]) * float(row["data_wait_share"]) for row in timing)
    return {
        "train_s": train_s,
        "validation_s": sum(float(row["validation_s"]) for row in timing),
        "data_wait_share": waited_s / train_s if train_s else 0.0,
    }


def _predicted(
    run: EmotionRun, builder: EmotionBatches, clip_set: ClipSet
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Probabilities (N, E) of emotions and (N, A) of micro-actions, or None without that head."""
    table, recipe = run.clips.table, run.recipe
    emotions, actions = len(table.emotions), len(table.tree.actions)
    acts = recipe.network in ("two_branch", "face_branch", "action_branch")
    mirror = None
    if acts and builder.action_mirror:
        sides = [emotions + action for action in builder.action_mirror]
        mirror = torch.tensor([*range(emotions), *sides], device=run.fabric.device)

    def rows_of(*inputs: Tensor | None) -> Tensor:
        return softmax_and_sigmoid(run.network(*inputs))

    both = mean_over_views(
        run.fabric,
        run.network,
        rows_of,
        builder,
        run.clips,  # type: ignore[arg-type]  # of a source it calls read
        clip_set,
        recipe.eval.batch_size or recipe.train.batch_size,
        emotions + (actions if acts else 0),
        recipe.train.prefetch,
        mirror,
    )
    return both[:, :emotions].copy(), both[:, emotions:].copy() if acts else None


def _measured(
    run: EmotionRun, clip_set: ClipSet, likely: NDArray[np.float32], acting: NDArray[np.float32] | None
) -> dict[str, Any]:
    """Cross-entropy, the emotions' measures and the micro-actions' mean average precision."""
    labels, emotions = clip_set.labels, likely.shape[1]
    own = likely[np.arange(len(labels)), labels].astype(np.float64)
    matrix = np.zeros((emotions, emotions), np.int64)
    np.add.at(matrix, (labels, likely.argmax(axis=1)), 1)
    measured = emotion_measures(matrix)
    precise = None
    if acting is not None:
        rows = [run.clips.rows[clip_id] for clip_id in clip_set.clip_ids]
        found = mean_average_precision(run.clips.table.present[rows], acting)
        precise = None if np.isnan(found) else found
    return {
        "loss": float(-np.log(np.maximum(own, 1e-12)).mean()),
        **{name: float(measured[name]) for name in _MEASURES},
        "micro_action_map": precise,
    }
