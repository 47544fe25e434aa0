"""Windows of recordings become a detector's input: made on the processor, finished where the network is.

Axis letters: N windows, M persons, T points, V joints, C channels, H height, W width, I instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from typing import Protocol as Interface

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fidget.detection.recipe import DetectionRecipe, WindowTable
from fidget.detection.recordings import FeatureRecordings, JoinedPoses, PoseRecordings, Recordings
from fidget.detection.windows import Window
from fidget.frames.frame_clip import FrameClip, FramesRgb
from fidget.training.frame_batch import FrameBatch
from fidget.training.frame_batches import FrameBatches
from poses.layout import Layout
from protocols.label_tree import LabelTree
from protocols.mirror_labels import mirrored_actions
from rgb_models.frame_augment import FrameAugment
from rgb_models.preprocessing import Preprocessing
from skeleton_models.augment import Augment
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.graph_input import GraphInput
from skeleton_models.random_keys import Keys

_SHORT_SIDE = 8 / 7  # of the size: 182 pixels for 160, as OpenTAD scales frames before it crops them


@dataclass(frozen=True)
class WindowBatch:
    """Some windows of the same number of points.

    Attributes:
        x: (N, M, T, V, C) poses, (N, C, T) features, or what `FrameBatch` holds of pictures.
        valid: (N, T) whether a point is inside of the recording and the window.
        frames: of pictures, the batch that `finish` turns into x.
        flipped: (N,) windows shown as their mirror image, whose labels change sides; None for none.
    """

    x: Tensor
    valid: Tensor
    frames: FrameBatch | None = None
    flipped: NDArray[np.bool_] | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> WindowBatch:
        """The same batch on a device."""
        valid = self.valid.to(device, non_blocking=non_blocking)
        if self.frames is not None:
            frames = self.frames.to(device, non_blocking=non_blocking)
            return replace(self, x=frames.x, valid=valid, frames=frames)
        return replace(self, x=self.x.to(device, non_blocking=non_blocking), valid=valid)


class WindowInput(Interface):
    """What turns windows into a detector's input."""

    @property
    def mirrored(self) -> tuple[int, ...]:
        """(A,) the action that each action's mirror image shows; empty where all stay what they are."""

    def batch(self, contents: Sequence[Any], windows: Sequence[Window], keys: Keys | None) -> WindowBatch:
        """Windows of recordings as read, all of the same number of points; `keys` None is evaluation."""

    def finish(self, batch: WindowBatch) -> WindowBatch:
        """What the network takes, from what was made and moved to its device."""


def _valid(windows: Sequence[Window]) -> Tensor:
    return torch.from_numpy(np.stack([window.valid for window in windows]))  # (N, T)


@dataclass(frozen=True)
class PoseWindows:
    """Joints as (N, M, T, V, C), by the builder of the recognisers: each window is a clip of its own.

    Attributes:
        builder: of one frame; takes as many as a window has points.
    """

    builder: GraphInput
    mirrored: tuple[int, ...] = ()

    def batch(
        self, contents: Sequence[ClipArrays], windows: Sequence[Window], keys: Keys | None
    ) -> WindowBatch:
        """See `WindowInput.batch`; padding has no person."""
        builder = replace(self.builder, frames=windows[0].grid.points)
        clips = [_part(poses, window) for poses, window in zip(contents, windows, strict=True)]
        return WindowBatch(builder.batch(clips, keys).x, _valid(windows))

    def finish(self, batch: WindowBatch) -> WindowBatch:
        """The batch itself."""
        return batch


def _part(poses: ClipArrays, window: Window) -> ClipArrays:
    frames, padding = window.grid.frames, ~window.valid
    if not padding.any() and (np.diff(frames) == 1).all():
        part = slice(int(frames[0]), int(frames[-1]) + 1)  # nothing is copied
        return ClipArrays(poses.xyz[:, part], poses.score[:, part], poses.frame_hw)
    xyz, score = poses.xyz[:, frames], poses.score[:, frames]  # (M, T, V, C), (M, T, V)
    xyz[:, padding], score[:, padding] = np.nan, 0.0
    return ClipArrays(xyz, score, poses.frame_hw)


@dataclass(frozen=True)
class FeatureWindows:
    """Feature sequences as (N, C, T), between two features by linear interpolation.

    Attributes:
        repeats: padding repeats the last feature, as PointTAD has it; else it is 0.
    """

    repeats: bool = False
    mirrored: tuple[int, ...] = ()

    def batch(
        self, contents: Sequence[NDArray[np.float32]], windows: Sequence[Window], keys: Keys | None
    ) -> WindowBatch:
        """See `WindowInput.batch`; there is no augmentation."""
        pairs = zip(contents, windows, strict=True)
        rows = [_interpolated(features, window, self.repeats) for features, window in pairs]
        return WindowBatch(torch.from_numpy(np.stack(rows)), _valid(windows))

    def finish(self, batch: WindowBatch) -> WindowBatch:
        """The batch itself."""
        return batch


def _interpolated(features: NDArray[np.float32], window: Window, repeats: bool) -> NDArray[np.float32]:
    grid, valid = window.grid, window.valid
    place = (grid.first_frame + np.arange(grid.points) * grid.stride_frames).clip(0, len(features) - 1)
    before = np.floor(place).astype(np.int64)
    after = np.minimum(before + 1, len(features) - 1)
    share = (place - before).astype(np.float32)[:, None]
    found = features[before] * (1 - share) + features[after] * share  # (T, C)
    if repeats:
        found[~valid] = found[np.flatnonzero(valid)[-1]]
    else:
        found *= valid[:, None]
    return np.ascontiguousarray(found.T)  # (C, T)


@dataclass(frozen=True)
class FrameWindows:
    """Pictures of videos as (N, 3, T, H, W), by the builder of the recognisers; padding repeats a picture.

    Attributes:
        builder: of one frame; takes as many as a window has points.
    """

    builder: FrameBatches

    @property
    def mirrored(self) -> tuple[int, ...]:
        """See `WindowInput`."""
        return self.builder.mirrored

    def batch(
        self, contents: Sequence[FrameClip], windows: Sequence[Window], keys: Keys | None
    ) -> WindowBatch:
        """See `WindowInput.batch`.

        Raises:
            ValueError: a picture cannot be had; names the video and the frame.
        """
        builder = replace(self.builder, frames=windows[0].grid.points)
        clips = [_pictures(clip, window) for clip, window in zip(contents, windows, strict=True)]
        frames = builder.batch(clips, keys)
        flipped = frames.flipped if self.mirrored else None
        return WindowBatch(frames.x, _valid(windows), frames, flipped)

    def finish(self, batch: WindowBatch) -> WindowBatch:
        """Augmented and normalised, channels first."""
        assert batch.frames is not None
        return replace(batch, x=self.builder.finish(batch.frames).x)


def _pictures(clip: FrameClip, window: Window) -> FrameClip:
    """The window as a clip of its own, whose frames are those of the grid's points."""
    frames = window.grid.frames
    frames = frames[: max(1, int(window.valid.sum()))]

    def read(numbers: NDArray[np.int64]) -> FramesRgb:
        return clip.read(frames[np.minimum(numbers, len(frames) - 1)])

    return replace(clip, frames=window.grid.points, read=read)


def short_side_of(recipe: DetectionRecipe) -> int | None:
    """Pixels that frames are scaled down to as they are read; None leaves them as large as they are."""
    table = recipe.input
    if table.short_side:
        return int(table.short_side)
    return None if table.person_crop else round(_SHORT_SIDE * table.size)


def build_inputs(
    recipe: DetectionRecipe,
    recordings: Recordings,
    tree: LabelTree,
    preprocessing: Preprocessing | None,
    device_type: str,
) -> tuple[WindowInput, WindowInput]:
    """What makes the input in training and in evaluation.

    Args:
        recipe: says how.
        recordings: what is read.
        tree: labels, of which a mirror image of frames may change the side.
        preprocessing: how the network's pictures are normalised; None where it takes none.
        device_type: `cpu` or `cuda`, where the network is.

    Raises:
        ValueError: the recordings are of another form than the recipe, or settings do not fit each other.
    """
    check_form(recipe, recordings)
    if isinstance(recordings, FeatureRecordings):
        both = FeatureWindows(repeats=recipe.model.name == "pointtad")
        return both, both
    if isinstance(recordings, PoseRecordings | JoinedPoses):
        augment = Augment(**recipe.augment.model_dump())
        training = PoseWindows(graph_input(recipe, recordings.layout, augment))
        return training, PoseWindows(graph_input(recipe, recordings.layout))
    assert preprocessing is not None
    table, settings = recipe.input, FrameAugment(**recipe.augment.model_dump())
    turned = mirrored_actions(tree) if settings.flip_probability else ()
    frames = FrameBatches(
        frames=1, sampling="dense", stride=1, preprocessing=replace(preprocessing, size=table.size),
        augment=settings, training=True, person_crop=table.person_crop,
        mirrored=() if turned == tuple(range(len(turned))) else turned, threads=table.threads,
        channels_last=recipe.train.channels_last, pinned=device_type == "cuda",
    )  # fmt: skip
    seen = replace(frames, training=False, augment=FrameAugment())
    return FrameWindows(frames), FrameWindows(seen)


def check_form(recipe: DetectionRecipe, recordings: Recordings) -> None:
    """See that the recordings are what the recipe takes.

    Raises:
        ValueError: they are not.
    """
    if recordings.form != recipe.input.form:
        raise ValueError(
            f"recipe {recipe.name!r} takes {recipe.input.form}, got {recordings.form} of {recordings.where}"
        )


_TABLE_ONLY = (*WindowTable.model_fields, "form", "layout")


def graph_input(recipe: DetectionRecipe, layout: Layout, augment: Augment | None = None) -> GraphInput:
    """The builder of a recipe over poses, for one frame.

    Args:
        recipe: says how.
        layout: of the poses.
        augment: of training; None for none.
    """
    settings = recipe.input.model_dump(exclude=set(_TABLE_ONLY))
    builder = partial(GraphInput, layout=layout, frames=1, sampling="window", **settings)
    return builder() if augment is None else builder(augment=augment)
