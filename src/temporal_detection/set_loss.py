"""What queries learn from: each annotated segment has one of them, found by matching, all others say nothing.

PointTAD (Tan et al., NeurIPS 2022, section 3.4) after DETR (Carion et al., ECCV 2020, equations 1 and 2).

Axis letters: N windows, T points of the grid, Q queries, L layers, A actions, I annotated segments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional

from temporal_detection.detection_loss import DetectionLosses
from temporal_detection.pointtad import QueryOutput

_LEAST = 1e-8


class SetLoss(nn.Module):
    """Loss of `PointTAD` over a batch of windows.

    Unlike the published code, which leaves the scores of a batch without any annotated segment alone, here
    its queries learn to say nothing.

    Args:
        num_classes: A.
        match_class: weight of the probability in the matching.
        match_distance: of the distance of centres and lengths in it.
        match_overlap: of the overlap in it.
        nothing: weight of the class of no action in the cross entropy.
        distance: weight of the distance of centres and lengths in the total.
        overlap: of the overlap in it.
        dense: of the actions at every point in it.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        match_class: float = 10.0,
        match_distance: float = 5.0,
        match_overlap: float = 5.0,
        nothing: float = 0.1,
        distance: float = 5.0,
        overlap: float = 5.0,
        dense: float = 10.0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.match = match_class, match_distance, match_overlap
        self.distance, self.overlap, self.dense = distance, overlap, dense
        weights = torch.ones(num_classes + 1)
        weights[-1] = nothing
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(
        self, output: QueryOutput, segments: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> DetectionLosses:
        """Losses of a batch; the classification has the dense one in it, all are weighted.

        Args:
            output: of the detector.
            segments: for each window (I, 2) start and end on the grid; I may be 0.
            labels: for each window (I,) int64 actions.

        Raises:
            ValueError: scores or segments that are not numbers.
        """
        if not (output.class_logits.isfinite().all() and output.segments.isfinite().all()):
            raise ValueError("the queries' scores or points are not numbers; did the training diverge?")
        points = output.dense.shape[1]
        shares = [own.to(output.segments) / points for own in segments]  # (I, 2) of the window each
        labels = [own.to(output.dense.device) for own in labels]
        count = sum(len(own) for own in labels)
        classification = self.dense * self._dense_loss(output.dense, segments, labels)
        regression = output.segments.new_zeros(())
        matched = 0
        for logits, spans in zip(output.class_logits, output.segments, strict=True):
            pairs = self.matched(logits, spans, shares, labels)
            matched = sum(len(queries) for queries, _ in pairs)
            scored, bounded = self._of_layer(logits, spans, shares, labels, pairs, max(count, 1))
            classification, regression = classification + scored, regression + bounded
        groups = regression.new_zeros(())
        return DetectionLosses(
            classification + regression, classification, regression, groups, matched, count - matched
        )

    @torch.no_grad()
    def matched(
        self, logits: Tensor, spans: Tensor, shares: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> list[tuple[Tensor, Tensor]]:
        """For each window, which query has which annotated segment: at the least cost of all.

        Args:
            logits: (N, Q, A + 1) of one layer.
            spans: (N, Q, 2) shares of the window.
            shares: for each window (I, 2).
            labels: for each window (I,).
        """
        by_class, by_distance, by_overlap = self.match
        pairs = []
        for said, span, wanted, label in zip(logits.softmax(-1), spans, shares, labels, strict=True):
            apart = torch.cdist(_middles(span.float()), _middles(wanted.float()), p=1)  # (Q, I)
            cost = by_distance * apart - by_class * said[:, label]
            cost = cost - by_overlap * _overlap(span.clamp(0, 1)[:, None], wanted[None])
            queries, own = linear_sum_assignment(cost.cpu().numpy())
            pairs.append(
                (torch.as_tensor(queries, device=spans.device), torch.as_tensor(own, device=spans.device))
            )
        return pairs

    def _of_layer(
        self,
        logits: Tensor,
        spans: Tensor,
        shares: Sequence[Tensor],
        labels: Sequence[Tensor],
        pairs: Sequence[tuple[Tensor, Tensor]],
        count: int,
    ) -> tuple[Tensor, Tensor]:
        wanted = torch.full(logits.shape[:2], self.num_classes, device=logits.device)  # (N, Q)
        for row, label, (queries, own) in zip(wanted, labels, pairs, strict=True):
            row[queries] = label[own]
        weights = self.get_buffer("class_weights")
        scored = functional.cross_entropy(logits.transpose(1, 2).float(), wanted, weights)
        said = torch.cat([span[queries] for span, (queries, _) in zip(spans, pairs, strict=True)])  # (K, 2)
        true = torch.cat([share[own] for share, (_, own) in zip(shares, pairs, strict=True)])  # (K, 2)
        apart = (_middles(said) - _middles(true)).abs().sum() / count
        missed = (1 - _overlap(said.clamp(0, 1), true)).sum() / count
        return scored, self.distance * apart + self.overlap * missed

    def _dense_loss(self, dense: Tensor, segments: Sequence[Tensor], labels: Sequence[Tensor]) -> Tensor:
        """Cross entropy of (N, T, A): the points from a segment's start up to its end say its action."""
        wanted = torch.zeros_like(dense)
        for row, own, label in zip(wanted, segments, labels, strict=True):
            for (start, end), action in zip(own.tolist(), label.tolist(), strict=True):
                row[max(0, int(start)) : max(0, int(end) + 1), action] = 1
        return functional.binary_cross_entropy_with_logits(dense.float(), wanted.float())


def _middles(segments: Tensor) -> Tensor:
    """(..., 2) start and end as middle and length."""
    start, end = segments.unbind(-1)
    return torch.stack([(start + end) / 2, end - start], dim=-1)


def _overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of segments (..., 2)."""
    shared = torch.minimum(one[..., 1], other[..., 1]) - torch.maximum(one[..., 0], other[..., 0])
    shared = shared.clamp(min=0)
    union = (one[..., 1] - one[..., 0]) + (other[..., 1] - other[..., 0]) - shared
    return shared / (union + _LEAST)
