"""ST-GCN: graph convolution over joints, convolution over frames (Yan, Xiong, Lin: AAAI 2018).

The graph is applied before the 1x1 convolution, which is the same sum and cheaper: K * V x V times V x C on
memory as it lies (PERFORMANCE.md). Weights keep their published shapes.

Axis letters: P persons of all clips together, C channels, T frames, V joints, K subsets of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.graph import AdjacencyKind, adjacency
from skeleton_models.graph_network import DataNorm, GraphBlock, GraphNetwork, plan_stages
from skeleton_models.temporal_convolution import MULTI_BRANCH_NAMES, TemporalConvolution
from weights.architectures import NameRules

Adaptive = Literal["init", "offset", "importance"]
"""How a block learns its graph: its weights start at the graph (`init`), are added to it (`offset`), or
multiply it (`importance`, ST-GCN's edge importance)."""

TOOLBOX_NAMES: NameRules = (
    (r"^backbone\.gcn\.", "blocks."),
    (r"^backbone\.", ""),
    (r"^cls_head\.(fc_cls|fc)\.", "classifier."),
    *MULTI_BRANCH_NAMES,
)
"""PYSKL's and MMAction2's entries of the whole family; they differ in the classifier's name only."""

PUBLISHED_NAMES: dict[str, NameRules] = {
    "pyskl": TOOLBOX_NAMES,
    "mmaction2": TOOLBOX_NAMES,
    "original": (
        (r"^edge_importance\.(\d+)$", r"blocks.\1.gcn.PA"),
        (r"^st_gcn_networks\.", "blocks."),
        (r"\.tcn\.0\.", ".gcn.bn."),
        (r"\.tcn\.2\.", ".tcn.conv."),
        (r"\.tcn\.3\.", ".tcn.bn."),
        (r"\.residual\.0\.", ".residual.conv."),
        (r"\.residual\.1\.", ".residual.bn."),
        (r"^fcn\.", "classifier."),
    ),
}
"""`original` is for `shared_graph=True`."""


class GraphConvolution(nn.Module):
    """1x1 convolution per subset, sum over neighbours, batch norm, ReLU (`unit_gcn` of PYSKL).

    Args:
        graph: (K, V, V), read as [subset, from, to].
        in_channels: width in.
        out_channels: width out.
        adaptive: how the graph is learned; None keeps it.
        residual: whether the input is added before the ReLU (ST-GCN++).
        own_graph: whether the module holds the graph; else forward must be given it.
    """

    def __init__(
        self,
        graph: Tensor,
        in_channels: int,
        out_channels: int,
        adaptive: Adaptive | None = "importance",
        residual: bool = False,
        own_graph: bool = True,
    ) -> None:
        super().__init__()
        self.adaptive = adaptive
        self.subsets = len(graph)
        if adaptive == "init":
            self.A: Tensor | None = nn.Parameter(graph.clone())
        else:
            self.register_buffer("A", graph.clone() if own_graph else None)
        if adaptive in ("offset", "importance"):
            self.PA = nn.Parameter(torch.ones_like(graph))
            if adaptive == "offset":
                nn.init.uniform_(self.PA, -1e-6, 1e-6)
        self.conv = nn.Conv2d(in_channels, self.subsets * out_channels, 1)
        self.bn = nn.BatchNorm2d(out_channels)
        self.residual = residual
        if residual and in_channels != out_channels:
            self.down = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))

    def graph(self, shared: Tensor | None) -> Tensor:
        """(K, V, V) as it is now."""
        fixed = self.A if shared is None else shared
        assert fixed is not None  # STGCN shares its graph with the blocks that hold none
        if self.adaptive == "offset":
            return fixed + self.PA
        return fixed * self.PA if self.adaptive == "importance" else fixed

    def forward(self, x: Tensor, shared: Tensor | None = None) -> Tensor:
        """(P, C, T, V), and (K, V, V) where the module holds no graph, to (P, C', T, V)."""
        y: Tensor = self.bn(aggregate_and_project(x, self.graph(shared), self.conv))
        if self.residual:
            y = y + (self.down(x) if hasattr(self, "down") else x)
        return torch.relu(y)


def gather_neighbours(x: Tensor, graph: Tensor) -> Tensor:
    """For each subset the weighted sum over neighbours: (P, C, T, V) to (P, K * C, T, V), channels last.

    Args:
        x: (P, C, T, V).
        graph: (K, V, V), or (P, K, V, V) for a graph of each person; [..., from, to].
    """
    p, c, t, v = x.shape
    k = graph.shape[-3]
    rows = x.permute(0, 2, 3, 1).reshape(p * t, v, c)
    to_from = graph.transpose(-1, -2).transpose(-2, -3).flatten(-3, -2)  # (..., V * K, V)
    if graph.ndim == 3:
        to_from = to_from.expand(p * t, -1, -1)
    else:
        to_from = to_from.unsqueeze(1).expand(-1, t, -1, -1).flatten(0, 1)
    gathered = torch.bmm(to_from, rows)  # (P * T, V * K, C)
    return gathered.view(p, t, v, k * c).permute(0, 3, 1, 2)


def aggregate_and_project(x: Tensor, graph: Tensor, conv: nn.Conv2d) -> Tensor:
    """Sum over k of graph_k applied to conv_k(x), with the graph applied first.

    Args:
        x: (P, C, T, V).
        graph: (K, V, V), [subset, from, to].
        conv: 1x1 from C to K * C' channels, subset by subset, with a bias.

    Returns:
        (P, C', T, V).
    """
    k, c = graph.shape[0], conv.in_channels
    weight = conv.weight.view(k, -1, c).transpose(0, 1).reshape(-1, k * c, 1, 1)
    assert conv.bias is not None
    bias = conv.bias.view(k, -1).t() @ graph.sum(1)  # (C', V): a joint has as much bias as edges
    return functional.conv2d(gather_neighbours(x, graph), weight) + bias.unsqueeze(1)


class STGCN(GraphNetwork):
    """ST-GCN. Its original and PYSKL name their entries differently and compute the same.

    Args:
        num_classes: width of the logits.
        layout: the joints.
        in_channels: channels of a joint.
        dropout: in front of the classifier.
        temporal_dropout: at the end of every temporal module but the first (0.5 in ST-GCN's configurations).
        graph: which graph; the default is the one the public code really computes.
        max_hop: its reach.
        adaptive: how blocks learn their graph.
        shared_graph: one graph for all blocks, as the original's checkpoints hold it.
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
        graph: AdjacencyKind = "stgcn_spatial_capped",
        max_hop: int = 1,
        adaptive: Adaptive | None = "importance",
        shared_graph: bool = False,
        base_channels: int = 64,
        ch_ratio: float = 2,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        data_bn: DataNorm = "VC",
        persons: int | None = None,
    ) -> None:
        if shared_graph and adaptive == "init":
            raise ValueError("adaptive='init' learns a graph for each block: take shared_graph=False")
        stages = plan_stages(in_channels, base_channels, ch_ratio, num_stages, inflate_stages, down_stages)
        edges = torch.from_numpy(adjacency(layout, graph, max_hop))  # (K, V, V)
        blocks = []
        for stage in stages:
            width, drop = stage.out_channels, 0.0 if stage.first else temporal_dropout
            gcn = GraphConvolution(
                edges, stage.in_channels, width, adaptive=adaptive, own_graph=not shared_graph
            )
            blocks.append(GraphBlock(stage, gcn, TemporalConvolution(width, width, 9, stage.stride, drop)))
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
        self.register_buffer("A", edges if shared_graph else None)

    def run_blocks(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, num_features, T', V)."""
        for block in self.blocks:
            x = block(x, self.A)
        return x


def stgcn(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> STGCN:
    """ST-GCN as PYSKL and MMAction2 train it; `options` are those of `STGCN`."""
    return STGCN(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)
