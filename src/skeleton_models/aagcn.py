"""2s-AGCN and AAGCN: each block learns a graph, adds one that each clip makes for itself, and may gate.

Shi, Zhang, Cheng, Lu: Two-Stream Adaptive Graph Convolutional Networks, CVPR 2019 (`agcn`); Skeleton-Based
Action Recognition with Multi-Stream Adaptive Graph Convolutional Networks, TIP 2020 (`aagcn`). Streams are
separate networks whose scores are fused.

Axis letters: P persons of all clips together, C channels, T frames, V joints, K subsets of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.graph import AdjacencyKind, adjacency
from skeleton_models.graph_network import DataNorm, GraphBlock, GraphNetwork, Stage, plan_stages
from skeleton_models.stgcn import TOOLBOX_NAMES, gather_neighbours
from skeleton_models.temporal_convolution import TemporalConvolution
from weights.architectures import NameRules

ClipGraph = Literal["tanh", "softmax"]
"""How joints' likeness becomes edges: AAGCN's tanh times a learned scale, or 2s-AGCN's softmax."""

_ORIGINAL: NameRules = (
    *((rf"^l{number}\.", f"blocks.{number - 1}.") for number in range(1, 11)),
    (r"\.gcn1\.", ".gcn."),
    (r"\.tcn1\.", ".tcn."),
    (r"^fc\.", "classifier."),
)
_TOOLBOX: NameRules = ((r"^backbone\.A$", ""), *TOOLBOX_NAMES)  # a copy of the first graph, never used
PUBLISHED_NAMES: dict[str, NameRules] = {
    "pyskl": _TOOLBOX,
    "mmaction2": _TOOLBOX,
    "original": (*_ORIGINAL, (r"\.gcn\.PA$", ".gcn.A")),
    "original_agcn": _ORIGINAL,
}
"""`original_agcn` is for `agcn`; `pyskl` and `mmaction2` call their AAGCN without attention AGCN."""


class AdaptiveGraphConvolution(nn.Module):
    """Graph convolution over a learned graph plus a graph of each person's own (equation 3 of both papers).

    Args:
        graph: (K, V, V), read as [subset, from, to].
        in_channels: width in.
        out_channels: width out.
        adaptive: whether the graph is learned and each person adds its own.
        clip_graph: how the latter is made.
        attention: whether joints, then frames, then channels are gated (AAGCN, section III-C).
    """

    def __init__(
        self,
        graph: Tensor,
        in_channels: int,
        out_channels: int,
        adaptive: bool,
        clip_graph: ClipGraph,
        attention: bool,
    ) -> None:
        super().__init__()
        self.adaptive = adaptive
        self.clip_graph = clip_graph
        self.embedding = out_channels // 4
        self.conv_d = _pointwise(len(graph), in_channels, out_channels)
        if adaptive:
            self.conv_a = _pointwise(len(graph), in_channels, self.embedding)
            self.conv_b = _pointwise(len(graph), in_channels, self.embedding)
        if adaptive and clip_graph == "softmax":  # 2s-AGCN: a fixed graph, and a learned one beside it
            self.register_buffer("A", graph.clone(), persistent=False)
            self.PA = nn.Parameter(torch.full_like(graph, 1e-6))
        elif adaptive:
            self.A = nn.Parameter(graph.clone())
            self.alpha = nn.Parameter(torch.zeros(1))
        else:
            self.register_buffer("A", graph.clone())
        if in_channels != out_channels:
            self.down = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))
        self.bn = nn.BatchNorm2d(out_channels)
        self._start_weights()
        self.attention = attention
        if attention:
            self._add_gates(graph.shape[-1], out_channels)

    def _start_weights(self) -> None:
        """The papers' initial weights: the graph convolution begins almost at zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                _zero_bias(module)
        for conv in _convolutions(self.conv_d):
            fan = conv.weight.numel() * len(self.conv_d)
            nn.init.normal_(conv.weight, 0, math.sqrt(2 / fan))
        nn.init.constant_(self.bn.weight, 1e-6)

    def _add_gates(self, joints: int, channels: int) -> None:
        """The layers of the three gates, those of frames and channels starting at a half."""
        reach = joints if joints % 2 else joints - 1
        self.conv_sa = nn.Conv1d(channels, 1, reach, padding=(reach - 1) // 2)
        self.conv_ta = nn.Conv1d(channels, 1, 9, padding=4)
        self.fc1c = nn.Linear(channels, channels // 2)
        self.fc2c = nn.Linear(channels // 2, channels)
        nn.init.xavier_normal_(self.conv_sa.weight)
        nn.init.kaiming_normal_(self.fc1c.weight)
        nn.init.zeros_(self.conv_ta.weight)
        nn.init.zeros_(self.fc2c.weight)
        for layer in (self.conv_sa, self.conv_ta, self.fc1c, self.fc2c):
            _zero_bias(layer)

    def graph(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, K, V, V), the graph of each person; (K, V, V) where nothing is adaptive."""
        if not self.adaptive:
            return self.A
        t = x.shape[2]
        convs = _convolutions(self.conv_a) + _convolutions(self.conv_b)
        weight = torch.cat([conv.weight for conv in convs])
        bias = torch.cat([conv.bias for conv in convs if conv.bias is not None])
        both = functional.conv2d(x, weight, bias)  # (P, 2 * K * E, T, V)
        both = both.view(x.shape[0], 2, len(self.conv_a), self.embedding, t, x.shape[3])
        a, b = both.permute(1, 0, 2, 5, 4, 3).flatten(4).unbind(0)  # (P, K, V, T * E) each
        likeness = torch.matmul(a, b.transpose(2, 3)) / (self.embedding * t)  # (P, K, V, V)
        if self.clip_graph == "softmax":
            return torch.softmax(likeness, -2) + (self.A + self.PA)
        return torch.tanh(likeness) * self.alpha + self.A

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', T, V)."""
        convs = _convolutions(self.conv_d)
        weight = torch.cat([conv.weight for conv in convs], 1)  # (C', K * C, 1, 1)
        bias = torch.stack([conv.bias for conv in convs if conv.bias is not None]).sum(0)
        y: Tensor = self.bn(functional.conv2d(gather_neighbours(x, self.graph(x)), weight, bias))
        y = torch.relu(y + (self.down(x) if hasattr(self, "down") else x))
        return self._gate(y) if self.attention else y

    def _gate(self, y: Tensor) -> Tensor:
        """Each gate sees what the ones before it let through; y is touched once, for all three together."""
        joints = 1 + torch.sigmoid(self.conv_sa(y.mean(2)))  # (P, 1, V)
        by_frame = (y * joints.unsqueeze(2)).mean(3)  # (P, C, T)
        frames = 1 + torch.sigmoid(self.conv_ta(by_frame))  # (P, 1, T)
        by_channel = (by_frame * frames).mean(2)  # (P, C)
        channels = 1 + torch.sigmoid(self.fc2c(torch.relu(self.fc1c(by_channel))))  # (P, C)
        return y * (joints.unsqueeze(2) * frames.unsqueeze(3)) * channels[:, :, None, None]


def _pointwise(count: int, in_channels: int, out_channels: int) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv2d(in_channels, out_channels, 1) for _ in range(count))


def _convolutions(modules: nn.ModuleList) -> list[nn.Conv2d]:
    return [module for module in modules if isinstance(module, nn.Conv2d)]


def _zero_bias(layer: nn.Conv1d | nn.Conv2d | nn.Linear) -> None:
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)


class AAGCNBlock(GraphBlock):
    """The family's block with a convolution over 9 frames and the papers' initial weights."""

    def __init__(self, stage: Stage, gcn: AdaptiveGraphConvolution, temporal_dropout: float) -> None:
        width = stage.out_channels
        tcn = TemporalConvolution(width, width, 9, stage.stride, temporal_dropout)
        super().__init__(stage, gcn, tcn)
        for unit in (tcn, self.residual) if hasattr(self, "residual") else (tcn,):
            nn.init.kaiming_normal_(unit.conv.weight, mode="fan_out")
            _zero_bias(unit.conv)


class AAGCN(GraphNetwork):
    """One stream of AAGCN or 2s-AGCN.

    The originals' NTU graph hangs thumb on hand tip, where `ntu25` and PYSKL hang both on the hand. Their
    AAGCN checkpoints hold the graph; for 2s-AGCN's pass a layout with those parents (`dataclasses.replace`).

    Args:
        num_classes: width of the logits.
        layout: the joints.
        in_channels: channels of a joint.
        dropout: in front of the classifier.
        temporal_dropout: at the end of every temporal convolution but the first.
        graph: which graph the blocks start from.
        adaptive: whether blocks learn it and clips add to it.
        clip_graph: how a clip's graph is made.
        attention: whether joints, frames and channels are gated.
        base_channels: see `plan_stages`, as are ch_ratio, num_stages, inflate_stages and down_stages.
        data_bn: see `InputNorm`; the published networks use `MVC`.
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
        adaptive: bool = True,
        clip_graph: ClipGraph = "tanh",
        attention: bool = True,
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
            gcn = AdaptiveGraphConvolution(
                edges, stage.in_channels, stage.out_channels, adaptive, clip_graph, attention
            )
            blocks.append(AAGCNBlock(stage, gcn, 0.0 if stage.first else temporal_dropout))
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


def aagcn(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> AAGCN:
    """AAGCN with its three gates; `options` are those of `AAGCN`."""
    return AAGCN(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)


def agcn(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> AAGCN:
    """One stream of 2s-AGCN: a softmax for each clip's graph, no gates; `options` are those of `AAGCN`."""
    chosen = {"clip_graph": "softmax", "attention": False, **options}
    return AAGCN(num_classes=num_classes, layout=layout, in_channels=in_channels, **chosen)
