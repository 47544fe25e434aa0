"""SkateFormer: attention within partitions of joints and frames (Do and Kim, ECCV 2024).

A block splits its channels in six: graph convolution over the joints, temporal convolution, and attention of
four kinds, between near or distant joints in near or distant frames. Joints stand in slots, ordered part by
part, see `skate_partition`. Four stages, each after the first with half the frames.

As in the published code, queries are scaled by one over the root of the number of heads, not of their width,
and frame positions in -1..1 enter the sinusoids as they are. Its bias for frames apart is misplaced,
see `as_released` of `SkateFormer`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from poses.layout import Layout
from skeleton_models.person_tokens import (
    DropPath,
    FeedForward,
    HalveFrames,
    PersonTokens,
    Stem,
    drop_path_rates,
)
from skeleton_models.skate_partition import JointPartition, joint_partition
from weights.architectures import NameRules


class PartitionAttention(nn.Module):
    """Self-attention within each partition of joints and frames, with a bias for relative positions.

    Args:
        heads: attention heads.
        frames: frames of a partition (the paper's N or M).
        joints: joints of a partition (L or K).
        far_frames: a partition's frames lie T / frames apart, else they are neighbours.
        far_joints: its joints are one of each group, else neighbours.
        dropout: of attention weights.
        as_released: the bias of near joints laid out as in the published code, see `SkateFormer`.
    """

    def __init__(
        self,
        *,
        heads: int,
        frames: int,
        joints: int,
        far_frames: bool,
        far_joints: bool,
        dropout: float,
        as_released: bool,
    ) -> None:
        super().__init__()
        self.heads, self.frames, self.joints, self.dropout = heads, frames, joints, dropout
        self.far_frames, self.far_joints = far_frames, far_joints
        pairs = (joints, joints) if far_joints else ()
        self.bias = nn.Parameter(nn.init.trunc_normal_(torch.empty(2 * frames - 1, *pairs, heads), std=0.02))
        place = torch.arange(frames)
        if not far_joints and not as_released:
            place = place.repeat_interleave(joints)  # each token's frame
        self.apart: Tensor
        # (frames, frames), or (frames * joints, frames * joints) where joints have no bias of their own
        self.register_buffer("apart", place[:, None] - place[None] + frames - 1)

    def _bias(self) -> Tensor:
        """(heads, frames * joints, frames * joints)."""
        bias = self.bias[self.apart]  # (frames, frames, joints, joints, heads), or (tokens, tokens, heads)
        if self.far_joints:
            bias = bias.transpose(1, 2).flatten(2, 3).flatten(0, 1)  # (tokens, tokens, heads)
        elif len(self.apart) == self.frames:  # as released
            bias = bias.repeat(self.joints, self.joints, 1)  # (tokens, tokens, heads)
        return bias.permute(2, 0, 1)

    def forward(self, qkv: Tensor) -> Tensor:
        """(P, T, V, 3 * C), queries, keys and values of all heads, to (P, T, V, C)."""
        p, t, v, _ = qkv.shape
        # Axis 0 clips, 1 and 2 time, 3 and 4 joints, 5 query key value, 6 heads, 7 channels. Of the two parts
        # of time and of joints one runs over the partitions, the other inside; `apart` frames come first.
        time = (self.frames, t // self.frames) if self.far_frames else (t // self.frames, self.frames)
        slots = (self.joints, v // self.joints) if self.far_joints else (v // self.joints, self.joints)
        in_t, out_t = (1, 2) if self.far_frames else (2, 1)
        in_v, out_v = (3, 4) if self.far_joints else (4, 3)
        split = qkv.reshape(p, *time, *slots, 3, self.heads, -1)
        split = split.permute(5, 0, out_t, out_v, 6, in_t, in_v, 7)
        area = self.frames * self.joints
        tokens = split.reshape(3, -1, self.heads, area, split.shape[-1])  # (3, B, h, area, d)
        query, key, value = tokens.unbind(0)
        score = (query * self.heads**-0.5) @ key.transpose(-2, -1) + self._bias()  # (B, h, area, area)
        weight = F.dropout(score.softmax(dim=-1), self.dropout, self.training)
        mixed = (weight @ value).reshape(split.shape[1:])  # (P, out_t, out_v, h, in_t, in_v, d)
        back = sorted(range(7), key=(0, out_t, out_v, 5, in_t, in_v, 6).__getitem__)
        return mixed.permute(back).reshape(p, t, v, -1)


class SkateBlock(nn.Module):
    """One block: convolutions and four kinds of attention side by side, then a feed-forward.

    Args:
        channels: a multiple of heads.
        heads: of all four kinds twice over; an eighth serve each kind of attention, a quarter the
            graph convolution, as published.
        frames: frames of a partition.
        near: joints of a near partition.
        far: joints of a far partition.
        joints: slots of all persons in one sample.
        kernel: frames of the temporal convolution.
    """

    def __init__(
        self,
        channels: int,
        *,
        heads: int,
        frames: int,
        near: int,
        far: int,
        joints: int,
        kernel: int,
        mlp_ratio: float,
        attention_dropout: float,
        feature_dropout: float,
        drop_path: float,
        as_released: bool,
    ) -> None:
        super().__init__()
        quarter = channels // 4
        self.norm = nn.LayerNorm(channels)
        self.split = nn.Linear(channels, 2 * channels)
        self.graph = nn.Parameter(nn.init.trunc_normal_(torch.empty(heads // 4, joints, joints), std=0.02))
        self.temporal = nn.Conv2d(quarter, quarter, (kernel, 1), padding=(kernel // 2, 0), groups=heads // 4)
        self.attention = nn.ModuleList(
            PartitionAttention(
                heads=heads // 8,
                frames=frames,
                joints=far if far_joints else near,
                far_frames=far_frames,
                far_joints=far_joints,
                dropout=attention_dropout,
                as_released=as_released,
            )
            for far_frames in (False, True)
            for far_joints in (False, True)
        )
        self.merge = nn.Sequential(nn.Linear(channels, channels), nn.Dropout(feature_dropout))
        self.feed_norm = nn.LayerNorm(channels)
        self.feed = FeedForward(channels, int(mlp_ratio * channels), feature_dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(P, T, V, C) to the same shape."""
        quarter = x.shape[-1] // 4
        split = self.split(self.norm(x))  # (P, T, V, 2C)
        graph, temporal, qkv = split.split((quarter, quarter, 6 * quarter), dim=-1)
        graph = graph.unflatten(-1, (self.graph.shape[0], -1))  # (P, T, V, G, C / 4G)
        graph = torch.einsum("ptugc,gvu->ptvgc", graph, self.graph).flatten(-2)  # (P, T, V, C / 4)
        temporal = self.temporal(temporal.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)  # (P, T, V, C / 4)
        kinds = qkv.chunk(4, dim=-1)  # each (P, T, V, 3C / 8)
        attended = [attend(kind) for attend, kind in zip(self.attention, kinds, strict=True)]
        x = x + self.drop_path(self.merge(torch.cat((graph, temporal, *attended), dim=-1)))
        fed: Tensor = self.drop_path(self.feed(self.feed_norm(x)))  # (P, T, V, C)
        return x + fed


class SkateFormer(PersonTokens):
    """The network; defaults are those of the published NTU configurations, for each person alone.

    Published checkpoints: `as_released=True`, and `persons=2` with layout ntu25 or `mlp_ratio=1.0` with
    nwucla20. Joints always come in the layout's own order and are put into slots here.

    Args:
        num_classes: width of the logits.
        layout: any joint set.
        in_channels: channels of a joint; the stem's two hidden layers are two and three times as wide.
        persons: joined on the joint axis where more than one, see `PersonTokens`.
        partition: the slots; `joint_partition(layout)` unless given.
        depths: blocks of each stage.
        channels: width of each stage; the first is also the stem's.
        heads: see `SkateBlock`; a multiple of 8 that divides the channels.
        frames: of a partition, in all stages; T must be a multiple of frames * 2 ** (stages - 1).
        kernel: frames of the temporal convolutions.
        mlp_ratio: hidden width of the feed-forward layers over their width.
        dropout: before the classifier.
        attention_dropout: of attention weights.
        feature_dropout: within blocks.
        drop_path: of the last block; falls linearly to 0 at the first.
        as_released: needed by published checkpoints. Attention between near joints has a bias for how many
            frames two tokens lie apart; tokens go frame by frame, but the published code repeats its table as
            if they went joint by joint, so that most pairs get the bias of another distance. By default each
            pair gets its own.

    Raises:
        ValueError: channels or heads that do not divide.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        layout: Layout,
        in_channels: int = 3,
        persons: int = 1,
        partition: JointPartition | None = None,
        depths: Sequence[int] = (2, 2, 2, 2),
        channels: Sequence[int] = (96, 192, 192, 192),
        heads: int = 32,
        frames: int = 8,
        kernel: int = 7,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.5,
        feature_dropout: float = 0.0,
        drop_path: float = 0.2,
        as_released: bool = False,
    ) -> None:
        if len(depths) != len(channels) or heads % 8 or any(width % heads for width in channels):
            raise ValueError(
                f"SkateFormer needs a depth for each stage, 8 dividing heads and heads all channels, "
                f"got depths {tuple(depths)}, channels {tuple(channels)}, heads {heads}"
            )
        slots = partition or joint_partition(layout)
        super().__init__(
            num_classes=num_classes,
            num_features=channels[-1],
            persons=persons,
            order=slots.order,
            dropout=dropout,
        )
        joints = persons * len(slots.order)
        self.frame_multiple = frames * 2 ** (len(depths) - 1)
        self.stem = Stem(in_channels, channels[0], joints)
        rates = drop_path_rates(drop_path, depths)
        self.stages = nn.ModuleList()
        for index, (depth, width) in enumerate(zip(depths, channels, strict=True)):
            halve = HalveFrames(channels[index - 1], width, kernel) if index else nn.Identity()
            blocks = [
                SkateBlock(
                    width,
                    heads=heads,
                    frames=frames,
                    near=slots.near,
                    far=persons * slots.groups,
                    joints=joints,
                    kernel=kernel,
                    mlp_ratio=mlp_ratio,
                    attention_dropout=attention_dropout,
                    feature_dropout=feature_dropout,
                    drop_path=rates.pop(0),
                    as_released=as_released,
                )
                for _ in range(depth)
            ]
            self.stages.append(nn.Sequential(OrderedDict(halve=halve, blocks=nn.Sequential(*blocks))))

    def person_features(self, x: Tensor, position: Tensor) -> Tensor:
        """(P, T, V, C) in slots and (P or 1, T) positions to (P, num_features).

        Raises:
            ValueError: T does not divide into the partitions of the last stage.
        """
        if x.shape[1] % self.frame_multiple:
            raise ValueError(
                f"SkateFormer needs a multiple of {self.frame_multiple} frames, got {x.shape[1]}; "
                f"sample so many, or build it with another `frames`"
            )
        x = self.stem(x, position)
        for stage in self.stages:
            x = stage(x)
        return x.mean(dim=(1, 2))  # (P, C)


def skateformer(*, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any) -> SkateFormer:
    """SkateFormer as published, of each person alone; `persons=2` joins them. Options of `SkateFormer`."""
    return SkateFormer(num_classes=num_classes, layout=layout, in_channels=in_channels, **options)


def skateformer_small(
    *, num_classes: int, layout: Layout, in_channels: int = 3, **options: Any
) -> SkateFormer:
    """Half as wide and half as deep, with small feed-forwards: ours, to train on two cores."""
    small: dict[str, Any] = {
        "depths": (1, 1, 1, 1),
        "channels": (48, 96, 96, 96),
        "heads": 16,
        "mlp_ratio": 1.0,
        "attention_dropout": 0.2,
        "drop_path": 0.1,
    }
    return SkateFormer(num_classes=num_classes, layout=layout, in_channels=in_channels, **(small | options))


PUBLISHED_NAMES: dict[str, NameRules] = {
    "skateformer": (
        (r"^stem\.", "stem.project."),
        (r"^joint_person_embedding$", "stem.joints"),
        (r"\.blocks\.0\.downsample\.reduction\.", ".halve.conv."),
        (r"\.blocks\.0\.downsample\.bn\.", ".halve.bn."),
        (r"\.transformer\.", "."),
        (r"\.norm_1\.", ".norm."),
        (r"\.norm_2\.", ".feed_norm."),
        (r"\.mapping\.", ".split."),
        (r"\.gconv$", ".graph"),
        (r"\.tconv\.", ".temporal."),
        (r"\.relative_position_bias_table$", ".bias"),
        (r"\.relative_position_index$", ".apart"),
        (r"\.proj\.", ".merge.0."),
        (r"\.mlp\.fc1\.", ".feed.0."),
        (r"\.mlp\.fc2\.", ".feed.3."),
    )
}
