"""Where a run that was stopped goes on: the same for recognisers and detectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from fidget.training.run_directory import Row, load_tensors, write_rows


def resume(run: Any, also: Mapping[str, nn.Module] | None = None) -> tuple[int, list[Row]]:
    """The first epoch to train, and the rows of those before it.

    Args:
        run: a `Run` or a `DetectionRun`; filled with the checkpoint of its last whole epoch, if there is one.
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
