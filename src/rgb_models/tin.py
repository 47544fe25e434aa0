"""TIN: a ResNet-50 over frames whose first quarter of channels is moved in time by as much as the clip asks.

Shao, Qian, Liu: Temporal Interlacing Network, AAAI 2020: before every block's first convolution, groups of
channels are shifted by learnt fractions of a frame and weighted frame by frame. Equal to the authors' code
(deepcs233/TIN) and to MMAction2's `ResNetTIN`, whose compiled `tin_shift` is one small matrix product here.
Axis letters: N clips, T frames, C channels, H height, W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rgb_models.resnet2d import MMACTION2_NAMES, TORCHVISION_NAMES, Bottleneck, FrameResNet
from weights.architectures import NameRules

OFFSETS = 2  # learnt per clip
GROUPS = 2 * OFFSETS  # of channels: each offset moves one later and one as far earlier
REACH = 4.0  # offsets lie within half of it either way, frames
FIRST_OFFSET = 0.5108  # bias of a fresh layer: half a frame after the sigmoid

PUBLISHED_NAMES: dict[str, NameRules] = {
    "mmaction2": [
        (r"\.conv1\.conv\.net2\.weight$", ".conv1.conv.weight"),
        (r"\.conv1\.conv\.net1\.weight_net\.conv\.", ".before.gate."),
        (r"\.conv1\.conv\.net1\.offset_net\.", ".before."),
        *MMACTION2_NAMES,
    ],
    "tin": [
        (r"^base_model\.", ""),
        (r"^new_fc\.", "fc."),
        (r"\.conv1\.net2\.weight$", ".conv1.weight"),
        (r"\.conv1\.net1\.weightnet\.net\.lastlayer\.", ".before.gate."),
        (r"\.conv1\.net1\.biasnet\.net\.conv\.", ".before.conv."),
        (r"\.conv1\.net1\.biasnet\.net\.fc\.", ".before.fc1."),
        (r"\.conv1\.net1\.biasnet\.net\.lastlayer\.", ".before.fc2."),
        *TORCHVISION_NAMES,
    ],
}


class TemporalInterlace(nn.Module):
    """Four groups of channels, each moved by its own fraction of a frame and weighted; other channels stay.

    Args:
        channels: C.
        frames: T.
        shift_div: one over this share of the channels is moved.

    Raises:
        ValueError: that share does not fall into four groups.
    """

    def __init__(self, channels: int, frames: int, shift_div: int = 4) -> None:
        super().__init__()
        self.frames = frames
        self.moved = channels // shift_div
        if self.moved < GROUPS or self.moved % GROUPS:
            raise ValueError(
                f"TemporalInterlace: expected a multiple of {GROUPS} channels to move, got {self.moved} "
                f"({channels} channels over shift_div {shift_div}); take a width that is a multiple of 16"
            )
        self.gate = nn.Conv1d(self.moved, OFFSETS, 3, padding=1)
        self.conv = nn.Conv1d(self.moved, 1, 3, padding=1)
        self.fc1 = nn.Linear(frames, frames)
        self.fc2 = nn.Linear(frames, OFFSETS)
        assert self.gate.bias is not None
        nn.init.zeros_(self.gate.bias)
        nn.init.constant_(self.fc2.bias, FIRST_OFFSET)

    def forward(self, x: Tensor) -> Tensor:
        """(N * T, C, H, W) to the same shape."""
        moved = x[:, : self.moved].unflatten(0, (-1, self.frames))  # (N, T, C', H, W)
        offsets, weights = self.offsets_and_weights(moved.mean((3, 4)).transpose(1, 2))
        mixing = interlacing(offsets, self.frames) * weights.mT[..., None]  # (N, groups, T, T)
        grouped = moved.unflatten(2, (GROUPS, -1))  # (N, T, groups, C' / groups, H, W)
        mixed = torch.einsum("ngst,ntgchw->nsgchw", mixing.to(x.dtype), grouped)
        mixed = mixed.reshape(-1, self.moved, *x.shape[2:])  # (N * T, C', H, W)
        if x.is_contiguous(memory_format=torch.channels_last):
            mixed = mixed.contiguous(memory_format=torch.channels_last)
        return torch.cat((mixed.to(x.dtype), x[:, self.moved :]), 1)

    def offsets_and_weights(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """From (N, C', T): frames by which each group moves, (N, groups), and its weights, (N, T, groups)."""
        exact = torch.promote_types(pooled.dtype, torch.float32)
        hidden = functional.relu(self.fc1(self.conv(pooled).squeeze(1)))  # (N, T)
        later = REACH * (self.fc2(hidden).to(exact).sigmoid() - 0.5)  # (N, OFFSETS)
        weights = 2 * self.gate(pooled).to(exact).sigmoid().transpose(1, 2)  # (N, T, OFFSETS)
        return torch.cat((later, -later), 1), weights.repeat(1, 1, 2)


def interlacing(offsets: Tensor, frames: int) -> Tensor:
    """The matrices that move clips by fractions of a frame: frame s is made of the two around s - offset.

    Frames from beyond the clip's ends are zeros. An offset's gradient is the linear interpolation's between
    the whole frame below and the next, also where an offset is whole.

    Args:
        offsets: (N, groups), frames later.
        frames: T.

    Returns:
        (N, groups, T, T), to be multiplied with frames from the left.
    """
    whole = offsets.detach().floor()
    above = (offsets - whole)[..., None, None]
    steps = torch.arange(frames, device=offsets.device, dtype=offsets.dtype)
    lag = steps[:, None] - steps - whole[..., None, None]  # (N, groups, T, T)
    return (lag == 0) * (1 - above) + (lag == 1) * above


class Tin(FrameResNet):
    """A ResNet with a temporal interlacing in front of every block's first convolution.

    Args:
        num_classes: width of the logits.
        frames: T; the interlacing's weights depend on it.
        width: channels of the stem, a multiple of 16.
        depths: blocks of each stage.
        dropout: on every frame's features.
        shift_div: one over this share of the channels is moved.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        frames: int,
        width: int = 64,
        depths: Sequence[int] = (3, 4, 6, 3),
        dropout: float = 0.5,
        shift_div: int = 4,
    ) -> None:
        def block(in_channels: int, planes: int, stride: int) -> Bottleneck:
            before = TemporalInterlace(in_channels, frames, shift_div)
            return Bottleneck(in_channels, planes, stride, before=before)

        super().__init__(
            block, num_classes=num_classes, frames=frames, width=width, depths=depths, frame_dropout=dropout
        )


def tin_r50(*, num_classes: int, frames: int = 8, **options: Any) -> Tin:
    """TIN with ResNet-50 as published: eight frames; `options` are those of `Tin`."""
    return Tin(num_classes=num_classes, frames=frames, **options)
