"""DD-Net: double-feature, double-motion network (Yang et al., 2019), the quickest network of the zoo.

Three streams of one-dimensional convolutions over time: the distances between all pairs of joints (JCD, which
neither place nor view changes), the motion from frame to frame (slow) and from every second frame to the next
(fast). They are joined at half the frames and convolved three times more.

Features are computed inside the network, from the joints themselves. Memory is (P, T, C), channels last.

`norm` is where two codes differ: the authors' Keras code normalises each channel, the public PyTorch port
each frame of the clip (so its weights are tied to a number of frames). The port's dropouts are kept.

Axis letters: N clips, M persons, P persons computed, T frames, V joints, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.model import SkeletonModel, gather_persons, mean_over_persons
from weights.architectures import NameRules

Norm = Literal["channels", "frames"]
"""What a batch norm normalises: each channel (the authors' code), or each frame (the PyTorch port)."""

PUBLISHED_NAMES: Mapping[str, NameRules] = {
    "original": (
        (r"^(jcd|slow|fast)_conv(\d)\.(?:0\.)?(conv1|bn)\.", r"\1.\2.\3."),
        (r"^block(\d)\.(?:0\.)?c1D(\d)\.", r"joined.\1.\2."),
        (r"^linear([12])\.0\.(linear|bn)\.", r"head.\1.\2."),
        (r"^linear3\.", "fc."),
        (r"\.conv1\.", ".conv."),
        *((rf"^(jcd|slow|fast|joined|head)\.{i}\.", rf"\1.{i - 1}.") for i in (1, 2, 3)),
        *((rf"^joined\.(\d)\.{i}\.", rf"joined.\1.{i - 1}.") for i in (1, 2)),
    ),
}


class FrameConvolution(nn.Module):
    """Convolution over frames without bias, batch norm, leaky ReLU.

    Args:
        in_channels: C.
        out_channels: C'.
        kernel: 1 or 3 frames.
        norm: see `Norm`.
        frames: T, needed where each frame is normalised.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, norm: Norm, frames: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False)
        self.norm = norm
        self.bn = nn.BatchNorm1d(out_channels if norm == "channels" else frames)

    def forward(self, x: Tensor) -> Tensor:
        """(P, C, T, 1) in channels-last memory to (P, C', T, 1)."""
        weight = self.conv.weight.unsqueeze(-1)  # as two-dimensional: such convolutions know channels-last
        y = functional.conv2d(x, weight, padding=(self.conv.kernel_size[0] // 2, 0))
        if self.norm == "channels":
            y = _batch_norm(self.bn, y)
        else:
            y = self.bn(y.squeeze(3).transpose(1, 2)).transpose(1, 2).unsqueeze(3)
        return functional.leaky_relu(y, 0.2)


class HiddenLayer(nn.Module):
    """Linear, batch norm, leaky ReLU."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.bn = nn.BatchNorm1d(out_features)

    def forward(self, x: Tensor) -> Tensor:
        """(P, F) to (P, F')."""
        return functional.leaky_relu(_batch_norm(self.bn, self.linear(x)), 0.2)


def _batch_norm(bn: nn.BatchNorm1d, y: Tensor) -> Tensor:
    """(P, C, ...) to the same, also on four axes, where it is quick in channels-last memory.

    A channel's only value has no deviation: it is normalised by the running statistics, in training too.
    """
    training = bn.training and y.numel() > y.shape[1]
    if training and bn.num_batches_tracked is not None:
        bn.num_batches_tracked.add_(1)
    return functional.batch_norm(
        y, bn.running_mean, bn.running_var, bn.weight, bn.bias, training, bn.momentum or 0.0, bn.eps
    )


class DDNet(SkeletonModel):
    """The network; see the module's docstring.

    Args:
        num_classes: width of the logits.
        layout: the joints.
        in_channels: C, coordinates and, where wanted, the confidence.
        coordinates: how many of the first channels are coordinates, of which distances are taken; None: all.
        filters: 16, 32 or 64 in the paper; all widths are its multiples.
        frames: T where `norm` is "frames"; otherwise any number of at least eight is taken.
        norm: see `Norm`.
        dropout: of the two hidden layers.
        channel_dropout: of whole channels between convolutions.
    """

    input_kind = "graph"

    def __init__(
        self,
        *,
        num_classes: int,
        layout: Layout,
        in_channels: int = 3,
        coordinates: int | None = None,
        filters: int = 64,
        frames: int = 32,
        norm: Norm = "channels",
        dropout: float = 0.5,
        channel_dropout: float = 0.1,
    ) -> None:
        super().__init__()
        joints, hidden = len(layout.joints), 128
        self.joints, self.in_channels, self.frames, self.norm = joints, in_channels, frames, norm
        self.coordinates = in_channels if coordinates is None else coordinates
        self.num_features, self.num_classes = hidden, num_classes
        first, second = np.triu_indices(joints, 1)
        self.first: Tensor
        self.second: Tensor
        self.register_buffer("first", torch.from_numpy(first), persistent=False)
        self.register_buffer("second", torch.from_numpy(second), persistent=False)

        def stream(channels: int, length: int) -> nn.ModuleList:
            return nn.ModuleList(
                FrameConvolution(c_in, c_out, kernel, norm, length)
                for c_in, c_out, kernel in (
                    (channels, 2 * filters, 1),
                    (2 * filters, filters, 3),
                    (filters, filters, 1),
                )
            )

        self.jcd = stream(len(first), frames)
        self.slow = stream(joints * in_channels, frames)
        self.fast = stream(joints * in_channels, frames // 2)
        self.joined = nn.ModuleList(
            nn.Sequential(
                FrameConvolution(c_in * filters, c_out * filters, 3, norm, length),
                FrameConvolution(c_out * filters, c_out * filters, 3, norm, length),
            )
            for c_in, c_out, length in ((3, 2, frames // 2), (2, 4, frames // 4), (4, 8, frames // 8))
        )
        self.head = nn.ModuleList((HiddenLayer(8 * filters, hidden), HiddenLayer(hidden, hidden)))
        self.drop = nn.Dropout(dropout)
        self.drop_channels = nn.Dropout2d(channel_dropout)
        self.fc = nn.Linear(hidden, num_classes)

    def _distances(self, x: Tensor) -> Tensor:
        """(P, T, V, C) to (P, T, pairs): distances of joints, by their mean over the clip, less 1."""
        points = x[..., : self.coordinates]
        apart = points[:, :, self.first] - points[:, :, self.second]  # (P, T, pairs, C)
        # kept from zero, where the root has no slope
        distance = apart.square().sum(-1).clamp(min=1e-12).sqrt()
        mean = distance.mean((1, 2), keepdim=True).clamp(min=1e-6)
        return distance / mean - 1

    def forward_features(
        self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None
    ) -> Tensor:
        """(N, M, T, V, C) to (N, 128); `position` is ignored.

        Raises:
            ValueError: joints or channels are not those of the constructor, or the frames do not fit.
        """
        frames, *rest = x.shape[2:]
        fits = frames == self.frames if self.norm == "frames" else frames >= 8
        if tuple(rest) != (self.joints, self.in_channels) or not fits:
            needed = self.frames if self.norm == "frames" else "8 or more"
            raise ValueError(
                f"DDNet expects (N, M, T, V, C) with T = {needed}, V = {self.joints}, "
                f"C = {self.in_channels}, got {tuple(x.shape)}"
            )
        persons, clip = gather_persons(x, present)  # (P, T, V, C)
        if clip is not None and not len(clip):
            return self.features_of_nobody(x)
        pose = persons.flatten(2)  # (P, T, V C)
        half = frames // 2
        jcd = self._stream(self.jcd, _convolvable(self._distances(persons)))
        slow = self._stream(self.slow, _motion(pose))
        fast = self._stream(self.fast, _motion(pose[:, : 2 * half : 2]), drop_last=True)
        y = torch.cat([self._shrink(jcd), self._shrink(slow), fast], 1)  # (P, 3 filters, T / 2, 1)
        y = y.contiguous(memory_format=torch.channels_last)
        for number, block in enumerate(self.joined):
            y = block(y)
            y = self._shrink(y) if number < 2 else self.drop_channels(y)
        features = y.amax((2, 3))  # (P, 8 filters)
        for layer in self.head:
            features = self.drop(layer(features))
        return mean_over_persons(features, clip, x.shape[0])  # (N, 128)

    def _stream(self, layers: nn.ModuleList, x: Tensor, drop_last: bool = False) -> Tensor:
        """Three convolutions, whole channels dropped between them (and, where said, behind the last)."""
        for number, layer in enumerate(layers):
            x = layer(x)
            if drop_last or number < len(layers) - 1:
                x = self.drop_channels(x)
        return x

    def _shrink(self, x: Tensor) -> Tensor:
        """(P, C, T, 1) to (P, C, T // 2, 1), the greater of two frames, whole channels dropped."""
        dropped: Tensor = self.drop_channels(functional.max_pool2d(x, (2, 1)))
        return dropped

    def get_classifier(self) -> nn.Linear:
        """The last layer."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer with fresh weights."""
        self.num_classes = num_classes
        self.fc = nn.Linear(self.num_features, num_classes, device=self.fc.weight.device)


def _convolvable(x: Tensor) -> Tensor:
    """(P, T, C) to (P, C, T, 1), the same memory: channels last."""
    return x.unsqueeze(2).permute(0, 3, 1, 2)


def _motion(pose: Tensor) -> Tensor:
    """(P, T, C) to (P, C, T, 1): differences of frames, stretched from T - 1 to T by linear interpolation."""
    step = (pose[:, 1:] - pose[:, :-1]).transpose(1, 2)  # (P, C, T - 1)
    stretched = functional.interpolate(step, size=pose.shape[1], mode="linear", align_corners=False)
    return stretched.unsqueeze(3).contiguous(memory_format=torch.channels_last)


def ddnet(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> DDNet:
    """DD-Net with 64 filters, the paper's best (1.8 M parameters); `options` are those of `DDNet`."""
    return DDNet(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)
