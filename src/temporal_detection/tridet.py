"""TriDet: a pyramid of convolutions that tell neighbours apart, and boundaries as expected values.

Shi et al., "TriDet: Temporal Action Detection with Relative Boundary Modeling", CVPR 2023: the
scalable-granularity perception (SGP) block of section 3.2 and the Trident head of section 3.3. The block's
instant-level branch averages over the whole sequence and its group norm runs over it, padding included, so
that scores depend on the length of the padding, as they do in the authors' code and in OpenTAD.

Axis letters: N windows, C channels, T points of the grid, P points of all levels, A actions, B bins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from temporal_detection.detector import Detector, DetectorOutput, check_features, flat_levels, points_of
from temporal_detection.feature_pyramid import ConvStack, FeaturePyramid, Form, Level, coarser, path
from temporal_detection.local_attention import ChannelNorm
from weights.architectures import NameRules

_BLOCKS: NameRules = (
    (r"\.ln\.", ".norm."),
    (r"\.gn\.", ".mlp_norm."),
    (r"\.psi\.", ".gate."),
    (r"\.fc\.", ".instant."),
    (r"\.global_fc\.", ".average."),
    (r"\.convw\.", ".near."),
    (r"\.convkw\.", ".far."),
    (r"\.drop_path_out\.", ".path."),
    (r"\.drop_path_mlp\.", ".mlp_path."),
)
_SCALES: NameRules = ((r"^(heads\.scales\.\d+)\.scale$", r"\1"),)
PUBLISHED_NAMES: dict[str, NameRules] = {
    "opentad": (
        *_BLOCKS,
        (r"^projection\.embed\.", "pyramid.embedding."),
        (r"^projection\.", "pyramid."),
        (r"^neck\.fpn_norms\.", "pyramid.norms."),
        (r"^rpn_head\.cls_convs\.", "heads.scoring."),
        (r"^rpn_head\.cls_head\.", "heads.scores."),
        (r"^rpn_head\.cls_(start|end)_convs\.", r"heads.\1_scoring."),
        (r"^rpn_head\.cls_(start|end)_head\.", r"heads.\1_scores."),
        (r"^rpn_head\.reg_convs\.", "heads.bounding."),
        (r"^rpn_head\.reg_head\.", "heads.bounds."),
        (r"^rpn_head\.scale\.", "heads.scales."),
        (r"^rpn_head\.loss_normalizer$", ""),
        *_SCALES,
    ),
    "tridet": (
        *_BLOCKS,
        (r"^backbone\.embd\.", "pyramid.embedding."),
        (r"^backbone\.embd_norm\.(\d+)\.", r"pyramid.embedding.\1.norm."),
        (r"^backbone\.", "pyramid."),
        (r"^neck\.fpn_norms\.", "pyramid.norms."),
        (r"^cls_head\.head\.", "heads.scoring."),
        (r"^cls_head\.norm\.(\d+)\.", r"heads.scoring.\1.norm."),
        (r"^cls_head\.cls_head\.conv\.", "heads.scores."),
        (r"^(start|end)_head\.head\.", r"heads.\1_scoring."),
        (r"^(start|end)_head\.norm\.(\d+)\.", r"heads.\1_scoring.\2.norm."),
        (r"^(start|end)_head\.cls_head\.conv\.", r"heads.\1_scores."),
        (r"^reg_head\.head\.", "heads.bounding."),
        (r"^reg_head\.norm\.(\d+)\.", r"heads.bounding.\1.norm."),
        (r"^reg_head\.offset_head\.conv\.", "heads.bounds."),
        (r"^reg_head\.scale\.", "heads.scales."),
        *_SCALES,
    ),
}
_GROUPS = 16


class PerceptionBlock(nn.Module):
    """The SGP block: an instant-level and a window-level branch in place of attention.

    Args:
        channels: C, a multiple of 16.
        window: points of the narrower convolution, odd.
        stride: points in for one point out.
        widening: how much wider the other convolution is.
        hidden: channels of the two-layer network.
        path_drop: probability that a window goes without a branch.

    Raises:
        ValueError: a window that is even, or channels that are no multiple of 16.
    """

    def __init__(
        self, channels: int, window: int, stride: int, widening: float, hidden: int, path_drop: float
    ) -> None:
        super().__init__()
        if window < 1 or window % 2 == 0 or channels % _GROUPS:
            raise ValueError(
                f"TriDet: expected an odd window and {_GROUPS} groups of channels, got {window}, {channels}"
            )
        wide = round((window + 1) * widening)
        wide += 1 - wide % 2
        self.stride = stride
        self.pool = nn.MaxPool1d(stride + 1, stride, (stride + 1) // 2) if stride > 1 else nn.Identity()
        self.norm = ChannelNorm(channels)
        self.gate, self.instant, self.near, self.far, self.average = (
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
            for kernel in (window, 1, window, wide, 1)
        )
        for branch in (self.gate, self.instant, self.near, self.far, self.average):
            nn.init.zeros_(branch.weight)  # the block begins as the identity
        self.path = path(channels, path_drop)
        self.mlp_norm = nn.GroupNorm(_GROUPS, channels)
        self.mlp = nn.Sequential(nn.Conv1d(channels, hidden, 1), nn.GELU(), nn.Conv1d(hidden, channels, 1))
        self.mlp_path = path(channels, path_drop)

    def forward(self, x: Tensor, valid: Tensor) -> Level:
        """One level from the one below: x (N, C, T), valid (N, T)."""
        valid = coarser(valid, self.stride)  # (N, S)
        x = self.pool(x)  # (N, C, S)
        normed = self.norm(x)
        overall = F.relu(self.average(normed.mean(-1, keepdim=True)))  # (N, C, 1)
        told = self.instant(normed) * overall + (self.near(normed) + self.far(normed)) * self.gate(normed)
        x = x * valid[:, None] + self.path(told + normed)
        return x + self.mlp_path(self.mlp(self.mlp_norm(x))), valid


class TridentHeads(nn.Module):
    """Scores of every point, and of every point as a start and as an end, which together say the boundaries.

    Args:
        channels: C of the pyramid and of the convolutions.
        num_classes: A.
        levels: L; each scales its boundaries.
        layers: convolutions before the last of every head.
        bins: B; a boundary lies up to so many strides away.
        form: whose details.
        prior: probability of an action that fresh weights say.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        levels: int,
        layers: int,
        bins: int,
        form: Form,
        prior: float = 0.01,
    ) -> None:
        super().__init__()
        widths = [channels] * (layers + 1)
        self.bins, self.clears = bins, form == "original"
        for name in ("", "start_", "end_"):
            self.add_module(f"{name}scoring", ConvStack(widths, form))
            scores = nn.Conv1d(channels, num_classes, 3, padding=1)
            assert scores.bias is not None
            nn.init.constant_(scores.bias, math.log(prior / (1 - prior)))
            self.add_module(f"{name}scores", scores)
        self.bounding = ConvStack(widths, form)
        self.bounds = nn.Conv1d(channels, 2 * (bins + 1), 3, padding=1)
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(())) for _ in range(levels))

    def forward(self, levels: Sequence[Level]) -> tuple[Tensor, Tensor]:
        """(N, P, A) logits and (N, P, A, 2) offsets of every action."""
        logits, offsets = [], []
        for (x, valid), scale in zip(levels, self.scales, strict=True):
            logits.append(self._scored("", x, valid))
            # The boundaries' scores leave the pyramid as the other heads want it.
            start, end = (self._scored(name, x.detach(), valid) for name in ("start_", "end_"))  # (N, A, T)
            bounds = self.bounds(self.bounding(x, valid))
            bounds = F.relu((bounds * valid[:, None] if self.clears else bounds) * scale)  # (N, 2 (B + 1), T)
            before, after = bounds.transpose(1, 2).chunk(2, dim=-1)  # (N, T, B + 1)
            left = F.pad(start, (self.bins, 0)).unfold(
                -1, self.bins + 1, 1
            )  # (N, A, T, B + 1), farthest first
            right = F.pad(end, (0, self.bins)).unfold(-1, self.bins + 1, 1)
            # Bins of `left` begin with the farthest, those of `right` with the nearest.
            steps = torch.arange(self.bins + 1, dtype=torch.float32, device=x.device)
            to_start = (left + before[:, None]).float().softmax(-1) @ steps.flip(0)  # (N, A, T)
            to_end = (right + after[:, None]).float().softmax(-1) @ steps
            offsets.append(torch.stack([to_start, to_end], -1).transpose(1, 2))  # (N, T, A, 2)
        return flat_levels(logits), torch.cat(offsets, dim=1)

    def _scored(self, name: str, x: Tensor, valid: Tensor) -> Tensor:
        scoring, scores = (self.get_submodule(f"{name}{part}") for part in ("scoring", "scores"))
        logits: Tensor = scores(scoring(x, valid))  # (N, A, T)
        return logits * valid[:, None] if self.clears else logits


class TriDet(Detector):
    """The detector; see `tridet` for the published sizes.

    Args:
        num_classes: A.
        in_channels: C of the features.
        width: channels of the pyramid and of the heads, a multiple of 16.
        arch: embedding convolutions, blocks at full length, and those that halve it.
        window: points of the blocks' narrower convolution, odd.
        widening: how much wider the other one is.
        hidden: channels of the blocks' two-layer network.
        head_layers: convolutions before the last of every head.
        bins: a boundary lies up to so many strides from its point.
        path_drop: probability that a window goes without a branch of a block that halves T, in training.
        encoding_points: length for which position codes are made; 0 for none.
        form: whose details, "opentad" or "original".

    Raises:
        ValueError: sizes that do not fit each other.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        *,
        width: int = 512,
        arch: tuple[int, int, int] = (2, 2, 5),
        window: int = 1,
        widening: float = 5.0,
        hidden: int = 768,
        head_layers: int = 2,
        bins: int = 16,
        path_drop: float = 0.1,
        encoding_points: int = 0,
        form: Form = "opentad",
    ) -> None:
        super().__init__()
        levels = arch[2] + 1
        self.num_classes, self.in_channels = num_classes, in_channels
        self.strides = tuple(2**level for level in range(levels))

        def block(level: int, stride: int) -> nn.Module:
            here = window if level else 1
            return PerceptionBlock(width, here, stride, widening, hidden, path_drop if level else 0.0)

        self.pyramid = FeaturePyramid([in_channels], [width], *arch, block, form, encoding_points)
        self.heads = TridentHeads(width, num_classes, levels, head_layers, bins, form)
        for module in [*self.pyramid.modules(), self.heads.bounds]:
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
        check_features("TriDet", x, valid, self.in_channels)
        levels = self.pyramid(x, valid)
        logits, offsets = self.heads(levels)
        position, stride = points_of([y.shape[-1] for y, _ in levels], self.strides, x)
        inside = torch.cat([valid for _, valid in levels], dim=1)  # (N, P)
        return DetectorOutput(position, stride, logits, offsets, inside)


def tridet(*, num_classes: int, channels: int = 2048, **options: Any) -> TriDet:
    """TriDet with the sizes published for THUMOS-14: 512 channels, arch (2, 2, 5), 16 bins.

    Args:
        num_classes: A.
        channels: of the features.
        options: those of `TriDet`.
    """
    return TriDet(num_classes, channels, **options)
