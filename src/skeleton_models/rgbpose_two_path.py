"""RGBPose-Conv3D with both paths: SlowOnly over frames and over heatmaps, each told what the other sees.

Duan et al.: Revisiting Skeleton-based Action Recognition, CVPR 2022, section 3.4. The RGB path is slow and
wide, the pose path has four times its frames and half its channels. Before the last two stages of each,
features of the other are appended: the pose path's through a convolution that strides over time, the RGB
path's through a transposed one. Each path has its own head; probabilities are averaged. Equal to MMAction2's
and PYSKL's `RGBPoseConv3D` with `RGBPoseHead`. Axis letters: N C T H W; T pictures, 4 T frames of heatmaps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from poses.layout import Layout
from skeleton_models.posec3d import EXPANSION, Bottleneck
from skeleton_models.volume_network import UINT8_SCALE, ConvNorm, convolve, pool_space, volume_channels
from weights.architectures import NameRules

SPEED = 4  # frames of heatmaps for one of pictures
RGB_FRAMES, POSE_FRAMES = 8, 32  # as published, and of PCAN
RGB_SIZE, POSE_SIZE = 224, 56
_FUSION_KERNEL = 7

_RULES: NameRules = [
    (r"^backbone\.rgb_path\.layer2_lateral\.", "to_rgb.0."),
    (r"^backbone\.rgb_path\.layer3_lateral\.", "to_rgb.1."),
    (r"^backbone\.pose_path\.layer1_lateral\.", "to_pose.0."),
    (r"^backbone\.pose_path\.layer2_lateral\.", "to_pose.1."),
    *((rf"^backbone\.(rgb|pose)_path\.layer{i + 1}\.", rf"\1.stages.{i}.") for i in range(4)),
    (r"^backbone\.(rgb|pose)_path\.", r"\1."),
    (r"^cls_head\.", ""),
]
PUBLISHED_NAMES: dict[str, NameRules] = {"pyskl": _RULES, "mmaction2": _RULES}


class Path(nn.Module):
    """A stem and stages of SlowOnly, over (N, T, H, W, C) memory.

    Args:
        in_channels: C.
        base_channels: width of the stem.
        stage_blocks: blocks of each stage.
        temporal: which stages have temporal kernels.
        spatial_strides: of each stage's first block.
        stem_stride: in space, of the stem and of the pooling after it.
        appended: channels that the other path appends before each stage.
    """

    def __init__(
        self,
        in_channels: int,
        base_channels: int,
        stage_blocks: Sequence[int],
        temporal: Sequence[bool],
        spatial_strides: Sequence[int],
        stem_stride: int,
        appended: Sequence[int],
    ) -> None:
        super().__init__()
        self.conv1 = ConvNorm(in_channels, base_channels, (1, 7, 7), (1, stem_stride))
        self.pool_stride = stem_stride
        stages = []
        width = base_channels
        for stage, blocks in enumerate(stage_blocks):
            planes = base_channels * 2**stage
            strides = [(1, spatial_strides[stage]), *[(1, 1)] * (blocks - 1)]
            layers = []
            width += appended[stage]
            for stride in strides:
                layers.append(Bottleneck(width, planes, stride, temporal[stage]))
                width = planes * EXPANSION
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)
        self.num_features = width

    def stem(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, T, H', W', base_channels)."""
        x = x.permute(0, 2, 3, 4, 1).contiguous()  # (N, T, H, W, C)
        return pool_space(self.conv1(x), "max", 3, self.pool_stride)


class SlowDown(nn.Module):
    """Features of the pose path for the RGB path: every fourth frame, from the seven around it.

    Args:
        channels: in and out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, channels, (_FUSION_KERNEL, 1, 1), bias=False)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 4 T, H, W, C) to (N, T, H, W, C)."""
        return convolve(x, self.conv.weight, (SPEED, 1))


class SpeedUp(nn.Module):
    """Features of the RGB path for the pose path: four frames from one, by a transposed convolution.

    Args:
        in_channels: C.
        out_channels: C'.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose3d(in_channels, out_channels, (_FUSION_KERNEL, 1, 1), bias=False)
        self.bn = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, 4 T, H, W, C')."""
        height, width = x.shape[2:4]
        columns = x.flatten(2, 3).permute(0, 3, 1, 2)  # (N, C, T, H * W)
        pad = _FUSION_KERNEL // 2
        spare = SPEED + 2 * pad - _FUSION_KERNEL  # so that T frames become 4 T
        weight = self.conv.weight.squeeze(-1)  # (C, C', 7, 1)
        out = functional.conv_transpose2d(columns, weight, None, (SPEED, 1), (pad, 0), (spare, 0))
        out = functional.relu(self.bn(out), inplace=True)  # (N, C', 4 T, H * W)
        return torch.unflatten(out.permute(0, 2, 3, 1).contiguous(), 2, (height, width))


class RgbPoseConv3d(nn.Module):
    """Two paths over one clip.

    Args:
        num_classes: width of the logits.
        in_channels: joints or limbs of the heatmaps.
        base_channels: width of the stems, RGB and pose.
        rgb_blocks: of the RGB path's four stages.
        pose_blocks: of the pose path's three.
        dropout: before each head.

    Attributes:
        num_features: of both paths, RGB first; `rgb_features` of them are the RGB path's.
        speed: frames of heatmaps for one of pictures.
    """

    speed = SPEED

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int,
        base_channels: tuple[int, int] = (64, 32),
        rgb_blocks: Sequence[int] = (3, 4, 6, 3),
        pose_blocks: Sequence[int] = (4, 6, 3),
        dropout: float = 0.5,
    ) -> None:
        if len(rgb_blocks) != 4 or len(pose_blocks) != 3:
            raise ValueError(
                "expected blocks of four RGB stages and of three pose stages, "
                f"got {rgb_blocks} and {pose_blocks}"
            )
        super().__init__()
        rgb, pose = base_channels
        self.in_channels = in_channels
        # Channels of the pose path after its first and second stage, and what it gets from the RGB path.
        pose_out = [pose * EXPANSION, 2 * pose * EXPANSION]
        rgb_out = [2 * rgb * EXPANSION, 4 * rgb * EXPANSION]
        given = [width // 4 for width in pose_out]
        self.rgb = Path(3, rgb, rgb_blocks, (False, False, True, True), (1, 2, 2, 2), 2, (0, 0, *pose_out))
        self.pose = Path(in_channels, pose, pose_blocks, (False, True, True), (2, 2, 2), 1, (0, *given))
        self.to_rgb = nn.ModuleList([SlowDown(width) for width in pose_out])
        self.to_pose = nn.ModuleList(
            [SpeedUp(width, share) for width, share in zip(rgb_out, given, strict=True)]
        )
        self.rgb_features = self.rgb.num_features
        self.num_features = self.rgb.num_features + self.pose.num_features
        self.dropout = nn.Dropout(dropout)
        self.reset_classifier(num_classes)

    def forward_features(self, frames: Tensor, volumes: Tensor) -> Tensor:
        """Pooled features of both paths.

        Args:
            frames: (N, 3, T, H, W) normalised, red first.
            volumes: (N, C, 4 T, H / 4, W / 4) heatmaps of the same stretch, uint8 of 0..255 or float of 0..1.

        Returns:
            (N, num_features), the RGB path's first.

        Raises:
            ValueError: shapes that do not belong together.
        """
        self._check(frames, volumes)
        dtype = self.fc_rgb.weight.dtype
        if volumes.dtype == torch.uint8:
            volumes = volumes.to(dtype) * (1 / UINT8_SCALE)
        rgb, pose = self.rgb.stem(frames.to(dtype)), self.pose.stem(volumes.to(dtype))
        rgb = self.rgb.stages[1](self.rgb.stages[0](rgb))  # (N, T, H / 8, W / 8, 512)
        pose = self.pose.stages[0](pose)  # (N, 4 T, H / 8, W / 8, 128)
        for i in range(2):
            told_rgb, told_pose = self.to_rgb[i](pose), self.to_pose[i](rgb)
            rgb = self.rgb.stages[2 + i](torch.cat([rgb, told_rgb], -1))
            pose = self.pose.stages[1 + i](torch.cat([pose, told_pose], -1))
        precise = torch.promote_types(dtype, torch.float32)
        return torch.cat([x.mean((1, 2, 3), dtype=precise) for x in (rgb, pose)], 1)

    def forward_heads(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(N, num_features) to the logits of the RGB path and of the pose path, (N, num_classes) each."""
        features = self.dropout(features.to(self.fc_rgb.weight.dtype))
        rgb, pose = features.split([self.rgb_features, self.num_features - self.rgb_features], 1)
        return self.fc_rgb(rgb), self.fc_pose(pose)

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_classes) whose softmax is the mean of the two paths' probabilities: its logarithm."""
        rgb, pose = (logits.float().log_softmax(1) for logits in self.forward_heads(features))
        return torch.logaddexp(rgb, pose) - math.log(2)

    def forward(self, frames: Tensor, volumes: Tensor) -> Tensor:
        """As `forward_head` of `forward_features`."""
        return self.forward_head(self.forward_features(frames, volumes))

    def loss(self, features: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """The sum of both heads' cross entropies, as published; labels (N,) or probabilities (N, classes)."""
        rgb, pose = self.forward_heads(features)
        return functional.cross_entropy(
            rgb, labels, label_smoothing=label_smoothing
        ) + functional.cross_entropy(pose, labels, label_smoothing=label_smoothing)

    def get_classifier(self) -> nn.ModuleList:
        """Both linear layers, the RGB path's first."""
        return nn.ModuleList([self.fc_rgb, self.fc_pose])

    def reset_classifier(self, num_classes: int) -> None:
        """New linear layers: normal weights of deviation 0.01, biases 0."""
        self.num_classes = num_classes
        for name, width in (
            ("fc_rgb", self.rgb_features),
            ("fc_pose", self.num_features - self.rgb_features),
        ):
            fc = nn.Linear(width, num_classes)
            nn.init.normal_(fc.weight, std=0.01)
            nn.init.zeros_(fc.bias)
            old = getattr(self, name, None)
            setattr(self, name, fc if old is None else fc.to(old.weight))

    def _check(self, frames: Tensor, volumes: Tensor) -> None:
        fit = (
            frames.dim() == volumes.dim() == 5
            and frames.shape[1] == 3
            and volumes.shape[1] == self.in_channels
            and len(frames) == len(volumes)
            and volumes.shape[2] == SPEED * frames.shape[2]
            and _eighth(frames, 8) == _eighth(volumes, 2)
        )
        if not fit:
            raise ValueError(
                f"expected frames (N, 3, T, H, W), volumes (N, {self.in_channels}, {SPEED} T, H / 4, W / 4), "
                f"got {tuple(frames.shape)} and {tuple(volumes.shape)}"
            )


def _eighth(x: Tensor, by: int) -> tuple[int, int]:
    """Height and width where the paths meet."""
    return -(-x.shape[3] // by), -(-x.shape[4] // by)


def rgbpose_conv3d(
    *,
    num_classes: int,
    layout: Layout,
    in_channels: int | None = None,
    with_limbs: bool = False,
    base_channels: tuple[int, int] = (64, 32),
    rgb_blocks: Sequence[int] = (3, 4, 6, 3),
    pose_blocks: Sequence[int] = (4, 6, 3),
    dropout: float = 0.5,
) -> RgbPoseConv3d:
    """As published: frames (N, 3, 8, 224, 224), volumes (N, 17, 32, 56, 56); arguments of `RgbPoseConv3d`."""
    return RgbPoseConv3d(
        num_classes=num_classes,
        in_channels=volume_channels(layout, in_channels, with_limbs),
        base_channels=base_channels,
        rgb_blocks=rgb_blocks,
        pose_blocks=pose_blocks,
        dropout=dropout,
    )
