"""Frames of videos become batches: chosen, read, cropped and resized here, augmented where the network is.

Axis letters: N clips, K temporal clips, T frames, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from fidget.frames.frame_clip import FrameClip, FramesRgb
from fidget.training.frame_batch import FrameBatch
from fidget.training.recipe import Recipe
from poses.sampling import (
    segment_indices,
    segment_test_indices,
    strided_indices,
    uniform_indices,
    uniform_test_indices,
)
from protocols.label_tree import LabelTree
from protocols.mirror_labels import mirrored_actions
from rgb_models import zoo
from rgb_models.frame_augment import DRAWS, FrameAugment, augment_batch, flipped
from rgb_models.frame_crops import crop_of, evaluation_crops, whole_pixels
from rgb_models.frame_mixing import mix_batch
from rgb_models.preprocessing import Preprocessing
from skeleton_models.random_keys import Keys, bits, uniform

_OF_FRAMES, _OF_PICTURES = 1, 2  # streams of a clip's draws
_SHRINKS_MUCH = 2.0  # from here on a pixel is the mean of an area, not of four neighbours

Fill = Callable[[int], None]
Sampling = Literal["segment", "dense", "uniform"]


@dataclass(frozen=True)
class FrameBatches:
    """Frames as (N, 3, T, H, W).

    Threads that read share the clips of a batch; each writes its own rows, so their number changes nothing.

    Attributes:
        frames: T.
        sampling: `segment`: a frame from each equal part of the video (TSN); `dense`: one every `stride`
            frames; `uniform`: as PoseC3D's, one from each part with MMAction2's test draws.
        stride: frames from one to the next, of `dense`.
        preprocessing: size of the input, and what its pixels are normalised with.
        augment: of training; `center_share` is that of evaluation.
        training: whether batches are augmented; else all views of each clip are made.
        person_crop: crops are taken around the person of a clip that has one.
        test_clips: temporal clips of a clip in evaluation.
        test_crops: 1 for the centre, 3 along the longer side.
        test_flip: mirror images too.
        mirrored: (A,) the action that each action's mirror image shows; empty where all stay what they are.
        threads: that read.
        channels_last: the order of memory that `finish` leaves.
        pinned: batches lie in memory that a GPU reads without the processor.
    """

    frames: int
    sampling: Sampling
    stride: int
    preprocessing: Preprocessing
    augment: FrameAugment
    training: bool
    person_crop: bool = False
    test_clips: int = 1
    test_crops: Literal[1, 3] = 1
    test_flip: bool = False
    mirrored: tuple[int, ...] = ()
    threads: int = 1
    channels_last: bool = False
    pinned: bool = False

    @property
    def flips(self) -> int:
        """Views of a temporal clip in evaluation: crops, and their mirror images."""
        return self.test_crops * (1 + self.test_flip)

    def channels(self, dimensions: int) -> int:
        """Red, green, blue, whatever the dimensions."""
        return 3

    def batch(self, clips: Sequence[FrameClip], keys: Keys | None) -> FrameBatch:
        """See `InputBuilder.batch`.

        Raises:
            ValueError: a picture cannot be had; names the video and the frame.
        """
        if keys is None:
            return self._views(clips, 0, self.test_clips)
        draws = uniform(keys, _OF_PICTURES, DRAWS)  # (N, DRAWS)
        seeds = bits(keys, _OF_FRAMES, 1)[:, 0]
        pictures = self._memory(len(clips))

        def fill(row: int) -> None:
            clip = clips[row]
            numbers = self._training_numbers(clip.frames, np.random.default_rng(int(seeds[row])))
            crop = crop_of(draws[row], clip.frame_hw, self._person(clip), self.augment)
            _resize(clip.read(numbers), crop[None], pictures[row : row + 1])

        self._shared(fill, len(clips))
        return FrameBatch(self._tensor(pictures), draws=draws, flipped=flipped(draws, self.augment))

    def part(self, clip: FrameClip, first: int, last: int) -> FrameBatch:
        """See `InputBuilder.part`; only the frames asked for are read."""
        return self._views([clip], first, last)

    def finish(self, batch: FrameBatch) -> FrameBatch:
        """Augmented or mirrored, normalised, channels first."""
        x, partner, share = batch.x, None, None  # (rows, T, H, W, 3) uint8
        if batch.draws is not None:
            x = augment_batch(x, batch.draws, self.augment)
            if self.augment.mixes:
                x, of, shares = mix_batch(x, batch.draws, self.augment)
                partner = torch.from_numpy(of).to(x.device)
                share = torch.from_numpy(shares).to(x.device, torch.float32)
        elif self.test_flip:
            own = x.view(-1, batch.views, *x.shape[1:])  # (N, views, T, H, W, 3)
            x = torch.cat([own, own.flip(4)], dim=1).flatten(0, 1)  # a clip's mirror images behind its views
        x = self.preprocessing.normalise(x)  # (rows, 3, T, H, W), channels last in memory
        if not self.channels_last:
            x = x.contiguous()
        views, turned = batch.views, batch.flipped
        if batch.draws is None and self.test_flip:
            turned = np.tile(np.repeat([False, True], views), len(batch.x) // views)
            views = 2 * views
        return replace(batch, x=x, views=views, flipped=turned, partner=partner, share=share)

    def _views(self, clips: Sequence[FrameClip], first: int, last: int) -> FrameBatch:
        """The temporal clips `first` up to `last` of each clip, each with its crops."""
        rows = (last - first) * self.test_crops
        pictures = self._memory(len(clips) * rows)

        def fill(number: int) -> None:
            clip = clips[number]
            numbers = self.test_numbers(clip.frames)[first:last]  # (K, T)
            person = self._person(clip)
            crops = evaluation_crops(clip.frame_hw, person, self.augment, self.test_crops)  # (crops, 4)
            read = clip.read(numbers.reshape(-1))  # (K * T, H, W, 3)
            for place in range(len(numbers)):
                begin = number * rows + place * self.test_crops
                own = read[place * self.frames : (place + 1) * self.frames]
                _resize(own, crops, pictures[begin : begin + self.test_crops])

        self._shared(fill, len(clips))
        return FrameBatch(self._tensor(pictures), views=rows)

    def _training_numbers(self, frames: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """(T,) frames of a clip in training."""
        if self.sampling == "dense":
            return strided_indices(frames, self.frames, self.stride, rng=rng)[0]
        if self.sampling == "uniform":
            return uniform_indices(frames, self.frames, rng)
        return segment_indices(frames, self.frames, rng)

    def test_numbers(self, frames: int) -> NDArray[np.int64]:
        """(test_clips, T) frames of a clip in evaluation."""
        if self.sampling == "dense":
            return strided_indices(frames, self.frames, self.stride, self.test_clips)
        if self.sampling == "uniform":
            return uniform_test_indices(frames, self.frames, self.test_clips, "mmaction2")
        return segment_test_indices(frames, self.frames, self.test_clips)

    def _person(self, clip: FrameClip) -> NDArray[np.float32] | None:
        return clip.person_px if self.person_crop else None

    def _memory(self, rows: int) -> FramesRgb:
        size = self.preprocessing.size
        return np.empty((rows, self.frames, size, size, 3), np.uint8)

    def _tensor(self, pictures: FramesRgb) -> torch.Tensor:
        x = torch.from_numpy(pictures)
        return x.pin_memory() if self.pinned else x

    def _shared(self, fill: Fill, count: int) -> None:
        """Call `fill` for 0, 1, ... in the threads that read; the first error is raised."""
        if self.threads == 1 or count == 1:
            for number in range(count):
                fill(number)
            return
        with ThreadPoolExecutor(min(self.threads, count), thread_name_prefix="fidget-frames") as pool:
            for _ in pool.map(fill, range(count)):
                pass


def _resize(read: FramesRgb, crops: NDArray[np.float64], pictures: FramesRgb) -> None:
    """Every crop of every picture at the size of the input.

    Args:
        read: (T, H, W, 3).
        crops: (C, 4) left, top, width, height.
        pictures: (C, T, size, size, 3), written.
    """
    size = pictures.shape[2]
    for crop, target in zip(crops, pictures, strict=True):
        left, top, right, bottom = whole_pixels(crop, (read.shape[1], read.shape[2]))
        much = min(right - left, bottom - top) >= _SHRINKS_MUCH * size
        how = cv2.INTER_AREA if much else cv2.INTER_LINEAR
        for picture, place in zip(read, target, strict=True):
            cv2.resize(picture[top:bottom, left:right], (size, size), dst=place, interpolation=how)


def frame_builders(
    recipe: Recipe, tree: LabelTree | None, device_type: str
) -> tuple[FrameBatches, FrameBatches, FrameBatches]:
    """The builders of training, of validation (one view a clip) and of the measured splits.

    Args:
        recipe: over frames.
        tree: labels; mirror images take the labels of the other side. None: they keep theirs.
        device_type: `cpu` or `cuda`, where the network is.

    Raises:
        ValueError: no such model, or settings that do not fit each other.
    """
    table, published = recipe.input, preprocessing_of(recipe)
    settings = recipe.augment.model_dump()
    size = published.size
    training = FrameAugment(center_share=min(1.0, size / published.resize_short), **settings)
    mirrored = mirrored_actions(tree) if tree is not None else ()
    if mirrored == tuple(range(len(mirrored))):
        mirrored = ()
    one = FrameBatches(
        frames=frames_of(recipe),
        sampling=table.sampling,
        stride=table.stride,
        preprocessing=published,
        augment=training,
        training=True,
        person_crop=table.person_crop,
        mirrored=mirrored,
        threads=table.threads,
        channels_last=recipe.train.channels_last,
        pinned=device_type == "cuda",
    )
    test_size = table.test_size or size
    share = min(1.0, test_size / published.resize_short)
    seen = replace(
        one,
        training=False,
        preprocessing=replace(published, size=test_size),
        augment=replace(training, center_share=share),
    )
    evaluation = recipe.eval
    measured = replace(
        seen, test_clips=evaluation.test_clips, test_crops=table.test_crops, test_flip=evaluation.test_flip
    )
    return one, seen, measured


def preprocessing_of(recipe: Recipe) -> Preprocessing:
    """How a recipe's frames are made: what it says, and of the rest what its network was published with.

    Raises:
        ValueError: no such model.
    """
    table, published = recipe.input, _published(recipe)
    size = table.size or published.size
    resized = table.resize_short or round(published.resize_short * size / published.size)
    mean, std = table.mean or published.mean, table.std or published.std
    return replace(published, size=size, resize_short=resized, mean=tuple(mean), std=tuple(std))


def frames_of(recipe: Recipe) -> int:
    """T of a recipe over frames."""
    frames: int = recipe.input.frames or _published(recipe).frames
    return frames


def _published(recipe: Recipe) -> Preprocessing:
    """What a model was published with; networks over frames and heatmaps, with the usual."""
    over_frames = recipe.input.form == "frames"
    return zoo.preprocessing(recipe.model.name) if over_frames else Preprocessing()
