"""What SkateFormer and MMN share: persons as samples or side by side, the stem, the residual branches' parts.

MMN was built from SkateFormer's code, so these are the same in both publications.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from skeleton_models.model import SkeletonModel, gather_persons, mean_over_persons


class DropPath(nn.Module):
    """Leaves a residual branch out, sample by sample, and scales the others up (Huang et al., ECCV 2016)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to the same shape; the identity in evaluation."""
        if not self.training or self.probability == 0:
            return x
        kept = 1 - self.probability
        mask = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) < kept
        return x * (mask.to(x.dtype) / kept)


def drop_path_rates(last: float, depths: Sequence[int]) -> list[float]:
    """Of each block of stages that deep: from 0 at the first block linearly to `last` at the last."""
    blocks = sum(depths)
    return [last * block / max(blocks - 1, 1) for block in range(blocks)]


class FeedForward(nn.Sequential):
    """Two linear layers with a GELU between; `width` is the hidden one."""

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(channels, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, channels),
            nn.Dropout(dropout),
        )


class Stem(nn.Module):
    """Coordinates to features, and where and when each joint is ("Skate-Embedding").

    A sinusoid of the frame's position times a learned vector of each joint is added.
    """

    def __init__(self, in_channels: int, channels: int, joints: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Conv2d(in_channels, 2 * in_channels, 1),
            nn.GELU(),
            nn.Conv2d(2 * in_channels, 3 * in_channels, 1),
            nn.GELU(),
            nn.Conv2d(3 * in_channels, channels, 1),
        )
        self.joints = nn.Parameter(nn.init.trunc_normal_(torch.empty(channels, joints), std=0.02))

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """(P, T, V, C) coordinates and (P or 1, T) positions to (P, T, V, C')."""
        features: Tensor = self.project(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (P, T, V, C')
        channels = features.shape[-1]
        even = torch.arange(0, channels, 2, device=x.device, dtype=position.dtype)
        angle = position[..., None] * torch.exp(even * (-math.log(10000.0) / channels))  # (P, T, C' / 2)
        when = torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)  # (P, T, C'), sines on even places
        return features + (when[:, :, None] * self.joints.T).to(features.dtype)


class HalveFrames(nn.Module):
    """Temporal convolution of stride two and batch norm; other channels."""

    def __init__(
        self, in_channels: int, channels: int, kernel: int, padding: Literal["zeros", "replicate"] = "zeros"
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, channels, (kernel, 1), (2, 1), (kernel // 2, 0), padding_mode=padding
        )
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(P, T, V, C) to (P, T / 2, V, C')."""
        halved: Tensor = self.bn(self.conv(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
        return halved


class PersonTokens(SkeletonModel):
    """What SkateFormer and MMN do with persons and positions.

    `persons=1`: each person is a sample of its own and the clip's features are the mean over its persons;
    absent ones are not computed where `present` is given. `persons=2` or more, as published: the persons of a
    clip stand side by side on the joint axis, so that joints of one attend to the other's; M must be
    `persons`, and `present` is ignored.
    """

    input_kind: ClassVar[Literal["graph", "heatmap"]] = "graph"
    takes_position: ClassVar[bool] = True
    order: Tensor

    def __init__(
        self, *, num_classes: int, num_features: int, persons: int, order: Sequence[int], dropout: float
    ) -> None:
        super().__init__()
        self.num_classes, self.num_features, self.persons = num_classes, num_features, persons
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(num_features, num_classes)

    @abstractmethod
    def person_features(self, x: Tensor, position: Tensor) -> Tensor:
        """(P, T, V, C) joints in slots and (P or 1, T) positions to (P, num_features)."""

    def forward_features(
        self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None
    ) -> Tensor:
        """See `SkeletonModel`; without `position`, frame t of T lies at 2t / T - 1.

        Raises:
            ValueError: persons are joined, and M is not `persons`.
        """
        n, m, t = x.shape[:3]
        if position is None:
            position = (torch.arange(t, device=x.device, dtype=torch.float32) * (2 / t) - 1)[None]  # (1, T)
        x = x[:, :, :, self.order]  # (N, M, T, V, C), in slots
        if self.persons > 1:
            if m != self.persons:
                raise ValueError(
                    f"{type(self).__name__} with persons={self.persons} needs (N, {self.persons}, T, V, C), "
                    f"got {m} persons; let the input give {self.persons}, or build it with persons=1"
                )
            return self.person_features(x.transpose(1, 2).flatten(2, 3), position)  # from (N, T, M * V, C)
        rows, clip = gather_persons(x, present)  # (P, T, V, C)
        if clip is not None and not len(clip):
            return self.features_of_nobody(x)
        if position.shape[0] > 1:
            position = position.repeat_interleave(m, dim=0) if clip is None else position[clip]  # (P, T)
        return mean_over_persons(self.person_features(rows, position), clip, n)

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to logits, after dropout."""
        return super().forward_head(self.dropout(features))

    def get_classifier(self) -> nn.Module:
        """The linear layer."""
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh linear layer."""
        self.num_classes = num_classes
        self.head = nn.Linear(self.num_features, num_classes).to(self.head.weight)
