"""What a detector learns from: a focal loss of its scores and a distance-IoU loss of its boundaries.

ActionFormer (Zhang, Wu, Li, ECCV 2022, equation 6): both sums are divided by a running mean of the number of
points with a segment. TriDet (Shi et al., CVPR 2023, equation 10) weighs the scores of such points by their
overlap.

Axis letters: N windows, P points, A actions, G body groups, I annotated segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from temporal_detection.detector import DetectorOutput, check_finite
from temporal_detection.targets import Targets, assign, default_ranges

_LEAST = 1e-8


class DetectionLosses(NamedTuple):
    """Losses of one batch.

    Attributes:
        total: scalar to be differentiated.
        classification: scalar, of the scores.
        regression: scalar, of the boundaries; 0 without a positive point.
        groups: scalar, of the body groups; 0 where the network does not say them.
        positives: points with a segment; a run in which it stays 0 learns nothing and has to stop.
        unmatched: annotated segments that no point learns, for their length or because they are too short.
    """

    total: Tensor
    classification: Tensor
    regression: Tensor
    groups: Tensor
    positives: int
    unmatched: int


class DetectionLoss(nn.Module):
    """Loss of a detector over a batch of windows.

    Args:
        num_classes: A.
        strides: of the detector's levels.
        ranges: (least, most) distance of a boundary for every level, in grid points; None for
            `default_ranges`.
        radius: of centre sampling, in strides; 0 for whole segments.
        keep_overlaps: points name the actions of all segments that they may learn, not of the shortest only.
        label_smoothing: share of 1 that goes to all actions.
        normaliser: the running number of positive points at the start.
        momentum: of the running number.
        regression_weight: of the boundaries in the total; 0 or less for as much as the scores weigh.
        overlap_power: power of the overlap by which scores of positive points are weighted; 0.2 in TriDet.
        group_of: (A,) body group of each action, for networks that say the group too.
        group_weight: of the body groups in the total.
        alpha: share of the positive side in the focal loss; less than 0 for no such weight.
        gamma: its focus.

    Raises:
        ValueError: a range too many or too few.
    """

    strides: Tensor
    ranges: Tensor
    group_of: Tensor
    normaliser: Tensor

    def __init__(
        self,
        num_classes: int,
        strides: Sequence[int],
        *,
        ranges: Sequence[tuple[float, float]] | None = None,
        radius: float = 1.5,
        keep_overlaps: bool = False,
        label_smoothing: float = 0.0,
        normaliser: float = 100.0,
        momentum: float = 0.9,
        regression_weight: float = 1.0,
        overlap_power: float = 0.0,
        group_of: Sequence[int] = (),
        group_weight: float = 1.0,
        alpha: float = 0.25,
        gamma: float = 2.0,
    ) -> None:
        super().__init__()
        ranges = default_ranges(strides) if ranges is None else list(ranges)
        if len(ranges) != len(strides):
            raise ValueError(f"expected a range for each of {len(strides)} levels, got {len(ranges)}")
        self.num_classes = num_classes
        self.radius = radius
        self.keep_overlaps = keep_overlaps
        self.label_smoothing = label_smoothing
        self.momentum = momentum
        self.regression_weight = regression_weight
        self.overlap_power = overlap_power
        self.group_weight = group_weight
        self.alpha, self.gamma = alpha, gamma
        self.register_buffer("strides", torch.tensor(strides, dtype=torch.float32), persistent=False)
        self.register_buffer("ranges", torch.tensor(ranges, dtype=torch.float32), persistent=False)
        self.register_buffer("group_of", torch.tensor(group_of, dtype=torch.int64), persistent=False)
        self.register_buffer("normaliser", torch.tensor(float(normaliser)))

    def forward(
        self, output: DetectorOutput, segments: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> DetectionLosses:
        """Losses of a batch; in training the running number of positive points goes on.

        Args:
            output: of the detector.
            segments: for each window (I, 2) start and end on the grid; I may be 0.
            labels: for each window (I,) int64 actions.

        Raises:
            ValueError: scores or offsets that are not numbers, a level without a range, or segments and
                actions out of range.
        """
        check_finite(output)
        targets = self._targets(output, segments, labels)
        actions = torch.stack([one.actions for one in targets])  # (N, P, A)
        positive = (actions.sum(-1) > 0) & output.valid  # (N, P)
        positives = int(positive.sum())
        normaliser = self._normaliser(positives)
        smoothed = actions * (1 - self.label_smoothing) + self.label_smoothing / (self.num_classes + 1)
        scores = focal_loss(output.logits, smoothed, self.alpha, self.gamma)  # (N, P, A)
        offsets, wanted = self._pairs(output, targets, positive, actions)
        if self.overlap_power:
            named = positive[..., None] & (actions > 0)  # (N, P, A)
            iou = overlap(offsets, wanted).clamp(min=_LEAST) ** self.overlap_power
            if output.offsets.ndim == 3:  # one pair a point: all of its actions share it
                iou = iou.repeat_interleave(named.sum(-1)[positive])
            scores = scores.masked_scatter(named, scores[named] * iou)
        classification = scores[output.valid].sum() / normaliser
        regression = distance_iou_loss(offsets, wanted).sum() / normaliser
        groups = self._groups(output, actions) / normaliser
        weight: Tensor | float = self.regression_weight
        if self.regression_weight <= 0:
            weight = classification.detach() / regression.detach().clamp(min=0.01)
        return DetectionLosses(
            classification + regression * weight + groups * self.group_weight,
            classification,
            regression,
            groups,
            positives,
            sum(int((~one.matched).sum()) for one in targets),
        )

    def _targets(
        self, output: DetectorOutput, segments: Sequence[Tensor], labels: Sequence[Tensor]
    ) -> list[Targets]:
        if len(segments) != len(output.logits) or len(labels) != len(output.logits):
            raise ValueError(
                f"expected segments and labels of {len(output.logits)} windows, got {len(segments)} and "
                f"{len(labels)}"
            )
        same = output.stride[:, None] == self.strides  # (P, L)
        if not same.any(1).all():
            raise ValueError(
                f"expected levels of strides {self.strides.tolist()}, got {output.stride.unique().tolist()}"
            )
        ranges = self.ranges[same.int().argmax(1)]  # (P, 2)
        return [
            assign(output.position, output.stride, ranges, ours, named, self.num_classes, self.radius,
                   self.keep_overlaps)
            for ours, named in zip(segments, labels, strict=True)
        ]  # fmt: skip

    def _normaliser(self, positives: int) -> Tensor | float:
        if not self.training:
            return float(max(positives, 1))
        self.normaliser.mul_(self.momentum).add_((1 - self.momentum) * max(positives, 1))
        return self.normaliser.clone()

    @staticmethod
    def _pairs(
        output: DetectorOutput, targets: list[Targets], positive: Tensor, actions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(Q, 2) offsets said and wanted, of each positive point, or of each of its actions."""
        if output.offsets.ndim == 3:
            return output.offsets[positive], torch.stack([one.shortest for one in targets])[positive]
        named = positive[..., None] & (actions > 0)  # (N, P, A)
        return output.offsets[named], torch.stack([one.offsets for one in targets])[named]

    def _groups(self, output: DetectorOutput, actions: Tensor) -> Tensor:
        if output.group_logits is None:
            return output.logits.new_zeros(())
        if len(self.group_of) != self.num_classes:
            raise ValueError("the network says body groups: DetectionLoss needs group_of, one of each action")
        number = output.group_logits.shape[-1]
        member = F.one_hot(self.group_of, number).to(actions.dtype)  # (A, G)
        wanted = (actions @ member).clamp(max=1)  # (N, P, G)
        wanted = wanted * (1 - self.label_smoothing) + self.label_smoothing / (number + 1)
        return focal_loss(output.group_logits, wanted, self.alpha, self.gamma)[output.valid].sum()


def focal_loss(logits: Tensor, wanted: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sigmoid focal loss of every number (Lin et al., ICCV 2017, equation 5), in float32.

    Args:
        logits: any shape.
        wanted: probabilities in the same shape.
        alpha: weight of what is wanted, 1 - alpha of the rest; less than 0 for none.
        gamma: power of how wrong it is.
    """
    logits, wanted = logits.float(), wanted.float()
    said = logits.sigmoid()
    right = said * wanted + (1 - said) * (1 - wanted)
    loss = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * (1 - right) ** gamma
    return loss if alpha < 0 else loss * (alpha * wanted + (1 - alpha) * (1 - wanted))


def overlap(offsets: Tensor, wanted: Tensor) -> Tensor:
    """(Q,) intersection over union of segments around the same points; offsets (Q, 2) both."""
    offsets, wanted = offsets.float(), wanted.float()
    shared = torch.minimum(offsets, wanted).sum(-1)
    return shared / (offsets.sum(-1) + wanted.sum(-1) - shared).clamp(min=_LEAST)


def distance_iou_loss(offsets: Tensor, wanted: Tensor) -> Tensor:
    """(Q,) 1 - IoU + the squared distance of the middles over the hull (Zheng et al., AAAI 2020, equation 7).

    Args:
        offsets: (Q, 2) distances to start and end, at least 0.
        wanted: (Q, 2).
    """
    offsets, wanted = offsets.float(), wanted.float()
    hull = torch.maximum(offsets, wanted).sum(-1)
    middles = (offsets[:, 1] - offsets[:, 0] - wanted[:, 1] + wanted[:, 0]) / 2
    return 1 - overlap(offsets, wanted) + (middles / hull.clamp(min=_LEAST)) ** 2
