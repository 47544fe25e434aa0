"""TSN: a ResNet-50 over a few frames from all over the clip, averaged.

Wang et al.: Temporal Segment Networks, ECCV 2016, with the average as segmental consensus. Equal to
MMAction2's `ResNet` with `TSNHead`: features are averaged over the frames, then dropped out, then classified.
Axis letters: N clips, T frames (segments), C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from rgb_models.preprocessing import Preprocessing
from rgb_models.resnet2d import MMACTION2_NAMES, TORCHVISION_NAMES, Bottleneck, FrameResNet
from weights.architectures import NameRules

PUBLISHED_NAMES: dict[str, NameRules] = {"mmaction2": MMACTION2_NAMES, "torchvision": TORCHVISION_NAMES}


class Tsn(FrameResNet):
    """A ResNet whose features are averaged over the frames.

    Args:
        num_classes: width of the logits.
        frames: T; no weight depends on it.
        width: channels of the stem.
        depths: blocks of each stage.
        dropout: on the averaged features.
    """

    preprocessing: ClassVar[Preprocessing] = Preprocessing(frames=3)
    head_std: ClassVar[float] = 0.01

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int,
        width: int = 64,
        depths: Sequence[int] = (3, 4, 6, 3),
        dropout: float = 0.4,
    ) -> None:
        super().__init__(Bottleneck, num_classes=num_classes, frames=frames, width=width, depths=depths)
        self.dropout = nn.Dropout(dropout)

    def forward_head(self, features: Tensor) -> Tensor:
        """(N, num_features) to logits (N, num_classes)."""
        return super().forward_head(self.dropout(features))


def tsn_r50(*, num_classes: int, frames: int = 3, **options: Any) -> Tsn:
    """TSN with ResNet-50 as published: three segments of one frame; `options` are those of `Tsn`."""
    return Tsn(num_classes=num_classes, frames=frames, **options)
