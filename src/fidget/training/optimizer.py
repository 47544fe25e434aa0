"""The optimiser of a recipe."""

from __future__ import annotations

import torch
from torch import nn

from fidget.training.recipe import TrainTable


def make_optimizer(model: nn.Module, train: TrainTable) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, or AdamW; the loop sets the learning rate of every step.

    With `decay_all` false, tensors of one dimension (biases, scales of normalisation layers) do not decay.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in parameters if train.decay_all or p.ndim > 1],
            "weight_decay": train.weight_decay,
        },
        {"params": [p for p in parameters if not train.decay_all and p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if train.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=train.learning_rate, betas=train.betas)
    nesterov = train.momentum > 0
    return torch.optim.SGD(groups, lr=train.learning_rate, momentum=train.momentum, nesterov=nesterov)
