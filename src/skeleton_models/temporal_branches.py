"""The temporal branches that CTR-GCN and MS-G3D share: dilated convolutions, a max-pool, a 1x1 convolution.

Unlike in ST-GCN++'s (`temporal_convolution.MultiBranchTemporal`), every branch ends in a batch norm of its
own, and none is mixed with the others.

Axis letters: P persons computed, C channels, T frames, V joints. Fast in channels-last memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from skeleton_models.temporal_convolution import (
    convolve_over_time,
    merged_batch_norm,
    merged_pointwise,
)


class TemporalBranches(nn.Module):
    """All branches side by side, each an equal part of the width.

    Args:
        in_channels: C.
        out_channels: C'; the 1x1 branch takes what division leaves.
        stride: over frames.
        kernel: frames of the dilated convolutions, odd.
        dilations: one convolution each.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, kernel: int, dilations: Sequence[int]
    ) -> None:
        super().__init__()
        count, half = len(dilations) + 1, kernel // 2
        self.width = out_channels // (count + 1)
        last = out_channels - self.width * count
        self.reduce = nn.ModuleList(nn.Conv2d(in_channels, self.width, 1) for _ in range(count))
        self.reduce_bn = nn.ModuleList(nn.BatchNorm2d(self.width) for _ in range(count))
        self.dilated = nn.ModuleList(
            nn.Conv2d(self.width, self.width, (kernel, 1), (stride, 1), (half * apart, 0), (apart, 1))
            for apart in dilations
        )
        self.pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        self.pointwise = nn.Conv2d(in_channels, last, 1, (stride, 1))
        self.join_bn = nn.ModuleList(nn.BatchNorm2d(width) for width in [self.width] * count + [last])

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', ceil(T / stride), V)."""
        narrow = torch.relu(merged_pointwise(x, list(self.reduce), list(self.reduce_bn)))
        *parts, pooled = torch.split(narrow, self.width, 1)
        outputs = [convolve_over_time(conv, part) for conv, part in zip(self.dilated, parts, strict=True)]
        joined = torch.cat([*outputs, self.pool(pooled), self.pointwise(x)], 1)
        return merged_batch_norm(joined, list(self.join_bn))
