"""One training run, opened: data checked, input, network, loss and optimiser made, before the first step."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray

from fidget.training.builders import InputBuilder, build_input
from fidget.training.data import ClipSet, PoseClips, check_clips
from fidget.training.ema import AveragedWeights
from fidget.training.environment import describe_environment
from fidget.training.losses import ActionLoss
from fidget.training.network import (
    ActionNetwork,
    load_pretrained,
    make_network,
    read_label_embeddings,
    to_channels_last,
)
from fidget.training.optimizer import make_optimizer
from fidget.training.progress import Progress
from fidget.training.recipe import Recipe
from fidget.training.run_directory import RunDirectory, write_json
from poses.cache_lock import DirectoryLock
from protocols.protocol import Protocol


@dataclass(frozen=True)
class Machines:
    """Where to train.

    Attributes:
        device: `auto`, `cpu` or `cuda`.
        devices: processes on each node, one a GPU.
        nodes: how many machines.
    """

    device: str = "auto"
    devices: int = 1
    nodes: int = 1


@dataclass
class Run:
    """All that one training holds; made once, handed to every phase.

    Attributes:
        network: the network itself.
        wrapped: the network as Fabric runs it.
        optimizer: the optimiser as Fabric runs it.
        used: what computes, in words: for the log, `environment.json` and `summary.json`.
        lock: of the directory, in the first process.
    """

    recipe: Recipe
    protocol: Protocol
    directory: RunDirectory
    fabric: Fabric
    clips: PoseClips
    sets: dict[str, ClipSet]
    train_input: InputBuilder
    val_input: InputBuilder
    test_input: InputBuilder
    network: ActionNetwork
    wrapped: Any
    optimizer: Any
    loss: ActionLoss
    average: AveragedWeights | None
    progress: Progress
    used: dict[str, str]
    lock: DirectoryLock | None

    @property
    def train_counts(self) -> NDArray[np.int64]:
        """(A,) training clips of each action."""
        return np.bincount(self.sets["train"].labels, minlength=len(self.protocol.tree.actions))


def launch(recipe: Recipe, machines: Machines) -> Fabric:
    """Start the processes; what follows runs in each.

    Raises:
        ValueError: no such device here, or a precision that it has not.
    """
    if machines.device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "--device cuda: torch finds no CUDA device here; use --device cpu, or see fidget doctor"
        )
    device = machines.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and machines.devices > torch.cuda.device_count():
        raise ValueError(
            f"--devices {machines.devices}: torch finds {torch.cuda.device_count()} CUDA devices here"
        )
    if recipe.train.threads:
        torch.set_num_threads(recipe.train.threads)
    precision: Any = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[recipe.train.precision]
    if recipe.train.precision == "16" and device == "cpu":
        raise ValueError("precision '16' needs a GPU; use --set train.precision=bf16 or 32 on a CPU")
    several = machines.devices * machines.nodes > 1
    fabric = Fabric(
        accelerator=device,
        strategy="ddp" if several else "auto",
        devices=machines.devices,
        num_nodes=machines.nodes,
        precision=precision,
    )
    fabric.launch()
    return fabric


def open_run(
    recipe: Recipe,
    poses: Path,
    protocol: Protocol,
    directory: RunDirectory,
    fabric: Fabric,
    checkpoint: Path | None,
    progress: Progress,
) -> Run:
    """Check the data, make the input, the network and the optimiser, and take the run directory.

    Raises:
        ValueError: recipe, cache, protocol, checkpoint or run directory do not fit.
    """
    clips = PoseClips(poses, recipe.input.layout)
    sets = check_clips(clips, protocol, recipe.data)
    if recipe.train.tensorboard and find_spec("tensorboard") is None:
        raise ValueError("train.tensorboard needs the package tensorboard; install it, or set it to false")
    if recipe.eval.select == "best_val" and "val" not in sets:
        raise ValueError(
            f"eval.select = 'best_val' needs a split 'val', {protocol.name!r} has {sorted(sets)}"
        )
    builders = build_input(recipe, clips.layout, fabric.device.type)
    dimensions = clips.read(sets["train"].clip_ids[0]).xyz.shape[-1]

    torch.manual_seed(recipe.train.seed)
    embeddings = None
    if recipe.loss.label_embedding:
        embeddings = read_label_embeddings(recipe.loss.label_embedding, protocol.tree.actions)
    channels = builders[0].channels(dimensions)
    network = make_network(recipe, clips.layout, channels, protocol.tree, embeddings)
    whose = load_pretrained(network.model, recipe.model.name, checkpoint) if checkpoint is not None else ""
    counts = np.bincount(sets["train"].labels, minlength=len(protocol.tree.actions))
    group_of = torch.tensor(protocol.tree.group_of) if protocol.tree.groups else None
    loss = ActionLoss(recipe.loss, torch.from_numpy(counts), group_of, embeddings).to(fabric.device)

    used = _used(recipe, network, clips, fabric, str(checkpoint or ""), whose)
    lock = None
    if fabric.global_rank == 0:
        inputs = {
            "protocol": protocol.name,
            "cache_hash": clips.cache_hash,
            "checkpoint": str(checkpoint or ""),
            "processes": str(fabric.world_size),
        }
        lock = directory.prepare(recipe, inputs)
        write_json(directory.path / "environment.json", {**used, **describe_environment()})
        progress.say(f"{recipe.name}: {', '.join(value for value in used.values() if value)}")
        for clip_set in sets.values():
            progress.say(clip_set.summary())
    if recipe.train.channels_last:
        to_channels_last(network)
    if fabric.world_size > 1:
        _give_gradients_the_strides_of_weights(network)
    optimizer = make_optimizer(network, recipe.train, network.model.get_classifier())
    module: Any = torch.compile(network) if recipe.train.compile else network
    wrapped, fabric_optimizer = fabric.setup(module, optimizer)
    average = AveragedWeights(network, recipe.train.ema_decay) if recipe.train.ema_decay else None
    return Run(
        recipe, protocol, directory, fabric, clips, sets, *builders,
        network, wrapped, fabric_optimizer, loss, average, progress, used, lock,
    )  # fmt: skip


def _give_gradients_the_strides_of_weights(network: ActionNetwork) -> None:
    """Of 1x1 convolutions, whose strides along the axes of length 1 mean nothing but make DDP warn."""
    weight: Any  # torch types no register_hook
    for weight in network.parameters():
        if weight.ndim > 2 and weight[0, 0].numel() == 1:
            shape, strides = weight.shape, weight.stride()
            weight.register_hook(
                lambda grad, shape=shape, strides=strides: (
                    grad.flatten(1).contiguous().as_strided(shape, strides)
                )
            )


def _used(
    recipe: Recipe, network: ActionNetwork, clips: PoseClips, fabric: Fabric, checkpoint: str, whose: str
) -> dict[str, str]:
    """What computes in the end, whatever `auto` stood for."""
    device = str(fabric.device)
    if fabric.device.type == "cuda":
        device += f" ({torch.cuda.get_device_name(fabric.device)})"
    processes = f", {fabric.world_size} processes" if fabric.world_size > 1 else ""
    return {
        "model": recipe.model.name,
        "parameters": f"{sum(p.numel() for p in network.parameters()):,} parameters",
        "layout": clips.layout.name,
        "device": device + processes,
        "precision": f"precision {recipe.train.precision}",
        "weights": f"begins with {checkpoint} ({whose})" if checkpoint else "",
    }
