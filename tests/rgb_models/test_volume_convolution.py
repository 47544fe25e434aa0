"""Convolutions over volumes against those in single precision."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from rgb_models.volume_convolution import VolumeConv, convolve_volume


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 6])
@pytest.mark.parametrize(("span", "stride"), [(3, (1, 1, 1)), (5, (1, 2, 2)), (5, (2, 2, 2))])
def test_gradients_in_bfloat16(frames: int, span: int, stride: tuple[int, int, int]) -> None:
    """Relative errors; bfloat16 has eight bits, an unwritten gradient an error of about 1."""
    x = torch.randn(2, 16, frames, 7, 7).bfloat16().contiguous(memory_format=torch.channels_last_3d)
    weight, bias = torch.randn(16, 16, span, 3, 3).bfloat16(), torch.randn(16).bfloat16()
    given = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    exact = [tensor.detach().double().requires_grad_() for tensor in given]
    got = convolve_volume(*given, stride)
    expected = functional.conv3d(*exact, stride, (span // 2, 1, 1))
    cotangent = torch.randn_like(expected).bfloat16()
    found = [got, *torch.autograd.grad(got, given, cotangent)]
    wanted = [expected, *torch.autograd.grad(expected, exact, cotangent.double())]
    for ours, reference in zip(found, wanted, strict=True):
        assert ours.shape == reference.shape
        assert (ours.double() - reference).norm() < 0.01 * reference.norm()


def test_in_double_precision_equal() -> None:
    x, weight = torch.rand(1, 2, 2, 5, 4, dtype=torch.float64), torch.rand(3, 2, 5, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(convolve_volume(x, weight), functional.conv3d(x, weight, None, 1, (2, 1, 1)))


def test_as_a_layer() -> None:
    for groups in (1, 4):
        layer = VolumeConv(4, 8, (5, 3, 1), (1, 2, 2), groups=groups)
        x = torch.rand(1, 4, 2, 5, 4)
        expected = functional.conv3d(x, layer.weight, layer.bias, (1, 2, 2), (2, 1, 0), 1, groups)
        torch.testing.assert_close(layer(x), expected)
