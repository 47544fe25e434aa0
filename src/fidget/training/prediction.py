"""Probabilities of any number of clips with any number of views each, in the memory of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as Interface

import numpy as np
import torch
from lightning.fabric import Fabric
from numpy.typing import NDArray
from torch import nn

from fidget.training.data import ClipSet, PoseClips
from fidget.training.loader import Prefetcher
from skeleton_models.clip_arrays import ClipArrays, ModelBatch
from skeleton_models.random_keys import Keys


class InputBuilder(Interface):
    """What turns clips into a network's input: `GraphInput` or `HeatmapInput`."""

    def batch(self, clips: Sequence[ClipArrays], keys: Keys | None) -> ModelBatch:
        """One batch; `keys` None is evaluation."""


def predict(
    fabric: Fabric,
    network: nn.Module,
    builder: InputBuilder,
    clips: PoseClips,
    clip_set: ClipSet,
    views_at_once: int,
    actions: int,
    prefetch: int = 3,
) -> NDArray[np.float32]:
    """Probabilities (N, A) of a split's clips: the mean of the softmax over the views of each.

    Every process takes its share of the batches; each ends up with all. Views are averaged batch by batch:
    memory depends on `views_at_once`, not on the number of clips or test clips.

    Args:
        fabric: whose processes share the work.
        network: gives log-probabilities, as `ActionNetwork` does; not wrapped, for the processes may have
            different numbers of batches. All take the weights of the first.
        builder: makes the input; evaluation has no augmentation.
        clips: where poses are read.
        clip_set: which, N of them.
        views_at_once: rows of a batch, at least those of one clip.
        actions: A.
        prefetch: batches made ahead.
    """
    views = builder.batch([clips.read(clip_set.clip_ids[0])], None).views
    step = max(1, views_at_once // views)
    starts = range(0, len(clip_set), step)[fabric.global_rank :: fabric.world_size]
    probabilities = torch.zeros(len(clip_set), actions, device=fabric.device)

    def make(number: int) -> ModelBatch:
        chosen = clip_set.clip_ids[starts[number] : starts[number] + step]
        return builder.batch([clips.read(clip_id) for clip_id in chosen], None)

    if fabric.world_size > 1:
        for tensor in network.state_dict().values():
            torch.distributed.broadcast(tensor, 0)
    network.eval()
    with Prefetcher(make, len(starts), prefetch) as batches, torch.inference_mode(), fabric.autocast():
        for start, batch in zip(starts, batches, strict=True):
            moved = batch.to(fabric.device, non_blocking=True)
            log_probs, _ = network(moved.x, moved.present, moved.position)  # (n * views, A)
            mean = log_probs.float().exp().unflatten(0, (-1, moved.views)).mean(1)  # (n, A)
            probabilities[start : start + len(mean)] = mean
    if fabric.world_size > 1:
        probabilities = fabric.all_reduce(probabilities, reduce_op="sum")
    return probabilities.cpu().numpy()


def measures(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    """Cross-entropy, top-1 and mean class recall of the classes that are there; for curves and selection."""
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    sizes = np.bincount(labels)
    recall = np.bincount(labels, weights=right)[sizes > 0] / sizes[sizes > 0]
    return {
        "loss": float(-np.log(np.maximum(own, 1e-12)).mean()),
        "top1": float(right.mean()),
        "mean_class_recall": float(recall.mean()),
    }
