"""TSM: a ResNet-50 over frames whose blocks see a quarter of their channels a frame early or late.

Lin, Gan, Han: TSM: Temporal Shift Module for Efficient Video Understanding, ICCV 2019: the shift sits before
every block's first convolution, on the residual branch (`blockres`). Equal to the authors' code
(mit-han-lab/temporal-shift-module) and to MMAction2's `ResNetTSM` with `TSMHead`: every frame's features are
dropped out before the mean. Axis letters: N clips, T frames, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rgb_models.resnet2d import MMACTION2_NAMES, TORCHVISION_NAMES, Bottleneck, FrameResNet
from rgb_models.temporal_shift import TemporalShift
from weights.architectures import NameRules

TSM_NAMES: NameRules = [
    (r"^base_model\.", ""),
    (r"^new_fc\.", "fc."),
    (r"\.conv1\.net\.weight$", ".conv1.weight"),  # where a shift wraps the convolution
    *TORCHVISION_NAMES,
]
"""The authors' checkpoints, and those of code built on theirs."""

PUBLISHED_NAMES: dict[str, NameRules] = {
    "mmaction2": MMACTION2_NAMES,
    "torchvision": TORCHVISION_NAMES,
    "tsm": TSM_NAMES,
}


class Tsm(FrameResNet):
    """A ResNet with a temporal shift in front of every block's first convolution.

    Args:
        num_classes: width of the logits.
        frames: T; no weight depends on it.
        width: channels of the stem.
        depths: blocks of each stage.
        dropout: on every frame's features.
        shift_div: one over this share of the channels comes from the next frame, as much from the last.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int,
        width: int = 64,
        depths: Sequence[int] = (3, 4, 6, 3),
        dropout: float = 0.5,
        shift_div: int = 8,
    ) -> None:
        def block(in_channels: int, planes: int, stride: int) -> Bottleneck:
            return Bottleneck(in_channels, planes, stride, before=TemporalShift(frames, shift_div))

        super().__init__(
            block, num_classes=num_classes, frames=frames, width=width, depths=depths, frame_dropout=dropout
        )


def tsm_r50(*, num_classes: int, frames: int = 8, **options: Any) -> Tsm:
    """TSM with ResNet-50 as published: eight frames; `options` are those of `Tsm`."""
    return Tsm(num_classes=num_classes, frames=frames, **options)
