"""CTR-GCN: channel-wise topology refinement (Chen et al., ICCV 2021).

Each of three graphs is refined for every clip and every channel: A + alpha * refinement, where the refinement
of joints u and v comes from the difference of their features' means over time (equations 5 to 7). Then four
temporal branches: two dilated convolutions, a max-pool, a 1x1 convolution.

The authors' code (`original`) and PYSKL's (`pyskl`, also MMAction2's) differ in two places, which
`convention` switches together: the first gathers the joints v of A[u, v] for u, the second the joints u for
v; and the second has a ReLU (and dropout) behind its temporal branches, in front of the block's residual.

Exact rewrites make it fast: the mean over time is taken in front of the 1x1 convolutions that need nothing
else; the three graphs are computed by one product each; features are laid out (C, P, T, V) by the very
product that makes them, so that each channel's graph meets a contiguous matrix; everything else runs in
channels-last memory, with the branches' 1x1 convolutions and batch norms merged. Never compile it: that slows
it down.

Axis letters: P persons computed, T frames, V joints, C channels, C' channels out, K graphs, R channels of a
relation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from poses.layout import Layout
from skeleton_models.graph import adjacency
from skeleton_models.graph_network import DataNorm, GraphNetwork, Stage, plan_stages
from skeleton_models.temporal_branches import TemporalBranches
from skeleton_models.temporal_convolution import TemporalConvolution
from weights.architectures import NameRules

Convention = Literal["original", "pyskl"]
"""Whose code to follow, see the module's docstring."""

_LAYERS: NameRules = (
    (r"\.gcn1\.convs\.(\d)\.conv1\.", r".gcn.subsets.\1.left."),
    (r"\.gcn1\.convs\.(\d)\.conv2\.", r".gcn.subsets.\1.right."),
    (r"\.gcn1\.convs\.(\d)\.conv3\.", r".gcn.subsets.\1.features."),
    (r"\.gcn1\.convs\.(\d)\.conv4\.", r".gcn.subsets.\1.expand."),
    (r"\.gcn1\.down\.0\.", ".gcn.down.conv."),
    (r"\.gcn1\.down\.1\.", ".gcn.down.bn."),
    (r"\.gcn1\.(PA|A)$", ".gcn.graph"),
    (r"\.gcn1\.", ".gcn."),
    (r"\.tcn1\.branches\.([012])\.0\.", r".tcn.reduce.\1."),
    (r"\.tcn1\.branches\.([012])\.1\.", r".tcn.reduce_bn.\1."),
    (r"\.tcn1\.branches\.([01])\.3\.conv\.", r".tcn.dilated.\1."),
    (r"\.tcn1\.branches\.([01])\.3\.bn\.", r".tcn.join_bn.\1."),
    (r"\.tcn1\.branches\.2\.4\.", ".tcn.join_bn.2."),
    (r"\.tcn1\.branches\.3\.0\.", ".tcn.pointwise."),
    (r"\.tcn1\.branches\.3\.1\.", ".tcn.join_bn.3."),
)
_TOOLBOX: NameRules = (
    (r"^backbone\.A$", ""),  # the graph that every block started from; each has its own
    (r"^backbone\.net\.", "blocks."),
    (r"^backbone\.", ""),
    (r"^cls_head\.(fc_cls|fc)\.", "classifier."),
    *_LAYERS,
)
PUBLISHED_NAMES: dict[str, NameRules] = {
    "original": (
        *((rf"^l{number}\.", f"blocks.{number - 1}.") for number in range(1, 11)),
        (r"^fc\.", "classifier."),
        *_LAYERS,
    ),
    "pyskl": _TOOLBOX,
    "mmaction2": _TOOLBOX,
}
"""`original` is for `convention="original"`, the two others for "pyskl"; all have `data_bn="MVC"`."""


class Subset(nn.Module):
    """The weights of one graph's refinement; `TopologyRefinement` computes all graphs together.

    Args:
        in_channels: C.
        out_channels: C'.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        relation = 8 if in_channels <= 16 else in_channels // 8
        self.left = nn.Conv2d(in_channels, relation, 1)
        self.right = nn.Conv2d(in_channels, relation, 1)
        self.features = nn.Conv2d(in_channels, out_channels, 1)
        self.expand = nn.Conv2d(relation, out_channels, 1)


class TopologyRefinement(nn.Module):
    """The graph convolution: every channel gathers by its own graph; batch norm, residual, ReLU.

    Args:
        graph: (K, V, V) to start from.
        in_channels: C.
        out_channels: C'.
        convention: which way a graph is read.
    """

    def __init__(self, graph: Tensor, in_channels: int, out_channels: int, convention: Convention) -> None:
        super().__init__()
        self.transposed = convention == "original"
        self.subsets = nn.ModuleList(Subset(in_channels, out_channels) for _ in graph)
        self.graph = nn.Parameter(graph.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.bn = nn.BatchNorm2d(out_channels)
        self.down = None if in_channels == out_channels else TemporalConvolution(in_channels, out_channels, 1)

    def each_subset(self) -> list[Subset]:
        """One per graph."""
        return [subset for subset in self.subsets if isinstance(subset, Subset)]

    def refined(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (K, C' * P, V, V): each channel's own graphs of each person."""
        p, c, _, v = x.shape
        subsets, k = self.each_subset(), len(self.graph)
        mean = x.mean(2).transpose(0, 1).reshape(c, p * v)
        sides = [getattr(subset, side) for side in ("left", "right") for subset in subsets]
        weight = torch.cat([conv.weight for conv in sides]).flatten(1)  # (2 K R, C)
        bias = torch.cat([conv.bias for conv in sides])
        sides_of = torch.addmm(bias[:, None], weight, mean).view(2, k, -1, p, v)
        relation = torch.tanh(sides_of[0].unsqueeze(-1) - sides_of[1].unsqueeze(-2))  # (K, R, P, V, V)
        # One product adds up alpha * (W relation + b) and A: the last two rows stand for b and A.
        one = relation.new_ones(()).expand(k, 1, p, v, v)
        graph = self.graph.to(relation.dtype)[:, None, None].expand(k, 1, p, v, v)
        rows = torch.cat([relation, one, graph], 1).flatten(2)  # (K, R + 2, P V V)
        expand = torch.stack([subset.expand.weight.flatten(1) for subset in subsets])  # (K, C', R)
        offset = torch.stack([subset.expand.bias for subset in subsets if subset.expand.bias is not None])
        offset = offset.unsqueeze(2)  # (K, C', 1)
        expand = torch.cat([torch.cat([expand, offset], 2) * self.alpha, torch.ones_like(offset)], 2)
        return torch.bmm(expand, rows).view(k, -1, v, v)

    def gathered(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V) in channels-last memory."""
        p, c, t, v = x.shape
        graphs = self.refined(x)
        if self.transposed:
            graphs = graphs.transpose(2, 3)
        layers = [subset.features for subset in self.each_subset()]
        weight = torch.cat([layer.weight for layer in layers]).flatten(1)  # (K C', C)
        bias = torch.stack([layer.bias for layer in layers if layer.bias is not None])  # (K, C')
        rows = x.permute(0, 2, 3, 1).reshape(p * t * v, c)  # the same memory
        features = torch.mm(weight, rows.t()).view(len(graphs), -1, t, v)  # (K, C' P, T, V), biases left out
        # A feature's bias reaches a joint as often as the joint's graph weighs: the same in every frame.
        weighed = graphs.sum(2).view(len(graphs), -1, p, v)  # (K, C', P, V)
        y = (bias[:, :, None, None] * weighed).sum(0).view(-1, 1, v).to(features.dtype)
        y = y.expand(-1, t, v)  # (C' P, T, V)
        for feature, graph in zip(features.unbind(), graphs.unbind(), strict=True):
            y = torch.baddbmm(y, feature, graph)
        return y.view(-1, p * t * v).t().contiguous().view(p, t, v, -1).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        residual = x if self.down is None else self.down(x)
        return torch.relu(self.bn(self.gathered(x)) + residual)


class CTRBlock(nn.Module):
    """Graph, time, residual, ReLU.

    Args:
        stage: widths and stride.
        gcn: of its widths.
        tcn: of its stride.
        dropout: behind a ReLU of the temporal branches' own, as in PYSKL; None: neither.
    """

    def __init__(
        self, stage: Stage, gcn: TopologyRefinement, tcn: TemporalBranches, dropout: float | None
    ) -> None:
        super().__init__()
        self.drop = None if dropout is None else nn.Dropout(dropout)
        self.gcn, self.tcn = gcn, tcn
        same = stage.in_channels == stage.out_channels and stage.stride == 1
        self.adds = not stage.first
        self.residual = (
            None
            if same or stage.first
            else TemporalConvolution(stage.in_channels, stage.out_channels, 1, stage.stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', ceil(T / stride), V)."""
        y = self.tcn(self.gcn(x))
        if self.drop is not None:
            y = self.drop(torch.relu(y))
        if self.adds:
            y = y + (x if self.residual is None else self.residual(x))
        return torch.relu(y)


class CTRGCN(GraphNetwork):
    """CTR-GCN.

    Args:
        num_classes: width of the logits.
        layout: the joints.
        in_channels: channels of a joint.
        dropout: in front of the classifier.
        temporal_dropout: at the end of every temporal module but the first; PYSKL's only.
        convention: whose code to follow, see the module's docstring.
        kernel: frames of the dilated temporal convolutions.
        dilations: one temporal convolution each.
        base_channels: see `plan_stages`, as are num_stages, inflate_stages and down_stages.
        data_bn: see `InputNorm`; published checkpoints have "MVC" with two persons.
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
        convention: Convention = "original",
        kernel: int = 5,
        dilations: Sequence[int] = (1, 2),
        base_channels: int = 64,
        num_stages: int = 10,
        inflate_stages: Sequence[int] = (5, 8),
        down_stages: Sequence[int] = (5, 8),
        data_bn: DataNorm = "VC",
        persons: int | None = None,
    ) -> None:
        stages = plan_stages(in_channels, base_channels, 2, num_stages, inflate_stages, down_stages)
        edges = torch.from_numpy(adjacency(layout, "spatial"))  # (3, V, V)
        blocks = []
        for stage in stages:
            gcn = TopologyRefinement(edges, stage.in_channels, stage.out_channels, convention)
            tcn = TemporalBranches(
                stage.out_channels,
                stage.out_channels,
                stride=stage.stride,
                kernel=kernel,
                dilations=dilations,
            )
            drop = None if convention == "original" else 0.0 if stage.first else temporal_dropout
            blocks.append(CTRBlock(stage, gcn, tcn, drop))
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
        _initialise(self)


def _initialise(model: CTRGCN) -> None:
    """As both published codes: He's normal by fan-out, and each graph convolution starts as its residual."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, TopologyRefinement):
            nn.init.constant_(module.bn.weight, 1e-6)
    nn.init.normal_(model.classifier.weight, 0, math.sqrt(2 / model.num_classes))


def ctrgcn(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> CTRGCN:
    """CTR-GCN as its authors' code; `options` are those of `CTRGCN`."""
    return CTRGCN(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)
