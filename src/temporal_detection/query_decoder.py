"""PointTAD's decoder: a query samples the features around its points, mixes them, and moves its points.

Tan et al., "PointTAD: Multi-Label Temporal Action Detection with Learnable Query Points", NeurIPS 2022,
section 3.3.

Axis letters: N windows, T points of the grid, Q queries, R points of a query, S samples around each of them,
D width, A actions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

BOUNDARY_POINTS = 4  # of a query: the first ones have offsets of their own
SAMPLES = 4  # around each point
MIXED_WIDTH = 64


def segments_of(points: Tensor) -> Tensor:
    """(..., 2) start and end of points (..., R): the least and the greatest of all but the last third."""
    spanning = points[..., : points.shape[-1] - -(-points.shape[-1] // 3)]
    return torch.stack([spanning.amin(-1), spanning.amax(-1)], dim=-1)


def sample(features: Tensor, places: Tensor) -> Tensor:
    """Features at places between the points, linearly interpolated.

    Args:
        features: (N, T, D).
        places: (N, K) in 0..1, the first point to the last.

    Returns:
        (N, K, D).
    """
    last = features.shape[1] - 1
    place = places * last
    before = place.floor().clamp(max=max(last - 1, 0))
    share = (place - before)[..., None]  # (N, K, 1)
    left = before.nan_to_num().long()[..., None].expand(-1, -1, features.shape[2])  # (N, K, D)
    right = (left + 1).clamp(max=last)
    return features.gather(1, left) * (1 - share) + features.gather(1, right) * share


class PointSampling(nn.Module):
    """Features around the points of a query (the paper's point-level deformation).

    Four samples lie around each point, at offsets that the query says: one set for its first points, which
    span the segment's boundaries, and one for the others.

    Args:
        width: D.
        points: R.
    """

    def __init__(self, width: int, points: int) -> None:
        super().__init__()
        self.points = points
        self.boundary_offsets, self.inner_offsets = nn.Linear(width, SAMPLES), nn.Linear(width, SAMPLES)
        self.boundary_weights, self.inner_weights = nn.Linear(width, SAMPLES), nn.Linear(width, SAMPLES)
        for layer in (self.boundary_weights, self.inner_weights):
            nn.init.zeros_(layer.bias)
        with torch.no_grad():  # samples 1, 2, 3 and 4 points of the grid behind the point
            for layer in (self.boundary_offsets, self.inner_offsets):
                layer.bias.copy_(torch.arange(1.0, SAMPLES + 1))

    def forward(self, queries: Tensor, features: Tensor, points: Tensor) -> Tensor:
        """(N, Q, D), (N, T, D) and (N, Q, R) to (N, Q, R, D)."""
        of_others = self.points - BOUNDARY_POINTS

        def by_point(boundary: Tensor, inner: Tensor) -> Tensor:
            """(N, Q, R, S) of (N, Q, S) for the first points and for the others."""
            first = boundary[:, :, None].expand(-1, -1, BOUNDARY_POINTS, -1)
            return torch.cat([first, inner[:, :, None].expand(-1, -1, of_others, -1)], dim=2)

        offsets = by_point(self.boundary_offsets(queries), self.inner_offsets(queries))
        weights = by_point(
            self.boundary_weights(queries).softmax(-1), self.inner_weights(queries).softmax(-1)
        )
        places = (points[..., None] + offsets / features.shape[1]).clamp(0, 1)  # (N, Q, R, S)
        sampled = sample(features, places.flatten(1)).unflatten(1, places.shape[1:])  # (N, Q, R, S, D)
        return (sampled * weights[..., None]).sum(3)


class ParallelMixing(nn.Module):
    """What a query makes of its points: mixed over channels and over points, by weights that it says itself.

    Args:
        width: D.
        points: R.
    """

    def __init__(self, width: int, points: int) -> None:
        super().__init__()
        self.width, self.points = width, points
        self.channel_weights = nn.Linear(width, 2 * width * MIXED_WIDTH)
        self.point_weights = nn.Linear(width, points * points)
        self.narrow_norm, self.wide_norm = nn.LayerNorm(MIXED_WIDTH), nn.LayerNorm(width)
        self.point_norm = nn.LayerNorm(points)
        self.out = nn.Linear(2 * width * points, width)
        self.out_norm = nn.LayerNorm(width)

    def forward(self, queries: Tensor, sampled: Tensor) -> Tensor:
        """(N, Q, D) and (N, Q, R, D) to (N, Q, D)."""
        narrow, wide = self.channel_weights(queries).chunk(2, dim=-1)
        narrow = narrow.unflatten(-1, (self.width, MIXED_WIDTH))  # (N, Q, D, 64)
        wide = wide.unflatten(-1, (MIXED_WIDTH, self.width))  # (N, Q, 64, D)
        across = self.point_weights(queries).unflatten(-1, (self.points, self.points))  # (N, Q, R, R)
        of_points = functional.relu(self.point_norm(sampled.transpose(2, 3) @ across)).transpose(2, 3)
        of_channels = functional.relu(self.narrow_norm(sampled @ narrow))  # (N, Q, R, 64)
        of_channels = functional.relu(self.wide_norm(of_channels @ wide))  # (N, Q, R, D)
        both = torch.cat([of_channels, of_points], dim=-1).flatten(2)  # (N, Q, R * 2 D)
        return functional.relu(self.out_norm(self.out(both)))


def _hidden(width: int, layers: int) -> nn.Sequential:
    parts = [(nn.Linear(width, width, bias=False), nn.LayerNorm(width), nn.ReLU()) for _ in range(layers)]
    return nn.Sequential(*(module for part in parts for module in part))


class QueryLayer(nn.Module):
    """One layer of the decoder: queries look, learn of one another, and move their points.

    Args:
        width: D.
        num_classes: A.
        points: R.
        feed_forward: width between the two linear layers.
        heads: of the attention among queries.
        dropout: of every part.
    """

    def __init__(
        self, width: int, num_classes: int, points: int, feed_forward: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.sampling = PointSampling(width, points)
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.mixing = ParallelMixing(width, points)
        self.linear1, self.linear2 = nn.Linear(width, feed_forward), nn.Linear(feed_forward, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)
        self.scoring, self.moving = _hidden(width, 1), _hidden(width, 3)
        self.scores = nn.Linear(width, num_classes + 1)
        self.moves = nn.Linear(width, points)

    def forward(self, features: Tensor, points: Tensor, queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, T, D), points (N, Q, R) and queries (N, Q, D) to logits, points and queries."""
        sampled = self.sampling(queries, features, points)  # (N, Q, R, D)
        queries = self.norm1(queries + self.dropout(self.attention(queries, queries, queries)[0]))
        queries = self.norm2(queries + self.dropout(self.mixing(queries, sampled)))
        fed = self.linear2(self.dropout(functional.relu(self.linear1(queries))))
        queries = self.norm3(queries + self.dropout(fed))
        start, end = segments_of(points).unbind(-1)  # (N, Q) both
        points = points + self.moves(self.moving(queries)) * (end - start)[..., None] / 2
        return self.scores(self.scoring(queries)), points, queries
