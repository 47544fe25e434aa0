"""What a run measures: the validation of an epoch; at the end score files and the summary."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidget.reports.training_report import write_training_report
from fidget.training.builders import InputBuilder
from fidget.training.data import ClipSet
from fidget.training.ema import holding
from fidget.training.prediction import measures, predict
from fidget.training.progress import clock
from fidget.training.recipe import recipe_hash
from fidget.training.run import Run
from fidget.training.run_directory import Row, load_tensors, read_rows, write_json
from protocols.scores import ScoreFile, write_scores


def validate(run: Run, epoch: int, timing: dict[str, float]) -> Row:
    """Measures on the validation split, with the averaged weights where there are any."""
    row: Row = {"val_loss": None, "val_top1": None, "val_mean_class_recall": None}
    begin_s = time.perf_counter()
    due = (epoch + 1) % run.recipe.eval.every == 0 or epoch + 1 == run.recipe.train.epochs
    if "val" in run.sets and due:
        clip_set = run.sets["val"]
        with holding(run.network, run.average):
            found = measures(_probabilities(run, run.val_input, clip_set), clip_set.labels)
        row = {f"val_{name}": value for name, value in found.items()}
    timing["validation_s"] = time.perf_counter() - begin_s
    return row


def measure(run: Run, history: list[Row]) -> dict[str, Any]:
    """Score files of the splits to score with the selected weights, the summary and the report."""
    selected = load_tensors(run.directory.selected)
    run.network.load_state_dict(selected["model"])
    recipe = run.recipe
    summary: dict[str, Any] = {
        "recipe": recipe.name,
        "recipe_hash": recipe_hash(recipe),
        "protocol": run.protocol.name,
        "cache_hash": run.clips.cache_hash,
        "simulated": run.protocol.simulated or run.clips.simulated,
        "seed": recipe.train.seed,
        "epochs": len(history),
        "selected_epoch": selected["epoch"] + 1,
        "select": recipe.eval.select,
        "data": [clip_set.summary() for clip_set in run.sets.values()],
        "train_counts": run.train_counts.tolist(),
        "used": run.used,
    }
    for name in ("val", "test"):
        if name not in run.sets or name not in recipe.eval.splits:
            continue
        clip_set = run.sets[name]
        probabilities = _probabilities(run, run.test_input, clip_set)
        summary[name] = {"clips": len(clip_set), **measures(probabilities, clip_set.labels)}
        unseen = _unseen(clip_set)
        if not unseen.all() and unseen.any():
            found = measures(probabilities[unseen], clip_set.labels[unseen])
            summary[name]["unseen"] = {"clips": int(unseen.sum()), **found}
        if run.fabric.global_rank == 0:
            _write_scores(run, clip_set, probabilities)
        run.progress.say(f"{name}: {100 * summary[name]['top1']:.2f} % of {len(clip_set):,} clips")
        if "unseen" in summary[name]:
            without = summary[name]["unseen"]
            run.progress.say(
                f"{name}: {100 * without['top1']:.2f} % of the {without['clips']:,} that are no copies of "
                "training clips"
            )
    if run.fabric.global_rank == 0:
        summary |= _times(run)
        write_json(run.directory.path / "summary.json", summary)
        write_training_report(run.directory.path)
        run.progress.say(
            f"trained {clock(summary['train_s'])} on {run.used['device']}, "
            f"{100 * summary['data_wait_share']:.1f} % of it waiting for data; "
            f"report: {run.directory.path / 'report.html'}"
        )
    return summary


def _unseen(clip_set: ClipSet) -> NDArray[np.bool_]:
    """(N,) False for copies of training clips."""
    copies = set(clip_set.in_train)
    return np.array([clip_id not in copies for clip_id in clip_set.clip_ids])


def _times(run: Run) -> dict[str, float]:
    """Seconds of training and validation, and the share of training spent waiting for data."""
    timing = read_rows(run.directory.path / "timing.csv")
    train_s = sum(float(row["train_s"]) for row in timing)
    waited_s = sum(float(row["train_s"]) * float(row["data_wait_share"]) for row in timing)
    return {
        "train_s": train_s,
        "validation_s": sum(float(row["validation_s"]) for row in timing),
        "data_wait_share": waited_s / train_s if train_s else 0.0,
    }


def _probabilities(run: Run, builder: InputBuilder, clip_set: ClipSet) -> NDArray[np.float32]:
    views_at_once = run.recipe.eval.batch_size or run.recipe.train.batch_size
    actions = len(run.protocol.tree.actions)
    prefetch = run.recipe.train.prefetch
    return predict(run.fabric, run.network, builder, run.clips, clip_set, views_at_once, actions, prefetch)


def _write_scores(run: Run, clip_set: ClipSet, probabilities: NDArray[np.float32]) -> None:
    scores = ScoreFile(
        tree=run.protocol.tree,
        clip_ids=clip_set.clip_ids,
        labels=clip_set.labels,
        scores=probabilities,
        method=f"{run.recipe.name} {'+'.join(run.recipe.input.streams)}",
        recipe_hash=recipe_hash(run.recipe),
        cache_hash=run.clips.cache_hash,
        seed=run.recipe.train.seed,
        split=clip_set.name,
    )
    write_scores(run.directory.scores(clip_set.name), scores)
