"""How motion steers features in MMN: differences of frames become scales and shifts, by joints and by frames.

Gu et al., ACM MM 2025 (see `mmn`): motion-guided skeletal and temporal modulation, MSM and MTM.

Axis letters: P samples, C channels, T frames, V joints.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MotionFeatures(nn.Module):
    """Difference to the next frame (the last one twice), and a temporal convolution of each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to the same shape."""
        step = x[:, :, 1:] - x[:, :, :-1]  # (P, C, T - 1, V)
        return F.gelu(self.bn(self.conv(torch.cat((step, step[:, :, -1:]), dim=2))))


class SkeletalModulation(nn.Module):
    """MSM: scales and shifts from the motion of the joints that a learned graph connects.

    Args:
        channels: of the motion.
        out_channels: of the features to modulate.
        joints: of all persons in one sample.
        as_released: difference 1 in `mmn`'s module docstring.
    """

    def __init__(self, channels: int, out_channels: int, joints: int, as_released: bool) -> None:
        super().__init__()
        self.graph = nn.Parameter(torch.eye(joints))
        self.linear = nn.Linear(channels, 2 * out_channels)
        self.bn = nn.BatchNorm2d(2 * out_channels)
        self.as_released = as_released

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """(P, C, T, V) motion to scale and shift, each (P, C', T, V)."""
        mixed = motion * self.graph.sum(dim=0) if self.as_released else motion @ self.graph.T
        control = self.linear(mixed.permute(0, 2, 3, 1)).tanh()  # (P, T, V, 2C')
        scale, shift = self.bn(control.permute(0, 3, 1, 2)).chunk(2, dim=1)
        return scale, shift


class TemporalModulation(nn.Module):
    """MTM: scales and shifts from the motion in neighbouring frames."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2 * out_channels, (3, 1), padding=(1, 0))
        self.bn = nn.BatchNorm2d(2 * out_channels)

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """(P, C, T, V) motion to scale and shift, each (P, C', T, V)."""
        scale, shift = self.bn(self.conv(motion).tanh()).chunk(2, dim=1)
        return scale, shift


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """(P, C, T, V) with mean 0 and deviation 1 of each channel over (T, V), then scaled and shifted."""
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    variance = centred.square().sum(dim=(2, 3), keepdim=True) / (x.shape[2] * x.shape[3] - 1)
    deviation = variance.clamp(min=1e-12).sqrt()  # a channel that never changes has a gradient, too
    return centred / (deviation + 1e-6) * (1 + scale) + shift
