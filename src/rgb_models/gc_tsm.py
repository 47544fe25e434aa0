"""GC-TSM: a ResNet-50 with temporal shift, whose blocks calibrate their inner channels in groups.

Hao et al.: Group Contextualization for Video Recognition, CVPR 2022: the shift of TSM in front of every
block's first convolution, the calibrators behind its second one's batch norm. Equal to the released code
(haoyanbin918/Group-Contextualization, `nets/GC_TSM.py`) with `cdiv` 4, without `loop`; that code skips the
batch norm of ECal-S, and so does `form="released"`. Axis letters: N clips, T frames, C channels, H height,
W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rgb_models.group_context import GROUPS, Form, GroupContext
from rgb_models.resnet2d import Bottleneck, FrameResNet
from rgb_models.temporal_shift import TemporalShift
from rgb_models.tsm import TSM_NAMES
from weights.architectures import NameRules

_GATES = ("local", "temporal", "spatial", "whole")  # eft1 to eft4

PUBLISHED_NAMES: dict[str, NameRules] = {
    "gc": [
        *((rf"\.eft{number}\.conv\.", f".inside.{gate}.mix.") for number, gate in enumerate(_GATES, 1)),
        *((rf"\.eft{number}\.bn1\.", f".inside.{gate}.norm.") for number, gate in enumerate(_GATES, 1)),
        *TSM_NAMES,
    ]
}


class GcTsm(FrameResNet):
    """A ResNet whose blocks shift in time and calibrate their inner channels in groups.

    Args:
        num_classes: width of the logits.
        frames: T; no weight depends on it.
        width: channels of the stem.
        depths: blocks of each stage.
        dropout: on every frame's features.
        shift_div: one over this share of the channels comes from the next frame, as much from the last.
        parts: into how many groups a block's inner channels are cut; four are calibrated.
        form: "paper" normalises in ECal-S as in the other calibrators, "released" does not, as the published
            checkpoints were trained. They load into either.

    Raises:
        ValueError: fewer than four groups, or fewer channels than groups.
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
        parts: int = GROUPS,
        form: Form = "paper",
    ) -> None:
        def block(in_channels: int, planes: int, stride: int) -> Bottleneck:
            shift = TemporalShift(frames, shift_div)
            context = GroupContext(planes, frames, parts, form)
            return Bottleneck(in_channels, planes, stride, before=shift, inside=context)

        super().__init__(
            block, num_classes=num_classes, frames=frames, width=width, depths=depths, frame_dropout=dropout
        )


def gc_tsm_r50(*, num_classes: int, frames: int = 8, **options: Any) -> GcTsm:
    """GC-TSM with ResNet-50 as published: eight frames; `options` are those of `GcTsm`."""
    return GcTsm(num_classes=num_classes, frames=frames, **options)
