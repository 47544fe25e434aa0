"""`conv3d` whose gradient is right in bfloat16 also for clips shorter than the kernel.

On a processor with bfloat16 in AVX-512, PyTorch 2.13 (oneDNN) leaves a kernel's gradient partly unwritten
where a clip has two frames or more but fewer than the kernel spans: two frames under 3 x 3 x 3, as at the end
of C3D. Frames of zeros put there beforehand, instead of by the convolution, give the same numbers.
Axis letters: N C T H W.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


def convolve_volume(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: tuple[int, ...] = (1, 1, 1),
    groups: int = 1,
) -> Tensor:
    """`conv3d` padded by half the kernel.

    Args:
        x: (N, C, T, H, W).
        weight: (C', C / groups, kT, kH, kW), odd kernel sizes.
        bias: (C',).
        stride: (T, H, W).
        groups: as in `conv3d`.

    Returns:
        (N, C', T', H', W').
    """
    span, height, width = weight.shape[2:]
    ends = span // 2
    if 1 < x.shape[2] < span:
        x = functional.pad(x, (0, 0, 0, 0, ends, ends))  # (N, C, T + span - 1, H, W)
        ends = 0
    return functional.conv3d(x, weight, bias, stride, (ends, height // 2, width // 2), 1, groups)


class VolumeConv(nn.Conv3d):
    """`nn.Conv3d` by `convolve_volume`: padded by half its kernel, whatever it was given as padding."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, C', T', H', W')."""
        return convolve_volume(x, self.weight, self.bias, self.stride, self.groups)
