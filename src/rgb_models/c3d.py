"""C3D: eight convolutions of 3 x 3 x 3, five poolings, two hidden layers.

Tran et al.: Learning Spatiotemporal Features with 3D Convolutional Networks, ICCV 2015, figure 3: 16 frames
of 112 x 112 pixels. The hidden layers see the whole volume at once, so that frames and size are fixed when
the network is built. Equal to MMAction2's `C3D` with `I3DHead`, which has no batch norm and pads the last
pooling in space. Axis letters: N C T H W.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgb_models.linear_head import LinearHead
from rgb_models.model import check_frames
from rgb_models.preprocessing import Preprocessing
from rgb_models.volume_convolution import VolumeConv
from weights.architectures import NameRules, check_count

PUBLISHED_NAMES: dict[str, NameRules] = {
    "mmaction2": [
        (r"^backbone\.(conv\d\w)\.conv\.", r"convolutions.\1."),
        (r"^backbone\.(fc[67])\.", r"\1."),
        (r"^cls_head\.fc_cls\.", "fc."),
    ]
}

_WIDTHS = {"1a": 1, "2a": 2, "3a": 4, "3b": 4, "4a": 8, "4b": 8, "5a": 8, "5b": 8}  # of base_channels
_POOLED = {"1a": 1, "2a": 2, "3b": 2, "4b": 2, "5b": 2}  # after which convolution, and over how many frames
_SMALLEST = 16  # frames and pixels of which one is left


class C3D(LinearHead):
    """C3D over clips of one size.

    Args:
        num_classes: width of the logits.
        frames: T, at least 16.
        size: height and width of the frames, pixels, at least 16.
        base_channels: width of the first convolution.
        hidden: width of both hidden layers.
        dropout: after the first hidden layer, and before the last layer.

    Raises:
        ValueError: too few frames or too small ones, or a width below 1.
    """

    preprocessing: ClassVar[Preprocessing] = Preprocessing(
        size=112, frames=16, mean=(104.0, 117.0, 128.0), std=(1.0, 1.0, 1.0), resize_short=128
    )  # MMAction2's; it takes these from red, green and blue in this order

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int = 16,
        size: int = 112,
        base_channels: int = 64,
        hidden: int = 4096,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if min(frames, size) < _SMALLEST:
            raise ValueError(
                f"C3D halves time and space four times: it needs {_SMALLEST} frames of {_SMALLEST} pixels or "
                f"more, got {frames} frames of {size}"
            )
        check_count("C3D", "base_channels", base_channels)
        check_count("C3D", "hidden", hidden)
        self.frames = frames
        self.size = size
        self.convolutions = nn.ModuleDict()
        width = 3
        for name, multiple in _WIDTHS.items():
            conv = VolumeConv(width, multiple * base_channels, 3)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)
            self.convolutions[f"conv{name}"] = conv
            width = conv.out_channels
        side = size // 16 // 2 + 1  # the last pooling is padded by a pixel
        self.fc6 = _linear(width * (frames // 16) * side * side, hidden, 0.005)
        self.fc7 = _linear(hidden, hidden, 0.005)
        self.build_head(hidden, num_classes, dropout)

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) to (N, num_features).

        Raises:
            ValueError: T, H or W is not what the network was built for.
        """
        check_frames("C3D", x, self.frames)
        if x.shape[3:] != (self.size, self.size):
            raise ValueError(
                f"C3D: expected frames of {self.size} x {self.size} pixels, got {x.shape[3]} x {x.shape[4]}; "
                f"build it with size=... or crop"
            )
        x = x.contiguous(memory_format=torch.channels_last_3d)
        for name in _WIDTHS:
            x = functional.relu(self.convolutions[f"conv{name}"](x), inplace=True)
            if name in _POOLED:
                kernel, pad = (_POOLED[name], 2, 2), int(name == "5b")
                x = functional.max_pool3d(x, kernel, kernel, (0, pad, pad))
        x = x.flatten(1)  # (N, C * T/16 * H' * W')
        x = self.dropout(functional.relu(self.fc6(x)))
        return functional.relu(self.fc7(x))


def _linear(inputs: int, outputs: int, deviation: float) -> nn.Linear:
    """A linear layer with normal weights and biases of 0."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=deviation)
    nn.init.zeros_(layer.bias)
    return layer


def c3d(*, num_classes: int, frames: int = 16, **options: Any) -> C3D:
    """C3D as published: 16 x 112 x 112; `options` are those of `C3D`."""
    return C3D(num_classes=num_classes, frames=frames, **options)
