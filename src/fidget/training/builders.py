"""A recipe's input tables become batches: made by builders on the processor, finished where the network is.

Joints become graphs and volumes by the builders of `skeleton_models`; frames are in `frame_batches`.

Axis letters: N clips, M persons, T frames, V joints, C channels, H W of a map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from typing import Protocol as Interface

import numpy as np
import torch
from torch import Tensor

from fidget.training.frame_batch import FrameBatch
from fidget.training.recipe import Recipe
from poses.layout import Layout
from protocols.label_tree import LabelTree
from skeleton_models import heatmap, heatmap_torch
from skeleton_models.augment import Augment
from skeleton_models.clip_arrays import ClipArrays, ModelBatch
from skeleton_models.graph_input import GraphInput
from skeleton_models.heatmap_crop import CropRules
from skeleton_models.heatmap_input import DTYPES, Canvases, HeatmapInput
from skeleton_models.random_keys import Keys

Batch = ModelBatch | FrameBatch
_RECIPES_OWN = {"form", "layout", "separate", "compute_absent", "render"}
_DRAWN_AT_ONCE = (
    1 << 25
)  # elements of a volume that torch draws at once; it needs about eight times the memory


class InputBuilder(Interface):
    """What turns clips into a network's input: made in a thread here, finished where the network is."""

    @property
    def test_clips(self) -> int:
        """Temporal clips of a clip in evaluation."""

    @property
    def flips(self) -> int:
        """Views of a temporal clip in evaluation: its crops, and as many mirror images where they count."""

    @property
    def mirrored(self) -> tuple[int, ...]:
        """(A,) the action that each action's mirror image shows; empty where all stay what they are."""

    def channels(self, dimensions: int) -> int:
        """A network's `in_channels`, for clips of 2 or 3 dimensions."""

    def batch(self, clips: Sequence[Any], keys: Keys | None) -> Batch:
        """Some clips for `finish`; `keys` None is evaluation, with all views of each."""

    def part(self, clip: Any, first: int, last: int) -> Batch:
        """The temporal clips `first` up to `last` of one clip in evaluation, for `finish`."""

    def finish(self, batch: Any) -> Batch:
        """What the network takes, from what was made and moved to its device."""


@dataclass(frozen=True)
class GraphBatches:
    """Joints as (N, M, T, V, C).

    Attributes:
        builder: makes them.
        everybody: leave `present` out: padded persons are computed too, as published code does.
    """

    builder: GraphInput
    everybody: bool = False

    @property
    def test_clips(self) -> int:
        """Temporal clips of a clip in evaluation."""
        return self.builder.test_clips

    @property
    def flips(self) -> int:
        """Views of a temporal clip."""
        return 1 + self.builder.test_flip

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Nobody: joints change sides, labels do not."""
        return ()

    def channels(self, dimensions: int) -> int:
        """C."""
        return self.builder.channels(dimensions)

    def batch(self, clips: Sequence[ClipArrays], keys: Keys | None) -> ModelBatch:
        """See `InputBuilder.batch`."""
        batch = self.builder.batch(clips, keys)
        return replace(batch, present=None) if self.everybody else batch

    def part(self, clip: ClipArrays, first: int, last: int) -> ModelBatch:
        """See `InputBuilder.part`; joints are small, so all views are made and some kept."""
        whole = self.batch([clip], None)
        views = np.arange(self.flips * self.test_clips).reshape(self.flips, -1)  # the mirror images last
        rows = torch.from_numpy(views[:, first:last].reshape(-1))

        def chosen(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor[rows]

        return ModelBatch(whole.x[rows], chosen(whole.present), chosen(whole.position), len(rows))

    def finish(self, batch: ModelBatch) -> ModelBatch:
        """The batch itself."""
        return batch


@dataclass(frozen=True)
class HeatmapBatches:
    """Joints or limbs drawn as volumes (N, C, T, H, W): by the processor, or where the network is.

    Attributes:
        builder: finds the points, and draws them on the processor.
        training: which size the maps have.
        there: only points (N, M, T, V, 3) are made and moved, a few kB a clip; `finish` draws them.
        canvases: memory of volumes, used again once nobody holds a batch: batches are only to be read.
    """

    builder: HeatmapInput
    training: bool
    there: bool
    canvases: Canvases = field(default_factory=Canvases, compare=False, repr=False)

    @property
    def test_clips(self) -> int:
        """Temporal clips of a clip in evaluation."""
        return self.builder.test_clips

    @property
    def flips(self) -> int:
        """Views of a temporal clip."""
        return 1 + self.builder.test_flip

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Nobody, as with graphs."""
        return ()

    def channels(self, dimensions: int) -> int:
        """Joints or limbs."""
        return self.builder.channels(dimensions)

    def batch(self, clips: Sequence[ClipArrays], keys: Keys | None) -> ModelBatch:
        """See `InputBuilder.batch`; `keys` are None if and only if this is not for training."""
        if not self.there:
            return self.builder.batch(clips, keys, self.canvases)
        return ModelBatch(self.builder.points(clips, keys), views=1 if self.training else self.test_clips)

    def part(self, clip: ClipArrays, first: int, last: int) -> ModelBatch:
        """See `InputBuilder.part`; only the views asked for are drawn."""
        points = self.builder.points([clip], None)[first:last]  # (last - first, M, T, V, 3)
        rows = len(points)
        if self.there:
            return ModelBatch(points, views=rows)
        shape = (rows * self.flips, self.channels(2), self.builder.frames, *self.builder.test_size_hw)
        volumes, drawn = self.canvases.take(shape, DTYPES[self.builder.dtype])
        own = np.arange(rows, dtype=np.int64)
        mirrored = own + rows if self.builder.test_flip else np.full(rows, -1, np.int64)
        heatmap.render(
            points.numpy(), self.builder.drawing, volumes.numpy(),
            target=own, mirrored=mirrored, drawn=drawn, threads=self.builder.threads,
        )  # fmt: skip
        return ModelBatch(volumes, views=len(volumes))

    def finish(self, batch: ModelBatch) -> ModelBatch:
        """Volumes of the points, in the recipe's type; their mirror images behind those of each clip."""
        if not self.there:
            return batch
        builder = self.builder
        size_hw = builder.size_hw if self.training else builder.test_size_hw
        shape = (len(batch.x), self.channels(2), builder.frames, *size_hw)
        volumes = torch.empty(shape, dtype=DTYPES[builder.dtype], device=batch.x.device)
        step = max(1, _DRAWN_AT_ONCE // volumes[0].numel())
        for begin in range(0, len(volumes), step):
            drawn = heatmap_torch.render(batch.x[begin : begin + step], builder.drawing, size_hw)
            if volumes.dtype == torch.uint8:
                drawn = drawn.mul_(heatmap.UINT8_SCALE).add_(0.5)  # cut off below: rounded
            volumes[begin : begin + step] = drawn.to(volumes.dtype)
        if self.training or not builder.test_flip:
            return replace(batch, x=volumes)
        both = heatmap_torch.with_mirror_images(volumes, builder.drawing, batch.views)
        return replace(batch, x=both, views=2 * batch.views)


def build_input(
    recipe: Recipe, layout: Layout | None, device_type: str = "cpu", tree: LabelTree | None = None
) -> tuple[InputBuilder, InputBuilder, InputBuilder]:
    """The builders of training, of validation during training (one view a clip) and of the measured splits.

    Args:
        recipe: says how.
        layout: of the clips; None for frames.
        device_type: `cpu` or `cuda`, where the network is.
        tree: labels, of which a mirror image of frames may change the side.

    Raises:
        ValueError: settings that do not fit each other; the message names them.
    """
    if layout is None:
        from fidget.training.frame_batches import frame_builders  # a video library is needed here only

        return frame_builders(recipe, tree, device_type)
    if recipe.input.form == "frames_and_heatmap":
        from fidget.training.two_path_batches import two_path_builders

        return two_path_builders(recipe, layout, tree, device_type)
    settings = recipe.input.model_dump(exclude=_RECIPES_OWN)
    augment = Augment(**recipe.augment.model_dump())
    test_clips, test_flip = recipe.eval.test_clips, recipe.eval.test_flip
    if recipe.input.form == "heatmap":
        (kind,) = settings.pop("streams")
        crop = CropRules(**settings.pop("crop"))
        volumes = HeatmapInput(layout=layout, augment=augment, kind=kind, crop=crop, **settings)
        there = recipe.input.render == "device" or (recipe.input.render == "auto" and device_type == "cuda")
        measured = replace(volumes, test_clips=test_clips, test_flip=test_flip)
        canvases = Canvases()  # of all three, which work in turn
        return (
            HeatmapBatches(volumes, training=True, there=there, canvases=canvases),
            HeatmapBatches(volumes, training=False, there=there, canvases=canvases),
            HeatmapBatches(measured, training=False, there=there, canvases=canvases),
        )
    joints = GraphInput(layout=layout, augment=augment, **settings)
    seen = replace(joints, test_clips=test_clips, test_flip=test_flip)
    everybody = recipe.input.compute_absent
    one_view = GraphBatches(joints, everybody)
    return one_view, one_view, GraphBatches(seen, everybody)
