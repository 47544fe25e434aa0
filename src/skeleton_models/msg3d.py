"""MS-G3D: disentangled, unified graph convolutions (Liu et al., CVPR 2020).

Each of three stages adds up a factorised path (a graph convolution over thirteen disentangled scales, then
two temporal modules) and two unified ones, in which the joints of three or five neighbouring frames form one
graph. A scale k joins the joints exactly k bones apart (equation 6); across a window's frames also the same
joint.

The authors' code (`original`) and PYSKL's (`pyskl`, also MMAction2's) differ, which `convention` switches:
the first divides a graph by the roots of both ends' degrees, the second by the degree of where it arrives;
and the second's checkpoints hold the graphs. PYSKL adds a residual in place onto a ReLU's output, for which
it does not train on today's torch; that residual is always zero, so here it is left out.

A graph and a 1x1 convolution commute: the narrower side goes first, so that all scales are one product
without a copy of all scales' features.

Axis letters: P persons computed, T frames, T' windows, V joints (of a window: all its frames' joints), C
channels, C' channels out, K scales.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.graph import k_adjacency, normalise_digraph, normalise_symmetric
from skeleton_models.graph_network import DataNorm, GraphNetwork
from skeleton_models.temporal_branches import TemporalBranches
from skeleton_models.temporal_convolution import TemporalConvolution
from weights.architectures import NameRules

Convention = Literal["original", "pyskl"]
"""Whose code to follow, see the module's docstring."""

_LAYERS: NameRules = (
    *((rf"^(gcn3d|sgcn|tcn){number}\.", rf"blocks.{number - 1}.\1.") for number in (1, 2, 3)),
    (r"\.gcn3d\.gcn3d\.(\d)\.gcn3d\.1\.", r".windows.\1.graph_layer."),
    (r"\.gcn3d\.gcn3d\.(\d)\.out_", r".windows.\1.out_"),
    (r"\.sgcn\.0\.", ".spatial."),
    (r"\.sgcn\.([12])\.", r".before.\1."),
    (r"\.before\.1\.", ".before.0."),
    (r"\.before\.2\.", ".before.1."),
    (r"\.mlp\.layers\.0\.", ".conv."),
    (r"\.mlp\.layers\.1\.", ".bn."),
    (r"\.(A_res|PA)$", ".offset"),
    (r"\.A$", ".graph"),
    (r"\.branches\.([0-4])\.0\.", r".branches.reduce.\1."),
    (r"\.branches\.([0-4])\.1\.", r".branches.reduce_bn.\1."),
    (r"\.branches\.([0-3])\.3\.conv\.", r".branches.dilated.\1."),
    (r"\.branches\.([0-3])\.3\.bn\.", r".branches.join_bn.\1."),
    (r"\.branches\.4\.4\.", ".branches.join_bn.4."),
    (r"\.branches\.5\.0\.", ".branches.pointwise."),
    (r"\.branches\.5\.1\.", ".branches.join_bn.5."),
)
_TOOLBOX: NameRules = (
    (r"^backbone\.A$", ""),  # the bones, of which every layer holds its scales
    (r"^backbone\.", ""),
    (r"^cls_head\.(fc_cls|fc)\.", "classifier."),
    *_LAYERS,
)
PUBLISHED_NAMES: dict[str, NameRules] = {
    "original": ((r"^fc\.", "classifier."), *_LAYERS),
    "pyskl": _TOOLBOX,
    "mmaction2": _TOOLBOX,
}
"""`original` is for `convention="original"`, the two others for "pyskl"; all have `data_bn="MVC"`."""


def scales(layout: Layout, count: int, window: int) -> NDArray[np.float32]:
    """(count, window * V, window * V) of zeros and ones: a window's joints k bones apart, and self.

    Args:
        layout: the joints.
        count: K, scales 0 to K - 1.
        window: frames; the joints of different frames are apart as in one, the same joint by one bone.
    """
    v = len(layout.joints)
    result = [np.eye(window * v, dtype=np.float32)]
    for k in range(1, count):
        apart = k_adjacency(layout, k, with_self=k == 1)
        result.append(np.maximum(np.tile(apart, (window, window)), result[0]))
    return np.stack(result)


class ScaledGraphs(nn.Module):
    """Every scale's graph and weights, added up; batch norm, ReLU.

    Args:
        graphs: (K, V, V) of zeros and ones.
        in_channels: C.
        out_channels: C'.
        convention: how graphs are normalised, stored and read.
    """

    def __init__(
        self, graphs: NDArray[np.float32], in_channels: int, out_channels: int, convention: Convention
    ) -> None:
        super().__init__()
        self.original = convention == "original"
        normalised = normalise_symmetric(graphs) if self.original else normalise_digraph(graphs)
        k, v, _ = graphs.shape
        self.graph: Tensor
        self.register_buffer("graph", torch.from_numpy(normalised), persistent=not self.original)
        self.offset = nn.Parameter(torch.empty((k * v, v) if self.original else (k, v, v)))
        self.conv = nn.Conv2d(k * in_channels, out_channels, 1)
        self.bn = nn.BatchNorm2d(out_channels)
        nn.init.uniform_(self.offset, -1e-6, 1e-6)

    def forward(self, rows: Tensor) -> Tensor:
        """(P, T, V, C) to (P, C', T, V) in channels-last memory."""
        p, t, v, c = rows.shape
        k, out = len(self.graph), self.conv.out_channels
        graph = self.graph + self.offset.view_as(self.graph)
        graph = graph if self.original else graph.transpose(1, 2)  # (K, to, from)
        if c < out:
            gathered = torch.matmul(graph.flatten(0, 1), rows).view(p, t, k, v, c)
            gathered = gathered.transpose(2, 3).reshape(p, t, v, k * c)
            y = self.conv(gathered.permute(0, 3, 1, 2))  # (P, C', T, V)
        else:
            weight = self.conv.weight.view(out, k, c).transpose(0, 1).reshape(k * out, c, 1, 1)
            wide = functional.conv2d(rows.permute(0, 3, 1, 2), weight)  # (P, K C', T, V)
            wide = wide.permute(0, 2, 3, 1).reshape(p, t, v * k, out)
            mixed = torch.matmul(graph.permute(1, 2, 0).flatten(1), wide)  # (P, T, V, C')
            assert self.conv.bias is not None
            y = (mixed + self.conv.bias).permute(0, 3, 1, 2)
        return torch.relu(self.bn(y))


class WindowGraph(nn.Module):
    """The unified path: one graph over the joints of several frames, then a convolution over these frames.

    Args:
        layout: the joints.
        scale_count: K.
        in_channels: C.
        inner_channels: width of the graph layer.
        out_channels: C'.
        window: frames of a window, odd.
        stride: frames from window to window.
        convention: see `ScaledGraphs`.
    """

    def __init__(
        self,
        layout: Layout,
        scale_count: int,
        in_channels: int,
        inner_channels: int,
        out_channels: int,
        *,
        window: int,
        stride: int,
        convention: Convention,
    ) -> None:
        super().__init__()
        self.window, self.stride = window, stride
        graphs = scales(layout, scale_count, window)
        self.graph_layer = ScaledGraphs(graphs, in_channels, inner_channels, convention)
        self.out_conv = nn.Conv3d(inner_channels, out_channels, (1, window, 1))
        self.out_bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', ceil(T / stride), V)."""
        p, _, frames, v = x.shape
        w, reach = self.window, self.window // 2
        t = (frames - 1) // self.stride + 1  # T'
        padded = functional.pad(x.permute(0, 2, 3, 1), (0, 0, 0, 0, reach, reach))  # (P, T + w - 1, V, C)
        steps = [padded[:, shift : shift + (t - 1) * self.stride + 1 : self.stride] for shift in range(w)]
        y = self.graph_layer(torch.cat(steps, 2))  # (P, T', w V, C) to (P, inner, T', w V)
        y = y.permute(0, 2, 3, 1).reshape(p, t * w, v, -1).permute(0, 3, 1, 2)  # (P, inner, T' w, V)
        # The convolution over a window's frames, as one with stride over all of them.
        y = functional.conv2d(y, self.out_conv.weight.squeeze(2), self.out_conv.bias, stride=(w, 1))
        normed: Tensor = self.out_bn(y)
        return normed


class TemporalModule(nn.Module):
    """Six branches and a residual, with a ReLU and dropout where asked for.

    Args:
        in_channels: C.
        out_channels: C'.
        stride: over frames.
        active: whether there is a ReLU.
        dropout: at the end.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, active: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.active = active
        self.branches = TemporalBranches(
            in_channels, out_channels, stride=stride, kernel=3, dilations=(1, 2, 3, 4)
        )
        same = in_channels == out_channels and stride == 1
        self.residual = None if same else TemporalConvolution(in_channels, out_channels, 1, stride)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', ceil(T / stride), V)."""
        y = self.branches(x) + (x if self.residual is None else self.residual(x))
        dropped: Tensor = self.drop(torch.relu(y) if self.active else y)
        return dropped


class MSG3DBlock(nn.Module):
    """The factorised path and the unified paths added up, ReLU, a temporal module."""

    def __init__(
        self,
        layout: Layout,
        in_channels: int,
        out_channels: int,
        *,
        first: bool,
        spatial_scales: int,
        window_scales: int,
        dropout: float,
        convention: Convention,
    ) -> None:
        super().__init__()
        stride, inner = (1, out_channels) if first else (2, in_channels)
        self.spatial = ScaledGraphs(scales(layout, spatial_scales, 1), in_channels, inner, convention)
        self.before = nn.ModuleList(
            (
                TemporalModule(inner, out_channels, stride),
                TemporalModule(out_channels, out_channels, active=False),
            )
        )
        self.windows = nn.ModuleList(
            WindowGraph(
                layout,
                window_scales,
                in_channels,
                inner,
                out_channels,
                window=window,
                stride=stride,
                convention=convention,
            )
            for window in (3, 5)
        )
        self.tcn = TemporalModule(out_channels, out_channels, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', ceil(T / stride), V)."""
        y = self.spatial(x.permute(0, 2, 3, 1))
        for module in self.before:
            y = module(y)
        for window in self.windows:
            y = y + window(x)
        after: Tensor = self.tcn(torch.relu(y))
        return after


class MSG3D(GraphNetwork):
    """MS-G3D.

    Args:
        num_classes: width of the logits.
        layout: the joints.
        in_channels: channels of a joint.
        dropout: in front of the classifier.
        temporal_dropout: at the end of each stage.
        convention: whose code to follow, see the module's docstring.
        base_channels: width of the first stage, doubled twice; a multiple of six for speed.
        spatial_scales: scales of the factorised path.
        window_scales: scales of the unified paths.
        data_bn: see `InputNorm`; published checkpoints have "MVC" with two persons.
        persons: see `InputNorm`.
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
        base_channels: int = 96,
        spatial_scales: int = 13,
        window_scales: int = 6,
        data_bn: DataNorm = "VC",
        persons: int | None = None,
    ) -> None:
        widths = (in_channels, base_channels, base_channels * 2, base_channels * 4)
        super().__init__(
            num_classes=num_classes,
            joints=len(layout.joints),
            in_channels=in_channels,
            blocks=(
                MSG3DBlock(
                    layout,
                    widths[number],
                    widths[number + 1],
                    first=number == 0,
                    spatial_scales=spatial_scales,
                    window_scales=window_scales,
                    dropout=temporal_dropout,
                    convention=convention,
                )
                for number in range(3)
            ),
            num_features=widths[-1],
            dropout=dropout,
            data_bn=data_bn,
            persons=persons,
        )


def msg3d(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> MSG3D:
    """MS-G3D as its authors' code; `options` are those of `MSG3D`."""
    return MSG3D(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)
