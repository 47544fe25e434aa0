"""What every skeleton network has in common: timm's verbs, and people who are not there cost nothing.

Axis letters: N clips, M persons, T frames, V joints, C channels, H height, W width; P present persons of
all clips together, P <= N * M.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn


class SkeletonModel(nn.Module):
    """A network over skeletons, with timm's verbs.

    Attributes:
        input_kind: `graph` takes (N, M, T, V, C) joints, `heatmap` takes (N, C, T, H, W) volumes.
        takes_position: whether forward takes `position`, where in the clip each sampled frame lies.
        num_features: width of what `forward_features` returns.
        num_classes: width of the logits.
    """

    input_kind: ClassVar[Literal["graph", "heatmap"]]
    takes_position: ClassVar[bool] = False
    num_features: int
    num_classes: int

    @abstractmethod
    def forward_features(
        self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None
    ) -> Tensor:
        """Pooled features of each clip.

        Args:
            x: (N, M, T, V, C) for graphs, (N, C, T, H, W) for heatmaps.
            present: (N, M) bool, the persons to compute; None computes all M, padded ones as well, as the
                published code does. Features of a clip without persons are zeros. Heatmap networks ignore it.
            position: (N, T) float in -1..1, each frame's place in its clip; None where a network has none
                or the frames are evenly spread.

        Returns:
            (N, num_features).
        """

    @abstractmethod
    def get_classifier(self) -> nn.Module:
        """The last layer."""

    @abstractmethod
    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer with fresh weights, for `num_classes` classes."""

    def features_of_nobody(self, x: Tensor) -> Tensor:
        """(N, num_features) zeros for a batch x in which no person is present, since no layer has a row.

        In training every parameter gets a gradient, zero: processes that train together wait for each one's.
        """
        features = x.new_zeros(len(x), self.num_features)
        if not (self.training and torch.is_grad_enabled()):
            return features
        return features + 0 * torch.stack([p.sum() for p in self.parameters()]).sum()

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to logits (N, num_classes)."""
        logits: Tensor = self.get_classifier()(features)
        return logits

    def forward(self, x: Tensor, present: Tensor | None = None, position: Tensor | None = None) -> Tensor:
        """Logits (N, num_classes); arguments as in `forward_features`."""
        return self.forward_head(self.forward_features(x, present, position))


def gather_persons(x: Tensor, present: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The persons to compute, clip after clip.

    Args:
        x: (N, M, ...).
        present: (N, M) bool, or None for all.

    Returns:
        (P, ...), and (P,) int64, the clip of each; None where all N * M are computed. P may be 0, for which
        there is `SkeletonModel.features_of_nobody`.
    """
    if present is None or (x.shape[1] == 1 and bool(present.all())):
        return x.flatten(0, 1), None  # (N * M, ...)
    clip, person = present.nonzero(as_tuple=True)
    return x[clip, person], clip


def mean_over_persons(features: Tensor, clip: Tensor | None, clips: int) -> Tensor:
    """(P, F) to (N, F): the mean over the persons of each clip; zeros for a clip without persons.

    Args:
        features: (P, F), in the order of `gather_persons`.
        clip: (P,) the clip of each person, None where every clip has equally many.
        clips: N.
    """
    if clip is None:
        return features.reshape(clips, -1, features.shape[1]).mean(1)
    total = features.new_zeros(clips, features.shape[1]).index_add(0, clip, features)
    count = torch.bincount(clip, minlength=clips).clamp(min=1)
    return total / count[:, None]
