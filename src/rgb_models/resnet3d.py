"""ResNets whose kernels also see time: the trunk of I3D and of both pathways of SlowFast.

A bottleneck's first kernel spans three frames where it is temporal and one elsewhere, its second 3 x 3
pixels. Carreira and Zisserman: Quo Vadis, Action Recognition?, CVPR 2017, inflate the kernels of a picture's
network; the ResNet is that of Wang et al.: Non-local Neural Networks, CVPR 2018, table 1. Equal to
MMAction2's `ResNet3d`.

Activations lie as (N, T, H, W, C), contiguous: on this memory a kernel (1, k, k) convolves N * T pictures and
a kernel (k, 1, 1) pictures of T rows and H * W columns, exactly; PyTorch's 3D kernels are slow for both. Only
a stem that spans frames and pixels remains a 3D convolution. Weights keep their 3D shape. Axis letters:
N clips, C channels, T frames, H height, W width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgb_models.resnet2d import TORCHVISION_NAMES
from rgb_models.volume_convolution import convolve_volume
from weights.architectures import NameRules, check_count
from weights.checkpoint import rename

EXPANSION = 4  # a block's output channels per inner channel

Kernel = tuple[int, int, int]
Stride = tuple[int, int]

STAGE_NAMES: NameRules = [
    (rf"(^|\.)layer{stage + 1}\.", rf"\g<1>stages.{stage}.") for stage in range(4)
]  # MMAction2's names of a trunk's stages -> ours


def convolve(x: Tensor, weight: Tensor, stride: Stride = (1, 1)) -> Tensor:
    """`conv3d` with half-kernel padding, on memory whose channels come last.

    Args:
        x: (N, T, H, W, C).
        weight: (C', C, kT, kH, kW), odd kernel sizes.
        stride: (T, H and W).

    Returns:
        (N, T', H', W', C').
    """
    k_t, k_h, k_w = weight.shape[2:]
    step, step_hw = stride
    if k_t == 1:
        x = x[:, ::step]  # (N, T', H, W, C)
        y = functional.conv2d(_to_pictures(x), weight.squeeze(2), None, step_hw, (k_h // 2, k_w // 2))
        return _to_clips(y, x.shape[1])
    if k_h == k_w == step_hw == 1:
        columns = x.flatten(2, 3).permute(0, 3, 1, 2)  # (N, C, T, H * W)
        y = functional.conv2d(columns, weight.squeeze(-1), None, (step, 1), (k_t // 2, 0))
        return torch.unflatten(y.permute(0, 2, 3, 1).contiguous(), 2, x.shape[2:4])
    volume = convolve_volume(x.permute(0, 4, 1, 2, 3), weight, None, (step, step_hw, step_hw))
    return volume.permute(0, 2, 3, 4, 1).contiguous()


def _to_pictures(x: Tensor) -> Tensor:
    """(N, T, H, W, C) to (N * T, C, H, W); the memory stays."""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def _to_clips(pictures: Tensor, frames: int) -> Tensor:
    """(N * T, C, H, W) to (N, T, H, W, C); a copy only where a kernel chose another memory order."""
    return torch.unflatten(pictures.permute(0, 2, 3, 1).contiguous(), 0, (-1, frames))


class TimeConv(nn.Module):
    """A convolution without bias, padded to keep the size.

    Args:
        in_channels: C.
        out_channels: C'.
        kernel: odd (T, H, W).
        stride: (T, H and W).
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: Kernel, stride: Stride = (1, 1)) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, kernel, bias=False)  # holds the weights
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', C')."""
        return convolve(x, self.conv.weight, self.stride)


class ConvNorm(TimeConv):
    """A convolution and a batch norm, then a ReLU if asked for.

    Args:
        in_channels: C.
        out_channels: C'.
        kernel: odd (T, H, W).
        stride: (T, H and W).
        relu: whether a ReLU follows.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: Kernel, stride: Stride = (1, 1), relu: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride)
        self.bn = nn.BatchNorm2d(out_channels)  # over N * T pictures: the numbers of a 3D one
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', C')."""
        x = super().forward(x)
        x = _to_clips(self.bn(_to_pictures(x)), x.shape[1])
        return functional.relu(x, inplace=True) if self.relu else x


class Bottleneck(nn.Module):
    """Reduce (over three frames where it is temporal), 3 x 3 in space, widen; plus the input.

    Args:
        in_channels: C.
        planes: inner channels; 4 * planes come out.
        stride: in space, of the second convolution.
        temporal: whether the first kernel spans three frames.
        zero_residual: whether a fresh block is the identity.
    """

    def __init__(
        self, in_channels: int, planes: int, stride: int, temporal: bool, zero_residual: bool
    ) -> None:
        super().__init__()
        out = planes * EXPANSION
        self.conv1 = ConvNorm(in_channels, planes, (3 if temporal else 1, 1, 1))
        self.conv2 = ConvNorm(planes, planes, (1, 3, 3), (1, stride))
        self.conv3 = ConvNorm(planes, out, (1, 1, 1), relu=False)
        if zero_residual:
            nn.init.zeros_(self.conv3.bn.weight)
        changes = stride != 1 or in_channels != out
        self.downsample = ConvNorm(in_channels, out, (1, 1, 1), (1, stride), relu=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T, H', W', 4 * planes)."""
        y = self.conv3(self.conv2(self.conv1(x)))
        identity = x if self.downsample is None else self.downsample(x)
        return functional.relu(y + identity, inplace=True)


class ResNet3d(nn.Module):
    """A stem and stages of bottlenecks; the caller runs them one by one, for pathways meet in between.

    Args:
        temporal: a row a stage, a flag a block: whether its first kernel spans three frames.
        base_channels: width of the stem; a stage's inner width doubles from stage to stage.
        stem_frames: frames that the stem's kernel spans.
        stem_stride: in time, of the stem's convolution.
        pool_stride: in time, of the max pooling after it.
        lateral_channels: what each stage is given beside what the one before it puts out.
        zero_residual: whether fresh blocks are the identity.

    Raises:
        ValueError: not one to four stages, a stage without a block, or no channels.
    """

    def __init__(
        self,
        temporal: Sequence[Sequence[bool]],
        base_channels: int = 64,
        stem_frames: int = 1,
        stem_stride: int = 1,
        pool_stride: int = 1,
        lateral_channels: Sequence[int] = (0, 0, 0, 0),
        zero_residual: bool = True,
    ) -> None:
        super().__init__()
        if not 1 <= len(temporal) <= 4 or not all(temporal):
            depths = [len(flags) for flags in temporal]
            raise ValueError(f"expected one to four stages of at least one block, got blocks {depths}")
        check_count("ResNet3d", "base_channels", base_channels)
        self.conv1 = ConvNorm(3, base_channels, (stem_frames, 7, 7), (stem_stride, 2))
        self.pool_stride = pool_stride
        stages = []
        width = base_channels
        for stage, flags in enumerate(temporal):
            planes = base_channels * 2**stage
            width += lateral_channels[stage]
            blocks = []
            for block, flag in enumerate(flags):
                stride = 2 if stage and not block else 1
                blocks.append(Bottleneck(width, planes, stride, bool(flag), zero_residual))
                width = planes * EXPANSION
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.num_features = width

    def stem(self, x: Tensor) -> Tensor:
        """Frames (N, 3, T, H, W) to (N, T', H', W', C), a quarter of the size."""
        x = self.conv1(x.permute(0, 2, 3, 4, 1).contiguous())[:, :: self.pool_stride]  # (N, T', H/2, W/2, C)
        return _to_clips(functional.max_pool2d(_to_pictures(x), 3, 2, 1), x.shape[1])


def pool_volume(x: Tensor) -> Tensor:
    """Mean over (N, T, H, W, C) as (N, C), in float32 at least."""
    return x.mean((1, 2, 3), dtype=torch.promote_types(x.dtype, torch.float32))


def inflate_pictures(trunk: ResNet3d, pictures: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict for a trunk out of that of a ResNet over pictures, as torchvision's ResNet-50 of ImageNet.

    A kernel is repeated over the frames that it is to span and divided by their number, so that a clip of one
    picture gives what the picture gave (CVPR 2017, section 2.4.2). The classifier is left out.

    Args:
        trunk: what `load_exactly` shall load the result into; the stem must be as wide as the pictures'.
        pictures: torchvision's names.

    Returns:
        The trunk's names; entries that do not belong to it stay, for `load_exactly` to name them.
    """
    own = trunk.state_dict()
    state = {}
    for name, tensor in rename(pictures, TORCHVISION_NAMES).items():
        if name.startswith("fc."):
            continue
        if name in own and own[name].ndim == 5 and tensor.ndim == 4:
            frames = own[name].shape[2]
            tensor = (tensor / frames).unsqueeze(2).expand(-1, -1, frames, -1, -1)  # (C', C, kT, kH, kW)
        state[name] = tensor
    return state
