"""The optimiser of a recipe."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import nn

from fidget.training.recipe_tables import TrainTable

_BLOCK = re.compile(r"(?:^|\.)(?:layers?|blocks?)\.(\d+)\.")
Rate = float


def make_optimizer(
    model: nn.Module, train: TrainTable, classifier: nn.Module | None = None
) -> torch.optim.Optimizer:
    """SGD with momentum, or AdamW; the loop sets the learning rate of every step.

    With `decay_all` false, tensors of one dimension (biases, scales of normalisation layers) do not decay;
    parameters that `no_decay` names never do. Each group of parameters has its `rate`, the factor of the
    learning rate that the recipe gives it.

    Args:
        model: whose parameters.
        train: the recipe's table.
        classifier: the layer whose rate is `classifier_rate`; None where there is none to tell.

    Raises:
        ValueError: `no_decay` or `rates` names no parameter, or `layer_decay` finds no blocks.
    """
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    _check_names([name for name, _ in model.named_parameters()], train)
    rates = _rates(model, [name for name, _ in named], train, classifier)
    members: dict[tuple[bool, Rate], list[nn.Parameter]] = {}
    for name, parameter in named:
        decays = (train.decay_all or parameter.ndim > 1) and not _has_part(name, train.no_decay)
        members.setdefault((not decays, rates[name]), []).append(parameter)
    groups = [
        {"params": members[kind], "weight_decay": 0.0 if kind[0] else train.weight_decay, "rate": kind[1]}
        for kind in sorted(members)
    ]
    if train.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=train.learning_rate, betas=train.betas)
    nesterov = train.nesterov and train.momentum > 0
    return torch.optim.SGD(groups, lr=train.learning_rate, momentum=train.momentum, nesterov=nesterov)


def _has_part(name: str, parts: Sequence[str]) -> bool:
    return any(part in name for part in parts)


def _check_names(names: Sequence[str], train: TrainTable) -> None:
    for key, parts in (("no_decay", train.no_decay), ("rates", list(train.rates))):
        nobody = [part for part in parts if not any(part in name for name in names)]
        if nobody:
            raise ValueError(
                f"train.{key}: no parameter's name holds {nobody[0]!r}; the first are {', '.join(names[:3])}"
            )


def _rates(
    model: nn.Module, names: Sequence[str], train: TrainTable, classifier: nn.Module | None
) -> dict[str, Rate]:
    """The factor of each parameter's learning rate: the product of all that the recipe says of it."""
    rates = dict.fromkeys(names, 1.0)
    last = set() if classifier is None else {id(p) for p in classifier.parameters()}
    weighing = nn.Linear | nn.modules.conv._ConvNd
    biases = {
        f"{place}.bias".removeprefix(".")
        for place, module in model.named_modules()
        if isinstance(module, weighing) and module.bias is not None
    }
    own = dict(model.named_parameters())
    depths = _depths(names) if train.layer_decay < 1 else {}
    for name in names:
        if id(own[name]) in last:
            rates[name] *= train.classifier_rate
        if name in biases:
            rates[name] *= train.bias_rate
        for part, factor in train.rates.items():
            if part in name:
                rates[name] *= factor
        if depths:
            rates[name] *= train.layer_decay ** (max(depths.values()) - depths[name])
    return rates


def _depths(names: Sequence[str]) -> dict[str, int]:
    """Layers below each parameter: none for what comes before the blocks, then they count, then the rest.

    As BEiT's layer-wise decay counts (Bao et al., ICLR 2022), which VideoMAE's fine-tuning takes.
    """
    found = {name: match for name in names if (match := _BLOCK.search(name))}
    if len({name[: match.start(1)] for name, match in found.items()}) != 1:
        raise ValueError("train.layer_decay is for networks of one row of numbered blocks; this is none")
    first = next(place for place, name in enumerate(names) if name in found)
    top = max(int(match[1]) for match in found.values()) + 2
    depths = {name: int(match[1]) + 1 for name, match in found.items()}
    return {name: depths.get(name, 0 if place < first else top) for place, name in enumerate(names)}
