"""SlowFast-R50: a wide pathway that sees few frames, and a narrow one that sees all.

Feichtenhofer et al.: SlowFast Networks for Video Recognition, ICCV 2019, table 1. The fast pathway has an
eighth of the channels (beta); before each stage the slow one is given what a convolution over time makes of
it. Equal to MMAction2's `ResNet3dSlowFast` with `SlowFastHead`, in both of its settings for ResNet-50 over 32
frames: 4x16 (alpha 8: 4 slow frames; its base setting, and ours) and 8x8 (alpha 4: 8 slow frames, lateral
kernels of 7 frames instead of 5). Axis letters: N C T H W.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from rgb_models.linear_head import LinearHead
from rgb_models.model import check_frames
from rgb_models.preprocessing import Preprocessing
from rgb_models.resnet3d import EXPANSION, STAGE_NAMES, ResNet3d, TimeConv, pool_volume
from weights.architectures import NameRules

BETA_INVERSE = 8  # the slow pathway is as many times as wide

PUBLISHED_NAMES: dict[str, NameRules] = {
    "mmaction2": [
        (r"^backbone\.slow_path\.conv1_lateral\.", "laterals.0."),
        *((rf"^backbone\.slow_path\.layer{stage}_lateral\.", f"laterals.{stage}.") for stage in (1, 2, 3)),
        (r"^backbone\.(slow|fast)_path\.", r"\1."),
        (r"^cls_head\.fc_cls\.", "fc."),
        *STAGE_NAMES,
    ]
}

Sampling = Literal["4x16", "8x8"]

_SETTINGS: dict[Sampling, tuple[int, int]] = {"4x16": (8, 5), "8x8": (4, 7)}
"""Alpha, and the frames that the lateral kernels span."""


class SlowFast(LinearHead):
    """SlowFast over clips of any height and width.

    Args:
        num_classes: width of the logits.
        frames: T, of which the fast pathway sees all and the slow one every alpha-th.
        sampling: "4x16" has alpha 8, "8x8" has alpha 4.
        depths: blocks of each stage.
        base_channels: width of the slow stem, a multiple of 8.
        dropout: before the linear layer.

    Raises:
        ValueError: T is no multiple of alpha, the width none of 8, or depths not of one to four stages.
    """

    preprocessing: ClassVar[Preprocessing] = Preprocessing(frames=32)

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int = 32,
        sampling: Sampling = "4x16",
        depths: Sequence[int] = (3, 4, 6, 3),
        base_channels: int = 64,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.alpha, lateral_frames = _SETTINGS[sampling]
        if frames % self.alpha:
            raise ValueError(f"SlowFast {sampling}: frames must be a multiple of {self.alpha}, got {frames}")
        if base_channels < 1 or base_channels % BETA_INVERSE:
            raise ValueError(
                f"SlowFast: base_channels must be a multiple of {BETA_INVERSE}, got {base_channels}"
            )
        self.frames = frames
        narrow = base_channels // BETA_INVERSE
        fast_widths = [narrow, *(narrow * 2**stage * EXPANSION for stage in range(3))]  # before each stage
        self.slow = ResNet3d(
            [[stage >= 2] * depth for stage, depth in enumerate(depths)],
            base_channels,
            lateral_channels=[2 * width for width in fast_widths],
        )
        self.fast = ResNet3d([[True] * depth for depth in depths], narrow, stem_frames=5)
        self.laterals = nn.ModuleList(
            TimeConv(width, 2 * width, (lateral_frames, 1, 1), (self.alpha, 1))
            for width in fast_widths[: len(depths)]
        )
        self.build_head(self.fast.num_features + self.slow.num_features, num_classes, dropout)

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) to (N, num_features): the fast pathway's, then the slow one's.

        Raises:
            ValueError: T is not what the network was built for.
        """
        check_frames("SlowFast", x, self.frames)
        slow = self.slow.stem(x[:, :, :: self.alpha])  # (N, T / alpha, H/4, W/4, C)
        fast = self.fast.stem(x)  # (N, T, H/4, W/4, C/8)
        for lateral, slow_stage, fast_stage in zip(
            self.laterals, self.slow.stages, self.fast.stages, strict=True
        ):
            slow = slow_stage(torch.cat((slow, lateral(fast)), -1))  # (N, T / alpha, H', W', C')
            fast = fast_stage(fast)  # (N, T, H', W', C'/8)
        return torch.cat((pool_volume(fast), pool_volume(slow)), 1)


def slowfast_r50(*, num_classes: int, frames: int = 32, **options: Any) -> SlowFast:
    """SlowFast-R50 as published: 32 x 224 x 224; `options` are those of `SlowFast`."""
    return SlowFast(num_classes=num_classes, frames=frames, **options)
