"""Where a run that was stopped goes on, and what it leaves for that: the same for every training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from fidget.training.run_directory import Row, load_tensors, read_rows, save_tensors, write_rows


def resume(run: Any, also: Mapping[str, nn.Module] | None = None) -> tuple[int, list[Row]]:
    """The first epoch to train, and the rows of those before it.

    Args:
        run: a `Run`, a `DetectionRun` or an `EmotionRun`; filled with the checkpoint of its last whole epoch,
            if there is one.
        also: what else has a state in that checkpoint, by its key there.
    """
    run.fabric.barrier()
    if not run.directory.last.exists():
        return 0, []
    stored = load_tensors(run.directory.last)
    run.network.load_state_dict(stored["model"])
    for key, module in (also or {}).items():
        module.load_state_dict(stored[key])
    run.optimizer.load_state_dict(stored["optimizer"])
    run.fabric.strategy.precision.load_state_dict(stored.get("precision", {}))
    if run.average is not None:
        run.average.load_state_dict(stored["average"])
    if run.fabric.global_rank == 0:
        write_rows(run.directory.path / "metrics.csv", stored["history"])
    if stored["epoch"] + 1 < run.recipe.train.epochs:
        run.progress.say(f"resumed after epoch {stored['epoch'] + 1}")
    return stored["epoch"] + 1, stored["history"]


def save_last(
    run: Any,
    recipe_hash: str,
    epoch: int,
    history: list[Row],
    timing: Row,
    also: Mapping[str, nn.Module] | None = None,
) -> None:
    """The checkpoint of a whole epoch, which `resume` reads, then the files that follow from it.

    Args:
        run: as of `resume`.
        recipe_hash: of its recipe.
        epoch: the last one, from 0.
        history: a row an epoch so far.
        timing: the epoch's row of wall clock.
        also: as of `resume`.
    """
    save_tensors(run.directory.last, {
        "model": run.network.state_dict(),
        **{key: module.state_dict() for key, module in (also or {}).items()},
        "optimizer": run.optimizer.state_dict(),
        "precision": run.fabric.strategy.precision.state_dict(),  # the loss scale of 16-bit training
        "average": run.average.state_dict() if run.average is not None else None,
        "epoch": epoch,
        "history": history,
        "recipe_hash": recipe_hash,
    })  # fmt: skip
    write_rows(run.directory.path / "metrics.csv", history)
    write_rows(run.directory.path / "timing.csv", [*read_rows(run.directory.path / "timing.csv"), timing])


def is_best(run: Any, history: list[Row], measure: str) -> bool:
    """Whether the last epoch's weights are the selected ones so far, by a validation measure of the rows."""
    if run.recipe.eval.select == "last":
        return len(history) == run.recipe.train.epochs
    values = [row[measure] for row in history]
    return values[-1] is not None and all(v is None or v < values[-1] for v in values[:-1])
