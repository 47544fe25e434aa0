"""PoseC3D with its SlowOnly-R50 network: a 3D ResNet over joint or limb heatmaps.

Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022, section 3.3 and table 2. Half the width
of SlowOnly for video, no downsampling in the stem, three stages (4, 6, 3), temporal kernels in the last two.
Equal to PYSKL's and MMAction2's `ResNet3dSlowOnly` with `I3DHead`. Axis letters: N C T H W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.volume_network import HEAD_NAMES, ConvNorm, HeatmapNetwork, pool_space, volume_channels
from weights.architectures import NameRules

EXPANSION = 4  # a block's output channels per inner channel

_RULES: NameRules = [*HEAD_NAMES, *((rf"^layer{stage + 1}\.", f"stages.{stage}.") for stage in range(4))]
PUBLISHED_NAMES: dict[str, NameRules] = {"pyskl": _RULES, "mmaction2": _RULES}


class Bottleneck(nn.Module):
    """Reduce (over three frames where it is temporal), 3x3 in space, widen; plus the input.

    Args:
        in_channels: C.
        planes: inner channels; 4 * planes come out.
        stride: (T, H and W).
        temporal: whether the first kernel spans three frames.
    """

    def __init__(self, in_channels: int, planes: int, stride: tuple[int, int], temporal: bool) -> None:
        super().__init__()
        out = planes * EXPANSION
        self.conv1 = ConvNorm(in_channels, planes, (3 if temporal else 1, 1, 1))
        self.conv2 = ConvNorm(planes, planes, (1, 3, 3), stride)
        self.conv3 = ConvNorm(planes, out, (1, 1, 1), relu=False)
        assert self.conv3.bn is not None
        nn.init.zeros_(self.conv3.bn.weight)  # a fresh block is the identity
        changes = stride[1] != 1 or in_channels != out
        self.downsample = ConvNorm(in_channels, out, (1, 1, 1), stride, relu=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', 4 * planes)."""
        y = self.conv3(self.conv2(self.conv1(x)))
        identity = x if self.downsample is None else self.downsample(x)
        return functional.relu(y.add_(identity), inplace=True)  # y is a batch norm's, which needs it no more


class SlowOnly(HeatmapNetwork):
    """SlowOnly over volumes (N, C, T, H, W) with C joints or limbs, of any size.

    Args:
        num_classes: width of the logits.
        in_channels: C.
        base_channels: width of the stem; a stage's inner width doubles from stage to stage.
        stage_blocks: blocks of each stage, one to four stages.
        temporal: which stages have temporal kernels.
        spatial_strides: of each stage's first block.
        temporal_strides: of each stage's first block.
        stem_stride: in space, of the first convolution.
        pool_stride: in space, of the max pooling after it.
        dropout: before the linear layer.

    Raises:
        ValueError: stages described differently often.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        base_channels: int = 32,
        stage_blocks: Sequence[int] = (4, 6, 3),
        temporal: Sequence[bool] = (False, True, True),
        spatial_strides: Sequence[int] = (2, 2, 2),
        temporal_strides: Sequence[int] = (1, 1, 2),
        stem_stride: int = 1,
        pool_stride: int = 1,
        dropout: float = 0.5,
    ) -> None:
        lengths = [len(given) for given in (stage_blocks, temporal, spatial_strides, temporal_strides)]
        if len(set(lengths)) != 1 or not 1 <= lengths[0] <= 4:
            raise ValueError(
                "stage_blocks, temporal, spatial_strides and temporal_strides must each have one entry "
                f"a stage, one to four stages; got lengths {lengths}"
            )
        features = base_channels * 2 ** (lengths[0] - 1) * EXPANSION
        super().__init__(
            num_classes=num_classes, in_channels=in_channels, num_features=features, dropout=dropout
        )
        self.conv1 = ConvNorm(in_channels, base_channels, (1, 7, 7), (1, stem_stride))
        self.pool_stride = pool_stride
        stages = []
        width = base_channels
        for stage, blocks in enumerate(stage_blocks):
            planes = base_channels * 2**stage
            first = (temporal_strides[stage], spatial_strides[stage])
            strides = [first, *[(1, 1)] * (blocks - 1)]
            layers = []
            for stride in strides:
                layers.append(Bottleneck(width, planes, stride, bool(temporal[stage])))
                width = planes * EXPANSION
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)

    def forward_volume(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', num_features)."""
        x = pool_space(self.conv1(x), "max", 3, self.pool_stride)
        for stage in self.stages:
            x = stage(x)
        return x


def posec3d_slowonly_r50(
    *,
    num_classes: int,
    layout: Layout,
    in_channels: int | None = None,
    with_limbs: bool = False,
    **options: Any,
) -> SlowOnly:
    """PoseC3D as published: 17 x 48 x 56 x 56 volumes; `options` are those of `SlowOnly`."""
    channels = volume_channels(layout, in_channels, with_limbs)
    return SlowOnly(num_classes=num_classes, in_channels=channels, **options)
