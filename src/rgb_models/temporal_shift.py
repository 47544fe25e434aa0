"""The shift of TSM: some channels come from the next frame, some from the one before, the rest stay.

Lin, Gan, Han: TSM: Temporal Shift Module for Efficient Video Understanding, ICCV 2019, section 3.
Axis letters: N clips, T frames, C channels, H height, W width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class TemporalShift(nn.Module):
    """The first C // shift_div channels from the frame after, as many more from the frame before.

    Beyond the clip's ends there are zeros. Memory order is kept, so channels-last stays channels-last.

    Args:
        frames: T.
        shift_div: 8 shifts an eighth each way, as published.

    Raises:
        ValueError: no channels would be left for both ways.
    """

    def __init__(self, frames: int, shift_div: int = 8) -> None:
        super().__init__()
        if shift_div < 2:
            raise ValueError(f"shift_div must be at least 2, for channels shift both ways, got {shift_div}")
        self.frames = frames
        self.shift_div = shift_div

    def forward(self, x: Tensor) -> Tensor:
        """(N * T, C, H, W) to the same shape."""
        fold = x.shape[1] // self.shift_div
        if torch.jit.is_tracing():
            return _shifted_by_parts(x, self.frames, fold)
        shifted: Tensor = _Shift.apply(x, self.frames, fold, False)
        return shifted

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"frames={self.frames}, shift_div={self.shift_div}"


def _shifted_by_parts(x: Tensor, frames: int, fold: int) -> Tensor:
    """The same in operations that ONNX has."""
    source = x.reshape(-1, frames, *x.shape[1:])  # (N, T, C, H, W)
    nothing = torch.zeros_like(source[:, :1, :fold])  # (N, 1, fold, H, W)
    earlier = torch.cat([source[:, 1:, :fold], nothing], dim=1)
    later = torch.cat([nothing, source[:, :-1, fold : 2 * fold]], dim=1)
    return torch.cat([earlier, later, source[:, :, 2 * fold :]], dim=2).reshape(x.shape)


class _Shift(torch.autograd.Function):
    """One pass over the memory each way; the gradient of a shift is the shift back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, frames: int, fold: int, back: bool) -> Tensor:
        ctx.frames, ctx.fold, ctx.back = frames, fold, back
        out = torch.empty_like(x)  # of the same memory order
        source, target = x.unflatten(0, (-1, frames)), out.unflatten(0, (-1, frames))  # (N, T, C, H, W)
        first, second = slice(0, fold), slice(fold, 2 * fold)
        earlier, later = (second, first) if back else (first, second)
        target[:, :-1, earlier] = source[:, 1:, earlier]
        target[:, -1, earlier] = 0
        target[:, 1:, later] = source[:, :-1, later]
        target[:, 0, later] = 0
        target[:, :, 2 * fold :] = source[:, :, 2 * fold :]
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        return _Shift.apply(gradients[0], ctx.frames, ctx.fold, not ctx.back), None, None, None
