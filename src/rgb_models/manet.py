"""MANet: TSM whose blocks first weigh the channels of every frame, by squeeze and excitation.

Guo et al.: Benchmarking Micro-action Recognition: Dataset, Methods, and Applications, TCSVT 2024. The second
head, onto the word vectors of the label, and its loss belong to training: there the paper and the released
code (VUT-HFUT/Micro-Action, on MMAction2's `ResNetTSM`) differ, and both are named. The network is one: the
released blocks also hold three layers of ACTION-Net's excitation over time (`action_p2_*`), which their
forward pass never calls. Axis letters: N clips, T frames, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from rgb_models.resnet2d import MMACTION2_NAMES, Bottleneck, FrameResNet
from rgb_models.temporal_shift import TemporalShift
from weights.architectures import NameRules

PUBLISHED_NAMES: dict[str, NameRules] = {
    "micro-action": [
        (r"^.*\.action_p2_(squeeze|conv1|expand)\.weight$", ""),  # never called
        (r"^cls_head\.fc_emb(_t)?\.(weight|bias)$", ""),  # training's second head
        (r"\.conv1\.conv\.fcce\.0\.", ".before.0.reduce."),
        (r"\.conv1\.conv\.fcce\.2\.", ".before.0.expand."),
        *MMACTION2_NAMES,
    ],
}


class SqueezeExcitation(nn.Module):
    """A weight between 0 and 1 for every channel of every frame, from the frame's means over space.

    Hu, Shen, Sun: Squeeze-and-Excitation Networks, CVPR 2018, without biases.

    Args:
        channels: C.
        ratio: of C to the channels between the two linear layers.
    """

    def __init__(self, channels: int, ratio: int = 4) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, channels // ratio, bias=False)
        self.expand = nn.Linear(channels // ratio, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N * T, C, H, W) to the same shape."""
        hidden = functional.relu(self.reduce(x.mean((2, 3))))  # (N * T, C / ratio)
        gate: Tensor = self.expand(hidden).sigmoid()  # (N * T, C)
        return x * gate[:, :, None, None].to(x.dtype)


class Manet(FrameResNet):
    """A ResNet whose blocks weigh and then shift what their first convolution sees.

    Args:
        num_classes: width of the logits.
        frames: T; no weight depends on it.
        width: channels of the stem.
        depths: blocks of each stage.
        dropout: on every frame's features.
        shift_div: as in TSM.
        excitation: False leaves the weighing away, the paper's ablation "without SE": TSM remains.
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
        excitation: bool = True,
    ) -> None:
        def block(in_channels: int, planes: int, stride: int) -> Bottleneck:
            shift = TemporalShift(frames, shift_div)
            before = nn.Sequential(SqueezeExcitation(in_channels), shift) if excitation else shift
            return Bottleneck(in_channels, planes, stride, before=before)

        super().__init__(
            block, num_classes=num_classes, frames=frames, width=width, depths=depths, frame_dropout=dropout
        )


def manet_r50(*, num_classes: int, frames: int = 8, **options: Any) -> Manet:
    """MANet with ResNet-50 as published: eight frames; `options` are those of `Manet`."""
    return Manet(num_classes=num_classes, frames=frames, **options)
