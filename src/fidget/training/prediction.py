"""Probabilities of any number of clips with any number of views each, in the memory of one batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fidget.training.builders import Batch, InputBuilder
from fidget.training.data import ClipSet, ClipSource
from fidget.training.frame_batch import FrameBatch
from fidget.training.loader import Prefetcher
from fidget.training.one_process import OneProcess

if TYPE_CHECKING:
    from lightning.fabric import Fabric

RowsOf = Callable[..., Tensor]  # the inputs of a batch -> (rows, width)


class _Job(NamedTuple):
    """Clips of a split, and which temporal clips of them: all, or some of one clip's."""

    clips: slice
    first: int
    last: int


def predict(
    fabric: Fabric | OneProcess,
    network: nn.Module,
    builder: InputBuilder,
    clips: ClipSource,
    clip_set: ClipSet,
    views_at_once: int,
    actions: int,
    prefetch: int = 3,
) -> NDArray[np.float32]:
    """Probabilities (N, A) of a split's clips: the mean of the softmax over the views of each.

    Every process takes its share of the batches; each ends up with all. The network never gets more than
    `views_at_once` rows: several clips share a batch, or one clip's views are made and computed part by part.

    Args:
        fabric: whose processes share the work.
        network: gives log-probabilities, as `ActionNetwork` does; not wrapped, for the processes may have
            different numbers of batches. All take the weights of the first.
        builder: makes the input; evaluation has no augmentation.
        clips: where clips are read.
        clip_set: which, N of them.
        views_at_once: rows of a batch, at most.
        actions: A.
        prefetch: batches made ahead.
    """

    def probabilities(*inputs: Tensor | None) -> Tensor:
        log_probs, _ = network(*inputs)  # (rows, A)
        exponential: Tensor = log_probs.float().exp()
        return exponential

    mirrored = torch.tensor(builder.mirrored, device=fabric.device) if builder.mirrored else None
    return mean_over_views(
        fabric, network, probabilities, builder, clips, clip_set, views_at_once, actions, prefetch, mirrored
    )


def mean_over_views(
    fabric: Fabric | OneProcess,
    network: nn.Module,
    rows_of: RowsOf,
    builder: InputBuilder,
    clips: ClipSource,
    clip_set: ClipSet,
    views_at_once: int,
    width: int,
    prefetch: int = 3,
    mirrored: Tensor | None = None,
) -> NDArray[np.float32]:
    """What `rows_of` makes of each view, averaged over the views of each clip: (N, width).

    Args as in `predict`; `rows_of` computes with `network`, and gives (rows, width) in float32. `mirrored`
    (width,) says which column of a mirror image is which of the clip; None where they are the same.
    """
    jobs = _jobs(len(clip_set), builder, views_at_once)[fabric.global_rank :: fabric.world_size]
    total = torch.zeros(len(clip_set), width, device=fabric.device)

    def make(number: int) -> Batch:
        job = jobs[number]
        # as in a thread of its own: training uses the memory of volumes again
        with torch.inference_mode(False), torch.autocast(fabric.device.type, enabled=False):
            arrays = [clips.read(clip_id) for clip_id in clip_set.clip_ids[job.clips]]
            if job.last - job.first == builder.test_clips:
                return builder.batch(arrays, None)
            return builder.part(arrays[0], job.first, job.last)

    if fabric.world_size > 1:
        for tensor in network.state_dict().values():
            torch.distributed.broadcast(tensor, 0)
    network.eval()
    ahead = prefetch if len(jobs) > 1 else 0  # a single batch, as live, is made in this thread
    with Prefetcher(make, len(jobs), ahead) as batches, torch.inference_mode(), fabric.autocast():
        for job, made in zip(jobs, batches, strict=True):
            batch = builder.finish(made.to(fabric.device, non_blocking=True))
            total[job.clips] += _summed(rows_of, batch, views_at_once, mirrored)
    if not isinstance(fabric, OneProcess) and fabric.world_size > 1:
        reduced = fabric.all_reduce(total, reduce_op="sum")
        assert isinstance(reduced, Tensor)
        total = reduced
    mean: NDArray[np.float32] = (total / (builder.test_clips * builder.flips)).cpu().numpy()
    return mean


def _jobs(clips: int, builder: InputBuilder, views_at_once: int) -> list[_Job]:
    """Whole clips as long as one clip's views fit, else parts of one clip's temporal clips."""
    views = builder.test_clips * builder.flips
    if views <= views_at_once:
        step = views_at_once // views
        return [_Job(slice(n, min(n + step, clips)), 0, builder.test_clips) for n in range(0, clips, step)]
    step = max(1, views_at_once // builder.flips)
    return [
        _Job(slice(n, n + 1), first, min(first + step, builder.test_clips))
        for n in range(clips)
        for first in range(0, builder.test_clips, step)
    ]


def _summed(rows_of: RowsOf, batch: Batch, views_at_once: int, mirrored: Tensor | None) -> Tensor:
    """(n, width): summed over the views of each clip."""
    found = []
    for begin in range(0, len(batch.x), views_at_once):
        rows = slice(begin, begin + views_at_once)
        found.append(rows_of(*(None if tensor is None else tensor[rows] for tensor in batch.inputs)))
    together = torch.cat(found)  # (n * views, width)
    if mirrored is not None and isinstance(batch, FrameBatch) and batch.flipped is not None:
        turned = torch.from_numpy(batch.flipped).to(together.device)
        together[turned] = together[turned][:, mirrored]
    return together.view(-1, batch.views, together.shape[1]).sum(1)


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
