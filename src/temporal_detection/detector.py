"""What every detector gives, and how it becomes candidate segments.

A detector sees a window as T points in time. Over them stands a pyramid; each of its points says how sure it
is of every action, and how far the segment around it reaches in both directions.

Axis letters: N windows, C channels, T points of the grid, P points of all levels of the pyramid, A actions,
G body groups, K candidates.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class DetectorOutput:
    """What a detector says of N windows.

    Attributes:
        position: (P,) grid position of each point.
        stride: (P,) grid points from one point of its level to the next.
        logits: (N, P, A) of sigmoids, one an action: several may be true at once.
        offsets: (N, P, 2) distances to the start and to the end, at least 0, in units of the point's stride;
            or (N, P, A, 2) where every action has its own.
        valid: (N, P) whether the point is inside of the recording.
        group_logits: (N, P, G) of sigmoids, if the network says the body group too; `logits` hold it already
            (see `hierarchical_logits`), so only the loss looks at it.
    """

    position: Tensor
    stride: Tensor
    logits: Tensor
    offsets: Tensor
    valid: Tensor
    group_logits: Tensor | None = None


class Detector(nn.Module):
    """A network that finds segments.

    Attributes:
        num_classes: A.
        strides: grid points from one point to the next, of every level, finest first.
    """

    num_classes: int
    strides: tuple[int, ...]

    @abstractmethod
    def forward(self, x: Tensor, valid: Tensor) -> DetectorOutput:
        """Scores and boundaries at every point of the pyramid.

        Args:
            x: (N, C, T) features, or what the network says it takes.
            valid: (N, T) whether a point of the grid is inside of the recording.
        """


class Candidates(NamedTuple):
    """Segments of one window before suppression, surest first; K each.

    Attributes:
        positions: (K, 2) float32 start and end on the grid; `TimeGrid.seconds` makes seconds of them.
        score: (K,) float32 in 0..1.
        label: (K,) int64 index of the action.
    """

    positions: NDArray[np.float32]
    score: NDArray[np.float32]
    label: NDArray[np.int64]


@torch.no_grad()
def decode(
    output: DetectorOutput,
    num_before_nms: int = 2000,
    min_score: float = 1e-3,
    min_length: float = 0.05,
    per_level: bool = False,
) -> list[Candidates]:
    """The surest candidates of each window.

    Args:
        output: of a detector.
        num_before_nms: most candidates of a window (2000 a level in ActionFormer, 8000 in AdaTAD).
        min_score: candidates must be surer than this.
        min_length: candidates must be longer than so many points of the grid.
        per_level: count `num_before_nms` for every level on its own, as ActionFormer's and TriDet's own code
            does; OpenTAD counts all together.

    Raises:
        ValueError: the network's scores or offsets are not numbers.
    """
    check_finite(output)
    if not per_level:
        return [_of_window(output, n, [slice(None)], num_before_nms, min_score, min_length)
                for n in range(len(output.logits))]  # fmt: skip
    ends = torch.unique_consecutive(output.stride, return_counts=True)[1].cumsum(0).tolist()
    levels = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
    return [_of_window(output, n, levels, num_before_nms, min_score, min_length)
            for n in range(len(output.logits))]  # fmt: skip


def _of_window(
    output: DetectorOutput, n: int, levels: list[slice], most: int, min_score: float, min_length: float
) -> Candidates:
    found = []
    actions = output.logits.shape[-1]
    for level in levels:
        scores = output.logits[n, level].float().sigmoid() * output.valid[n, level, None]  # (P, A)
        flat = scores.flatten()  # (P * A,)
        kept = (flat > min_score).nonzero(as_tuple=True)[0]
        score, order = flat[kept].sort(descending=True, stable=True)
        kept = kept[order[:most]]  # (K,)
        point, label = kept // actions, kept % actions
        offsets = output.offsets[n, level]
        reach = (offsets[point, label] if offsets.ndim == 3 else offsets[point]).float()  # (K, 2)
        centre, stride = output.position[level][point].float(), output.stride[level][point].float()
        positions = torch.stack([centre - reach[:, 0] * stride, centre + reach[:, 1] * stride], -1)
        long = positions[:, 1] - positions[:, 0] > min_length
        found.append((positions[long], score[:most][long], label[long]))
    positions, score, label = (torch.cat(parts).cpu() for parts in zip(*found, strict=True))
    if len(levels) > 1:
        order = score.argsort(descending=True, stable=True)
        positions, score, label = positions[order], score[order], label[order]
    return Candidates(positions.numpy(), score.numpy(), label.numpy())


def hierarchical_logits(action: Tensor, group: Tensor, group_of: Tensor) -> Tensor:
    """(N, P, A) logits of P(action) = P(group) P(action | group), where both factors are sigmoids.

    The odds of a product of sigmoids are 1 / (exp(-a) + exp(-g) + exp(-a - g)), which needs no logarithm of a
    rounded probability.

    Args:
        action: (N, P, A) logits of each action where its group is seen.
        group: (N, P, G) logits of the body groups.
        group_of: (A,) index of each action's group.
    """
    a, g = action, group[..., group_of]  # (N, P, A) both
    return -torch.logsumexp(torch.stack([-a, -g, -(a + g)]), dim=0)


def check_features(name: str, x: Tensor, valid: Tensor, channels: int) -> None:
    """See that features fit a network.

    Args:
        name: of the network, for the message.
        x: (N, C, T).
        valid: (N, T).
        channels: C wanted.

    Raises:
        ValueError: another shape; what was expected and what came.
    """
    if x.ndim != 3 or x.shape[1] != channels:
        raise ValueError(f"{name}: expected features (N, {channels}, T), got {tuple(x.shape)}")
    if valid.shape != (len(x), x.shape[2]) or valid.dtype != torch.bool:
        raise ValueError(
            f"{name}: expected valid as booleans {(len(x), x.shape[2])}, got {valid.dtype} "
            f"{tuple(valid.shape)}"
        )


def check_finite(output: DetectorOutput) -> None:
    """See that a detector gave numbers.

    Raises:
        ValueError: NaN or infinity at a valid point; says of which window, and what to look at.
    """
    for what, values in (("scores", output.logits), ("offsets", output.offsets)):
        good = values.isfinite().flatten(2).all(-1) | ~output.valid  # (N, P)
        if not good.all():
            window = int((~good.all(-1)).nonzero()[0])
            raise ValueError(
                f"the detector's {what} of window {window} are not numbers; are there NaN in its features, "
                "or did the training diverge?"
            )


def points_of(lengths: list[int], strides: tuple[int, ...], like: Tensor) -> tuple[Tensor, Tensor]:
    """(P,) positions and (P,) strides of the points of a pyramid's levels, finest first.

    Args:
        lengths: points of each level.
        strides: grid points from one point of a level to the next.
        like: says the device; both are float32.
    """
    position = [torch.arange(n, device=like.device) * s for n, s in zip(lengths, strides, strict=True)]
    stride = [torch.full((n,), s, device=like.device) for n, s in zip(lengths, strides, strict=True)]
    return torch.cat(position).float(), torch.cat(stride).float()


def flat_levels(levels: list[Tensor]) -> Tensor:
    """(N, P, C) of levels (N, C, T_l)."""
    return torch.cat([level.transpose(1, 2) for level in levels], dim=1)
