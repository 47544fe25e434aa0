"""One training run, opened: data checked, input, network, loss and optimiser made, before the first step."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray

from fidget.training.builders import InputBuilder, build_input
from fidget.training.data import ClipSet, ClipSource, PoseClips, check_clips, few
from fidget.training.ema import AveragedWeights
from fidget.training.environment import describe_environment
from fidget.training.initial_weights import load_initial
from fidget.training.losses import ActionLoss
from fidget.training.network import (
    ActionNetwork,
    check_input,
    load_pretrained,
    make_network,
    read_label_embeddings,
    to_channels_last,
)
from fidget.training.one_process import device_kind
from fidget.training.optimizer import make_optimizer
from fidget.training.posed_videos import PosedVideos
from fidget.training.progress import Progress
from fidget.training.recipe import FrameRecipe, Recipe
from fidget.training.run_directory import RunDirectory, write_json
from poses.cache_lock import DirectoryLock
from poses.layout import Layout
from protocols.mirror_labels import one_sided_actions
from protocols.protocol import Protocol
from rgb_models.model import RgbModel


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
    clips: ClipSource
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
    device = device_kind(recipe, machines.device)
    if device == "cuda" and machines.devices > torch.cuda.device_count():
        raise ValueError(
            f"--devices {machines.devices}: torch finds {torch.cuda.device_count()} CUDA devices here"
        )
    precision: Any = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[recipe.train.precision]
    several = machines.devices * machines.nodes > 1
    with _precision_untold():
        fabric = Fabric(
            accelerator=device,
            strategy="ddp" if several else "auto",
            devices=machines.devices,
            num_nodes=machines.nodes,
            precision=precision,
        )
    fabric.launch()
    return fabric


@contextmanager
def _precision_untold() -> Iterator[None]:
    """Keep back the line of `Fabric()` about its precision, which the run tells itself; warnings pass."""
    named = ("lightning.fabric", "lightning.pytorch")  # it speaks as whichever was imported last
    loggers = [logging.getLogger(f"{name}.utilities.rank_zero") for name in named]
    before = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def open_run(
    recipe: Recipe,
    clips: Path | ClipSource,
    protocol: Protocol,
    directory: RunDirectory,
    fabric: Fabric,
    checkpoint: Path | str | None,
    progress: Progress,
) -> Run:
    """Check the data, make the input, the network and the optimiser, and take the run directory.

    Raises:
        ValueError: recipe, clips, protocol, checkpoint or run directory do not fit.
    """
    over_frames = isinstance(recipe, FrameRecipe)
    if isinstance(clips, Path):
        if over_frames:
            raise ValueError(f"recipe {recipe.name!r} is over frames: expected videos, got a pose cache")
        clips = PoseClips(clips, recipe.input.layout)
    posed = isinstance(clips, PosedVideos)
    layout = clips.layout if isinstance(clips, PoseClips | PosedVideos) else None
    wanted = "frames_and_heatmap" if posed else "frames" if layout is None else "graph or heatmap"
    if recipe.input.form not in wanted.split(" or "):
        what = "videos with their poses" if posed else "videos" if layout is None else "poses"
        raise ValueError(
            f"recipe {recipe.name!r} has input.form {recipe.input.form!r}; got {what} of {clips.where}"
        )
    check_input(recipe)
    sets = check_clips(clips, protocol, recipe.data)
    if recipe.train.tensorboard and find_spec("tensorboard") is None:
        raise ValueError("train.tensorboard needs the package tensorboard; install it, or set it to false")
    if recipe.eval.select == "best_val" and "val" not in sets:
        raise ValueError(
            f"eval.select = 'best_val' needs a split 'val', {protocol.name!r} has {sorted(sets)}"
        )
    builders = build_input(recipe, layout, fabric.device.type, protocol.tree)
    dimensions = 2 if over_frames else clips.read(sets["train"].clip_ids[0]).xyz.shape[-1]

    torch.manual_seed(recipe.train.seed)
    embeddings = None
    if recipe.loss.label_embedding:
        embeddings = read_label_embeddings(recipe.loss.label_embedding, protocol.tree)
    channels = builders[0].channels(dimensions)
    network = make_network(recipe, layout, channels, protocol.tree, embeddings)
    whose = _begin_with(checkpoint, network, recipe)
    counts = np.bincount(sets["train"].labels, minlength=len(protocol.tree.actions))
    group_of = torch.tensor(protocol.tree.group_of) if protocol.tree.groups else None
    loss = ActionLoss(recipe.loss, torch.from_numpy(counts), group_of, embeddings).to(fabric.device)

    used = _used(recipe, network, layout, fabric, str(checkpoint or ""), whose)
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
        for line in _notes(clips, sets, recipe, protocol):
            progress.say(line)
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


def _note_of_short_clips(clips: PoseClips, train: ClipSet, recipe: Recipe) -> Iterator[str]:
    """Uniform sampling begins anywhere in a short clip and goes round again: standing up ends seated."""
    wanted = recipe.input.frames
    short = sum(clips.frames[clip_id] < wanted for clip_id in train.clip_ids)
    if recipe.input.sampling == "uniform" and 2 * short > len(train):
        other = "input.sampling=linear" if recipe.input.form == "graph" else "input.sampling=sorted"
        yield (
            f"{short} of {len(train)} training clips have fewer than {wanted} frames: uniform sampling goes "
            f"round again in them and loses what came first; {other} keeps the order"
        )


def _begin_with(checkpoint: Path | str | None, network: ActionNetwork, recipe: Recipe) -> str:
    """Load the weights to begin with; whose names they had."""
    if checkpoint is None:
        return ""
    if isinstance(network.model, RgbModel):
        return load_initial(network.model, recipe.model.name, checkpoint)
    return load_pretrained(network.model, recipe.model.name, checkpoint)


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
    recipe: Recipe, network: ActionNetwork, layout: Layout | None, fabric: Fabric, checkpoint: str, whose: str
) -> dict[str, str]:
    """What computes in the end, whatever `auto` stood for."""
    device = str(fabric.device)
    if fabric.device.type == "cuda":
        device += f" ({torch.cuda.get_device_name(fabric.device)})"
    processes = f", {fabric.world_size} processes" if fabric.world_size > 1 else ""
    return {
        "model": recipe.model.name,
        "parameters": f"{sum(p.numel() for p in network.parameters()):,} parameters",
        **({"frames": _frames_said(recipe)} if isinstance(recipe, FrameRecipe) else {}),
        **({} if layout is None else {"layout": layout.name}),
        "device": device + processes,
        "precision": f"precision {recipe.train.precision}",
        "weights": f"begins with {checkpoint} ({whose})" if checkpoint else "",
    }


def _frames_said(recipe: Recipe) -> str:
    from fidget.training.frame_batches import frames_of, preprocessing_of

    table = recipe.input
    step = f" every {table.stride}" if table.sampling == "dense" else ""
    person = " around the person" if table.person_crop else ""
    return f"{frames_of(recipe)} frames of {preprocessing_of(recipe).size} px{person}, {table.sampling}{step}"


def _notes(
    clips: ClipSource, sets: Mapping[str, ClipSet], recipe: Recipe, protocol: Protocol
) -> Iterator[str]:
    """What is no reason to refuse a run, and is good to know."""
    used = {clip_id for clip_set in sets.values() for clip_id in clip_set.clip_ids}
    remarked = [clip_id for clip_id in clips.remarks if clip_id in used]
    if remarked:
        yield f"{len(remarked)} videos are not sound: {remarked[0]}: {clips.remarks[remarked[0]]}"
    whole = [clip_id for clip_id in clips.without_person if clip_id in used]
    if whole:
        yield f"{len(whole)} clips without a person are seen whole: {few(whole)}"
    if isinstance(clips, PoseClips):
        yield from _note_of_short_clips(clips, sets["train"], recipe)
    flips = isinstance(recipe, FrameRecipe) and (recipe.augment.flip_probability or recipe.eval.test_flip)
    if flips and (alone := one_sided_actions(protocol.tree)):
        names = [protocol.tree.actions[number] for number in alone]
        yield f"mirror images of {len(names)} actions have no label of their own side: {few(names)}"
