"""How frames enter a network: what a checkpoint was trained with, kept beside the network that takes it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Preprocessing:
    """Of one architecture; its checkpoints were trained so.

    Attributes:
        size: height and width of the input, pixels.
        frames: T of the published network.
        mean: per channel, red first, of pixel values 0..255.
        std: likewise.
        resize_short: the frame's short side before the central crop of a test, pixels.
    """

    size: int = 224
    frames: int = 8
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)  # ImageNet's, as torchvision has them
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    resize_short: int = 256

    def normalise(self, frames: Tensor) -> Tensor:
        """Frames (N, T, H, W, 3), uint8 or float of 0..255, red first, as (N, 3, T, H, W) float32."""
        mean = torch.tensor(self.mean, device=frames.device)
        std = torch.tensor(self.std, device=frames.device)
        scaled = (frames.float() - mean) / std  # (N, T, H, W, 3)
        return scaled.permute(0, 4, 1, 2, 3)  # (N, 3, T, H, W)
