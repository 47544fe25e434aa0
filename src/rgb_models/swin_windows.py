"""The windows of Video Swin: cut to the input, padded, shifted, and attention within them.

Liu et al.: Video Swin Transformer, CVPR 2022, section 3.2.

Axis letters: N clips, C channels, T frames, H, W, P windows, L tokens of a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgb_models.transformer_parts import SelfAttention

APART = -100.0  # added to the logits of tokens that only the cyclic shift brought together, as published

Size = tuple[int, int, int]


class Windows(NamedTuple):
    """How the windows of one stage lie on its tokens.

    Attributes:
        size: T, H, W of a window.
        shift: of every second block, along T, H, W.
        padded: T, H, W of the tokens after padding.
    """

    size: Size
    shift: Size
    padded: Size


def windows_on(tokens: Sequence[int], window: Size) -> Windows:
    """Windows on (T, H, W) tokens; one at least as long as an axis is cut to it and not shifted along it."""
    size = _three([min(pair) for pair in zip(tokens, window, strict=True)])
    shift = _three([length // 2 if length < have else 0 for have, length in zip(tokens, window, strict=True)])
    padded = _three([-(-have // length) * length for have, length in zip(tokens, size, strict=True)])
    return Windows(size, shift, padded)


def _three(sizes: Sequence[int]) -> Size:
    return sizes[0], sizes[1], sizes[2]


def partition(x: Tensor, size: Size) -> Tensor:
    """(N, T, H, W, C) to (N, P, L, C); T, H and W are multiples of the window's."""
    for axis, length in zip((1, 3, 5), size, strict=True):
        x = torch.unflatten(x, axis, (-1, length))
    x = x.permute(0, 1, 3, 5, 2, 4, 6, 7)  # (N, T / t, H / h, W / w, t, h, w, C)
    return x.flatten(4, 6).flatten(1, 3)


def join(x: Tensor, size: Size, tokens: Size) -> Tensor:
    """The reverse of `partition`: (N, P, L, C) to (N, T, H, W, C) of `tokens`."""
    counts = [have // length for have, length in zip(tokens, size, strict=True)]
    x = torch.unflatten(torch.unflatten(x, 2, size), 1, counts)  # (N, T / t, H / h, W / w, t, h, w, C)
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(x.shape[0], *tokens, -1)


def shift_mask(windows: Windows, device: torch.device) -> Tensor:
    """What keeps tokens apart that were no neighbours before the cyclic shift: 0 or `APART`, (P, L, L)."""
    region = torch.zeros((1, 1, 1), dtype=torch.long, device=device)
    for axis, (length, shift, tokens) in enumerate(zip(*windows, strict=True)):
        place = torch.arange(tokens, device=device)
        part = (place >= tokens - length).long() + (place >= tokens - shift).long()  # 0, 1 or 2
        part = part if shift else torch.zeros_like(part)
        region = 3 * region + part.reshape([-1 if other == axis else 1 for other in range(3)])
    region = partition(region[None, ..., None], windows.size)[0, :, :, 0]  # (P, L)
    return (region[:, :, None] != region[:, None, :]) * APART


def position_index(window: Size) -> Tensor:
    """Row of the bias table for each pair of a window's tokens, by how far they lie apart: (L, L)."""
    places = torch.cartesian_prod(*(torch.arange(length) for length in window))  # (L, 3)
    index = torch.zeros((1, 1), dtype=torch.long)
    for axis, length in enumerate(window):
        apart = places[:, None, axis] - places[None, :, axis]
        index = index * (2 * length - 1) + apart + length - 1
    return index


class WindowAttention(SelfAttention):
    """Attention within windows, with a learnt bias by relative position.

    Args:
        channels: C.
        heads: attention heads.
        window: T, H, W.
    """

    def __init__(self, channels: int, heads: int, window: Size) -> None:
        super().__init__(channels, heads)
        offsets = (2 * window[0] - 1) * (2 * window[1] - 1) * (2 * window[2] - 1)
        self.position_bias = nn.Parameter(nn.init.trunc_normal_(torch.empty(offsets, heads), std=0.02))

    def bias(self, index: Tensor, mask: Tensor | None) -> Tensor:
        """(L, L) rows of the table and a mask (P, L, L) to (heads, L, L) or (P, heads, L, L)."""
        by_position = functional.embedding(index, self.position_bias).permute(2, 0, 1)
        return by_position if mask is None else by_position + mask[:, None]
