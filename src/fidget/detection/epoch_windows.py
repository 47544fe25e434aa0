"""The batches of one epoch: which windows, in which order, with which keys; a function of (seed, epoch)."""

from __future__ import annotations

import numpy as np

from fidget.detection.inference import rules_of
from fidget.detection.inputs import WindowBatch, WindowInput
from fidget.detection.recipe import DetectionRecipe
from fidget.detection.recording_sets import RecordingSet
from fidget.detection.recordings import Recordings
from fidget.detection.windows import Annotated, annotate, training_samples, training_window
from fidget.training.sampler import epoch_order
from skeleton_models.random_keys import clip_hashes, clip_keys

_VISITS = 1 << 20  # epochs lie so far apart in the keys' counter: a window may come so often an epoch


class EpochWindows:
    """One epoch as one process sees it; a step takes `train.batch_size` windows of every process.

    Args:
        recipe: windows, batch size, repetition and seed.
        recordings: where recordings are read.
        train_set: those of the training split.
        builder: makes the input.
        epoch: from 0.
        rank: number of this process.
        processes: how many train together.

    Attributes:
        steps: of the epoch; the last, incomplete batch is left out, unless it is the only one.
        windows_a_step: of all processes together.
    """

    def __init__(
        self, recipe: DetectionRecipe, recordings: Recordings, train_set: RecordingSet, builder: WindowInput,
        epoch: int, rank: int, processes: int,
    ) -> None:  # fmt: skip
        self._seed, self._epoch = recipe.train.seed, epoch
        self._recordings, self._set, self._builder = recordings, train_set, builder
        self._rank, self._processes = rank, processes
        self._rules = rules_of(recipe, training=True)
        self._samples = [
            (name, number)
            for name in train_set.recordings
            for number in training_samples(name, recordings.frame_time_s(name), self._rules)
        ]
        self._hashes = clip_hashes([f"{name} {number}" for name, number in self._samples])
        nothing = np.zeros(len(self._samples), np.int64)
        self._order, self._occurrence = epoch_order(nothing, "none", recipe.repeat, self._seed, epoch)
        self.windows_a_step = min(recipe.train.batch_size * processes, len(self._order))
        self.steps = max(1, len(self._order) // self.windows_a_step)

    def make(self, step: int) -> tuple[WindowBatch, list[Annotated]]:
        """The batch of a step and what its windows teach; mirror images have mirrored labels."""
        begin = step * self.windows_a_step
        mine = slice(begin + self._rank, begin + self.windows_a_step, self._processes)
        numbers = self._order[mine]
        visits = self._epoch * _VISITS + self._occurrence[mine]
        keys = np.concatenate([
            clip_keys(self._seed, int(visit), self._hashes[number : number + 1])
            for number, visit in zip(numbers, visits, strict=True)
        ])  # fmt: skip
        windows, annotated, contents = [], [], []
        for row, number in enumerate(numbers):
            name, place = self._samples[number]
            instances = self._set.instances.get(name, [])
            window = training_window(
                name, self._recordings.frame_time_s(name), instances, self._rules, place, keys[row : row + 1]
            )
            windows.append(window)
            annotated.append(annotate(window, instances, self._rules.kept_share))
            contents.append(self._recordings.read(name))
        batch = self._builder.batch(contents, windows, keys)
        if batch.flipped is not None:
            mirrored = np.array(self._builder.mirrored)
            for row in np.flatnonzero(batch.flipped):
                annotated[row] = annotated[row]._replace(labels=mirrored[annotated[row].labels])
        return batch, annotated
