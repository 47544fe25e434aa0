"""One emotion network's training from videos, opened: everything checked and made before the first step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from fidget.emotion.video_batches import EmotionBatches, emotion_builders
from fidget.emotion.video_clips import EmotionClips
from fidget.emotion.video_networks import (
    EmotionLoss,
    EmotionNetwork,
    begin_with,
    frames_of,
    make_network,
    trained_numbers,
)
from fidget.emotion.video_recipe import EmotionRecipe, parse_recipe
from fidget.training.data import ClipSet
from fidget.training.ema import AveragedWeights
from fidget.training.environment import describe_environment
from fidget.training.network import to_channels_last
from fidget.training.optimizer import make_optimizer
from fidget.training.progress import Progress
from fidget.training.run_directory import RunDirectory, write_json
from poses.cache_lock import DirectoryLock
from protocols.emotion_table import EmotionTable

CONDITION_OF = {"two_branch": "both", "face_branch": "face", "action_branch": "actions"}
"""Network -> the condition its scores stand for; others are named as the network."""


@dataclass
class EmotionRun:
    """All that one training holds; made once, handed to every phase.

    Attributes:
        network: the network itself.
        wrapped: the same as Fabric runs it.
        optimizer: the optimiser as Fabric runs it.
        used: what computes, in words.
        lock: of the directory, in the first process.
    """

    recipe: EmotionRecipe
    directory: RunDirectory
    fabric: Fabric
    clips: EmotionClips
    train_input: EmotionBatches
    val_input: EmotionBatches
    test_input: EmotionBatches
    network: EmotionNetwork
    wrapped: Any
    optimizer: Any
    loss: EmotionLoss
    average: AveragedWeights | None
    progress: Progress
    used: dict[str, str]
    lock: DirectoryLock | None

    @property
    def sets(self) -> dict[str, ClipSet]:
        """Split -> clips."""
        return self.clips.sets

    @property
    def condition(self) -> str:
        """What the scores stand for."""
        return CONDITION_OF.get(self.recipe.network, self.recipe.network)


def open_emotion_run(
    recipe: EmotionRecipe,
    clips: EmotionClips,
    directory: Path,
    fabric: Fabric,
    checkpoint: Path | str | None,
    progress: Progress,
) -> EmotionRun:
    """Make the input, the network and the optimiser, and take the run directory.

    Raises:
        ValueError: recipe, clips, checkpoint or run directory do not fit.
    """
    table = clips.table
    if recipe.eval.select == "best_val" and "val" not in clips.sets:
        raise ValueError(f"eval.select = 'best_val' needs clips of the split val, got {sorted(clips.sets)}")
    loss = EmotionLoss(recipe, table.emotions)
    builders = emotion_builders(recipe, table.tree, fabric.device.type)
    torch.manual_seed(recipe.train.seed)
    network = make_network(recipe, len(table.emotions), len(table.tree.actions))
    whose = "" if checkpoint is None else begin_with(network, recipe, checkpoint)
    used = _used(recipe, network, fabric, str(checkpoint or ""), whose)
    place = RunDirectory(directory, parse_recipe)
    lock = place.prepare(
        recipe,
        {
            "table": table.name,
            "labels": table_hash(table),
            "content_hash": clips.cache_hash,
            "checkpoint": str(checkpoint or ""),
        },
    )
    write_json(place.path / "environment.json", {**used, **describe_environment()})
    simulated = " (simulated)" if table.simulated else ""
    progress.say(f"{recipe.name} on {table.name}{simulated}: {', '.join(v for v in used.values() if v)}")
    for one in clips.sets.values():
        progress.say(one.summary())
    for line in clips.left_out:
        progress.say(f"left out, {line}")
    if recipe.network == "vaanet" and loss.positive is None:
        progress.say("loss.positive names no emotion: plain cross-entropy, without VAANet's polarity")
    if recipe.train.channels_last:
        to_channels_last(network)
    optimizer = make_optimizer(network, recipe.train)
    wrapped, fabric_optimizer = fabric.setup(network, optimizer)
    average = AveragedWeights(network, recipe.train.ema_decay) if recipe.train.ema_decay else None
    return EmotionRun(
        recipe, place, fabric, clips, *builders, network, wrapped, fabric_optimizer, loss, average,
        progress, used, lock,
    )  # fmt: skip


def _used(
    recipe: EmotionRecipe, network: EmotionNetwork, fabric: Fabric, checkpoint: str, whose: str
) -> dict[str, str]:
    """What computes in the end, whatever `auto` stood for."""
    device = str(fabric.device)
    if fabric.device.type == "cuda":
        device += f" ({torch.cuda.get_device_name(fabric.device)})"
    parts = (recipe.face.name if recipe.looks_at_faces else "", recipe.action.name)
    names = (parts[0], parts[1] if recipe.looks_at_persons else "")
    looks = [f"{name} on the {what}" for name, what in zip(names, ("face", "person"), strict=True) if name]
    return {
        "network": f"{recipe.network}: {' and '.join(looks)}",
        "parameters": f"{trained_numbers(network):,} parameters",
        "frames": f"{frames_of(recipe)} frames, {recipe.input.sampling}",
        "device": device,
        "precision": f"precision {recipe.train.precision}",
        "weights": f"begins with {checkpoint} ({whose})" if checkpoint else "",
    }


def table_hash(table: EmotionTable) -> str:
    """16 hexadecimal digits; changes with any clip's emotion, micro-actions or split."""
    rows = zip(table.clip_ids, table.labels.tolist(), table.present.tolist(), table.splits, strict=True)
    content = repr([table.emotions, table.tree.actions, sorted(rows)])
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
