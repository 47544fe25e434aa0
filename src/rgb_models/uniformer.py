"""UniFormer: convolutions that mix nearby tokens early, attention of all tokens late.

Li et al.: UniFormer: Unified Transformer for Efficient Spatiotemporal Representation Learning, ICLR 2022,
section 3. Equal to `Uniformer` of Sense-X's UniFormer, and to MMAction2's `UniFormer` with `norm_eps=1e-5`.
Tokens stay (N, T, H, W, C) in memory. Axis letters: N clips, C channels, T frames, H, W, L tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rgb_models.model import RgbModel, check_frames
from rgb_models.preprocessing import Preprocessing
from rgb_models.transformer_parts import (
    DropPath,
    FeedForward,
    SelfAttention,
    begin_linear_layers,
    drop_path_rates,
)
from rgb_models.volume_convolution import VolumeConv
from weights.architectures import NameRules
from weights.checkpoint import load_exactly, rename

LOCAL_STAGES = 2  # the first two mix nearby tokens, those after them all tokens
LEAST_SIDE = 32  # pixels that become one token of the last stage

_RULES: NameRules = [
    (r"^backbone\.", ""),
    (r"^(cls_head\.fc_cls|head)\.", "fc."),
    *((rf"^patch_embed{number + 1}\.", f"stages.{number}.embed.") for number in range(4)),
    *((rf"^blocks{number + 1}\.", f"stages.{number}.blocks.") for number in range(4)),
]
PUBLISHED_NAMES: dict[str, NameRules] = {"uniformer": _RULES, "mmaction2": _RULES}


class TokenConv(nn.Conv3d):
    """A 3D convolution of tokens whose channels lie last."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', C')."""
        return super().forward(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)


class TokenBatchNorm(nn.BatchNorm3d):
    """Batch norm of tokens whose channels lie last."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to the same shape."""
        return super().forward(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)


class DepthwiseTokens(VolumeConv):
    """Each channel by itself, over as many tokens along T, H and W, on tokens (N, T, H, W, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to the same."""
        return super().forward(x.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)


def depthwise(channels: int, kernel: int) -> DepthwiseTokens:
    """Each channel by itself, over `kernel` tokens along T, H and W."""
    return DepthwiseTokens(channels, channels, kernel, padding=kernel // 2, groups=channels)


class LocalBlock(nn.Module):
    """Position by convolution, nearby tokens mixed by a learnt affinity, feed-forward (section 3.2).

    Args:
        channels: C.
        drop_path: probability to leave a branch out.
    """

    def __init__(self, channels: int, drop_path: float) -> None:
        super().__init__()
        self.pos_embed = depthwise(channels, 3)
        self.norm1 = TokenBatchNorm(channels)
        self.conv1 = nn.Linear(channels, channels)
        self.attn = depthwise(channels, 5)
        self.conv2 = nn.Linear(channels, channels)
        self.drop_path = DropPath(drop_path)
        self.norm2 = TokenBatchNorm(channels)
        self.mlp = FeedForward(channels, 4 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to the same shape."""
        x = x + self.pos_embed(x)
        x = x + self.drop_path(self.conv2(self.attn(self.conv1(self.norm1(x)))))
        fed: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return fed


class GlobalBlock(nn.Module):
    """Position by convolution, attention of all tokens to one another, feed-forward (section 3.2).

    Args:
        channels: C.
        heads: attention heads.
        norm_eps: of the layer norms.
        drop_path: probability to leave a branch out.
    """

    def __init__(self, channels: int, heads: int, norm_eps: float, drop_path: float) -> None:
        super().__init__()
        self.pos_embed = depthwise(channels, 3)
        self.norm1 = nn.LayerNorm(channels, norm_eps)
        self.attn = SelfAttention(channels, heads)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(channels, norm_eps)
        self.mlp = FeedForward(channels, 4 * channels)
        begin_linear_layers(self)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to the same shape."""
        x = x + self.pos_embed(x)
        tokens = self.norm1(x).flatten(1, 3)[:, None]  # (N, 1, L, C)
        x = x + self.drop_path(self.attn(tokens).reshape(x.shape))
        fed: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return fed


class PatchEmbedding(nn.Module):
    """Patches that do not overlap in space become tokens; what is left over at the end is cut off.

    Args:
        in_channels: C.
        channels: C'.
        patch: side of a patch; 4 also halves the frames, three at a time.
    """

    def __init__(self, in_channels: int, channels: int, patch: int) -> None:
        super().__init__()
        halves = patch == 4
        self.proj = TokenConv(
            in_channels,
            channels,
            (3 if halves else 1, patch, patch),
            (2 if halves else 1, patch, patch),
            (1 if halves else 0, 0, 0),
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H / patch, W / patch, C')."""
        tokens: Tensor = self.norm(self.proj(x))
        return tokens


class Stage(nn.Module):
    """Patches become tokens, and blocks work on these."""

    def __init__(self, embed: PatchEmbedding, blocks: Sequence[LocalBlock | GlobalBlock]) -> None:
        super().__init__()
        self.embed = embed
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T', H', W', C')."""
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return x


class UniFormer(RgbModel):
    """UniFormer over frames (N, 3, T, H, W), of any size from 32 pixels on.

    Args:
        num_classes: width of the logits.
        frames: T.
        channels: C of each stage.
        depths: blocks of each stage.
        head_channels: channels of an attention head.
        drop_path: of the last block; falls linearly to 0 at the first.
        norm_eps: of the layer norms in attention's blocks: 1e-6 as published, 1e-5 in MMAction2's port, which
            loads the same weights.

    Raises:
        ValueError: stages described differently often, channels that heads do not divide, or a drop path out
            of range.
    """

    preprocessing: ClassVar[Preprocessing] = Preprocessing(
        frames=16, mean=(114.75, 114.75, 114.75), std=(57.375, 57.375, 57.375), resize_short=224
    )

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int = 16,
        channels: Sequence[int] = (64, 128, 320, 512),
        depths: Sequence[int] = (3, 4, 8, 3),
        head_channels: int = 64,
        drop_path: float = 0.1,
        norm_eps: float = 1e-6,
    ) -> None:
        super().__init__()
        if not len(channels) == len(depths) == 4:
            raise ValueError(
                f"channels and depths must be of four stages, got {len(channels)} and {len(depths)}"
            )
        odd = [width for width in channels[LOCAL_STAGES:] if width % head_channels]
        if odd:
            raise ValueError(f"head_channels must divide the channels {odd}, got {head_channels}")
        self.frames, self.num_features = frames, channels[-1]
        stages = []
        for number, rates in enumerate(drop_path_rates(drop_path, depths)):
            width = channels[number]
            embed = PatchEmbedding(channels[number - 1], width, 2) if number else PatchEmbedding(3, width, 4)
            blocks: list[LocalBlock | GlobalBlock] = [
                LocalBlock(width, rate)
                if number < LOCAL_STAGES
                else GlobalBlock(width, width // head_channels, norm_eps, rate)
                for rate in rates
            ]
            stages.append(Stage(embed, blocks))
        self.stages = nn.ModuleList(stages)
        self.norm = TokenBatchNorm(self.num_features)
        self.reset_classifier(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """See `RgbModel`; the mean of all tokens.

        Raises:
            ValueError: T is not what the network was built for, or a side is shorter than 32 pixels.
        """
        check_frames(type(self).__name__, x, self.frames)
        if min(x.shape[3:]) < LEAST_SIDE:
            raise ValueError(
                f"UniFormer: frames need {LEAST_SIDE} pixels a side or more, got {tuple(x.shape[3:])}"
            )
        x = x.permute(0, 2, 3, 4, 1)  # (N, T, H, W, 3)
        for stage in self.stages:
            x = stage(x)  # (N, T / 2, H / 4, W / 4, C) after the first, half H and W after each other
        pooled: Tensor = self.norm(x).mean((1, 2, 3))  # (N, num_features)
        return pooled

    def get_classifier(self) -> nn.Module:
        """See `RgbModel`."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """See `RgbModel`."""
        self.num_classes = num_classes
        fc = nn.Linear(self.num_features, num_classes)
        begin_linear_layers(fc)
        old = getattr(self, "fc", None)
        self.fc = fc if old is None else fc.to(old.weight)

    def load_pictures(self, pictures: Mapping[str, Tensor], *, centre: bool = False) -> None:
        """Start from a UniFormer over pictures: its ImageNet state dict, inflated. The classifier stays.

        Args:
            pictures: names of the same repository's image_classification.
            centre: put a kernel on the middle frame, as MMAction2 does by default, instead of spreading it
                evenly over the frames, as the authors' code does.

        Raises:
            ValueError: entries are missing, left over or of another shape.
        """
        state = {
            name: tensor for name, tensor in rename(pictures, _RULES).items() if not name.startswith("fc.")
        }
        for name, own in self.state_dict().items():
            if name.startswith("fc."):
                state[name] = own
            elif name in state and state[name].ndim == 4 and own.ndim == 5:
                state[name] = _inflate_kernel(state[name], own.shape[2], centre)
        load_exactly(self, state)


def uniformer_small(*, num_classes: int, frames: int = 16, **options: Any) -> UniFormer:
    """UniFormer-S as published: 16 x 224 x 224, every fourth frame; `options` are those of `UniFormer`."""
    return UniFormer(num_classes=num_classes, frames=frames, **options)


def _inflate_kernel(kernel: Tensor, frames: int, centre: bool) -> Tensor:
    """(C', C, kH, kW) to (C', C, frames, kH, kW)."""
    if not centre:
        return (kernel / frames)[:, :, None].repeat(1, 1, frames, 1, 1)
    inflated = torch.zeros_like(kernel)[:, :, None].repeat(1, 1, frames, 1, 1)
    inflated[:, :, frames // 2] = kernel
    return inflated
