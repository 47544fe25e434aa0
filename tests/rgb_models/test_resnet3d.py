"""The trunk's convolutions against PyTorch's 3D ones."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from rgb_models.resnet3d import ConvNorm, ResNet3d, convolve


@pytest.mark.parametrize(
    ("kernel", "stride"),
    [
        ((1, 1, 1), (1, 1)),
        ((1, 1, 1), (1, 2)),
        ((1, 3, 3), (1, 2)),
        ((1, 3, 3), (2, 1)),
        ((1, 7, 7), (1, 2)),
        ((3, 1, 1), (1, 1)),
        ((5, 1, 1), (8, 1)),
        ((3, 1, 1), (2, 2)),
        ((5, 7, 7), (2, 2)),
    ],
)
def test_equals_conv3d(kernel: tuple[int, int, int], stride: tuple[int, int]) -> None:
    volume = torch.rand(2, 3, 9, 8, 7, dtype=torch.float64, requires_grad=True)  # (N, C, T, H, W)
    weight = torch.rand(4, 3, *kernel, dtype=torch.float64, requires_grad=True)
    steps = (stride[0], stride[1], stride[1])
    expected = functional.conv3d(volume, weight, None, steps, tuple(k // 2 for k in kernel))
    got = convolve(volume.permute(0, 2, 3, 4, 1).contiguous(), weight, stride)
    assert got.is_contiguous()
    torch.testing.assert_close(got.permute(0, 4, 1, 2, 3), expected)
    sums = torch.rand_like(expected)
    wanted = torch.autograd.grad((expected * sums).sum(), (volume, weight))
    found = torch.autograd.grad((got.permute(0, 4, 1, 2, 3) * sums).sum(), (volume, weight))
    torch.testing.assert_close(found, wanted)


def test_statistics_are_those_of_a_3d_batch_norm() -> None:
    unit = ConvNorm(3, 4, (3, 1, 1), relu=False)
    norm = torch.nn.BatchNorm3d(4)
    x = torch.rand(2, 5, 6, 7, 3)  # (N, T, H, W, C)
    got = unit(x)
    volume = functional.conv3d(x.permute(0, 4, 1, 2, 3), unit.conv.weight, None, 1, (1, 0, 0))
    torch.testing.assert_close(got.permute(0, 4, 1, 2, 3), norm(volume))
    torch.testing.assert_close(unit.bn.running_var, norm.running_var)


def test_fresh_blocks_are_the_identity() -> None:
    flags = [[True, True], [True], [True], [True]]
    fresh, drawn = ResNet3d(flags, 4).eval(), ResNet3d(flags, 4, zero_residual=False).eval()
    x = torch.rand(1, 2, 5, 5, 16)  # (N, T, H, W, C)
    torch.testing.assert_close(fresh.stages[0].get_submodule("1")(x), x)
    assert not torch.allclose(drawn.stages[0].get_submodule("1")(x), x)
