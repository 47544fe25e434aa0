"""PoseC3D with the shallow X3D network: depthwise 3x3x3 convolutions over joint or limb heatmaps.

Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022, table 3 (`X3D-s`); the blocks are those
of Feichtenhofer: X3D, CVPR 2020, without squeeze-and-excitation and swish. Equal to PYSKL's `X3D` with
`I3DHead`. The depthwise convolution, three quarters of the published training step, is a sum of three 2D
ones here (`volume_network.convolve`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.volume_network import HEAD_NAMES, ConvNorm, HeatmapNetwork, volume_channels
from weights.architectures import NameRules

PUBLISHED_NAMES: dict[str, NameRules] = {
    "pyskl": [*HEAD_NAMES, *((rf"^layer{stage + 1}\.", f"stages.{stage}.") for stage in range(4))]
}


class X3DBlock(nn.Module):
    """Widen, depthwise 3x3x3, narrow; plus the input.

    Args:
        in_channels: C.
        planes: inner channels.
        out_channels: C'.
        stride: in space.
    """

    def __init__(self, in_channels: int, planes: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(in_channels, planes, (1, 1, 1))
        self.conv2 = ConvNorm(planes, planes, (3, 3, 3), (1, stride), groups=planes, relu=False)
        self.conv3 = ConvNorm(planes, out_channels, (1, 1, 1), relu=False)
        assert self.conv3.bn is not None
        nn.init.zeros_(self.conv3.bn.weight)  # a fresh block is the identity
        changes = stride != 1 or in_channels != out_channels
        self.downsample = (
            ConvNorm(in_channels, out_channels, (1, 1, 1), (1, stride), relu=False) if changes else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T, H', W', C')."""
        y = self.conv3(self.conv2(self.conv1(x)))
        identity = x if self.downsample is None else self.downsample(x)
        return functional.relu(y + identity, inplace=True)


class X3D(HeatmapNetwork):
    """X3D over volumes (N, C, T, H, W) with C joints or limbs, of any size; time is never halved.

    Args:
        num_classes: width of the logits.
        in_channels: C.
        base_channels: width of the stem and the first stage; it doubles from stage to stage.
        stage_blocks: blocks of each stage, one to four stages.
        spatial_strides: of each stage's first block; the stem halves space before.
        bottleneck: inner channels per channel of a block (gamma_b).
        dropout: before the linear layer.

    Raises:
        ValueError: stages described differently often.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        base_channels: int = 24,
        stage_blocks: Sequence[int] = (2, 5, 3),
        spatial_strides: Sequence[int] = (2, 2, 2),
        bottleneck: float = 2.25,
        dropout: float = 0.5,
    ) -> None:
        if len(stage_blocks) != len(spatial_strides) or not 1 <= len(stage_blocks) <= 4:
            raise ValueError(
                "stage_blocks and spatial_strides must each have one entry a stage, one to four stages; got "
                f"{tuple(stage_blocks)} and {tuple(spatial_strides)}"
            )
        last = base_channels * 2 ** (len(stage_blocks) - 1)
        features = int(last * bottleneck)
        super().__init__(
            num_classes=num_classes, in_channels=in_channels, num_features=features, dropout=dropout
        )
        self.conv1_s = ConvNorm(in_channels, base_channels, (1, 3, 3), (1, 2), norm=False, relu=False)
        self.conv1_t = ConvNorm(base_channels, base_channels, (5, 1, 1), groups=base_channels)
        stages = []
        width = base_channels
        for stage, blocks in enumerate(stage_blocks):
            out = base_channels * 2**stage
            layers = []
            for block in range(blocks):
                stride = spatial_strides[stage] if block == 0 else 1
                layers.append(X3DBlock(width, int(out * bottleneck), out, stride))
                width = out
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.conv5 = ConvNorm(width, features, (1, 1, 1))

    def forward_volume(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T, H', W', num_features)."""
        x = self.conv1_t(self.conv1_s(x))
        for stage in self.stages:
            x = stage(x)
        out: Tensor = self.conv5(x)
        return out


def posec3d_x3d_shallow(
    *,
    num_classes: int,
    layout: Layout,
    in_channels: int | None = None,
    with_limbs: bool = False,
    **options: Any,
) -> X3D:
    """X3D-shallow as published; `options` are those of `X3D`."""
    channels = volume_channels(layout, in_channels, with_limbs)
    return X3D(num_classes=num_classes, in_channels=channels, **options)
