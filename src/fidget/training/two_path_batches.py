"""Frames and heatmaps of the same clips become batches: one crop and one mirror image for both.

Axis letters: N clips, K temporal clips, M persons, T frames of pictures, P of heatmaps, V joints, H, W.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fidget.frames.frame_clip import FrameClip
from fidget.training.frame_batch import FrameBatch
from fidget.training.frame_batches import FrameBatches, frame_builders
from fidget.training.posed_videos import PosedClip
from fidget.training.recipe import Recipe
from poses.layout import Layout
from poses.sampling import uniform_indices, uniform_test_indices
from protocols.label_tree import LabelTree
from rgb_models.frame_crops import crop_of, evaluation_crops, whole_pixels
from skeleton_models import heatmap
from skeleton_models.heatmap import Drawing
from skeleton_models.random_keys import Keys, bits

_OF_POSES = 3  # stream of a clip's draws; those of its pictures are 1 and 2


@dataclass(frozen=True, eq=False)
class TwoPathBatch(FrameBatch):
    """A `FrameBatch` with the heatmaps of its rows.

    Attributes:
        volumes: (rows, V, P, H, W) uint8, 255 for 1.
    """

    volumes: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What `RgbPoseConv3d.forward` takes."""
        assert self.volumes is not None
        return self.x, self.volumes

    def to(self, device: torch.device | str, non_blocking: bool = False) -> TwoPathBatch:
        """The same batch on a device."""
        assert self.volumes is not None
        return replace(
            self,
            x=self.x.to(device, non_blocking=non_blocking),
            volumes=self.volumes.to(device, non_blocking=non_blocking),
        )


@dataclass(frozen=True)
class TwoPathBatches:
    """An `InputBuilder` of pictures (N, 3, T, H, W) and volumes (N, V, P, H / 4, W / 4).

    Frame numbers of both are drawn for themselves from the whole clip, as published.

    Attributes:
        pictures: makes the frames.
        drawing: of the heatmaps.
        pose_frames: P.
        size: height and width of a map.
    """

    pictures: FrameBatches
    drawing: Drawing
    pose_frames: int
    size: int

    @property
    def test_clips(self) -> int:
        """Temporal clips of a clip in evaluation."""
        return self.pictures.test_clips

    @property
    def flips(self) -> int:
        """Views of a temporal clip."""
        return self.pictures.flips

    @property
    def mirrored(self) -> tuple[int, ...]:
        """Of the pictures: their labels change sides."""
        return self.pictures.mirrored

    def channels(self, dimensions: int) -> int:
        """V."""
        return len(self.drawing.pairs)

    def batch(self, clips: Sequence[PosedClip], keys: Keys | None) -> TwoPathBatch:
        """See `InputBuilder.batch`.

        Raises:
            ValueError: a picture cannot be had; names the video and the frame.
        """
        made = self.pictures.batch([clip.pictures for clip in clips], keys)
        if keys is None:
            return self._with_volumes(made, self._test_points(clips, 0, self.test_clips))
        seeds = bits(keys, _OF_POSES, 1)[:, 0]
        assert made.draws is not None
        points = []
        for clip, seed, draws in zip(clips, seeds, made.draws, strict=True):
            frames = clip.pictures.frames
            numbers = uniform_indices(frames, self.pose_frames, np.random.default_rng(int(seed)))
            hw, person = clip.pictures.frame_hw, self._person(clip.pictures)
            crop = crop_of(draws, hw, person, self.pictures.augment)
            points.append(self._cropped(clip.points(numbers), crop, hw))
        return self._with_volumes(made, points)

    def part(self, clip: PosedClip, first: int, last: int) -> TwoPathBatch:
        """See `InputBuilder.part`."""
        made = self.pictures.part(clip.pictures, first, last)
        return self._with_volumes(made, self._test_points([clip], first, last))

    def finish(self, batch: TwoPathBatch) -> TwoPathBatch:
        """Pictures as `FrameBatches` finishes them; volumes mirrored with them."""
        done = self.pictures.finish(batch)
        assert isinstance(done, TwoPathBatch) and batch.volumes is not None
        volumes = batch.volumes
        if batch.draws is not None:
            if batch.flipped is not None and batch.flipped.any():
                turned = torch.from_numpy(batch.flipped).to(volumes.device)
                volumes = torch.where(turned.view(-1, 1, 1, 1, 1), self._mirror_image(volumes), volumes)
        elif self.pictures.test_flip:
            own = volumes.view(-1, batch.views, *volumes.shape[1:])
            mirror = self._mirror_image(volumes).view_as(own)
            volumes = torch.cat([own, mirror], dim=1).flatten(0, 1)  # as the pictures' rows
        return replace(done, volumes=volumes)

    def _mirror_image(self, volumes: Tensor) -> Tensor:
        """Left and right exchanged, in the picture and among the joints."""
        other = torch.from_numpy(self.drawing.mirror).to(volumes.device)
        return volumes.flip(4)[:, other]

    def _test_points(self, clips: Sequence[PosedClip], first: int, last: int) -> list[NDArray[np.float32]]:
        """Points of each row: a clip's temporal clips `first` up to `last`, each with its crops."""
        points = []
        for clip in clips:
            hw, person = clip.pictures.frame_hw, self._person(clip.pictures)
            frames, clips_of = clip.pictures.frames, self.test_clips
            numbers = uniform_test_indices(frames, self.pose_frames, clips_of, "mmaction2")  # (K, P)
            crops = evaluation_crops(hw, person, self.pictures.augment, self.pictures.test_crops)
            for chosen in numbers[first:last]:
                seen = clip.points(chosen)
                points += [self._cropped(seen, crop, hw) for crop in crops]
        return points

    def _cropped(
        self, points: NDArray[np.float32], crop: NDArray[np.float64], frame_hw: tuple[int, int]
    ) -> NDArray[np.float32]:
        """Points (M, P, V, 3) in pixels of a frame as pixels of the map of its crop."""
        left, top, right, bottom = whole_pixels(crop, frame_hw)
        scale = np.array([self.size / (right - left), self.size / (bottom - top)], np.float32)
        placed = points.copy()
        placed[..., :2] = (points[..., :2] + 0.5 - np.array([left, top], np.float32)) * scale - 0.5
        return placed

    def _with_volumes(self, made: FrameBatch, points: Sequence[NDArray[np.float32]]) -> TwoPathBatch:
        """The maps of every row's points (M, P, V, 3), beside the pictures."""
        persons = max(1, *(len(row) for row in points))
        joints = int(self.drawing.pairs.max()) + 1
        together = np.zeros((len(points), persons, self.pose_frames, joints, 3), np.float32)
        for row, own in zip(together, points, strict=True):
            row[: len(own)] = own[:, :, :joints]
        shape = (len(points), len(self.drawing.pairs), self.pose_frames, self.size, self.size)
        volumes = np.empty(shape, np.uint8)
        heatmap.render(together, self.drawing, volumes, threads=self.pictures.threads)
        drawn = torch.from_numpy(volumes)
        return TwoPathBatch(
            made.x,
            made.views,
            made.draws,
            made.flipped,
            volumes=drawn.pin_memory() if self.pictures.pinned else drawn,
        )

    def _person(self, clip: FrameClip) -> NDArray[np.float32] | None:
        return clip.person_px if self.pictures.person_crop else None


def two_path_builders(
    recipe: Recipe, layout: Layout, tree: LabelTree | None, device_type: str
) -> tuple[TwoPathBatches, TwoPathBatches, TwoPathBatches]:
    """The builders of training, of validation (one view a clip) and of the measured splits.

    Args:
        recipe: over frames and heatmaps.
        layout: of the poses.
        tree: labels; mirror images take the labels of the other side. None: they keep theirs.
        device_type: `cpu` or `cuda`, where the network is.

    Raises:
        ValueError: settings that do not fit each other.
    """
    table = recipe.input
    drawing = heatmap.joint_drawing(layout, table.sigma)
    built = []
    for pictures in frame_builders(recipe, tree, device_type):
        if pictures.augment.mixes:
            raise ValueError(
                "clips of frames and heatmaps are not mixed with each other: set augment.mixup_alpha "
                "and augment.cutmix_alpha to 0"
            )
        size = pictures.preprocessing.size
        if size % 4:
            raise ValueError(
                f"input.size: expected a multiple of 4, for heatmaps of a quarter of it, got {size}"
            )
        built.append(TwoPathBatches(pictures, drawing, table.pose_frames, size // 4))
    training, seen, measured = built
    return training, seen, measured
