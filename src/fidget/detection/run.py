"""One detector's training, opened: annotations checked against recordings, everything made, before a step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from fidget.detection.inputs import WindowInput, build_inputs, check_form
from fidget.detection.network import (
    check_encoder,
    check_model,
    make_detector,
    make_loss,
    preprocessing_of,
)
from fidget.detection.recipe import DetectionRecipe, parse_recipe
from fidget.detection.recording_sets import RecordingSet, check_recordings
from fidget.detection.recordings import Recordings
from fidget.detection.shapes import Shapes, shapes_of, tree_as_json
from fidget.training.ema import AveragedWeights
from fidget.training.environment import describe_environment
from fidget.training.network import to_channels_last
from fidget.training.optimizer import make_optimizer
from fidget.training.progress import Progress
from fidget.training.run_directory import RunDirectory, write_json
from poses.cache_lock import DirectoryLock
from protocols.detection_table import DetectionTable
from temporal_detection.detection_loss import DetectionLoss
from temporal_detection.detector import Detector, DetectorOutput
from temporal_detection.set_loss import SetLoss


@dataclass
class DetectionRun:
    """All that one training holds; made once, handed to every phase.

    Attributes:
        network: the detector itself.
        plain: the detector with a tuple for its output.
        wrapped: the same as Fabric runs it.
        optimizer: the optimiser as Fabric runs it.
        shapes: of its input, stored beside its weights.
        used: what computes, in words.
        lock: of the directory, in the first process.
    """

    recipe: DetectionRecipe
    table: DetectionTable
    directory: RunDirectory
    fabric: Fabric
    recordings: Recordings
    sets: dict[str, RecordingSet]
    train_input: WindowInput
    seen_input: WindowInput
    network: Detector
    plain: PlainOutputs
    wrapped: Any
    optimizer: Any
    loss: DetectionLoss | SetLoss
    average: AveragedWeights | None
    progress: Progress
    shapes: Shapes
    used: dict[str, str]
    lock: DirectoryLock | None


class PlainOutputs(nn.Module):
    """A detector whose output is a tuple, since Fabric takes no frozen record.

    Args:
        network: the detector.
    """

    def __init__(self, network: Detector) -> None:
        super().__init__()
        self.network = network
        self.kind: type[DetectorOutput] = DetectorOutput

    def forward(self, x: Tensor, valid: Tensor) -> tuple[Tensor | None, ...]:
        """The fields of the detector's output, in their order."""
        output: DetectorOutput = self.network(x, valid)
        self.kind = type(output)
        return tuple(getattr(output, one.name) for one in fields(output))

    def whole(self, values: tuple[Tensor | None, ...]) -> DetectorOutput:
        """The output that these are the fields of."""
        named = dict(zip((one.name for one in fields(self.kind)), values, strict=True))
        return self.kind(**named)  # type: ignore[arg-type]


def open_detection_run(
    recipe: DetectionRecipe,
    recordings: Recordings,
    table: DetectionTable,
    directory: Path,
    fabric: Fabric,
    checkpoint: Path | str | None,
    progress: Progress,
) -> DetectionRun:
    """Check the data, make the input, the detector and the optimiser, and take the run directory.

    Raises:
        ValueError: recipe, recordings, annotations, checkpoint or run directory do not fit.
    """
    check_model(recipe)
    check_form(recipe, recordings)
    sets, notes = check_recordings(recordings, table, recipe.data)
    if recipe.eval.select == "best_val" and ("val" not in sets or sets["val"].withheld):
        raise ValueError(
            f"eval.select = 'best_val' needs an annotated split 'val', {table.name!r} has {sorted(sets)}"
        )
    inputs = build_inputs(recipe, recordings, table.tree, preprocessing_of(recipe), fabric.device.type)
    torch.manual_seed(recipe.train.seed)
    shapes = shapes_of(recipe, recordings)
    network, whose = make_detector(recipe, shapes, table.tree, checkpoint)
    check_encoder(recipe, checkpoint)
    loss = make_loss(recipe, network, table.tree).to(fabric.device)
    used = _used(recipe, network, shapes, fabric, str(checkpoint or ""), whose)
    lock, place = None, RunDirectory(directory, parse_recipe)
    if fabric.global_rank == 0:
        lock = place.prepare(recipe, {
            "annotations": table.name,
            "instances": annotation_hash(table),
            "content_hash": recordings.content_hash,
            "checkpoint": str(checkpoint or ""),
            "processes": str(fabric.world_size),
        })  # fmt: skip
        write_json(place.path / "environment.json", {**used, **describe_environment()})
        write_json(place.path / "tree.json", tree_as_json(table.tree))
        simulated = " (simulated)" if table.simulated else ""
        progress.say(f"{recipe.name} on {table.name}{simulated}: {', '.join(v for v in used.values() if v)}")
        for line in (*(one.summary() for one in sets.values()), *notes):
            progress.say(line)
    if recipe.train.channels_last:
        to_channels_last(network)
    optimizer = make_optimizer(network, recipe.train)
    plain = PlainOutputs(network)
    wrapped, fabric_optimizer = fabric.setup(plain, optimizer)
    average = AveragedWeights(network, recipe.train.ema_decay) if recipe.train.ema_decay else None
    return DetectionRun(
        recipe, table, place, fabric, recordings, sets, *inputs, network, plain, wrapped, fabric_optimizer,
        loss, average, progress, shapes, used, lock,
    )  # fmt: skip


def _used(
    recipe: DetectionRecipe, network: Detector, shapes: Shapes, fabric: Fabric, checkpoint: str, whose: str
) -> dict[str, str]:
    """What computes in the end, whatever `auto` stood for."""
    device = str(fabric.device)
    if fabric.device.type == "cuda":
        device += f" ({torch.cuda.get_device_name(fabric.device)})"
    trained = sum(p.numel() for p in network.parameters() if p.requires_grad)
    table = recipe.input
    return {
        "model": recipe.model.name,
        "parameters": f"{sum(p.numel() for p in network.parameters()):,} parameters, {trained:,} trained",
        "input": f"{table.points} points of {table.form} every {table.stride}",
        **({"layout": shapes.layout} if shapes.layout else {}),
        "device": device + (f", {fabric.world_size} processes" if fabric.world_size > 1 else ""),
        "precision": f"precision {recipe.train.precision}",
        "weights": f"begins with {checkpoint} ({whose})" if checkpoint else "",
    }


def annotation_hash(table: DetectionTable) -> str:
    """16 hexadecimal digits; changes with any instance and with any video's split."""
    content = repr([table.tree.actions, sorted(zip(table.video_ids, table.splits, strict=True)),
                    [(i.video_id, i.t_start_s, i.t_end_s, i.label) for i in table.instances]])  # fmt: skip
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
