"""The batches of one epoch: which clips, in which order, with which keys; a function of (seed, epoch)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fidget.training.builders import Batch, InputBuilder
from fidget.training.data import ClipSet, ClipSource
from fidget.training.frame_batch import FrameBatch
from fidget.training.recipe import Recipe
from fidget.training.sampler import epoch_order
from skeleton_models.random_keys import clip_hashes, clip_keys

_VISITS = 1 << 20  # epochs lie so far apart in the keys' counter: a clip may come so often an epoch


class EpochData:
    """One epoch as one process sees it.

    A step takes `train.batch_size` clips of every process; process r takes every r-th of the step's clips, so
    that an epoch shows the same clips with the same augmentation whatever the number of processes.

    Args:
        recipe: batch size, balance, repetition and seed.
        clips: where clips are read.
        train_set: the clips of the training split.
        builder: makes the input.
        epoch: from 0.
        rank: number of this process.
        processes: how many train together.

    Attributes:
        steps: of the epoch; the last, incomplete batch is left out, unless it is the only one.
        clips_a_step: of all processes together.
    """

    def __init__(
        self, recipe: Recipe, clips: ClipSource, train_set: ClipSet, builder: InputBuilder,
        epoch: int, rank: int, processes: int,
    ) -> None:  # fmt: skip
        sampling = recipe.sampling
        self._seed, self._epoch = recipe.train.seed, epoch
        self._clips, self._set, self._builder = clips, train_set, builder
        self._rank, self._processes = rank, processes
        self._hashes = clip_hashes(train_set.clip_ids)
        self._order, self._occurrence = epoch_order(
            train_set.labels, sampling.balance, sampling.repeat, self._seed, epoch
        )
        self.clips_a_step = recipe.train.batch_size * processes
        self.steps = max(1, len(self._order) // self.clips_a_step)

    def make(self, step: int) -> tuple[Batch, Tensor]:
        """The batch of a step and its labels (N,), on the processor; mirror images have mirrored labels."""
        begin = step * self.clips_a_step
        mine = slice(begin + self._rank, begin + self.clips_a_step, self._processes)
        numbers, visits = self._order[mine], self._occurrence[mine]
        keys = np.empty(len(numbers), np.uint64)
        for visit in np.unique(visits):
            chosen = visits == visit
            epoch = self._epoch * _VISITS + int(visit)
            keys[chosen] = clip_keys(self._seed, epoch, self._hashes[numbers[chosen]])
        arrays = [self._clips.read(self._set.clip_ids[number]) for number in numbers]
        batch, labels = self._builder.batch(arrays, keys), self._set.labels[numbers]
        if self._builder.mirrored and isinstance(batch, FrameBatch) and batch.flipped is not None:
            labels = np.where(batch.flipped, np.array(self._builder.mirrored)[labels], labels)
        return batch, torch.from_numpy(labels)
