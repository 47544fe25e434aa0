"""What the family around ST-GCN shares: input normalisation, a row of blocks, the mean, a linear layer.

Axis letters: N clips, M persons, P computed persons of all clips together, T frames, V joints, C channels.
Blocks take and give (P, C, T, V) in channels-last memory, that is (P, T, V, C) as the clips come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from skeleton_models.model import SkeletonModel, gather_persons, mean_over_persons
from skeleton_models.temporal_convolution import TemporalConvolution

DataNorm = Literal["VC", "MVC"]
"""Statistics of the first batch norm: of each joint's channel, or of each person's as well."""


@dataclass(frozen=True)
class Stage:
    """One block's place in the network.

    Attributes:
        in_channels: width of what comes in.
        out_channels: width of what goes out.
        stride: over frames.
        first: whether it is the first block, which has no residual and no dropout.
    """

    in_channels: int
    out_channels: int
    stride: int
    first: bool


def plan_stages(
    in_channels: int,
    base_channels: int = 64,
    ch_ratio: float = 2,
    num_stages: int = 10,
    inflate_stages: Sequence[int] = (5, 8),
    down_stages: Sequence[int] = (5, 8),
) -> list[Stage]:
    """The blocks' widths and strides, by PYSKL's options.

    Args:
        in_channels: channels of a joint.
        base_channels: width of the first block.
        ch_ratio: factor of the width at each of `inflate_stages`.
        num_stages: blocks.
        inflate_stages: blocks that widen, counted from one.
        down_stages: blocks that halve the frames, counted from one.

    Raises:
        ValueError: a stage number that does not exist.
    """
    strange = sorted({*inflate_stages, *down_stages} - set(range(2, num_stages + 1)))
    if strange:
        raise ValueError(
            f"inflate_stages and down_stages must lie in 2..{num_stages} (num_stages), got {strange}; "
            "name fewer of them or ask for more stages"
        )
    stages = [Stage(in_channels, base_channels, 1, first=True)]
    for number in range(2, num_stages + 1):
        grown = sum(stage <= number for stage in inflate_stages)
        width = int(base_channels * ch_ratio**grown + 1e-4)
        stages.append(Stage(stages[-1].out_channels, width, 2 if number in down_stages else 1, first=False))
    return stages


class GraphBlock(nn.Module):
    """Graph convolution, temporal module, residual, ReLU; the first block of a network has no residual.

    Args:
        stage: widths and stride.
        gcn: from the stage's width in to its width out.
        tcn: of its stride.
    """

    def __init__(self, stage: Stage, gcn: nn.Module, tcn: nn.Module) -> None:
        super().__init__()
        self.gcn = gcn
        self.tcn = tcn
        self.first = stage.first
        if not stage.first and (stage.in_channels != stage.out_channels or stage.stride != 1):
            self.residual = TemporalConvolution(stage.in_channels, stage.out_channels, 1, stage.stride)

    def forward(self, x: Tensor, shared: Tensor | None = None) -> Tensor:
        """(P, C, T, V), and (K, V, V) where blocks share a graph, to (P, C', ceil(T / stride), V)."""
        y: Tensor = self.tcn(self.gcn(x) if shared is None else self.gcn(x, shared))
        if not self.first:
            y = y + (self.residual(x) if hasattr(self, "residual") else x)
        return torch.relu(y)


class InputNorm(nn.BatchNorm1d):
    """The batch norm in front of the network: over clips and frames, for each joint's channel.

    Args:
        joints: V.
        channels: C.
        statistics: `VC` shares a joint's statistics among persons, `MVC` keeps them for each person, as the
            networks of 2s-AGCN and its kin do; it needs all persons of every clip.
        persons: M, needed by `MVC`.

    Raises:
        ValueError: `MVC` without `persons`.
    """

    def __init__(self, joints: int, channels: int, statistics: DataNorm, persons: int | None) -> None:
        if statistics == "MVC" and persons is None:
            raise ValueError("data_bn='MVC' has statistics for each person: give persons, or take 'VC'")
        self.per_person = statistics == "MVC"
        super().__init__((persons or 1 if self.per_person else 1) * joints * channels)

    def normalise(self, x: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """(N, M, T, V, C) to (P, T, V, C) and the clip of each person as `gather_persons` gives it.

        Raises:
            ValueError: `MVC` and a mask of present persons.
        """
        if not self.per_person:
            rows, clip = gather_persons(x, present)  # (P, T, V, C)
            if clip is not None and not len(clip):
                return rows, clip
            return self(rows.flatten(2).flatten(0, 1)).view(rows.shape), clip
        if present is not None:
            raise ValueError("data_bn='MVC' computes every person: pass present=None, or take data_bn='VC'")
        n, m, t, v, c = x.shape
        frames = x.transpose(1, 2).reshape(n * t, m * v * c)
        normed = self(frames).view(n, t, m, v, c).transpose(1, 2)  # (N, M, T, V, C)
        return normed.reshape(n * m, t, v, c), None


class GraphNetwork(SkeletonModel):
    """Input norm, blocks, mean over frames, joints and persons, dropout, linear layer.

    Args:
        num_classes: width of the logits.
        joints: V.
        in_channels: C of a joint.
        blocks: of (P, C, T, V) each.
        num_features: width of the last block.
        dropout: in front of the linear layer.
        data_bn: see `InputNorm`.
        persons: see `InputNorm`.
    """

    input_kind = "graph"

    def __init__(
        self,
        *,
        num_classes: int,
        joints: int,
        in_channels: int,
        blocks: Iterable[nn.Module],
        num_features: int,
        dropout: float,
        data_bn: DataNorm,
        persons: int | None,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.data_bn = InputNorm(joints, in_channels, data_bn, persons)
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(dropout)
        self.reset_classifier(num_classes)

    def run_blocks(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, num_features, T', V)."""
        for block in self.blocks:
            x = block(x)
        return x

    def forward_features(
        self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None
    ) -> Tensor:
        """(N, M, T, V, C) to (N, num_features); see `SkeletonModel`. Position is not used."""
        rows, clip = self.data_bn.normalise(x, present)  # (P, T, V, C)
        if clip is not None and not len(clip):
            return self.features_of_nobody(x)
        y = self.run_blocks(rows.permute(0, 3, 1, 2))  # (P, num_features, T', V)
        return mean_over_persons(y.mean((2, 3)), clip, x.shape[0])

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to logits (N, num_classes)."""
        logits: Tensor = self.classifier(self.dropout(features))
        return logits

    def get_classifier(self) -> nn.Linear:
        """The last layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer for `num_classes` classes, its weights normal with deviation 0.01 as in PYSKL."""
        self.num_classes = num_classes
        self.classifier = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(self.classifier.weight, 0, 0.01)
        nn.init.zeros_(self.classifier.bias)
