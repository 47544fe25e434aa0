"""CTR-GCN as its authors lay it out: the reference that our own network is timed against.

Written from the architecture, not from its code: (N, C, T, V) memory, one subset after the other, 1x1
convolutions before the mean over time, four separate temporal branches, every person computed. Entries are
named as in the authors' checkpoints, so that both networks can be given the same weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EagerRefinement(nn.Module):
    """One graph, refined for each channel (the paper's equations 5 to 7)."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        relation = 8 if c_in <= 16 else c_in // 8
        self.conv1 = nn.Conv2d(c_in, relation, 1)
        self.conv2 = nn.Conv2d(c_in, relation, 1)
        self.conv3 = nn.Conv2d(c_in, c_out, 1)
        self.conv4 = nn.Conv2d(relation, c_out, 1)

    def forward(self, x: Tensor, graph: Tensor, alpha: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C', T, V)."""
        left, right = self.conv1(x).mean(2), self.conv2(x).mean(2)  # (N, R, V)
        relation = torch.tanh(left.unsqueeze(3) - right.unsqueeze(2))  # (N, R, V, V)
        refined = self.conv4(relation) * alpha + graph  # (N, C', V, V)
        return torch.einsum("ncuv,nctv->nctu", refined, self.conv3(x))


class EagerGraphUnit(nn.Module):
    """The sum over graphs, batch norm, residual, ReLU."""

    def __init__(self, graph: Tensor, c_in: int, c_out: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(EagerRefinement(c_in, c_out) for _ in graph)
        self.PA = nn.Parameter(graph.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.bn = nn.BatchNorm2d(c_out)
        self.down = (
            nn.Identity()
            if c_in == c_out
            else nn.Sequential(nn.Conv2d(c_in, c_out, 1), nn.BatchNorm2d(c_out))
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C', T, V)."""
        parts = [conv(x, graph, self.alpha) for conv, graph in zip(self.convs, self.PA, strict=True)]
        return torch.relu(self.bn(parts[0] + parts[1] + parts[2]) + self.down(x))


class EagerUnit(nn.Module):
    """Convolution over time, batch norm."""

    def __init__(self, c_in: int, c_out: int, kernel: int, stride: int, dilation: int = 1) -> None:
        super().__init__()
        pad = dilation * (kernel - 1) // 2
        self.conv = nn.Conv2d(c_in, c_out, (kernel, 1), (stride, 1), (pad, 0), (dilation, 1))
        self.bn = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C', T / stride, V)."""
        normed: Tensor = self.bn(self.conv(x))
        return normed


class EagerBranches(nn.Module):
    """Two dilations, a max-pool and a 1x1 convolution side by side."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        width = channels // 4

        def reduce() -> list[nn.Module]:
            return [nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width), nn.ReLU()]

        pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        self.branches = nn.ModuleList(
            (
                nn.Sequential(*reduce(), EagerUnit(width, width, 5, stride, 1)),
                nn.Sequential(*reduce(), EagerUnit(width, width, 5, stride, 2)),
                nn.Sequential(*reduce(), pool, nn.BatchNorm2d(width)),
                nn.Sequential(nn.Conv2d(channels, width, 1, (stride, 1)), nn.BatchNorm2d(width)),
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C, T / stride, V)."""
        return torch.cat([branch(x) for branch in self.branches], 1)


class EagerBlock(nn.Module):
    """Graph, then time, then the residual."""

    def __init__(self, graph: Tensor, c_in: int, c_out: int, stride: int, residual: bool) -> None:
        super().__init__()
        self.gcn1 = EagerGraphUnit(graph, c_in, c_out)
        self.tcn1 = EagerBranches(c_out, stride)
        self.adds = residual
        if residual:
            same = c_in == c_out and stride == 1
            self.residual = nn.Identity() if same else EagerUnit(c_in, c_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, V) to (N, C', T / stride, V)."""
        y = self.tcn1(self.gcn1(x))
        return torch.relu(y + self.residual(x) if self.adds else y)


class EagerCTRGCN(nn.Module):
    """Graph (3, V, V); x (N, M, T, V, C) to logits (N, num_classes); batch norm of every person apart."""

    def __init__(
        self,
        graph: Tensor,
        num_classes: int,
        in_channels: int = 3,
        base_channels: int = 64,
        persons: int = 1,
    ) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(persons * in_channels * graph.shape[1])
        width = base_channels
        self.l1 = EagerBlock(graph, in_channels, width, 1, residual=False)
        for number in range(2, 11):
            stride = 2 if number in (5, 8) else 1
            self.add_module(f"l{number}", EagerBlock(graph, width, width * stride, stride, residual=True))
            width *= stride
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every clip, all M persons computed."""
        n, m, t, v, c = x.shape
        x = x.permute(0, 1, 3, 4, 2).contiguous()  # (N, M, V, C, T)
        x = self.data_bn(x.view(n, m * v * c, t)).view(n, m, v, c, t)
        x = x.permute(0, 1, 3, 4, 2).contiguous().view(n * m, c, t, v)
        for number in range(1, 11):
            x = getattr(self, f"l{number}")(x)
        logits: Tensor = self.fc(x.mean((2, 3)).view(n, m, -1).mean(1))
        return logits
