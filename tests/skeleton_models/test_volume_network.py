"""Convolutions on channels-last memory are the 3D convolutions they replace, forwards and backwards."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from poses.layout import get_layout
from skeleton_models import heatmap, volume_network
from skeleton_models.volume_network import convolve, pool_space, volume_channels


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize(
    ("kernel", "channels", "groups"),
    [
        ((1, 1, 1), 5, 1),
        ((1, 3, 3), 5, 1),
        ((1, 7, 7), 5, 1),
        ((3, 1, 1), 5, 1),
        ((5, 1, 1), 6, 6),
        ((3, 3, 3), 6, 6),
        ((5, 3, 3), 6, 6),
        ((3, 3, 3), 5, 1),
        ((3, 3, 3), 6, 2),
        ((3, 3, 1), 5, 1),
    ],
)
def test_equals_conv3d(
    kernel: tuple[int, int, int], channels: int, groups: int, stride: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, channels, 7, 9, 8, dtype=torch.double, generator=generator, requires_grad=True)
    weight = torch.randn(6, channels // groups, *kernel, dtype=torch.double, generator=generator)
    weight.requires_grad_()
    padding = tuple(k // 2 for k in kernel)
    expected = functional.conv3d(x, weight, None, (stride[0], stride[1], stride[1]), padding, 1, groups)
    got = convolve(x.permute(0, 2, 3, 4, 1).contiguous(), weight, stride, groups)
    assert got.is_contiguous()
    torch.testing.assert_close(got.permute(0, 4, 1, 2, 3), expected)
    push = torch.randn(expected.shape, dtype=torch.double, generator=generator)
    wanted = torch.autograd.grad(expected, (x, weight), push)
    given = torch.autograd.grad(got, (x, weight), push.permute(0, 2, 3, 4, 1))
    torch.testing.assert_close(given, wanted)


def test_frames_fewer_than_the_kernel() -> None:
    x, weight = torch.randn(1, 1, 5, 5, 4), torch.randn(4, 1, 5, 3, 3)
    expected = functional.conv3d(x.permute(0, 4, 1, 2, 3), weight, None, 1, (2, 1, 1), 1, 4)
    torch.testing.assert_close(convolve(x, weight, groups=4).permute(0, 4, 1, 2, 3), expected)


def test_pooling_is_per_frame() -> None:
    x = torch.randn(2, 3, 4, 9, 8)  # (N, C, T, H, W)
    ours = x.permute(0, 2, 3, 4, 1).contiguous()
    expected = functional.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    torch.testing.assert_close(pool_space(ours, "max", 3, 2).permute(0, 4, 1, 2, 3), expected)
    expected = functional.avg_pool3d(x, (1, 2, 2))
    torch.testing.assert_close(pool_space(ours, "average", 2, 2).permute(0, 4, 1, 2, 3), expected)


def test_channels_of_the_input() -> None:
    layout = get_layout("coco17")
    assert volume_channels(layout, None, with_limbs=False) == 17
    assert volume_channels(layout, None, with_limbs=True) == len(layout.limbs)
    assert volume_channels(layout, 5, with_limbs=True) == 5


def test_counts_as_the_input_writes_them() -> None:
    assert volume_network.UINT8_SCALE == heatmap.UINT8_SCALE


@pytest.mark.parametrize("frames", [2, 3])
def test_gradient_of_a_kernel_in_bfloat16(frames: int) -> None:
    """Two frames under three, where PyTorch 2.13's own conv3d returns unwritten memory."""
    torch.manual_seed(0)
    x, weight = torch.randn(2, frames, 8, 8, 16), torch.randn(32, 16, 3, 3, 3) / 20
    exact = weight.clone().requires_grad_()
    convolve(x, exact).square().sum().backward()
    half = weight.to(torch.bfloat16).requires_grad_()
    convolve(x.to(torch.bfloat16), half).float().square().sum().backward()
    assert exact.grad is not None and half.grad is not None
    error = (half.grad.float() - exact.grad).norm() / exact.grad.norm()
    assert error < 0.02
