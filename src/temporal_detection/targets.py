"""Which point of the pyramid learns which annotated segment.

Centre sampling (Tian et al., FCOS, ICCV 2019) with a range of lengths for every level, as ActionFormer
(Zhang, Wu, Li, ECCV 2022, section 3.3) does it: a point learns a segment if it lies within `radius` strides
of its middle and inside of it, and if the farther of the two boundaries is in the level's range.

Letters: P points, I annotated segments, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

_EQUALLY_LONG = 1e-3  # grid points


class Targets(NamedTuple):
    """What the points of one window have to say.

    Attributes:
        actions: (P, A) float, 1 for the actions that a point has to name.
        offsets: (P, A, 2) distances to start and end of the shortest segment of each such action, in strides.
        shortest: (P, 2) the same of the shortest of all; 0 where there is none.
        matched: (I,) whether a segment is learnt by any point.
    """

    actions: Tensor
    offsets: Tensor
    shortest: Tensor
    matched: Tensor


def default_ranges(strides: Sequence[int]) -> list[tuple[float, float]]:
    """(least, most) distance of a boundary for every level: 4 strides at most, the last without bound."""
    ranges = [(0.0 if level == 0 else 2.0 * stride, 4.0 * stride) for level, stride in enumerate(strides)]
    return [*ranges[:-1], (ranges[-1][0], 10000.0)]


@torch.no_grad()
def assign(
    position: Tensor,
    stride: Tensor,
    ranges: Tensor,
    segments: Tensor,
    labels: Tensor,
    num_classes: int,
    radius: float = 1.5,
    keep_overlaps: bool = False,
) -> Targets:
    """Targets of one window.

    Args:
        position: (P,) grid positions.
        stride: (P,) grid points between points of the level.
        ranges: (P, 2) least and most distance of a segment's farther boundary.
        segments: (I, 2) start and end on the grid; I may be 0.
        labels: (I,) int64 action of each.
        num_classes: A.
        radius: strides around the middle of a segment in which points learn it; 0 for the whole segment.
        keep_overlaps: a point names the actions of all segments that it may learn, instead of those of the
            shortest and of others as long (OpenTAD's `filter_similar_gt` off).

    Raises:
        ValueError: a segment that does not end after it starts, or an action out of range.
    """
    _check(segments, labels, num_classes)
    points = len(position)
    if not len(segments):
        none = position.new_zeros((points, num_classes, 2))
        return Targets(none[..., 0], none, none[:, 0], segments.new_zeros(0, dtype=torch.bool))
    start, end = segments.to(position).unbind(-1)  # (I,) each
    reach = torch.stack([position[:, None] - start, end - position[:, None]], -1)  # (P, I, 2)
    near = reach
    if radius > 0:
        middle, around = (start + end) / 2, stride[:, None] * radius
        near = torch.stack(
            [
                position[:, None] - torch.maximum(middle - around, start),
                torch.minimum(middle + around, end) - position[:, None],
            ],
            -1,
        )
    farther = reach.amax(-1)  # (P, I)
    mine = (near.amin(-1) > 0) & (farther >= ranges[:, :1]) & (farther <= ranges[:, 1:])
    length = (end - start).expand(points, -1).masked_fill(~mine, float("inf"))  # (P, I)
    least, first = length.min(dim=1)
    named = mine if keep_overlaps else mine & (length <= least[:, None] + _EQUALLY_LONG)
    one_hot = torch.nn.functional.one_hot(labels.to(position.device), num_classes).to(position.dtype)
    actions = (named.to(position.dtype) @ one_hot).clamp(max=1)  # (P, A)
    scaled = reach / stride[:, None, None]  # (P, I, 2)
    shortest = scaled[torch.arange(points, device=position.device), first] * mine.any(1)[:, None]
    offsets = actions[..., None] * shortest[:, None]  # (P, A, 2)
    if keep_overlaps:
        for label in labels.unique().tolist():
            own = length.masked_fill(labels.to(length.device) != label, float("inf")).argmin(1)
            reached = scaled[torch.arange(points, device=position.device), own]
            offsets[:, label] = reached * actions[:, label, None]
    return Targets(actions, offsets, shortest, named.any(0))


def _check(segments: Tensor, labels: Tensor, num_classes: int) -> None:
    if segments.ndim != 2 or segments.shape[1:] != (2,) or labels.shape != segments.shape[:1]:
        raise ValueError(
            f"expected segments (I, 2) and labels (I,), got {tuple(segments.shape)} and {tuple(labels.shape)}"
        )
    wrong = ~(segments[:, 1] > segments[:, 0]) | ~segments.isfinite().all(-1)
    if wrong.any():
        start, end = segments[wrong][0].tolist()
        raise ValueError(f"expected segments that end after they start, got {start:g} to {end:g} on the grid")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise ValueError(f"expected actions 0..{num_classes - 1}, got {labels.unique().tolist()}")
