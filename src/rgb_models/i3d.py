"""I3D with a ResNet-50: a picture's network whose kernels were inflated over time.

Carreira and Zisserman: Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset, CVPR 2017. The
ResNet of Wang et al.: Non-local Neural Networks, CVPR 2018, table 1: 32 frames, every second of the video's;
the stem halves time twice, a pooling after the first stage once more. Equal to MMAction2's `ResNet3d` with
`I3DHead` as in `i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb`. Axis letters: N C T H W.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from rgb_models.linear_head import LinearHead
from rgb_models.model import check_frames
from rgb_models.preprocessing import Preprocessing
from rgb_models.resnet3d import STAGE_NAMES, ResNet3d, inflate_pictures, pool_volume
from weights.architectures import NameRules
from weights.checkpoint import load_exactly

PUBLISHED_NAMES: dict[str, NameRules] = {
    "mmaction2": [(r"^backbone\.", "trunk."), (r"^cls_head\.fc_cls\.", "fc."), *STAGE_NAMES]
}

TEMPORAL = ((True,) * 3, (True, False) * 2, (True, False) * 3, (False, True, False))
"""Which blocks of a ResNet-50 have kernels over three frames, stage by stage."""

_FEWEST = 5  # frames of which one is left after time is halved three times


class I3D(LinearHead):
    """I3D over clips of any height and width.

    Args:
        num_classes: width of the logits.
        frames: T, at least 5.
        temporal: a row a stage, a flag a block: whether its first kernel spans three frames.
        base_channels: width of the stem.
        dropout: before the linear layer.

    Raises:
        ValueError: too few frames.
    """

    preprocessing: ClassVar[Preprocessing] = Preprocessing(frames=32)

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int = 32,
        temporal: Sequence[Sequence[bool]] = TEMPORAL,
        base_channels: int = 64,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if frames < _FEWEST:
            raise ValueError(f"I3D halves time three times: it needs {_FEWEST} frames or more, got {frames}")
        self.frames = frames
        self.trunk = ResNet3d(
            temporal, base_channels, stem_frames=5, stem_stride=2, pool_stride=2, zero_residual=False
        )
        self.build_head(self.trunk.num_features, num_classes, dropout)

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) to (N, num_features).

        Raises:
            ValueError: T is not what the network was built for.
        """
        check_frames("I3D", x, self.frames)
        x = self.trunk.stem(x)  # (N, T/4, H/4, W/4, C)
        for number, stage in enumerate(self.trunk.stages):
            x = stage(x)
            if number == 0:
                pairs = x.shape[1] // 2 * 2
                x = torch.maximum(x[:, 0:pairs:2], x[:, 1:pairs:2])  # (N, T/8, H/4, W/4, C)
        return pool_volume(x)

    def load_pictures(self, pictures: Mapping[str, Tensor]) -> None:
        """Start from a ResNet-50 over pictures: torchvision's state dict, inflated. The classifier stays.

        Raises:
            ValueError: entries are missing, left over or of another shape.
        """
        load_exactly(self.trunk, inflate_pictures(self.trunk, pictures))


def i3d_r50(*, num_classes: int, frames: int = 32, **options: Any) -> I3D:
    """I3D-R50 as published: 32 x 224 x 224; `options` are those of `I3D`."""
    return I3D(num_classes=num_classes, frames=frames, **options)
