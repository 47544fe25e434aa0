"""Group contextualisation: channels in groups, each calibrated by what another part of the clip holds.

Hao et al.: Group Contextualization for Video Recognition, CVPR 2022, section 3. Every calibrator multiplies
its channels by sigmoid(norm(f(context))), where the context is the whole clip (G), all frames of a place (S),
all places of a frame (T), or the neighbours in time of a single position (L). Equal to the released code
(haoyanbin918/Group-Contextualization). Axis letters: N clips, T frames, C channels, H height, W width; frames
are folded into the batch, clip by clip.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Form = Literal["paper", "released"]

GROUPS = 4  # one for each calibrator


class GlobalGate(nn.Module):
    """ECal-G: one gate a channel, of its mean over the clip.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Linear(channels, channels, bias=False)
        nn.init.normal_(self.mix.weight, std=0.001)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C, H, W) to gates (N, 1, C, 1, 1).

        Raises:
            ValueError: training on a single clip, over which nothing can be normalised.
        """
        if self.training and x.shape[0] == 1:
            raise ValueError("ECal-G normalises over clips: train on batches of two clips or more, got one")
        gates = torch.sigmoid(self.norm(self.mix(x.mean((1, 3, 4)))))  # (N, C)
        return gates[:, None, :, None, None]


class SpatialGate(nn.Module):
    """ECal-S: a gate for every place, of the mean over time of what lies around it.

    Args:
        channels: C.
        form: "released" leaves out the norm, as the released code does. Its checkpoints hold one
            nevertheless: it is there, and neither used nor trained.
    """

    def __init__(self, channels: int, form: Form) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, bias=False)
        nn.init.xavier_normal_(self.mix.weight)
        self.norm = nn.BatchNorm2d(channels)
        self.normalises = form == "paper"
        self.norm.requires_grad_(self.normalises)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C, H, W) to gates (N, 1, C, H, W)."""
        y = self.mix(x.mean(1))  # (N, C, H, W)
        if self.normalises:
            y = self.norm(y)
        return torch.sigmoid(y).unsqueeze(1)


class TemporalGate(nn.Module):
    """ECal-T: a gate for every frame, of the means over its places and its neighbours'.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(channels, channels, 3, padding=1, bias=False)
        nn.init.xavier_normal_(self.mix.weight)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C, H, W) to gates (N, T, C, 1, 1)."""
        y = x.mean((3, 4)).transpose(1, 2)  # (N, C, T)
        gates = torch.sigmoid(self.norm(self.mix(y))).transpose(1, 2)  # (N, T, C)
        return gates[..., None, None]


class LocalGate(nn.Module):
    """ECal-L: a gate for every place of every frame, of the same place a frame before and after.

    Args:
        channels: C.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0), bias=False)  # over T and H * W
        nn.init.xavier_normal_(self.mix.weight)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C, H, W) to gates of the same shape."""
        columns = x.transpose(1, 2).flatten(3)  # (N, C, T, H * W)
        gates = torch.sigmoid(self.norm(self.mix(columns)))  # (N, C, T, H * W)
        return torch.unflatten(gates, 3, x.shape[3:]).transpose(1, 2)


class GroupContext(nn.Module):
    """Calibrates the first four of equal groups of channels: L, T, S and G, in this order.

    Args:
        channels: C.
        frames: T.
        parts: into how many groups the channels are cut, 4 or more; what is left after the fourth passes
            unchanged.
        form: of ECal-S, see `SpatialGate`.

    Raises:
        ValueError: fewer groups than calibrators, or fewer channels than groups.
    """

    def __init__(self, channels: int, frames: int, parts: int = GROUPS, form: Form = "paper") -> None:
        super().__init__()
        if not GROUPS <= parts <= channels:
            raise ValueError(
                f"parts must be {GROUPS} (a group for each calibrator) to {channels} (channels), got {parts}"
            )
        self.frames = frames
        width = channels // parts
        rest = channels - GROUPS * width
        self.widths = [width] * GROUPS + [rest] * bool(rest)
        self.local = LocalGate(width)
        self.temporal = TemporalGate(width)
        self.spatial = SpatialGate(width, form)
        self.whole = GlobalGate(width)

    def forward(self, x: Tensor) -> Tensor:
        """(N * T, C, H, W) to the same shape."""
        groups = list(torch.split(x, self.widths, 1))  # each (N * T, C / parts, H, W)
        for number, gate in enumerate((self.local, self.temporal, self.spatial, self.whole)):
            clips = torch.unflatten(groups[number], 0, (-1, self.frames))  # (N, T, C / parts, H, W)
            groups[number] = (clips * gate(clips)).flatten(0, 1)
        return torch.cat(groups, 1)  # pictures, not clips, for then channels that lie last stay last
