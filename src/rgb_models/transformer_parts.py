"""What Video Swin and UniFormer share: stochastic depth, the feed-forward part, attention, how weights begin.

Axis letters: N clips, L tokens, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class DropPath(nn.Module):
    """Leaves a residual branch out, clip by clip, and scales the others up (Huang et al., ECCV 2016)."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to the same shape; the identity in evaluation."""
        if not self.training or self.probability == 0:
            return x
        kept = 1 - self.probability
        mask = torch.rand(x.shape[0], *[1] * (x.ndim - 1), device=x.device) < kept
        return x * (mask.to(x.dtype) / kept)


def drop_path_rates(last: float, depths: Sequence[int]) -> list[list[float]]:
    """Of each stage's blocks: from 0 at the network's first block linearly to `last` at its last.

    Raises:
        ValueError: `last` is no probability below 1.
    """
    if not 0 <= last < 1:
        raise ValueError(f"drop_path must be at least 0 and below 1, got {last!r}")
    blocks = sum(depths)
    rates = iter([last * block / max(blocks - 1, 1) for block in range(blocks)])
    return [[next(rates) for _ in range(depth)] for depth in depths]


class FeedForward(nn.Module):
    """Two linear layers with a GELU between; `hidden` is the width between them."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., C)."""
        fed: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return fed


class SelfAttention(nn.Module):
    """Attention of the tokens of a group to one another, several heads.

    Args:
        channels: C, a multiple of `heads`.
        heads: attention heads.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or channels % heads:
            raise ValueError(f"{channels} channels cannot be divided among {heads} attention heads")
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Attend within each of P groups.

        Args:
            x: (N, P, L, C).
            bias: added to the attention's logits; (heads, L, L), or (P, heads, L, L).

        Returns:
            (N, P, L, C).
        """
        n, groups, tokens, channels = x.shape
        qkv = self.qkv(x).reshape(n, groups, tokens, 3, self.heads, channels // self.heads)
        qkv = qkv.permute(3, 0, 1, 4, 2, 5)  # (3, N, P, heads, L, C / heads)
        # Groups that share a bias are samples; groups with their own are heads, so that no clip repeats it.
        own = bias is not None and bias.ndim == 4
        query, key, value = qkv.flatten(2, 3) if own else qkv.flatten(1, 2)
        if bias is not None:
            bias = (bias.flatten(0, 1) if own else bias)[None].to(query.dtype)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        mixed = mixed.reshape(n, groups, self.heads, tokens, -1).transpose(
            2, 3
        )  # (N, P, L, heads, C / heads)
        out: Tensor = self.proj(mixed.flatten(3))
        return out


@torch.no_grad()
def begin_linear_layers(model: nn.Module, std: float = 0.02) -> None:
    """Linear weights from a normal distribution cut at two units (0.02 in both papers' code), biases zero."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
