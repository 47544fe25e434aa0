"""MMN, the motion-guided modulation network for micro-actions (Gu et al., ACM MM 2025, arXiv 2507.21977).

Differences of features over time steer a graph convolution over joints (motion-guided skeletal modulation,
MSM) and a temporal convolution (motion-guided temporal modulation, MTM) through scales and shifts; four time
scales are modulated each on its own and aggregated (motion consistency learning).

The default follows the paper's abstract and its figure of the framework, and the published code
(momiji-bit/MMN) where these say nothing. `as_released=True` is that code, which differs in this:

1. MSM: its graph "convolution" multiplies each joint by the sum of its column of the adjacency and mixes no
   joints. Default: joint v receives the sum over w of A[v, w] times the motion of w.
2. Aggregation: modulated features only feed the gate, and the gate weighs the features before modulation.
   Default: the modulated features themselves are aggregated, as the figure draws it.
3. After the aggregation the code has a linear layer. Default: layer norm before it, as in the figure.

The code's augmentation of coordinates never reaches the network either; that is no matter of this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from poses.layout import Layout
from skeleton_models.motion_modulation import (
    MotionFeatures,
    SkeletalModulation,
    TemporalModulation,
    modulate,
)
from skeleton_models.person_tokens import (
    DropPath,
    FeedForward,
    HalveFrames,
    PersonTokens,
    Stem,
    drop_path_rates,
)
from weights.architectures import NameRules


class MotionBlock(nn.Module):
    """The motion-guided skeletal-temporal former: both convolutions, their modulation, and a feed-forward.

    Args:
        channels: a multiple of 4 * heads.
        joints: of all persons in one sample.
        heads: groups of channels with a graph of their own.
        kernel: frames of the temporal convolution.
        mlp_ratio: hidden width of the feed-forward layers over their width.
        feature_dropout: after the projection and in the feed-forward.
        drop_path: probability to leave a residual branch out.
        as_released: see the module docstring.
    """

    def __init__(
        self,
        channels: int,
        *,
        joints: int,
        heads: int,
        kernel: int,
        mlp_ratio: float,
        feature_dropout: float,
        drop_path: float,
        as_released: bool,
    ) -> None:
        super().__init__()
        half, quarter = channels // 2, channels // 4
        self.as_released = as_released
        self.norm = nn.LayerNorm(channels)
        self.split = nn.Linear(channels, channels)
        self.graph = nn.Parameter(nn.init.trunc_normal_(torch.empty(heads, joints, joints), std=0.02))
        self.temporal = nn.Conv2d(quarter, quarter, (kernel, 1), padding=(kernel // 2, 0), groups=heads)
        self.motion = MotionFeatures(half)
        self.skeletal_modulation = SkeletalModulation(half, quarter, joints, as_released)
        self.temporal_modulation = TemporalModulation(half, quarter)
        self.gate = nn.Sequential(
            nn.Conv2d(channels, quarter, 1, bias=False),
            nn.BatchNorm2d(quarter),
            nn.ReLU(),
            nn.Conv2d(quarter, 3, 1, bias=False),
            nn.Sigmoid(),
        )
        self.aggregate = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False), nn.BatchNorm2d(channels), nn.GELU()
        )
        self.merge_norm = nn.Identity() if as_released else nn.LayerNorm(channels)
        self.merge = nn.Sequential(nn.Linear(channels, channels), nn.Dropout(feature_dropout))
        self.feed_norm = nn.LayerNorm(channels)
        self.feed = FeedForward(channels, int(mlp_ratio * channels), feature_dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(P, T, V, C) to the same shape."""
        quarter = x.shape[-1] // 4
        split = self.split(self.norm(x)).permute(0, 3, 1, 2)  # (P, C, T, V)
        skeletal, temporal, motion = split.split((quarter, quarter, 2 * quarter), dim=1)
        skeletal = skeletal.unflatten(1, (self.graph.shape[0], -1))  # (P, H, C / 4H, T, V)
        skeletal = torch.einsum("phctu,hvu->phctv", skeletal, self.graph).flatten(1, 2)  # (P, C / 4, T, V)
        temporal = self.temporal(temporal)  # (P, C / 4, T, V)
        motion = self.motion(motion)  # (P, C / 2, T, V)
        guided = (
            modulate(temporal, *self.temporal_modulation(motion)),
            modulate(skeletal, *self.skeletal_modulation(motion)),
            motion,
        )
        gates = self.gate(torch.cat(guided, dim=1)).chunk(3, dim=1)  # each (P, 1, T, V)
        parts = (temporal, skeletal, motion) if self.as_released else guided
        weighed = torch.cat([part * gate for part, gate in zip(parts, gates, strict=True)], dim=1)
        merged = self.merge_norm(self.aggregate(weighed).permute(0, 2, 3, 1))  # (P, T, V, C)
        x = x + self.drop_path(self.merge(merged))
        fed: Tensor = self.drop_path(self.feed(self.feed_norm(x)))  # (P, T, V, C)
        return x + fed


class MotionConsistency(nn.Module):
    """Time scales brought to the coarsest, and summed with a weight for each scale, joint and frame.

    Args:
        channels: of all scales.
        scales: how many; each has half the frames of the one before.
        dropout: of the sum.
    """

    def __init__(self, channels: int, scales: int, dropout: float) -> None:
        super().__init__()
        strides = [2**power for power in range(scales - 1, 0, -1)]
        self.scales = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, (stride, 1), (stride, 1)), nn.BatchNorm2d(channels), nn.ReLU()
            )
            for stride in strides
        )
        self.scales.append(nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU()))
        self.gate = nn.Sequential(
            nn.Conv2d(scales * channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, scales, 1),
        )
        self.dropout = nn.Dropout(dropout)
        self.residual = nn.Conv2d(channels, channels, 1)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(P, T / 2 ** i, V, C) of scale i to (P, C, T', V) with the last scale's T'."""
        coarse = [
            scale(x.permute(0, 3, 1, 2)) for scale, x in zip(self.scales, features, strict=True)
        ]  # each (P, C, T', V)
        weights = self.gate(torch.cat(coarse, dim=1)).softmax(dim=1).chunk(len(coarse), dim=1)
        weighed = [weight * x for weight, x in zip(weights, coarse, strict=True)]
        total: Tensor = self.dropout(torch.stack(weighed).sum(dim=0)) + self.residual(coarse[-1])
        return total


class MMN(PersonTokens):
    """The network; defaults are the published configuration for MA-52 (44 joints there, any layout here).

    Args:
        num_classes: width of the logits.
        layout: any joint set; `coco_wholebody133/micro44` is the nearest to the paper's.
        in_channels: channels of a joint; published: 2.
        persons: joined on the joint axis where more than one, see `PersonTokens`.
        depths: blocks of each time scale.
        channels: width of all blocks.
        heads: see `MotionBlock`.
        kernel: frames of the temporal convolutions.
        mlp_ratio: hidden width of the feed-forward layers over their width.
        dropout: before the classifier.
        feature_dropout: within blocks.
        consistency_dropout: of the aggregated time scales.
        drop_path: of the last scale's last block; falls linearly to 0 at the first scale's first.
        as_released: the published code to the letter, see the module docstring; published checkpoints need
            it.

    Raises:
        ValueError: the width is no multiple of four times the heads.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        layout: Layout,
        in_channels: int = 3,
        persons: int = 1,
        depths: Sequence[int] = (3, 3, 3, 3),
        channels: int = 96,
        heads: int = 4,
        kernel: int = 3,
        mlp_ratio: float = 2.0,
        dropout: float = 0.1,
        feature_dropout: float = 0.0,
        consistency_dropout: float = 0.1,
        drop_path: float = 0.3,
        as_released: bool = False,
    ) -> None:
        if channels % (4 * heads) or not depths:
            raise ValueError(
                f"MMN needs channels a multiple of 4 * heads and at least one scale, "
                f"got channels {channels}, heads {heads}, depths {tuple(depths)}"
            )
        super().__init__(
            num_classes=num_classes,
            num_features=channels,
            persons=persons,
            order=range(len(layout.joints)),
            dropout=dropout,
        )
        joints = persons * len(layout.joints)
        self.frame_multiple = 2 ** (len(depths) - 1)
        self.stem = Stem(in_channels, channels, joints)
        rates = iter(drop_path_rates(drop_path, depths))
        self.scales = nn.ModuleList(
            nn.Sequential(
                *(
                    MotionBlock(
                        channels,
                        joints=joints,
                        heads=heads,
                        kernel=kernel,
                        mlp_ratio=mlp_ratio,
                        feature_dropout=feature_dropout,
                        drop_path=next(rates),
                        as_released=as_released,
                    )
                    for _ in range(depth)
                )
            )
            for depth in depths
        )
        self.halve = nn.ModuleList(
            HalveFrames(channels, channels, kernel, padding="replicate") for _ in depths[1:]
        )
        self.consistency = MotionConsistency(channels, len(depths), consistency_dropout)

    def person_features(self, x: Tensor, position: Tensor) -> Tensor:
        """(P, T, V, C) joints and (P or 1, T) positions to (P, num_features).

        Raises:
            ValueError: T does not halve to at least two frames on the last scale.
        """
        frames = x.shape[1]
        if frames % self.frame_multiple or frames < 2 * self.frame_multiple:
            raise ValueError(
                f"MMN with {len(self.scales)} time scales needs a multiple of {self.frame_multiple} frames, "
                f"at least {2 * self.frame_multiple}, got {frames}; sample so many, or give fewer `depths`"
            )
        x = self.stem(x, position)
        features = [self.scales[0](x)]
        for halve, blocks in zip(self.halve, self.scales[1:], strict=True):
            x = halve(x)
            features.append(blocks(x))
        pooled: Tensor = self.consistency(features).mean(dim=(2, 3))  # (P, C)
        return pooled


def mmn(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> MMN:
    """MMN as its paper describes it; `as_released=True` as published. Options of `MMN`."""
    return MMN(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)


PUBLISHED_NAMES: dict[str, NameRules] = {
    "mmn": (
        (r"^projection\.", "stem.project."),
        (r"^STPE$", "stem.joints"),
        (r"^DSs\.(\d+)\.reduction\.", r"halve.\1.conv."),
        (r"^DSs\.(\d+)\.bn\.", r"halve.\1.bn."),
        (r"^MFM\.(\d+)\.blocks\.", r"scales.\1."),
        (r"\.norm_1\.", ".norm."),
        (r"\.norm_2\.", ".feed_norm."),
        (r"\.mapping\.", ".split."),
        (r"\.gconv$", ".graph"),
        (r"\.tconv\.", ".temporal."),
        (r"\.Motion\.0\.", ".motion.conv."),
        (r"\.Motion\.1\.", ".motion.bn."),
        (r"\.MSM\.adj$", ".skeletal_modulation.graph"),
        (r"\.MSM\.fc\.", ".skeletal_modulation.linear."),
        (r"\.MSM\.bn\.", ".skeletal_modulation.bn."),
        (r"\.MTM\.0\.", ".temporal_modulation.conv."),
        (r"\.MTM\.2\.", ".temporal_modulation.bn."),
        (r"\.aggregation_gate\.", ".gate."),
        (r"\.aggregation\.", ".aggregate."),
        (r"\.proj\.", ".merge.0."),
        (r"\.mlp\.fc1\.", ".feed.0."),
        (r"\.mlp\.fc2\.", ".feed.3."),
        (r"^fusion\.down1\.", "consistency.scales.0."),
        (r"^fusion\.down2\.", "consistency.scales.1."),
        (r"^fusion\.down3\.", "consistency.scales.2."),
        (r"^fusion\.f4_proc\.", "consistency.scales.3."),
        (r"^fusion\.gate_conv\.", "consistency.gate."),
        (r"^fusion\.res_conv\.", "consistency.residual."),
    )
}
