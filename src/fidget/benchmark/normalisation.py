"""Batch statistics of the target in the place of the source's: no weight changes, only running statistics.

Schneider et al.: Improving robustness against common corruptions by covariate shift adaptation, NeurIPS 2020:
the target's statistics count as their N clips, the source's as n more. It looks at target clips together,
without their labels: what it gives is transductive.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from fidget.benchmark.finished_run import FinishedRun
from fidget.training.builders import Batch
from fidget.training.loader import Prefetcher

SOURCE_CLIPS = 16  # n: clips that the source's statistics count as


def batch_norms(network: nn.Module) -> dict[str, _BatchNorm]:
    """Layers that normalise by running statistics, by their names."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, _BatchNorm) and module.running_mean is not None
    }


def normalisation_layers(network: nn.Module) -> list[nn.Module]:
    """All layers that normalise, whatever their statistics are."""
    kinds = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)
    return [module for module in network.modules() if isinstance(module, kinds)]


class _Sums:
    """Mean and mean square of a layer's input over batches, each weighted with its clips."""

    def __init__(self) -> None:
        self.clips = 0
        self.mean: Tensor | float = 0.0
        self.square: Tensor | float = 0.0

    def add(self, mean: Tensor, variance: Tensor, clips: int) -> None:
        mean, variance = mean.double(), variance.double()
        self.clips += clips
        share = clips / self.clips
        self.mean = (1 - share) * self.mean + share * mean
        self.square = (1 - share) * self.square + share * (variance + mean**2)


def adapted_statistics(
    run: FinishedRun, clip_ids: Sequence[str], source_clips: int = SOURCE_CLIPS
) -> Mapping[str, Tensor]:
    """Running means and variances as these clips have them, mixed with the network's own; nothing is changed.

    One view of every clip, batch after batch in an order that does not depend on theirs; of every layer the
    mean, and the variance within and between batches.

    Args:
        run: whose network.
        clip_ids: N target clips.
        source_clips: n, that the network's own statistics count as.

    Returns:
        Names of the buffers, as in the network's state dict, and their new values.

    Raises:
        ValueError: no clips, or a network without batch normalisation.
    """
    layers = batch_norms(run.network)
    if not layers:
        raise ValueError(
            f"model {run.recipe.model.name!r} has no batch normalisation: there are no statistics to adapt; "
            "choose another setting"
        )
    if not clip_ids:
        raise ValueError("expected clips to take statistics of, got none")
    before = run.state()
    try:
        sums = _measured(run, layers, clip_ids)
    finally:
        run.network.load_state_dict(before)
        run.network.eval()
    share = len(clip_ids) / (len(clip_ids) + source_clips)
    found: dict[str, Tensor] = {}
    for name, total in sums.items():
        if not total.clips:  # nobody was seen
            continue
        mean, variance = before[f"{name}.running_mean"].double(), before[f"{name}.running_var"].double()
        # Both as parts of one mixture would widen the variance by their distance; the paper mixes each alone.
        new_variance = total.square - torch.as_tensor(total.mean) ** 2
        found[f"{name}.running_mean"] = ((1 - share) * mean + share * total.mean).float()
        found[f"{name}.running_var"] = ((1 - share) * variance + share * new_variance).float()
    return found


def with_statistics(run: FinishedRun, clip_ids: Sequence[str]) -> FinishedRun:
    """The run with a copy of its network that has these clips' statistics; see `adapted_statistics`."""
    changed = adapted_statistics(run, clip_ids)
    network = copy.deepcopy(run.network)
    network.load_state_dict({**network.state_dict(), **changed})
    return replace(run, network=network)


def _measured(
    run: FinishedRun, layers: Mapping[str, _BatchNorm], clip_ids: Sequence[str]
) -> dict[str, _Sums]:
    ordered = sorted(clip_ids)
    order = np.random.default_rng(0).permutation(len(ordered))
    # As many batches as needed, all of nearly the same size: a small last one has poor statistics.
    chunks = np.array_split(order, -(-len(order) // max(run.views_at_once, 2)))
    sums = {name: _Sums() for name in layers}
    kept = {name: layer.momentum for name, layer in layers.items()}

    def make(number: int) -> Batch:
        return run.val_input.batch([run.clips.read(ordered[one]) for one in chunks[number]], None)

    run.network.eval()
    try:
        for layer in layers.values():
            layer.train()
            layer.momentum = 1.0  # running statistics are then those of the batch
        with (
            Prefetcher(make, len(chunks), run.recipe.train.prefetch) as batches,
            torch.no_grad(),
            run.process.autocast(),
        ):
            for number, made in enumerate(batches):
                seen = {name: int(_count(layer)) for name, layer in layers.items()}
                batch = run.val_input.finish(made.to(run.process.device, non_blocking=True))
                run.network(*batch.inputs)
                for name, layer in layers.items():
                    if int(_count(layer)) > seen[name]:
                        assert layer.running_mean is not None and layer.running_var is not None
                        sums[name].add(layer.running_mean, layer.running_var, len(chunks[number]))
    finally:
        for name, layer in layers.items():
            layer.momentum = kept[name]
    return sums


def _count(layer: _BatchNorm) -> Tensor:
    assert layer.num_batches_tracked is not None
    return layer.num_batches_tracked
