"""PointTAD: queries that look at a window through points of their own, and say a segment and an action each.

Tan et al., "PointTAD: Multi-Label Temporal Action Detection with Learnable Query Points", NeurIPS 2022. Here
is all that follows the features: the published network makes them by an I3D of its own, of whose two last
stages it takes the means over the picture, 1024 and 832 channels at 48 points. That network is not here, so
of a published checkpoint everything loads but it.

Axis letters: N windows, C channels, T points of the grid, Q queries, R points of a query, L layers, D width,
A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from temporal_detection.detector import Detector, DetectorOutput, check_features
from temporal_detection.query_decoder import BOUNDARY_POINTS, QueryLayer, segments_of
from weights.architectures import NameRules

UNSAID = -30.0  # logit of an action that a query does not say

PUBLISHED_NAMES: dict[str, NameRules] = {
    "pointtad": (
        (r"^backbone\..*", ""),  # I3D, which is not here
        (r"^query_embed\..*", ""),  # never used
        (r"^input_proj_5c\.", "projections.0."),
        (r"^input_proj_4f\.", "projections.1."),
        (r"^init_proposal_(features|points)\.weight$", r"query_\1"),
        (r"^linear_pred\.", "dense."),
        (r"^decoder\.head_series\.", "layers."),
        (r"\.point_deformation\.boundary_", ".sampling.boundary_"),
        (r"\.point_deformation\.center_", ".sampling.inner_"),
        (r"\.inst_parallel_mix\.dynamic_layer\.", ".mixing.channel_weights."),
        (r"\.inst_parallel_mix\.dynamic_temp_layer\.", ".mixing.point_weights."),
        (r"\.inst_parallel_mix\.norm1\.", ".mixing.narrow_norm."),
        (r"\.inst_parallel_mix\.norm2\.", ".mixing.wide_norm."),
        (r"\.inst_parallel_mix\.norm4\.", ".mixing.point_norm."),
        (r"\.inst_parallel_mix\.out_layer\.", ".mixing.out."),
        (r"\.inst_parallel_mix\.norm3\.", ".mixing.out_norm."),
        (r"\.self_attn\.", ".attention."),
        (r"\.cls_module\.", ".scoring."),
        (r"\.reg_module\.", ".moving."),
        (r"\.class_logits\.", ".scores."),
        (r"\.points_delta\.", ".moves."),
    )
}


@dataclass(frozen=True, eq=False, kw_only=True)
class QueryOutput(DetectorOutput):
    """What the queries say, of every layer for the loss.

    As `DetectorOutput` the Q queries are its points, all at position 0, so that `offsets` are the start with
    its sign turned and the end; of the actions each says the likeliest.

    Attributes:
        class_logits: (L, N, Q, A + 1) of a softmax; the last class is no action at all.
        segments: (L, N, Q, 2) start and end as shares of the window.
        dense: (N, T, A) logits of the actions at every point of the grid.
    """

    class_logits: Tensor
    segments: Tensor
    dense: Tensor


class PointTAD(Detector):
    """Features to queries' segments; see `pointtad` for the published sizes.

    Args:
        num_classes: A.
        channels: C of the features, or of each of several parts stacked in that order.
        width: D.
        queries: Q.
        points: R, more than 4.
        layers: L.
        feed_forward: width of the queries' own layers.
        heads: of the attention among queries.
        dropout: of the decoder.

    Raises:
        ValueError: too few points, or a width that the heads do not divide.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int | Sequence[int],
        *,
        width: int = 512,
        queries: int = 24,
        points: int = 30,
        layers: int = 2,
        feed_forward: int = 2048,
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if points <= BOUNDARY_POINTS or width % heads or width % 2:
            raise ValueError(
                f"PointTAD: expected more than {BOUNDARY_POINTS} points and an even width that {heads} heads "
                f"divide, got {points} points and width {width}"
            )
        self.num_classes, self.strides = num_classes, (1,)
        self.parts = [channels] if isinstance(channels, int) else list(channels)
        self.projections = nn.ModuleList(nn.Linear(part, width) for part in self.parts)
        self.query_features = nn.Parameter(torch.randn(queries, width))
        self.query_points = nn.Parameter(torch.full((queries, points), 0.5))
        self.layers = nn.ModuleList(
            QueryLayer(width, num_classes, points, feed_forward, heads, dropout) for _ in range(layers)
        )
        self.dense = nn.Sequential(
            nn.Conv1d(width, width // 2, 3, padding=1), nn.Dropout(), nn.Conv1d(width // 2, num_classes, 1)
        )
        for parameter in self.layers.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: Tensor, valid: Tensor) -> QueryOutput:
        """What each query says.

        Args:
            x: (N, C, T) features; padding repeats the last one, as the published code has it.
            valid: (N, T) whether a point is inside of the recording.

        Raises:
            ValueError: another shape.
        """
        check_features("PointTAD", x, valid, sum(self.parts))
        split = zip(self.projections, x.transpose(1, 2).split(self.parts, dim=2), strict=True)
        features = torch.stack([projection(part) for projection, part in split]).sum(0)  # (N, T, D)
        queries = self.query_features.expand(len(x), -1, -1)  # (N, Q, D)
        points = self.query_points.expand(len(x), -1, -1)  # (N, Q, R)
        said, spans = [], []
        for layer in self.layers:
            logits, points, queries = layer(features, points, queries)
            said.append(logits)
            spans.append(segments_of(points))
        inside = valid.any(1)[:, None].expand(-1, queries.shape[1])  # (N, Q)
        grid = spans[-1].clamp(0, 1) * x.shape[2]  # (N, Q, 2)
        return QueryOutput(
            position=grid.new_zeros(queries.shape[1]),
            stride=grid.new_ones(queries.shape[1]),
            logits=_likeliest(said[-1]),
            offsets=torch.stack([-grid[..., 0], grid[..., 1]], dim=-1),
            valid=inside,
            class_logits=torch.stack(said),
            segments=torch.stack(spans),
            dense=self.dense(features.transpose(1, 2)).transpose(1, 2),
        )


def _likeliest(class_logits: Tensor) -> Tensor:
    """(N, Q, A) logits of (N, Q, A + 1): of the likeliest action its probability's, of the others none."""
    probability = class_logits.float().softmax(-1)[..., :-1]
    most, action = probability.max(-1, keepdim=True)
    logit = torch.logit(most, eps=1e-6)
    return torch.full_like(probability, UNSAID).scatter(-1, action, logit)


def pointtad(*, num_classes: int, channels: int | Sequence[int] = (1024, 832), **options: Any) -> PointTAD:
    """PointTAD with the sizes of its MMA-52 baseline: 24 queries of 30 points, 48 points of the grid.

    Args:
        num_classes: A.
        channels: of the features; the two stages of I3D, stacked in that order, unless said otherwise.
        options: those of `PointTAD`.
    """
    return PointTAD(num_classes, channels, **options)
