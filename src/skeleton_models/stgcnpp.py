"""ST-GCN++: ST-GCN with a graph learned freely, a residual beside it, and six temporal branches.

Duan, Wang, Chen, Lin: PYSKL, Towards Good Practices for Skeleton Action Recognition, ACM MM 2022, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from poses.layout import Layout
from skeleton_models.graph import AdjacencyKind, adjacency
from skeleton_models.graph_network import DataNorm, GraphBlock, GraphNetwork, plan_stages
from skeleton_models.stgcn import TOOLBOX_NAMES, Adaptive, GraphConvolution
from skeleton_models.temporal_convolution import MultiBranchTemporal
from weights.architectures import NameRules

PUBLISHED_NAMES: dict[str, NameRules] = {"pyskl": TOOLBOX_NAMES, "mmaction2": TOOLBOX_NAMES}


class STGCNpp(GraphNetwork):
    """ST-GCN++.

    Args:
        num_classes: width of the logits.
        layout: the joints.
        in_channels: channels of a joint.
        dropout: in front of the classifier.
        temporal_dropout: at the end of every temporal module but the first.
        graph: which graph the blocks start from.
        adaptive: how they learn it.
        dilations: of the temporal branches with a kernel.
        base_channels: see `plan_stages`, as are ch_ratio, num_stages, inflate_stages and down_stages.
        data_bn: see `InputNorm`.
        persons: see `InputNorm`.

    Raises:
        ValueError: options that do not fit each other.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        layout: Layout,
        in_channels: int = 3,
        dropout: float = 0.0,
        temporal_dropout: float = 0.0,
        graph: AdjacencyKind = "spatial",
        adaptive: Adaptive | None = "init",
        dilations: tuple[int, ...] = (1, 2, 3, 4),
        base_channels: int = 64,
        ch_ratio: float = 2,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        data_bn: DataNorm = "VC",
        persons: int | None = None,
    ) -> None:
        stages = plan_stages(in_channels, base_channels, ch_ratio, num_stages, inflate_stages, down_stages)
        edges = torch.from_numpy(adjacency(layout, graph))  # (K, V, V)
        blocks = []
        for stage in stages:
            drop = 0.0 if stage.first else temporal_dropout
            gcn = GraphConvolution(edges, stage.in_channels, stage.out_channels, adaptive, residual=True)
            tcn = MultiBranchTemporal(stage.out_channels, stage.stride, dilations, drop)
            blocks.append(GraphBlock(stage, gcn, tcn))
        super().__init__(
            num_classes=num_classes,
            joints=len(layout.joints),
            in_channels=in_channels,
            blocks=blocks,
            num_features=stages[-1].out_channels,
            dropout=dropout,
            data_bn=data_bn,
            persons=persons,
        )


def stgcnpp(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> STGCNpp:
    """ST-GCN++ as PYSKL trains it; `options` are those of `STGCNpp`."""
    return STGCNpp(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)
