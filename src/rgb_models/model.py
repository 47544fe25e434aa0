"""What every network over frames has in common: timm's verbs.

Axis letters: N clips, C channels, T frames, H height, W width.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from rgb_models.preprocessing import Preprocessing


class RgbModel(nn.Module):
    """A network over the frames of a clip, with timm's verbs.

    Attributes:
        preprocessing: how the published network's frames are made; the default of a recipe.
        frames: T that the network was built for; 0 where any number will do.
        num_features: width of what `forward_features` returns.
        num_classes: width of the logits.
    """

    preprocessing: ClassVar[Preprocessing] = Preprocessing()
    frames: int
    num_features: int
    num_classes: int

    @abstractmethod
    def forward_features(self, x: Tensor) -> Tensor:
        """Pooled features of each clip; networks over single frames give the mean over the frames.

        Args:
            x: (N, 3, T, H, W) normalised frames, red first.

        Returns:
            (N, num_features).

        Raises:
            ValueError: T is not what the network was built for.
        """

    @abstractmethod
    def get_classifier(self) -> nn.Module:
        """The last layer."""

    @abstractmethod
    def reset_classifier(self, num_classes: int) -> None:
        """A new last layer with fresh weights, for `num_classes` classes."""

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to logits (N, num_classes)."""
        logits: Tensor = self.get_classifier()(features)
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, num_classes); x as in `forward_features`."""
        return self.forward_head(self.forward_features(x))


def check_frames(name: str, x: Tensor, frames: int) -> None:
    """See that a batch has the frames that a network was built for.

    Args:
        name: of the network, for the message.
        x: (N, 3, T, H, W).
        frames: T wanted.

    Raises:
        ValueError: x has another shape; the message says what was expected.
    """
    if x.ndim != 5 or x.shape[1] != 3 or x.shape[2] != frames:
        raise ValueError(f"{name}: expected frames (N, 3, {frames}, H, W), got {tuple(x.shape)}")
