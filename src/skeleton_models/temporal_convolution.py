"""Convolutions over time that several papers share, and the merging of pointwise branches into one.

Axis letters: P persons of all clips together, C channels, T frames, V joints. Tensors are (P, C, T, V); they
are fast in channels-last memory, right in any.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from weights.architectures import NameRules

MULTI_BRANCH_NAMES: NameRules = (
    (r"\.branches\.(\d+)\.0\.", r".reduce.\1."),
    (r"\.branches\.(\d+)\.1\.", r".reduce_bn.\1."),
    (r"\.branches\.(\d+)\.3\.conv\.", r".dilated.\1."),
    (r"\.branches\.\d+\.(weight|bias)$", r".pointwise.\1"),
    (r"\.transform\.0\.", ".join_bn."),
    (r"\.transform\.2\.", ".join."),
)
"""PYSKL's and MMAction2's entries of `MultiBranchTemporal` (`mstcn`)."""


class TemporalConvolution(nn.Module):
    """Convolution over frames, batch norm, dropout (`unit_tcn` of the published code)."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 9, stride: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, (kernel, 1), (stride, 1), (kernel // 2, 0))
        self.bn = nn.BatchNorm2d(out_channels)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C', ceil(T / stride), V)."""
        dropped: Tensor = self.drop(self.bn(self.conv(x)))
        return dropped


def convolve_over_time(conv: nn.Module, x: Tensor) -> Tensor:
    """A convolution over frames with a (kernel, 1) window that keeps their number, also with dilation.

    On a processor in bfloat16, oneDNN's gradient of a dilated convolution on channels-last memory is NaN, or
    ends the process, for some widths above 16 and more than 40 joints (torch 2.13). There the frames are
    dealt out to `dilation` rows first, without a copy where their number allows: neighbours in a row are
    neighbours of the dilated window, so that a plain convolution gives the same sums.

    Args:
        conv: of kernel (K, 1) and padding dilation * (K // 2).
        x: (P, C, T, V).

    Returns:
        (P, C', ceil(T / stride), V).
    """
    assert isinstance(conv, nn.Conv2d)
    apart, stride = int(conv.dilation[0]), int(conv.stride[0])
    half = x.device.type == "cpu" and (x.dtype == torch.bfloat16 or torch.is_autocast_enabled("cpu"))
    if not half or apart == 1:
        return conv(x)  # type: ignore[no-any-return]
    if stride > 1:
        return conv(x.contiguous())  # type: ignore[no-any-return]
    people, channels, frames, joints = x.shape
    missing = -frames % apart
    if missing:
        x = functional.pad(x, (0, 0, 0, missing))  # zeros, which a window beyond the end sees anyway
    dealt = x.reshape(people, channels, (frames + missing) // apart, apart * joints)
    own = functional.conv2d(dealt, conv.weight, conv.bias, 1, (int(conv.kernel_size[0]) // 2, 0))
    return own.reshape(people, -1, frames + missing, joints)[:, :, :frames]


def merged_pointwise(x: Tensor, convs: Iterable[nn.Module], norms: Iterable[nn.Module]) -> Tensor:
    """The outputs of several (1x1 convolution, batch norm), side by side, computed as one.

    Exact in training too: batch norm knows each channel for itself. The running statistics of every norm are
    kept as if it had run alone.

    Args:
        x: (P, C, T, V).
        convs: 1x1 convolutions from C channels, with biases.
        norms: one per convolution, alike in momentum and eps.

    Returns:
        (P, sum of the convolutions' channels, T, V).
    """
    layers = [conv for conv in convs if isinstance(conv, nn.Conv2d)]
    weight = torch.cat([conv.weight for conv in layers])
    bias = torch.cat([conv.bias for conv in layers if conv.bias is not None])
    return merged_batch_norm(functional.conv2d(x, weight, bias), norms)


def merged_batch_norm(x: Tensor, norms: Iterable[nn.Module]) -> Tensor:
    """Several batch norms over consecutive groups of channels, computed as one.

    Args:
        x: (P, C, T, V), C the sum of the norms' channels.
        norms: alike in momentum and eps, all with running statistics.

    Returns:
        (P, C, T, V).
    """
    parts = [norm for norm in norms if isinstance(norm, nn.BatchNorm2d)]
    mean = torch.cat([_tensor(norm.running_mean) for norm in parts])
    variance = torch.cat([_tensor(norm.running_var) for norm in parts])
    weight = torch.cat([norm.weight for norm in parts])
    bias = torch.cat([norm.bias for norm in parts])
    training = parts[0].training
    y = functional.batch_norm(
        x, mean, variance, weight, bias, training, parts[0].momentum or 0.0, parts[0].eps
    )
    if training:
        widths = [norm.num_features for norm in parts]
        with torch.no_grad():
            for norm, new_mean, new_variance in zip(
                parts, torch.split(mean, widths), torch.split(variance, widths), strict=True
            ):
                _tensor(norm.running_mean).copy_(new_mean)
                _tensor(norm.running_var).copy_(new_variance)
                _tensor(norm.num_batches_tracked).add_(1)
    return y


def _tensor(buffer: Tensor | None) -> Tensor:
    assert buffer is not None  # the norms here always track statistics
    return buffer


class MultiBranchTemporal(nn.Module):
    """ST-GCN++'s temporal module: dilated convolutions, a max-pool and a 1x1 convolution side by side.

    Each branch narrows to about a sixth of the channels; all are joined, and a 1x1 convolution mixes them.

    Args:
        channels: width in and out.
        stride: over frames.
        dilations: of the kernel-3 convolutions, one branch each.
        dropout: behind the last batch norm.
    """

    def __init__(
        self,
        channels: int,
        stride: int = 1,
        dilations: tuple[int, ...] = (1, 2, 3, 4),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        count = len(dilations) + 2
        width = channels // count
        self.widths = [channels - width * (count - 1), *[width] * len(dilations)]  # the 1x1 branch: width
        self.reduce = nn.ModuleList(nn.Conv2d(channels, own, 1) for own in self.widths)
        self.reduce_bn = nn.ModuleList(nn.BatchNorm2d(own) for own in self.widths)
        self.dilated = nn.ModuleList(
            nn.Conv2d(own, own, (3, 1), (stride, 1), (dilation, 0), (dilation, 1))
            for own, dilation in zip(self.widths, dilations, strict=False)
        )
        self.pool = nn.MaxPool2d((3, 1), (stride, 1), (1, 0))
        self.pointwise = nn.Conv2d(channels, width, 1, (stride, 1))
        self.join_bn = nn.BatchNorm2d(channels)
        self.join = nn.Conv2d(channels, channels, 1)
        self.bn = nn.BatchNorm2d(channels)
        self.drop = nn.Dropout(dropout)

    def branches(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C, T / stride, V), all branches side by side."""
        narrow = torch.relu(merged_pointwise(x, self.reduce, self.reduce_bn))
        parts = torch.split(narrow, self.widths, 1)
        outputs = [convolve_over_time(conv, part) for conv, part in zip(self.dilated, parts, strict=False)]
        return torch.cat([*outputs, self.pool(parts[-1]), self.pointwise(x)], 1)

    def mix(self, y: Tensor) -> Tensor:
        """(P, C, T, V), the branches side by side, to the module's output."""
        mixed: Tensor = self.drop(self.bn(self.join(torch.relu(self.join_bn(y)))))
        return mixed

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, V) to (P, C, ceil(T / stride), V)."""
        return self.mix(self.branches(x))
