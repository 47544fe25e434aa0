"""ResNet over single frames, the trunk of TSN and of every network that shifts or gates its features in time.

He et al.: Deep Residual Learning for Image Recognition, CVPR 2016, with the stride in the 3x3 convolution as
torchvision ("v1.5") and mmaction2's `pytorch` style have it. What a paper adds sits in its blocks, at one of
two places; a network hands in the function that makes them. Axis letters: N clips, T frames, C channels,
H height, W width; frames are folded into the batch, clip by clip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgb_models.model import RgbModel, check_frames
from weights.architectures import NameRules, check_count
from weights.checkpoint import load_exactly, rename

EXPANSION = 4  # a block's output channels per inner channel

_STAGES: NameRules = [(rf"^layer{stage + 1}\.", f"stages.{stage}.") for stage in range(4)]
TORCHVISION_NAMES: NameRules = [
    *_STAGES,
    (r"(^|\.)conv(\d)\.weight$", r"\1conv\2.conv.weight"),
    (r"(^|\.)bn(\d)\.", r"\1conv\2.bn."),
    (r"\.downsample\.0\.", ".downsample.conv."),
    (r"\.downsample\.1\.", ".downsample.bn."),
]
"""An image classifier's: ResNet-50 of ImageNet, its thousand classes included."""

MMACTION2_NAMES: NameRules = [
    (r"^backbone\.", ""),
    (r"^cls_head\.fc_cls\.", "fc."),
    *_STAGES,
    (r"\.conv1\.conv\.net\.weight$", ".conv1.conv.weight"),  # where a shift wraps the convolution
]


_NOT_OF_PICTURES = re.compile(r"^fc\.|\.(before|inside)\.")


class ConvNorm(nn.Module):
    """A convolution without a bias and a batch norm; padded by half its kernel.

    Args:
        in_channels: C.
        out_channels: C'.
        kernel: odd height and width.
        stride: in height and width.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N * T, C, H, W) to (N * T, C', H', W'), no ReLU."""
        out: Tensor = self.bn(self.conv(x))
        return out


class Bottleneck(nn.Module):
    """Reduce, 3x3, widen; plus the input.

    Args:
        in_channels: C.
        planes: inner channels; 4 * planes come out.
        stride: in height and width, of the 3x3.
        before: on the residual branch's input, (N * T, C, H, W) to the same shape: what TSM calls `blockres`.
        inside: after the 3x3 and its batch norm, before their ReLU: (N * T, planes, H', W') to the same.
    """

    def __init__(
        self,
        in_channels: int,
        planes: int,
        stride: int,
        before: nn.Module | None = None,
        inside: nn.Module | None = None,
    ) -> None:
        super().__init__()
        out = planes * EXPANSION
        self.before = before
        self.conv1 = ConvNorm(in_channels, planes, 1)
        self.conv2 = ConvNorm(planes, planes, 3, stride)
        self.inside = inside
        self.conv3 = ConvNorm(planes, out, 1)
        changes = stride != 1 or in_channels != out
        self.downsample = ConvNorm(in_channels, out, 1, stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(N * T, C, H, W) to (N * T, 4 * planes, H', W')."""
        y = x if self.before is None else self.before(x)
        y = functional.relu(self.conv1(y), inplace=True)  # (N * T, planes, H, W)
        y = self.conv2(y)  # (N * T, planes, H', W')
        if self.inside is not None:
            y = self.inside(y)
        y = self.conv3(functional.relu(y, inplace=True))  # (N * T, 4 * planes, H', W')
        identity = x if self.downsample is None else self.downsample(x)
        return functional.relu(y.add_(identity), inplace=True)  # y is a batch norm's, which needs it no more


MakeBlock = Callable[[int, int, int], nn.Module]
"""(in_channels, planes, stride) -> a block; blocks are made in order, stage by stage."""


class FrameResNet(RgbModel):
    """A ResNet over every frame of a clip; the clip's features are the mean over its frames.

    No weight depends on T here: a network for another number of frames takes the same checkpoint.

    Args:
        make_block: makes every block; `Bottleneck` itself for a plain ResNet.
        num_classes: width of the logits.
        frames: T.
        width: channels of the stem and inner channels of the first stage's blocks; they double from stage to
            stage.
        depths: blocks of each stage, one to four stages.
        frame_dropout: on every frame's features, before their mean.

    Raises:
        ValueError: not one to four stages, or a width or a number of blocks below 1.
    """

    head_std: ClassVar[float] = 0.001  # of a fresh classifier's weights

    def __init__(
        self,
        make_block: MakeBlock,
        *,
        num_classes: int,
        frames: int,
        width: int = 64,
        depths: Sequence[int] = (3, 4, 6, 3),
        frame_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not 1 <= len(depths) <= 4 or min(depths) < 1:
            raise ValueError(
                f"depths: expected the blocks, 1 or more, of one to four stages, got {list(depths)}"
            )
        check_count(type(self).__name__, "width", width)
        self.frames = frames
        self.conv1 = ConvNorm(3, width, 7, stride=2)
        stages = []
        channels = width
        for stage, blocks in enumerate(depths):
            planes = width * 2**stage
            layers = []
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                layers.append(make_block(channels, planes, stride))
                channels = planes * EXPANSION
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.frame_dropout = nn.Dropout(frame_dropout)
        self.num_features = channels
        self.reset_classifier(num_classes)

    def frame_features(self, x: Tensor) -> Tensor:
        """Features of every frame, after the dropout that the published network has there.

        Args:
            x: (N, 3, T, H, W) normalised frames, red first.

        Returns:
            (N, T, num_features).

        Raises:
            ValueError: T is not what the network was built for.
        """
        y = self.frame_maps(x)  # (N * T, num_features, H', W')
        y = y.mean((2, 3), dtype=torch.promote_types(y.dtype, torch.float32))  # (N * T, num_features)
        features: Tensor = self.frame_dropout(y).unflatten(0, (-1, self.frames))
        return features

    def frame_maps(self, x: Tensor) -> Tensor:
        """Feature maps of every frame, clip after clip: (N, 3, T, H, W) to (N * T, num_features, H', W').

        Raises:
            ValueError: T is not what the network was built for.
        """
        check_frames(type(self).__name__, x, self.frames)
        y = x.transpose(1, 2).flatten(0, 1)  # (N * T, 3, H, W), without a copy where channels lie last
        y = functional.relu(self.conv1(y), inplace=True)  # (N * T, width, H / 2, W / 2)
        y = functional.max_pool2d(y, 3, 2, 1)  # (N * T, width, H / 4, W / 4)
        for stage in self.stages:
            y = stage(y)  # halved from the second stage on
        return y

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) to (N, num_features), the mean of `frame_features`; raises as it does."""
        return self.frame_features(x).mean(1)

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to logits (N, num_classes)."""
        logits: Tensor = self.fc(features.to(self.fc.weight.dtype))
        return logits

    def get_classifier(self) -> nn.Module:
        """The linear layer."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """A new linear layer with fresh weights, for `num_classes` classes."""
        self.num_classes = num_classes
        fc = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(fc.weight, std=self.head_std)
        nn.init.zeros_(fc.bias)
        old = getattr(self, "fc", None)
        self.fc = fc if old is None else fc.to(old.weight)

    def load_pictures(self, pictures: Mapping[str, Tensor]) -> None:
        """Start from a ResNet over pictures: torchvision's state dict.

        The classifier, and what a paper adds to the blocks, stay.

        Raises:
            ValueError: entries are missing, left over or of another shape.
        """
        trunk = {name: t for name, t in rename(pictures, TORCHVISION_NAMES).items() if name[:3] != "fc."}
        own = {name: t for name, t in self.state_dict().items() if _NOT_OF_PICTURES.search(name)}
        load_exactly(self, own | trunk)
