"""Video Swin Transformer: attention within windows of frames and pixels, shifted from block to block.

Liu et al.: Video Swin Transformer, CVPR 2022, section 3. Equal to `SwinTransformer3D` of the authors'
Video-Swin-Transformer and of MMAction2 with `I3DHead`. Tokens stay (N, T, H, W, C) in memory.
Axis letters: N clips, C channels, T frames, H, W, P windows, L tokens of a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgb_models.model import RgbModel, check_frames
from rgb_models.preprocessing import Preprocessing
from rgb_models.swin_windows import (
    Size,
    WindowAttention,
    Windows,
    join,
    partition,
    position_index,
    shift_mask,
    windows_on,
)
from rgb_models.transformer_parts import (
    DropPath,
    FeedForward,
    begin_linear_layers,
    drop_path_rates,
)
from weights.architectures import NameRules
from weights.checkpoint import load_exactly, rename

PATCH = (2, 4, 4)  # T, H, W of a token

_TABLE = ".position_bias"
_RULES: NameRules = [
    (r"^backbone\.", ""),
    (r"^cls_head\.fc_cls\.", "fc."),
    (r"^.*\.relative_position_index$", ""),  # follows from the window; ours is no part of the state
    (r"^layers\.", "stages."),
    (r"^norm3\.", "norm."),
    (r"\.relative_position_bias_table$", _TABLE),
]
_PICTURE_NAMES: NameRules = [(r"^head\..*|.*\.attn_mask$", ""), *_RULES]
PUBLISHED_NAMES: dict[str, NameRules] = {"mmaction2": _RULES, "swin": _RULES}


class SwinBlock(nn.Module):
    """Attention within windows and a feed-forward part, each beside a shortcut (section 3.2).

    Args:
        channels: C.
        heads: attention heads.
        window: T, H, W.
        shifted: whether the windows are shifted.
        drop_path: probability to leave a branch out.
    """

    def __init__(self, channels: int, heads: int, window: Size, shifted: bool, drop_path: float) -> None:
        super().__init__()
        self.shifted = shifted
        self.norm1 = nn.LayerNorm(channels)
        self.attn = WindowAttention(channels, heads, window)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = FeedForward(channels, 4 * channels)

    def forward(self, x: Tensor, windows: Windows, index: Tensor, mask: Tensor | None) -> Tensor:
        """Tokens of the same shape.

        Args:
            x: (N, T, H, W, C).
            windows: where they lie.
            index: (L, L), of `position_index`.
            mask: (P, L, L), of `shift_mask`; None where nothing is shifted.
        """
        x = x + self.drop_path(self._attended(self.norm1(x), windows, index, mask))
        fed: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return fed

    def _attended(self, x: Tensor, windows: Windows, index: Tensor, mask: Tensor | None) -> Tensor:
        """The attention's branch; padding takes part in it, as published."""
        tokens = x.shape[1:4]
        short = [wanted - have for have, wanted in zip(tokens, windows.padded, strict=True)]
        x = functional.pad(x, (0, 0, 0, short[2], 0, short[1], 0, short[0]))
        shifts = windows.shift if self.shifted and mask is not None else (0, 0, 0)
        if any(shifts):
            x = x.roll([-shift for shift in shifts], (1, 2, 3))
        x = partition(x, windows.size)  # (N, P, L, C)
        x = self.attn(x, self.attn.bias(index, mask if any(shifts) else None))
        x = join(x, windows.size, windows.padded)
        if any(shifts):
            x = x.roll(shifts, (1, 2, 3))
        return x[:, : tokens[0], : tokens[1], : tokens[2]]


class PatchMerging(nn.Module):
    """Four neighbours of a frame become one token of twice the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, H, W, C) to (N, T, H / 2, W / 2, 2C), odd sizes padded."""
        x = functional.pad(x, (0, 0, 0, x.shape[3] % 2, 0, x.shape[2] % 2))
        x = torch.cat([x[:, :, row::2, column::2] for column in (0, 1) for row in (0, 1)], dim=-1)
        merged: Tensor = self.reduction(self.norm(x))
        return merged


class Stage(nn.Module):
    """Blocks at one resolution, every second one shifted, and the merging before the next stage.

    Args:
        channels: C.
        heads: attention heads.
        window: T, H, W.
        drop_path: of each block.
        merges: whether the tokens are merged after the blocks.
    """

    def __init__(
        self, channels: int, heads: int, window: Size, drop_path: Sequence[float], merges: bool
    ) -> None:
        super().__init__()
        self.window = window
        self.blocks = nn.ModuleList(
            SwinBlock(channels, heads, window, bool(number % 2), rate)
            for number, rate in enumerate(drop_path)
        )
        self.downsample = PatchMerging(channels) if merges else None

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """(N, T, H, W, C) to the next stage's tokens; `index` is that of the whole window."""
        windows = windows_on(x.shape[1:4], self.window)
        length = windows.size[0] * windows.size[1] * windows.size[2]
        # A cut window takes the table's first rows, which are its own where only T is cut; so published.
        index = index[:length, :length]
        mask = shift_mask(windows, x.device) if any(windows.shift) and len(self.blocks) > 1 else None
        for block in self.blocks:
            x = block(x, windows, index, mask)
        return x if self.downsample is None else self.downsample(x)


class PatchEmbedding(nn.Module):
    """Patches of 2 x 4 x 4 pixels become tokens; the end is padded where they do not fit."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, channels, PATCH, PATCH)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) to (N, T / 2, H / 4, W / 4, C)."""
        short = [-have % length for have, length in zip(x.shape[2:], PATCH, strict=True)]
        x = self.proj(functional.pad(x, (0, short[2], 0, short[1], 0, short[0])))
        tokens: Tensor = self.norm(x.permute(0, 2, 3, 4, 1))
        return tokens


class Swin3d(RgbModel):
    """Video Swin over frames (N, 3, T, H, W), of any size.

    Args:
        num_classes: width of the logits.
        frames: T.
        embed_channels: C of the first stage; doubles from stage to stage.
        depths: blocks of each stage.
        heads: attention heads of each stage.
        window: T, H, W, in tokens.
        drop_path: of the last block; falls linearly to 0 at the first.
        dropout: before the linear layer.

    Raises:
        ValueError: stages described differently often, channels that heads do not divide, no window of three
            lengths, or a drop path out of range.
    """

    preprocessing: ClassVar[Preprocessing] = Preprocessing(frames=32)
    index: Tensor

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int = 32,
        embed_channels: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: Size = (8, 7, 7),
        drop_path: float = 0.1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if len(depths) != len(heads):
            raise ValueError(
                f"depths and heads must be of as many stages, got {len(depths)} and {len(heads)}"
            )
        if len(window) != 3 or min(window) < 1:
            raise ValueError(f"window must be three lengths (T, H, W) of at least 1, got {tuple(window)}")
        self.frames, self.num_classes, self.window = frames, num_classes, window
        self.num_features = embed_channels * 2 ** (len(depths) - 1)
        self.register_buffer("index", position_index(window), persistent=False)
        self.patch_embed = PatchEmbedding(embed_channels)
        self.stages = nn.ModuleList(
            Stage(embed_channels * 2**number, heads[number], window, rates, number < len(depths) - 1)
            for number, rates in enumerate(drop_path_rates(drop_path, depths))
        )
        self.norm = nn.LayerNorm(self.num_features)
        self.dropout = nn.Dropout(dropout)
        begin_linear_layers(self)
        self.reset_classifier(num_classes)

    def forward_features(self, x: Tensor) -> Tensor:
        """See `RgbModel`; the mean of all tokens."""
        check_frames(type(self).__name__, x, self.frames)
        x = self.patch_embed(x)
        for stage in self.stages:
            x = stage(x, self.index)
        pooled: Tensor = self.norm(x).mean((1, 2, 3))  # (N, num_features)
        return pooled

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to logits (N, num_classes), after dropout."""
        return super().forward_head(self.dropout(features))

    def get_classifier(self) -> nn.Module:
        """See `RgbModel`."""
        return self.fc

    def reset_classifier(self, num_classes: int) -> None:
        """See `RgbModel`."""
        self.num_classes = num_classes
        fc = nn.Linear(self.num_features, num_classes)
        nn.init.normal_(fc.weight, std=0.01)
        nn.init.zeros_(fc.bias)
        old = getattr(self, "fc", None)
        self.fc = fc if old is None else fc.to(old.weight)

    def load_pictures(self, pictures: Mapping[str, Tensor]) -> None:
        """Start from a Swin Transformer over pictures: its ImageNet state dict, inflated.

        The classifier stays.

        Raises:
            ValueError: entries are missing, left over or of another shape.
        """
        own = {name: tensor for name, tensor in self.state_dict().items() if name.startswith("fc.")}
        load_exactly(self, inflate_pictures(pictures, self.window) | own)


def swin3d_tiny(*, num_classes: int, frames: int = 32, **options: Any) -> Swin3d:
    """Video Swin-T as published: 32 x 224 x 224, every second frame; `options` are those of `Swin3d`."""
    return Swin3d(num_classes=num_classes, frames=frames, **options)


def swin3d_small(*, num_classes: int, frames: int = 32, **options: Any) -> Swin3d:
    """Video Swin-S, the network of the MAC challenge's starter kit: 18 blocks in the third stage.

    Drop path 0.2 is the kit's and MMAction2's; the authors' configuration has 0.1.
    """
    published: dict[str, Any] = {"depths": (2, 2, 18, 2), "drop_path": 0.2}
    return Swin3d(num_classes=num_classes, frames=frames, **published | options)


def inflate_pictures(pictures: Mapping[str, Tensor], window: Size) -> dict[str, Tensor]:
    """Weights of a Swin Transformer over pictures as those of one over clips, under our names.

    The kernel of the patch embedding is spread over its frames, and a table of relative positions is the same
    for every distance in time (section 3.4); one of another window is resized bicubically. The classifier is
    left out.

    Args:
        pictures: Swin-Transformer's names.
        window: T, H, W of the network to be filled.

    Raises:
        ValueError: no kernel over pictures, so these are no such weights.
    """
    state = rename(pictures, _PICTURE_NAMES)
    name = "patch_embed.proj.weight"
    found = tuple(state[name].shape) if name in state else ()
    if len(found) != 4:
        raise ValueError(
            f"weights of pictures: expected {name} (C, 3, 4, 4), as in Swin Transformer's checkpoints of "
            f"ImageNet, got {found or 'none'}; weights of clips load as they are"
        )
    state[name] = (state[name] / PATCH[0])[:, :, None].repeat(1, 1, PATCH[0], 1, 1)  # (C, 3, 2, 4, 4)
    tables = {name: _inflate_table(table, window) for name, table in state.items() if name.endswith(_TABLE)}
    return state | tables


def _inflate_table(table: Tensor, window: Size) -> Tensor:
    """(offsets in a frame, heads) to (offsets in a window, heads)."""
    rows, columns = 2 * window[1] - 1, 2 * window[2] - 1
    if len(table) != rows * columns:
        side = round(len(table) ** 0.5)
        picture = table.T.reshape(1, -1, side, side)  # (1, heads, rows, columns)
        resized = functional.interpolate(picture, size=(rows, columns), mode="bicubic")
        table = resized.flatten(2)[0].T
    return table.repeat(2 * window[0] - 1, 1)
