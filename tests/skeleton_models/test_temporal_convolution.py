"""Convolutions over frames in half precision equal those in single precision, gradients too."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from skeleton_models.temporal_convolution import convolve_over_time


def _results(conv: nn.Conv2d, x: Tensor, half: bool) -> list[Tensor]:
    conv.zero_grad()
    x = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        y = convolve_over_time(conv, x)
    y.backward(torch.rand(y.shape, generator=torch.Generator().manual_seed(2)).to(y))
    return [y.float(), x.grad.float(), conv.weight.grad.clone(), conv.bias.grad.clone()]  # type: ignore[union-attr]


@pytest.mark.parametrize("joints", [17, 41])
@pytest.mark.parametrize("frames", [12, 13])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
def test_half_precision_equals_single(
    dilation: int, kernel: int, stride: int, frames: int, joints: int
) -> None:
    torch.manual_seed(0)
    padding = dilation * (kernel // 2)
    conv = nn.Conv2d(21, 21, (kernel, 1), (stride, 1), (padding, 0), (dilation, 1))
    wide = torch.randn(3, 107, frames, joints).contiguous(memory_format=torch.channels_last)
    x = wide[:, 23:44]  # a slice of the channels, as networks have it
    for ours, expected in zip(_results(conv, x, half=True), _results(conv, x, half=False), strict=True):
        assert ours.isfinite().all()
        assert (ours - expected).abs().max() <= 0.03 * expected.abs().max()


@pytest.mark.parametrize(("dilation", "frames"), [(2, 12), (3, 13), (4, 6), (4, 3)])
def test_dealing_out_the_frames_changes_nothing(dilation: int, frames: int) -> None:
    torch.manual_seed(1)
    conv = nn.Conv2d(5, 7, (3, 1), 1, (dilation, 0), (dilation, 1)).bfloat16()
    x = torch.randn(2, 5, frames, 9, dtype=torch.bfloat16)
    torch.testing.assert_close(convolve_over_time(conv, x), conv(x.contiguous()), rtol=2e-2, atol=2e-2)
