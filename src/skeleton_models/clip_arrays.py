"""What goes into an input builder and what comes out of it: clips as plain arrays, batches as tensors.

Axis letters: N clips, M persons, T frames, V joints, C channels.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class ClipArrays(NamedTuple):
    """The poses of one clip.

    Attributes:
        xyz: (M, T, V, C) float32, C 2 (pixels of the frame) or 3 (metres); NaN where a joint is missing.
        score: (M, T, V) float32 in 0..1, 0 where a joint is missing.
        frame_hw: height and width of the frame in pixels; what 3D clips say here is not read.
    """

    xyz: NDArray[np.float32]
    score: NDArray[np.float32]
    frame_hw: tuple[int, int]


@dataclass(frozen=True)
class ModelBatch:
    """What a network takes; rows are clip-major: all views of clip 0, then those of clip 1.

    Attributes:
        x: (N * views, M, T, V, C) for graphs, (N * views, C, T, H, W) for heatmaps.
        present: (N * views, M) bool, who is there; None for heatmaps.
        position: (N * views, T) float32 in -1..1, where in its clip a frame lies; None for heatmaps.
        views: rows a clip.
    """

    x: Tensor
    present: Tensor | None = None
    position: Tensor | None = None
    views: int = 1

    @property
    def inputs(self) -> tuple[Tensor | None, ...]:
        """What `SkeletonModel.forward` takes, in its order."""
        return self.x, self.present, self.position

    def to(self, device: torch.device | str, non_blocking: bool = False) -> ModelBatch:
        """The same batch on a device."""

        def moved(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device, non_blocking=non_blocking)

        x = self.x.to(device, non_blocking=non_blocking)
        return ModelBatch(x, moved(self.present), moved(self.position), self.views)


class BatchMemory(threading.local):
    """Memory of float32 batches, taken again once nobody holds the batch any more; each thread has its own.

    New memory costs more than what is written to it, since the system clears every page at its first use.

    Attributes:
        blocks: how many are kept at most, in use or not.
    """

    def __init__(self, blocks: int = 8) -> None:
        self.blocks = blocks
        self._kept: list[tuple[NDArray[np.float32], weakref.ref[NDArray[np.float32]]]] = []

    def take(self, *shape: int) -> tuple[Tensor, NDArray[np.float32]]:
        """A tensor of any content that shares memory with no living tensor, and its numbers as a flat array.

        The memory is not taken again as long as the tensor lives, or what shares its memory; write to the
        array before you let go of the tensor.
        """
        size = math.prod(shape)
        block = np.empty(0, np.float32)
        for place, (old, lender) in enumerate(self._kept):
            if len(old) == size and lender() is None:
                block = self._kept.pop(place)[0]
                break
        if len(block) != size:
            block = np.empty(size, np.float32)
        lent = block.reshape(shape)  # the tensor's memory holds this view for as long as any tensor shows it
        self._kept.append((block, weakref.ref(lent)))
        if len(self._kept) > self.blocks:
            self._kept.pop(0)
        return torch.from_numpy(lent), block


class PackedClips(NamedTuple):
    """Clips of different lengths and numbers of persons behind one another, as numba takes them.

    Joint j of person m in frame t of clip n is row `start[n] + (m * frames[n] + t) * V + j`.

    Attributes:
        xyz: (rows, C) float32, NaN where a joint is missing.
        score: (rows,) float32.
        start: (N,) int64, first row of each clip.
        persons: (N,) int64.
        frames: (N,) int64.
        frame_hw: (N, 2) int64.
    """

    xyz: NDArray[np.float32]
    score: NDArray[np.float32]
    start: NDArray[np.int64]
    persons: NDArray[np.int64]
    frames: NDArray[np.int64]
    frame_hw: NDArray[np.int64]


def pack(clips: Sequence[ClipArrays], joints: int) -> PackedClips:
    """Several clips in flat arrays; each number is copied once.

    Args:
        clips: at least one; a clip may have no persons, but has at least one frame.
        joints: V that all must have.

    Raises:
        ValueError: no clip, another number of joints, a clip without frames, or clips of 2 and of 3
            dimensions together; the message names the clip by its place.
    """
    if not clips:
        raise ValueError("a batch needs at least one clip, got none")
    channels = clips[0].xyz.shape[-1]
    start: list[int] = []
    persons: list[int] = []
    frames: list[int] = []
    rows = 0
    every_xyz, every_score, sizes = zip(*clips, strict=True)
    for place, clip_xyz in enumerate(every_xyz):
        shape = clip_xyz.shape
        if len(shape) != 4 or shape[1] < 1 or shape[2] != joints or shape[3] != channels:
            raise ValueError(
                f"clip {place} of the batch: expected xyz (persons, frames >= 1, {joints}, {channels}), "
                f"got {shape}; is it of another layout?"
            )
        start.append(rows)
        persons.append(shape[0])
        frames.append(shape[1])
        rows += shape[0] * shape[1] * joints
    xyz = np.concatenate(every_xyz, axis=None, dtype=np.float32)
    score = np.concatenate(every_score, axis=None, dtype=np.float32)
    if len(score) != rows:
        raise ValueError("score must be (persons, frames, joints), as xyz without its last axis")
    table = np.array((start, persons, frames), np.int64)  # (3, N)
    return PackedClips(
        xyz=xyz.reshape(-1, channels),  # (rows, C)
        score=score,
        start=table[0],
        persons=table[1],
        frames=table[2],
        frame_hw=np.array(sizes, np.int64),
    )
