"""Convolutions over heatmap volumes in the memory order that processors like, and what such networks share.

Activations lie as (N, T, H, W, C), contiguous. On this memory most 3D convolutions are 2D ones, exactly: a
kernel (1, k, k) convolves N * T frames, a kernel (k, 1, 1) convolves images of T rows and H * W columns, and
a depthwise (k, 3, 3) is the sum of k depthwise 2D convolutions of shifted frames. PyTorch's 3D kernels are
slow for these (it takes `slow_conv3d` for 1x1 in space on one thread, and a plain loop backwards for
depthwise); only dense kernels such as 3x3x3 remain 3D convolutions. Weights keep the 3D shape of published
checkpoints. Axis letters: N clips, C channels, T frames, H height, W width.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.model import SkeletonModel
from weights.architectures import NameRules

UINT8_SCALE = 255.0  # as `heatmap` writes them; it is not imported, for it needs numba
Kernel = tuple[int, int, int]

HEAD_NAMES: NameRules = [(r"^backbone\.", ""), (r"^cls_head\.fc_cls\.", "fc.")]


class ConvNorm(nn.Module):
    """A convolution, a batch norm and a ReLU on (N, T, H, W, C) memory; padded to keep the size.

    Args:
        in_channels: C.
        out_channels: C'.
        kernel: odd (T, H, W).
        stride: (T, H and W).
        groups: as in nn.Conv3d; C for depthwise.
        norm: whether a batch norm follows.
        relu: whether a ReLU follows.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Kernel,
        stride: tuple[int, int] = (1, 1),
        groups: int = 1,
        norm: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, out_channels, kernel, bias=False, groups=groups)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        self.bn = nn.BatchNorm2d(out_channels) if norm else None
        self.stride = stride
        self.groups = groups
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', C')."""
        x = convolve(x, self.conv.weight, self.stride, self.groups)
        if self.bn is not None:
            frames = x.shape[1]
            x = torch.unflatten(_from_images(self.bn(_to_images(x.flatten(0, 1)))), 0, (-1, frames))
        return functional.relu(x, inplace=True) if self.relu else x


def convolve(x: Tensor, weight: Tensor, stride: tuple[int, int] = (1, 1), groups: int = 1) -> Tensor:
    """`conv3d` with half-kernel padding, on memory whose channels come last.

    Args:
        x: (N, T, H, W, C) contiguous.
        weight: (C', C / groups, kT, kH, kW), odd kernel sizes.
        stride: (T, H and W).
        groups: as in conv3d.

    Returns:
        (N, T', H', W', C').
    """
    k_t, k_h, k_w = weight.shape[2:]
    pad = (k_h // 2, k_w // 2)
    frames, height, width = x.shape[1:4]
    step, step_hw = stride
    if k_t == 1:
        x = x if step == 1 else x[:, ::step]  # (N, T', H, W, C)
        images = _to_images(x.flatten(0, 1))  # (N * T', C, H, W)
        out = functional.conv2d(images, weight.squeeze(2), None, step_hw, pad, 1, groups)
        return torch.unflatten(_from_images(out), 0, (-1, x.shape[1]))
    if k_h == k_w == 1 and step_hw == 1:
        columns = _to_images(x.flatten(2, 3))  # (N, C, T, H * W)
        out = functional.conv2d(columns, weight.squeeze(-1), None, (step, 1), (k_t // 2, 0), 1, groups)
        return torch.unflatten(_from_images(out), 2, (height, width))
    if groups == x.shape[4] and step == 1:
        images = _to_images(x.flatten(0, 1))  # (N * T, C, H, W)
        parts = []
        for tap in range(k_t):
            later = k_t // 2 - tap
            if abs(later) < frames:  # else only padding would be seen
                out = functional.conv2d(images, weight[:, :, tap], None, step_hw, pad, 1, groups)
                parts.append(_shifted(torch.unflatten(_from_images(out), 0, (-1, frames)), later))
        return sum(parts[1:], parts[0])
    volume = x.permute(0, 4, 1, 2, 3)  # (N, C, T, H, W) in channels_last_3d memory
    ends = k_t // 2
    if 1 < frames < k_t:  # PyTorch 2.13 leaves such kernels' gradients unwritten in bfloat16 on processors
        volume = functional.pad(volume, (0, 0, 0, 0, ends, ends))
        ends = 0
    out = functional.conv3d(volume, weight, None, (step, step_hw, step_hw), (ends, *pad), 1, groups)
    return out.permute(0, 2, 3, 4, 1).contiguous()


def _to_images(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)  # (N, H, W, C) to (N, C, H, W), the memory stays


def _from_images(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).contiguous()  # back; a copy only where a kernel chose another memory order


def _shifted(x: Tensor, frames: int) -> Tensor:
    """(N, T, H, W, C), later by `frames`; zeros come in."""
    if not frames:
        return x
    kept, new = (x[:, :-frames], (frames, 0)) if frames > 0 else (x[:, -frames:], (0, -frames))
    return functional.pad(kept, (0, 0, 0, 0, 0, 0, *new))


def pool_space(x: Tensor, kind: Literal["max", "average"], kernel: int, stride: int) -> Tensor:
    """Pool every frame of (N, T, H, W, C); max pooling is padded by half its kernel, as in a ResNet."""
    images = _to_images(x.flatten(0, 1))  # (N * T, C, H, W)
    out = (
        functional.max_pool2d(images, kernel, stride, kernel // 2)
        if kind == "max"
        else functional.avg_pool2d(images, kernel, stride)
    )
    return torch.unflatten(_from_images(out), 0, (-1, x.shape[1]))


class HeatmapNetwork(SkeletonModel):
    """Joint or limb volumes to logits: a stack of convolutions, the mean over the volume, a linear layer.

    Volumes may be float32, float16, bfloat16 or uint8 of any size; uint8 counts 0..255 for 0..1 and is scaled
    on the device of the model, so that a quarter of the bytes cross the bus.

    Args:
        num_classes: width of the logits.
        in_channels: joints or limbs.
        num_features: channels of the last volume.
        dropout: before the linear layer.
    """

    input_kind: ClassVar[Literal["graph", "heatmap"]] = "heatmap"

    def __init__(self, *, num_classes: int, in_channels: int, num_features: int, dropout: float) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.num_features = num_features
        self.dropout = nn.Dropout(dropout)
        self.reset_classifier(num_classes)

    @abstractmethod
    def forward_volume(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', num_features)."""

    def forward_features(
        self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None
    ) -> Tensor:
        """(N, C, T, H, W) volumes to (N, num_features); all persons share a volume, `present` is not used.

        Raises:
            ValueError: another number of channels, or not a volume.
        """
        if x.dim() != 5 or x.shape[1] != self.in_channels:
            raise ValueError(
                f"expected volumes (N, {self.in_channels}, T, H, W), got {tuple(x.shape)}; build the model "
                "with in_channels = the input's joints or limbs"
            )
        x = x.permute(0, 2, 3, 4, 1).contiguous()  # (N, T, H, W, C)
        if x.dtype == torch.uint8:
            x = x.to(self.fc.weight.dtype) * (1 / UINT8_SCALE)
        x = self.forward_volume(x.to(self.fc.weight.dtype))  # (N, T', H', W', num_features)
        return x.mean((1, 2, 3), dtype=torch.promote_types(x.dtype, torch.float32))

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to (N, num_classes)."""
        logits: Tensor = self.fc(self.dropout(features.to(self.fc.weight.dtype)))
        return logits

    def get_classifier(self) -> nn.Linear:
        """The linear layer."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """A new linear layer: normal weights of deviation 0.01, biases 0."""
        self.num_classes = num_classes
        fc = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(fc.weight, std=0.01)
        nn.init.zeros_(fc.bias)
        old = getattr(self, "fc", None)
        self.fc = fc if old is None else fc.to(old.weight)


def volume_channels(layout: Layout, in_channels: int | None, with_limbs: bool) -> int:
    """Channels of the input: those asked for, else the layout's limbs or joints.

    Raises:
        ValueError: limbs of a layout that has none.
    """
    if in_channels is not None:
        return in_channels
    channels = len(layout.limbs if with_limbs else layout.joints)
    if not channels:
        raise ValueError(f"layout {layout.name!r} has no limbs; use joint volumes (with_limbs=False)")
    return channels
