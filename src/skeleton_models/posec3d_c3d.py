"""PoseC3D with the light C3D network: plain 3x3x3 convolutions over joint or limb heatmaps.

Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022, table 3 (`C3D-s`): C3D with half the
width and three of four stages, space halved between stages, time kept. Equal to PYSKL's `C3D` with `I3DHead`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from poses.layout import Layout
from skeleton_models.volume_network import HEAD_NAMES, ConvNorm, HeatmapNetwork, pool_space, volume_channels
from weights.architectures import NameRules

PUBLISHED_NAMES: dict[str, NameRules] = {
    # conv3b, the second convolution of C3D's third group, is convs.3 of ours
    "pyskl": [
        *HEAD_NAMES,
        *(
            (rf"^conv{name}\.", f"convs.{place}.")
            for place, name in enumerate(("1a", "2a", "3a", "3b", "4a", "4b", "5a", "5b"))
        ),
    ]
}

_GROUPS = (1, 1, 2, 2, 2)  # convolutions before each pooling
_WIDTHS = (1, 2, 4, 8, 8)  # in units of base_channels


class C3D(HeatmapNetwork):
    """C3D over volumes (N, C, T, H, W) with C joints or limbs; H and W of at least 2 ** num_stages.

    Args:
        num_classes: width of the logits.
        in_channels: C.
        base_channels: width of the first convolution.
        num_stages: poolings, 1 to 4; one group of convolutions more.
        temporal_downsample: whether every pooling but the first halves time as well.
        dropout: before the linear layer.

    Raises:
        ValueError: num_stages out of its range.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        base_channels: int = 32,
        num_stages: int = 3,
        temporal_downsample: bool = False,
        dropout: float = 0.5,
    ) -> None:
        if not 1 <= num_stages <= 4:
            raise ValueError(f"num_stages must be 1 to 4, got {num_stages}")
        features = base_channels * _WIDTHS[num_stages]
        super().__init__(
            num_classes=num_classes, in_channels=in_channels, num_features=features, dropout=dropout
        )
        self.num_stages = num_stages
        self.temporal_downsample = temporal_downsample
        convs = []
        width = in_channels
        for group in range(num_stages + 1):
            for _ in range(_GROUPS[group]):
                convs.append(ConvNorm(width, base_channels * _WIDTHS[group], (3, 3, 3)))
                width = base_channels * _WIDTHS[group]
        self.convs = nn.ModuleList(convs)

    def forward_volume(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', num_features).

        Raises:
            ValueError: a volume too small to be pooled so often.
        """
        smallest = 2**self.num_stages
        if min(x.shape[2:4]) < smallest:
            raise ValueError(
                f"volumes of {tuple(x.shape[2:4])} pixels cannot be halved {self.num_stages} times; "
                f"give at least {smallest} x {smallest}, or fewer num_stages"
            )
        ends = [sum(_GROUPS[: group + 1]) for group in range(self.num_stages)]
        for place, conv in enumerate(self.convs, start=1):
            x = conv(x)
            if place in ends:
                x = pool_space(x, "average", 2, 2)
                if self.temporal_downsample and place > 1:
                    pairs = torch.unflatten(x[:, : x.shape[1] // 2 * 2], 1, (-1, 2))
                    x = pairs.mean(2)  # (N, T / 2, H, W, C)
        return x


def posec3d_c3d_light(
    *,
    num_classes: int,
    layout: Layout,
    in_channels: int | None = None,
    with_limbs: bool = False,
    **options: Any,
) -> C3D:
    """C3D-light as published; `options` are those of `C3D`."""
    channels = volume_channels(layout, in_channels, with_limbs)
    return C3D(num_classes=num_classes, in_channels=channels, **options)


def posec3d_c3d_small(
    *,
    num_classes: int,
    layout: Layout,
    in_channels: int | None = None,
    with_limbs: bool = False,
    **options: Any,
) -> C3D:
    """C3D-light at half its width, for volumes of some 32 x 32 x 32 that two cores train on."""
    channels = volume_channels(layout, in_channels, with_limbs)
    return C3D(num_classes=num_classes, in_channels=channels, **{"base_channels": 16, **options})
