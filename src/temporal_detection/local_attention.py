"""Attention among neighbours in time, as ActionFormer has it (Zhang, Wu, Li, ECCV 2022, section 3.2).

Queries, keys and values first pass a depthwise convolution, which halves the sequence where the pyramid goes
up. A point then attends to all points, or to those of a window around it.

Axis letters: N windows, C channels, T points in, S points out, H heads, D channels of a head, B points of a
block, w half of the attention window.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BLOCK = 64


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of (N, C, T)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T) to the same."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ConvAttention(nn.Module):
    """Multi-head attention behind depthwise convolutions.

    Args:
        channels: C.
        heads: H, a divisor of C.
        window: points that a point sees around itself, itself among them, odd; 1 or less for all.
        stride: of the convolutions.
        dropout: of the output.

    Raises:
        ValueError: heads that do not divide the channels.
    """

    def __init__(self, channels: int, heads: int, window: int, stride: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"attention: {heads} heads do not divide {channels} channels")
        self.heads, self.stride = heads, stride
        self.reach = window // 2 if window > 1 else 0
        kernel = stride + 1 if stride > 1 else 3
        for name in ("query", "key", "value"):
            self.add_module(f"{name}_conv", _depthwise(channels, kernel, stride))
            self.add_module(f"{name}_norm", ChannelNorm(channels))
            self.add_module(name, nn.Conv1d(channels, channels, 1))
        self.out = nn.Conv1d(channels, channels, 1)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """Attention over a sequence.

        Args:
            x: (N, C, T).
            valid: (N, S) whether a point that comes out is inside of the recording.

        Returns:
            (N, C, S), 0 where not valid.
        """
        q, k, v = (self._projected(name, x, valid) for name in ("query", "key", "value"))  # (N, H, S, D)
        found = self._local(q, k, v, valid) if self.reach else self._whole(q, k, v, valid)
        found = found.transpose(2, 3).flatten(1, 2)  # (N, C, S)
        out: Tensor = self.drop(self.out(found)) * valid[:, None]
        return out

    def _projected(self, name: str, x: Tensor, valid: Tensor) -> Tensor:
        conv, norm, linear = (self.get_submodule(part) for part in (f"{name}_conv", f"{name}_norm", name))
        projected: Tensor = linear(norm(conv(x) * valid[:, None]))  # (N, C, S)
        return projected.unflatten(1, (self.heads, -1)).transpose(2, 3)

    @staticmethod
    def _whole(q: Tensor, k: Tensor, v: Tensor, valid: Tensor) -> Tensor:
        seen = valid | ~valid.any(1, keepdim=True)  # a window without a valid point sees itself: no NaN
        return F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None])

    def _local(self, q: Tensor, k: Tensor, v: Tensor, valid: Tensor) -> Tensor:
        """Attention block by block: B queries look at B + 2 w keys, of which a band is theirs."""
        points, reach = q.shape[2], self.reach
        block = min(_BLOCK, points)
        behind, width = -points % block, block + 2 * reach
        q = F.pad(q, (0, 0, 0, behind)).unflatten(2, (-1, block))  # (N, H, S / B, B, D)
        k, v = (
            F.pad(part, (0, 0, reach, reach + behind)).unfold(2, width, block).transpose(3, 4)
            for part in (k, v)
        )  # (N, H, S / B, B + 2 w, D)
        keys = F.pad(valid, (reach, reach + behind)).unfold(1, width, block)  # (N, S / B, B + 2 w)
        apart = torch.arange(width, device=q.device) - torch.arange(block, device=q.device)[:, None]
        band = (apart >= 0) & (apart <= 2 * reach)  # (B, B + 2 w)
        asks = F.pad(valid, (0, behind)).unflatten(1, (-1, block))  # (N, S / B, B)
        seen = (keys[:, :, None] & band) | ~asks[..., None]  # (N, S / B, B, B + 2 w)
        found = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None])
        return found.flatten(2, 3)[:, :, :points]


def _depthwise(channels: int, kernel: int, stride: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)
