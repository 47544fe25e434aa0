"""A batch of clips as frames, on its way to a network.

Axis letters: N clips, T frames, H height, W width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """What `FrameBatches` makes, moves and finishes; rows are clip-major, as in `ModelBatch`.

    Attributes:
        x: (N * views, T, H, W, 3) uint8 as made; (N * views, 3, T, H, W) float32 once finished.
        views: rows a clip.
        draws: (N, DRAWS) of 0..1 for the augmentation; None in evaluation.
        flipped: (rows,) bool, which rows are mirror images; None where none is.
        partner: (N,) int64, the clip that is mixed into each; None where nothing is mixed.
        share: (N,) float32, of each clip's own label.
    """

    x: Tensor
    views: int = 1
    draws: NDArray[np.float64] | None = None
    flipped: NDArray[np.bool_] | None = None
    partner: Tensor | None = None
    share: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What `RgbModel.forward` takes."""
        return (self.x,)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> FrameBatch:
        """The same batch with its pictures on a device."""
        return replace(self, x=self.x.to(device, non_blocking=non_blocking))
