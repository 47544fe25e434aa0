"""SlowOnly for PoseC3D as published, in plain 3D convolutions: the reference that our own is timed against.

Written from the architecture, not from its code: (N, C, T, H, W) memory, `nn.Conv3d` and `nn.BatchNorm3d`.
Entries are named as in PYSKL's checkpoints, so that both networks can be given the same weights.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


def unit(
    c_in: int, c_out: int, kernel: tuple[int, int, int], stride: int | tuple[int, int, int] = 1
) -> nn.Module:
    """A convolution that keeps the size, and its batch norm."""
    pad = tuple(k // 2 for k in kernel)
    conv = nn.Conv3d(c_in, c_out, kernel, stride, pad, bias=False)  # type: ignore[arg-type]
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm3d(c_out)))


class EagerBlock(nn.Module):
    """1x1x1 or 3x1x1, then 1x3x3, then 1x1x1, plus the input."""

    def __init__(self, c_in: int, planes: int, stride: tuple[int, int, int], temporal: bool) -> None:
        super().__init__()
        self.conv1 = unit(c_in, planes, (3 if temporal else 1, 1, 1))
        self.conv2 = unit(planes, planes, (1, 3, 3), stride)
        self.conv3 = unit(planes, 4 * planes, (1, 1, 1))
        if stride[1] != 1 or c_in != 4 * planes:
            self.downsample = unit(c_in, 4 * planes, (1, 1, 1), stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, 4 * planes, T', H', W')."""
        y = self.conv3(self.relu(self.conv2(self.relu(self.conv1(x)))))
        added: Tensor = self.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))
        return added


class EagerBackbone(nn.Module):
    """Stem and three stages of 4, 6 and 3 blocks."""

    def __init__(self, in_channels: int, base_channels: int, blocks: tuple[int, int, int]) -> None:
        super().__init__()
        self.conv1 = unit(in_channels, base_channels, (1, 7, 7))
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool3d((1, 3, 3), 1, (0, 1, 1))
        width = base_channels
        for stage, count in enumerate(blocks):
            planes = base_channels * 2**stage
            layers = []
            for block in range(count):
                stride = (2 if stage == 2 else 1, 2, 2) if block == 0 else (1, 1, 1)
                layers.append(EagerBlock(width, planes, stride, temporal=stage > 0))
                width = 4 * planes
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.width = width

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, C', T / 2, H / 8, W / 8)."""
        x = self.maxpool(self.relu(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3):
            x = stage(x)
        return x


class EagerHead(nn.Module):
    """The mean over the volume, dropout, a linear layer."""

    def __init__(self, width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool3d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc_cls = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, num_classes)."""
        logits: Tensor = self.fc_cls(self.dropout(self.pool(x).flatten(1)))
        return logits


class EagerSlowOnly(nn.Module):
    """x (N, C, T, H, W) to logits (N, num_classes)."""

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 17,
        base_channels: int = 32,
        blocks: tuple[int, int, int] = (4, 6, 3),
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.backbone = EagerBackbone(in_channels, base_channels, blocks)
        self.cls_head = EagerHead(self.backbone.width, num_classes, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of every clip."""
        logits: Tensor = self.cls_head(self.backbone(x))
        return logits
