"""DG-STGCN: graphs learned from nothing, changed by each clip, and a temporal module that sees the body.

Duan, Wang, Chen, Lin: DG-STGCN: Dynamic Spatial-Temporal Modeling for Skeleton-based Action Recognition,
2022. No skeleton graph enters. Its code is part of PYSKL.

Axis letters: P persons of all clips together, C channels, T frames, V joints, K subsets of the graph, D
channels of a subset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from poses.layout import Layout
from skeleton_models.graph_network import DataNorm, GraphBlock, GraphNetwork, plan_stages
from skeleton_models.stgcn import TOOLBOX_NAMES
from skeleton_models.temporal_convolution import MultiBranchTemporal
from weights.architectures import NameRules

PUBLISHED_NAMES: dict[str, NameRules] = {"pyskl": TOOLBOX_NAMES}

_PUBLISHED_JOINTS = 25  # the length of PYSKL's joint weights, whatever the layout


class DynamicGroupGraph(nn.Module):
    """DG-GCN: K groups of channels, each with a learned graph and two of each person's own (section 3.2).

    Args:
        joints: V.
        in_channels: width in.
        out_channels: width out.
        subsets: K.
        ratio: width of a group, as a share of out_channels.
        channel_graph: whether each channel adds a graph of its own (`ctr` in PYSKL).
        group_graph: whether each group adds one (`ada` in PYSKL).
        subset_wise: whether each group has its own scale for the two; else they share the first.
    """

    def __init__(
        self,
        joints: int,
        in_channels: int,
        out_channels: int,
        subsets: int,
        ratio: float,
        channel_graph: bool,
        group_graph: bool,
        subset_wise: bool,
    ) -> None:
        super().__init__()
        self.subsets = subsets
        self.channel_graph, self.group_graph = channel_graph, group_graph
        self.subset_wise = subset_wise
        width = int(ratio * out_channels) * subsets
        self.A = nn.Parameter(torch.empty(subsets, joints, joints))
        nn.init.normal_(self.A, 0.04, 0.02)
        self.pre = nn.Sequential(nn.Conv2d(in_channels, width, 1), nn.BatchNorm2d(width))
        self.post = nn.Conv2d(width, out_channels, 1)
        self.alpha = nn.Parameter(torch.zeros(subsets))
        self.beta = nn.Parameter(torch.zeros(subsets))
        if channel_graph or group_graph:
            self.conv1 = nn.Conv2d(in_channels, width, 1)
            self.conv2 = nn.Conv2d(in_channels, width, 1)
        if in_channels != out_channels:
            self.down = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))
        self.bn = nn.BatchNorm2d(out_channels)

    def graph(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P or 1, K, D or 1, V, V), [..., from, to]."""
        graph = self.A[None, :, None]  # (1, K, 1, V, V)
        if not (self.channel_graph or self.group_graph):
            return graph
        pooled = x.mean(2, keepdim=True)  # (P, C, 1, V)
        shape = (x.shape[0], self.subsets, self.conv1.out_channels // self.subsets, x.shape[3])
        a, b = self.conv1(pooled).reshape(shape), self.conv2(pooled).reshape(shape)  # (P, K, D, V) each
        if self.channel_graph:
            apart = torch.tanh(a.unsqueeze(-1) - b.unsqueeze(-2))  # (P, K, D, V, V)
            graph = graph + apart * self._scale(self.alpha)
        if self.group_graph:
            likeness = torch.softmax(torch.matmul(a.transpose(2, 3), b), -2)  # (P, K, V, V)
            graph = graph + likeness.unsqueeze(2) * self._scale(self.beta)
        return graph

    def _scale(self, scale: Tensor) -> Tensor:
        """(K,) to (K, 1, 1, 1), or the first of them for all."""
        return scale[:, None, None, None] if self.subset_wise else scale[0]

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        p, _, t, v = x.shape
        groups = torch.relu(self.pre(x)).reshape(
            p, self.subsets, self.post.in_channels // self.subsets, t, v
        )  # (P, K, D, T, V)
        mixed = torch.matmul(groups, self.graph(x)).flatten(1, 2)  # (P, K * D, T, V)
        mixed = mixed.contiguous(memory_format=torch.channels_last)
        y: Tensor = self.bn(self.post(mixed)) + (self.down(x) if hasattr(self, "down") else x)
        return torch.relu(y)


class DynamicGroupTemporal(MultiBranchTemporal):
    """DG-TCN: ST-GCN++'s branches, run on the joints and on their mean, which all hear (section 3.3)."""

    def __init__(self, joints: int, channels: int, stride: int, dropout: float) -> None:
        super().__init__(channels, stride, dropout=dropout)
        self.add_coeff = nn.Parameter(torch.zeros(max(joints, _PUBLISHED_JOINTS)))

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C, ceil(T / stride), V)."""
        v = x.shape[3]
        y = self.branches(torch.cat([x, x.mean(3, keepdim=True)], 3))  # (P, C, T', V + 1)
        return self.mix(y[..., :v] + y[..., v:] * self.add_coeff[:v])


class DGSTGCN(GraphNetwork):
    """DG-STGCN.

    PYSKL's joint weights have 25 entries whatever the layout; ours have at least that many, so that its
    checkpoints fit, and more where a layout needs them.

    Args:
        num_classes: width of the logits.
        layout: the joints.
        in_channels: channels of a joint.
        dropout: in front of the classifier.
        temporal_dropout: at the end of every temporal module but the first.
        subsets: groups of channels with a graph each.
        ratio: width of a group, as a share of the block's.
        channel_graph: see `DynamicGroupGraph`, as are group_graph and subset_wise.
        base_channels: see `plan_stages`, as are ch_ratio, num_stages, inflate_stages and down_stages.
        data_bn: see `InputNorm`.
        persons: see `InputNorm`.

    Raises:
        ValueError: groups without a channel, or options that do not fit each other.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        layout: Layout,
        in_channels: int = 3,
        dropout: float = 0.0,
        temporal_dropout: float = 0.0,
        subsets: int = 8,
        ratio: float = 0.125,
        channel_graph: bool = True,
        group_graph: bool = True,
        subset_wise: bool = False,
        base_channels: int = 64,
        ch_ratio: float = 2,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        data_bn: DataNorm = "VC",
        persons: int | None = None,
    ) -> None:
        if int(ratio * base_channels) < 1:
            raise ValueError(
                f"ratio {ratio:g} of base_channels {base_channels} leaves a group no channel; "
                "raise one of them"
            )
        joints = len(layout.joints)
        stages = plan_stages(in_channels, base_channels, ch_ratio, num_stages, inflate_stages, down_stages)
        blocks = []
        for stage in stages:
            width, drop = stage.out_channels, 0.0 if stage.first else temporal_dropout
            gcn = DynamicGroupGraph(
                joints, stage.in_channels, width, subsets, ratio, channel_graph, group_graph, subset_wise
            )
            blocks.append(GraphBlock(stage, gcn, DynamicGroupTemporal(joints, width, stage.stride, drop)))
        super().__init__(
            num_classes=num_classes,
            joints=joints,
            in_channels=in_channels,
            blocks=blocks,
            num_features=stages[-1].out_channels,
            dropout=dropout,
            data_bn=data_bn,
            persons=persons,
        )


def dgstgcn(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> DGSTGCN:
    """DG-STGCN as PYSKL trains it; `options` are those of `DGSTGCN`."""
    return DGSTGCN(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)
