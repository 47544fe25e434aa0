"""The learning rate of every step, as a plain function: nothing to store, nothing to restore."""

from __future__ import annotations

import math

from fidget.training.recipe import TrainTable


def base_learning_rate(train: TrainTable, effective_batch: int) -> float:
    """The recipe's rate, scaled with the effective batch (Goyal et al. 2017, the linear rule).

    Args:
        train: the recipe's table; its rate is meant for `reference_batch` clips a step.
        effective_batch: clips a step takes over all processes together.
    """
    return train.learning_rate * effective_batch / (train.reference_batch or train.batch_size)


def learning_rate_factor(train: TrainTable, step: int, steps_per_epoch: int) -> float:
    """What the base rate is multiplied with at a step, counted from 0 over the whole run.

    Linear warm-up from 1 / warm-up steps to 1; then a cosine from 1 to `final_factor` at the end of the last
    epoch, or `step_factor` for every epoch of `step_epochs` that has begun, or 1.
    """
    epochs = step / steps_per_epoch
    warmup_steps = round(train.warmup_epochs * steps_per_epoch)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if train.schedule == "step":
        return train.step_factor ** sum(epochs >= begin for begin in train.step_epochs)
    if train.schedule == "constant":
        return 1.0
    steps = train.epochs * steps_per_epoch - warmup_steps
    share = (step - warmup_steps) / max(steps, 1)
    return train.final_factor + (1 - train.final_factor) * 0.5 * (1 + math.cos(math.pi * share))
