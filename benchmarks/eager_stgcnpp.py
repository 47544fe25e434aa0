"""ST-GCN++ as its authors' toolbox lays it out: the reference that our own network is timed against.

Written from the architecture, not from its code: (N, C, T, V) memory, the 1x1 convolution before the graph
product (an einsum), six separate temporal branches, every clip padded to as many persons as asked for.
Entries are named as in PYSKL's checkpoints, so that both networks can be given the same weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

BRANCHES = 6


class EagerGraphConvolution(nn.Module):
    """1x1 convolution to K * C channels, product with the learned graph, batch norm, residual, ReLU."""

    def __init__(self, graph: Tensor, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.A = nn.Parameter(graph.clone())
        self.conv = nn.Conv2d(in_channels, len(graph) * out_channels, 1)
        self.bn = nn.BatchNorm2d(out_channels)
        self.down = (
            nn.Identity()
            if in_channels == out_channels
            else nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.BatchNorm2d(out_channels))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C', T, V)."""
        y = self.conv(x).unflatten(1, (len(self.A), -1))  # (N, K, C', T, V)
        y = torch.einsum("nkctv,kvw->nctw", y, self.A).contiguous()
        return torch.relu(self.bn(y) + self.down(x))


class EagerUnit(nn.Module):
    """A temporal convolution, with a batch norm or without."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, dilation: int, norm: bool) -> None:
        super().__init__()
        pad = dilation * (kernel - 1) // 2
        self.conv = nn.Conv2d(c_in, c_out, (kernel, 1), (stride, 1), (pad, 0), (dilation, 1))
        self.bn = nn.BatchNorm2d(c_out) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C', T / stride, V)."""
        normed: Tensor = self.bn(self.conv(x))
        return normed


class EagerMultiBranch(nn.Module):
    """Four dilations, a max-pool and a 1x1 convolution side by side, then a 1x1 convolution over all."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        width = channels // BRANCHES
        branches: list[nn.Module] = []
        for dilation in (1, 2, 3, 4):
            own = channels - width * (BRANCHES - 1) if dilation == 1 else width
            reduce = [nn.Conv2d(channels, own, 1), nn.BatchNorm2d(own), nn.ReLU()]
            branches.append(nn.Sequential(*reduce, EagerUnit(own, own, 3, stride, dilation, norm=False)))
        pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        branches.append(nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU(), pool))
        branches.append(nn.Conv2d(channels, width, 1, (stride, 1)))
        self.branches = nn.ModuleList(branches)
        self.transform = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels, 1))
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C, T / stride, V)."""
        normed: Tensor = self.bn(self.transform(torch.cat([branch(x) for branch in self.branches], 1)))
        return normed


class EagerBlock(nn.Module):
    """Graph, then time, then the residual."""

    def __init__(self, graph: Tensor, c_in: int, c_out: int, stride: int, residual: bool) -> None:
        super().__init__()
        self.gcn = EagerGraphConvolution(graph, c_in, c_out)
        self.tcn = EagerMultiBranch(c_out, stride)
        self.adds = residual
        same = c_in == c_out and stride == 1
        if residual:
            self.residual = nn.Identity() if same else EagerUnit(c_in, c_out, 1, stride, 1, norm=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C', T / stride, V)."""
        y = self.tcn(self.gcn(x))
        return torch.relu(y + self.residual(x) if self.adds else y)


class EagerBackbone(nn.Module):
    """Ten blocks: 64 channels, doubled at the fifth and the eighth, where time is halved."""

    def __init__(self, graph: Tensor, in_channels: int, base_channels: int) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(in_channels * graph.shape[1])
        blocks = [EagerBlock(graph, in_channels, base_channels, 1, residual=False)]
        width = base_channels
        for stage in range(2, 11):
            stride = 2 if stage in (5, 8) else 1
            blocks.append(EagerBlock(graph, width, width * stride, stride, residual=True))
            width *= stride
        self.gcn = nn.ModuleList(blocks)
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(N, M, T, V, C) to (N, M, C', T', V)."""
        n, m, t, v, c = x.shape
        x = x.permute(0, 1, 3, 4, 2).contiguous()  # (N, M, V, C, T)
        x = self.data_bn(x.view(n * m, v * c, t)).view(n, m, v, c, t)
        x = x.permute(0, 1, 3, 4, 2).contiguous().view(n * m, c, t, v)
        for block in self.gcn:
            x = block(x)
        return x.view(n, m, *x.shape[1:])


class EagerHead(nn.Module):
    """The mean over time, joints and persons, then a linear layer."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.fc_cls = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, M, C, T, V) to (N, num_classes)."""
        logits: Tensor = self.fc_cls(x.mean((3, 4)).mean(1))
        return logits


class EagerSTGCNpp(nn.Module):
    """Graph (K, V, V); x (N, M, T, V, C) to logits (N, num_classes)."""

    def __init__(
        self, graph: Tensor, num_classes: int, in_channels: int = 3, base_channels: int = 64
    ) -> None:
        super().__init__()
        self.backbone = EagerBackbone(graph, in_channels, base_channels)
        self.cls_head = EagerHead(self.backbone.width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every clip, all M persons computed."""
        logits: Tensor = self.cls_head(self.backbone(x))
        return logits
