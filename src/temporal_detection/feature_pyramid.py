"""From a feature sequence to a pyramid over time, and the convolutions that read every level of it.

ActionFormer and TriDet share the embedding, the pyramid's norms and the form of the heads; they differ in the
block that makes a level, which the pyramid is given.

Axis letters: N windows, C channels, T points, L levels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from temporal_detection.local_attention import ChannelNorm, ConvAttention

Form = Literal["original", "opentad"]
"""Whose details a network has: OpenTAD's clears the padding behind each activation too, and its norms outside
of the blocks add 1e-6 to a variance where the originals add 1e-5."""

Level = tuple[Tensor, Tensor]
"""Features (N, C, T) of a level of the pyramid, and (N, T) whether a point is inside of the recording."""


class ScaledPath(nn.Module):
    """The branch of a residual block: scaled by channel, and left out for some windows in training.

    Args:
        channels: C.
        drop: probability that a window goes without the branch.
    """

    def __init__(self, channels: int, drop: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((channels, 1), 1e-4))
        self.drop = drop

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T) to the same."""
        scaled = x * self.scale
        if not self.training or not self.drop:
            return scaled
        kept = torch.rand((len(x), 1, 1), device=x.device) >= self.drop
        return scaled * kept / (1 - self.drop)


def path(channels: int, drop: float) -> nn.Module:
    """A branch that may be dropped, with its scale; without drop neither exists, as in the originals."""
    return ScaledPath(channels, drop) if drop > 0 else nn.Identity()


def coarser(valid: Tensor, stride: int) -> Tensor:
    """(N, S) whether the points of a level above are inside of the recording."""
    return valid[:, ::stride]


class TransformerBlock(nn.Module):
    """Attention and a two-layer network, each behind a norm and beside a skip; the first may halve T.

    Args:
        channels: C.
        heads: of the attention.
        window: of the attention; 1 or less for all points.
        stride: points in for one point out.
        path_drop: probability that a window goes without a branch.
        dropout: of the outputs of both parts.
    """

    def __init__(
        self, channels: int, heads: int, window: int, stride: int, path_drop: float, dropout: float
    ) -> None:
        super().__init__()
        self.stride = stride
        self.attention_norm = ChannelNorm(channels)
        self.attention = ConvAttention(channels, heads, window, stride, dropout)
        self.attention_path = path(channels, path_drop)
        self.skip = nn.MaxPool1d(stride + 1, stride, (stride + 1) // 2) if stride > 1 else nn.Identity()
        self.mlp_norm = ChannelNorm(channels)
        self.mlp = nn.Sequential(
            nn.Conv1d(channels, 4 * channels, 1), nn.GELU(), nn.Dropout(dropout),
            nn.Conv1d(4 * channels, channels, 1), nn.Dropout(dropout),
        )  # fmt: skip
        self.mlp_path = path(channels, path_drop)

    def forward(self, x: Tensor, valid: Tensor) -> Level:
        """One level from the one below."""
        valid = coarser(valid, self.stride)  # (N, S)
        inside = valid[:, None]
        attended = self.attention_path(self.attention(self.attention_norm(x), valid))
        x = self.skip(x) * inside + attended  # (N, C, S)
        return x + self.mlp_path(self.mlp(self.mlp_norm(x)) * inside), valid


class NormedConv(nn.Module):
    """Convolution, norm over channels, ReLU.

    Args:
        in_channels: of the input.
        channels: of the output.
        kernel: points that it sees.
        form: whose details.
    """

    def __init__(self, in_channels: int, channels: int, kernel: int, form: Form) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, channels, kernel, padding=kernel // 2, bias=False)
        self.norm = ChannelNorm(channels, eps=_eps(form))
        self.clears = form == "opentad"

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """(N, in_channels, T) to (N, channels, T)."""
        x = F.relu(self.norm(self.conv(x) * valid[:, None]))
        return x * valid[:, None] if self.clears else x


class ConvStack(nn.ModuleList):
    """Convolutions one after the other, each with norm and ReLU, kernels of 3 unless said otherwise."""

    def __init__(self, channels: Sequence[int], form: Form, kernel: int = 3) -> None:
        pairs = pairwise(channels)
        super().__init__(NormedConv(below, above, kernel, form) for below, above in pairs)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """(N, C, T) to (N, last of the channels, T)."""
        for layer in self:
            x = layer(x, valid)
        return x


class FeaturePyramid(nn.Module):
    """Embedding, blocks at full length, blocks that halve it, and a norm for every level.

    Args:
        in_channels: of the features; several parts, each first brought to its share of the channels, in the
            order in which they are stacked.
        channels: C of every level; as many as there are parts.
        embedding: convolutions before the blocks.
        stem: blocks at full length.
        branch: blocks that halve it; levels are one more.
        block: (level, stride) -> a module that makes `Level` from x and valid.
        form: whose details.
        encoding_points: length for which position codes are made; longer sequences stretch them; 0 for none.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        channels: Sequence[int],
        embedding: int,
        stem: int,
        branch: int,
        block: Callable[[int, int], nn.Module],
        form: Form,
        encoding_points: int = 0,
    ) -> None:
        super().__init__()
        self.parts = list(in_channels)
        width = sum(channels)
        convolved = in_channels[0]
        if len(in_channels) > 1:
            self.shares = nn.ModuleList(
                nn.Conv1d(c_in, c_out, 1) for c_in, c_out in zip(in_channels, channels, strict=True)
            )
            convolved = width
        self.embedding = ConvStack([convolved] + [width] * embedding, form)
        self.encoding_points = encoding_points
        if encoding_points:
            encoding = sinusoids(encoding_points, width) / math.sqrt(width)
            self.register_buffer("encoding", encoding, persistent=False)
        self.stem = nn.ModuleList(block(0, 1) for _ in range(stem))
        self.branch = nn.ModuleList(block(level, 2) for level in range(1, branch + 1))
        self.norms = nn.ModuleList(ChannelNorm(width, eps=_eps(form)) for _ in range(branch + 1))

    def forward(self, x: Tensor, valid: Tensor) -> list[Level]:
        """Levels of (N, in_channels, T), finest first; T may be any number."""
        if len(self.parts) > 1:
            split = zip(self.shares, x.split(self.parts, dim=1), strict=True)
            x = torch.cat([share(part) * valid[:, None] for share, part in split], dim=1)
        x = self.embedding(x, valid)  # (N, C, T)
        if self.encoding_points:
            x = x + self._encoding(x.shape[-1]) * valid[:, None]
        for block in self.stem:
            x, valid = block(x, valid)
        levels = [(x, valid)]
        for block in self.branch:
            x, valid = block(x, valid)  # (N, C, T / 2)
            levels.append((x, valid))
        return [(norm(x), valid) for norm, (x, valid) in zip(self.norms, levels, strict=True)]

    def _encoding(self, points: int) -> Tensor:
        encoding = self.get_buffer("encoding")  # (1, C, encoding_points)
        if points >= self.encoding_points:
            encoding = F.interpolate(encoding, points, mode="linear", align_corners=False)
        return encoding[:, :, :points]


def sinusoids(points: int, channels: int) -> Tensor:
    """(1, C, T) sines in even and cosines in odd channels (Vaswani et al., NeurIPS 2017, section 3.5)."""
    channel = torch.arange(channels, dtype=torch.float64)
    slower = 10000.0 ** (2 * (channel // 2) / channels)
    angle = torch.arange(points, dtype=torch.float64) / slower[:, None]  # (C, T)
    return torch.where((channel % 2 == 0)[:, None], angle.sin(), angle.cos()).float()[None]


def _eps(form: Form) -> float:
    return 1e-6 if form == "opentad" else 1e-5
