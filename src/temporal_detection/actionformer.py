"""ActionFormer: a transformer with a pyramid over time, and heads that score and bound every point of it.

Zhang, Wu, Li, "ActionFormer: Localizing Moments of Actions with Transformers", ECCV 2022. Of its details the
authors' code and OpenTAD's disagree on two (`Form`); both are here, and both toolboxes' checkpoints load.

Axis letters: N windows, C channels, T points of the grid, P points of all levels, A actions, G body groups.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from temporal_detection.detector import (
    Detector,
    DetectorOutput,
    check_features,
    flat_levels,
    hierarchical_logits,
    points_of,
)
from temporal_detection.feature_pyramid import ConvStack, FeaturePyramid, Form, Level, TransformerBlock
from weights.architectures import NameRules

_BLOCKS: NameRules = (
    (r"\.ln1\.", ".attention_norm."),
    (r"\.ln2\.", ".mlp_norm."),
    (r"\.attn\.(query|key|value)_conv\.conv\.", r".attention.\1_conv."),
    (r"\.attn\.proj\.", ".attention.out."),
    (r"\.attn\.", ".attention."),
    (r"\.drop_path_attn\.", ".attention_path."),
    (r"\.drop_path_mlp\.", ".mlp_path."),
)
_HEADS: NameRules = ((r"^(heads\.scales\.\d+)\.scale$", r"\1"),)
PUBLISHED_NAMES: dict[str, NameRules] = {
    "actionformer": (
        *_BLOCKS,
        (r"^backbone\.proj\.(\d+)\.conv\.", r"pyramid.shares.\1."),
        (r"^backbone\.embd\.", "pyramid.embedding."),
        (r"^backbone\.embd_norm\.(\d+)\.", r"pyramid.embedding.\1.norm."),
        (r"^backbone\.", "pyramid."),
        (r"^neck\.fpn_norms\.", "pyramid.norms."),
        (r"^cls_head\.head\.", "heads.scoring."),
        (r"^cls_head\.norm\.(\d+)\.", r"heads.scoring.\1.norm."),
        (r"^cls_head\.cls_head\.conv\.", "heads.scores."),
        (r"^reg_head\.head\.", "heads.bounding."),
        (r"^reg_head\.norm\.(\d+)\.", r"heads.bounding.\1.norm."),
        (r"^reg_head\.offset_head\.conv\.", "heads.bounds."),
        (r"^reg_head\.scale\.", "heads.scales."),
        *_HEADS,
    ),
    "opentad": (
        *_BLOCKS,
        (r"^projection\.proj\.(\d+)\.conv\.", r"pyramid.shares.\1."),
        (r"^projection\.embed\.", "pyramid.embedding."),
        (r"^projection\.", "pyramid."),
        (r"^neck\.fpn_norms\.", "pyramid.norms."),
        (r"^rpn_head\.cls_convs\.", "heads.scoring."),
        (r"^rpn_head\.cls_head\.", "heads.scores."),
        (r"^rpn_head\.reg_convs\.", "heads.bounding."),
        (r"^rpn_head\.reg_head\.", "heads.bounds."),
        (r"^rpn_head\.scale\.", "heads.scales."),
        (r"^rpn_head\.loss_normalizer$", ""),
        *_HEADS,
    ),
}


def fit_shapes(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Published tensors in our shapes: both toolboxes keep axes of length 1 around the channels."""
    return {
        name: tensor.reshape(own[name].shape)
        if name in own and [n for n in tensor.shape if n > 1] == [n for n in own[name].shape if n > 1]
        else tensor
        for name, tensor in state.items()
    }


class PointHeads(nn.Module):
    """Scores and boundaries of every point, with the same convolutions at every level.

    Args:
        in_channels: of the pyramid.
        channels: of the convolutions.
        num_classes: A.
        levels: L; each scales its boundaries.
        layers: convolutions before the last of either head.
        form: whose details.
        group_of: (A,) body group of each action, to say the group too; empty for no groups.
        prior: probability of an action that fresh weights say.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_classes: int,
        levels: int,
        layers: int,
        form: Form,
        group_of: Sequence[int] = (),
        prior: float = 0.01,
    ) -> None:
        super().__init__()
        widths = [in_channels] + [channels] * layers
        self.scoring, self.bounding = ConvStack(widths, form), ConvStack(widths, form)
        self.scores = nn.Conv1d(channels, num_classes, 3, padding=1)
        self.bounds = nn.Conv1d(channels, 2, 3, padding=1)
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(())) for _ in range(levels))
        last = [self.scores, self.bounds]
        if len(group_of):
            if len(group_of) != num_classes:
                raise ValueError(f"expected a group of each of {num_classes} actions, got {len(group_of)}")
            self.groups = nn.Conv1d(channels, max(group_of) + 1, 3, padding=1)
            self.register_buffer("group_of", torch.tensor(group_of), persistent=False)
            last.append(self.groups)
        for layer in last:
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        # With groups, a rare product of two probabilities: each of them is the root of the prior.
        factor = math.sqrt(prior) if len(group_of) else prior
        for layer in last[:1] + last[2:]:
            nn.init.constant_(layer.bias, math.log(factor / (1 - factor)))

    def forward(self, levels: Sequence[Level]) -> tuple[Tensor, Tensor, Tensor | None]:
        """(N, P, A) logits, (N, P, 2) offsets, and (N, P, G) logits of the groups or None."""
        scored = [self.scoring(x, valid) for x, valid in levels]
        logits = flat_levels([self.scores(x) for x in scored])
        bounded = [self.bounds(self.bounding(x, valid)) for x, valid in levels]
        offsets = flat_levels([F.relu(x * scale) for x, scale in zip(bounded, self.scales, strict=True)])
        if not hasattr(self, "groups"):
            return logits, offsets, None
        groups = flat_levels([self.groups(x) for x in scored])
        return hierarchical_logits(logits, groups, self.get_buffer("group_of")), offsets, groups


class ActionFormer(Detector):
    """The detector; see `actionformer` for the published sizes.

    Args:
        num_classes: A.
        in_channels: C of the features, or of each of several parts stacked in that order.
        width: channels of the pyramid and of the heads; as many as there are parts.
        arch: embedding convolutions, transformer blocks at full length, and those that halve it.
        heads: of the attention.
        window: points that attention sees around a point, of every level alike or one a level; 1 or less for
            all points.
        head_layers: convolutions before the last of either head.
        path_drop: probability that a window goes without a branch of a block, in training.
        dropout: of the blocks.
        input_dropout: of whole channels of the features.
        encoding_points: length for which position codes are made; 0 for none.
        group_of: (A,) body group of each action: the network then says P(group) P(action | group).
        form: whose details, "opentad" or "original".

    Raises:
        ValueError: windows for another number of levels, or sizes that do not fit each other.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int | Sequence[int],
        *,
        width: int | Sequence[int] = 512,
        arch: tuple[int, int, int] = (2, 2, 5),
        heads: int = 4,
        window: int | Sequence[int] = 19,
        head_layers: int = 2,
        path_drop: float = 0.1,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        encoding_points: int = 0,
        group_of: Sequence[int] = (),
        form: Form = "opentad",
    ) -> None:
        super().__init__()
        parts = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        widths = [width] if isinstance(width, int) else list(width)
        if len(parts) != len(widths):
            raise ValueError(f"ActionFormer: {len(parts)} parts of features, but {len(widths)} widths")
        channels, levels = sum(widths), arch[2] + 1
        seen = [window] * levels if isinstance(window, int) else list(window)
        if len(seen) != levels:
            raise ValueError(f"ActionFormer: expected windows of {levels} levels, got {len(seen)}")
        self.num_classes, self.in_channels = num_classes, sum(parts)
        self.strides = tuple(2**level for level in range(levels))

        def block(level: int, stride: int) -> nn.Module:
            return TransformerBlock(channels, heads, seen[level], stride, path_drop, dropout)

        self.input_dropout = nn.Dropout1d(input_dropout)
        self.pyramid = FeaturePyramid(parts, widths, *arch, block, form, encoding_points)
        self.heads = PointHeads(channels, channels, num_classes, levels, head_layers, form, group_of)
        for module in self.pyramid.modules():
            if isinstance(module, nn.Conv1d) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, valid: Tensor) -> DetectorOutput:
        """Scores and boundaries at every point of the pyramid.

        Args:
            x: (N, C, T) features; T may be any number.
            valid: (N, T) whether a point is inside of the recording.

        Raises:
            ValueError: another shape.
        """
        check_features("ActionFormer", x, valid, self.in_channels)
        levels = self.pyramid(self.input_dropout(x), valid)
        logits, offsets, groups = self.heads(levels)
        position, stride = points_of([y.shape[-1] for y, _ in levels], self.strides, x)
        inside = torch.cat([valid for _, valid in levels], dim=1)  # (N, P)
        return DetectorOutput(position, stride, logits, offsets, inside, groups)


def actionformer(*, num_classes: int, channels: int = 2048, **options: Any) -> ActionFormer:
    """ActionFormer with the sizes published for THUMOS-14: 512 channels, arch (2, 2, 5), windows of 19.

    Args:
        num_classes: A.
        channels: of the features.
        options: those of `ActionFormer`.
    """
    return ActionFormer(num_classes, channels, **options)
