"""VAANet's visual part: attention over places, channels and segments of a video's features.

Zhao et al.: An End-to-End Visual-Audio Attention Network for Emotion Recognition in User-Generated Videos,
AAAI 2020. The paper cuts a video into segments, takes a 3D ResNet-101 for each, and weighs its features three
times. Its audio stream is left out: micro-action recordings have none. The encoder is handed in, so this is
the attention and the loss, not the published network; widths of the attention layers are ours.

Axis letters: N clips, K segments, C channels, H and W of the features, M = H * W places.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class VisualAttention(nn.Module):
    """Which places, channels and segments count, one after the other.

    Args:
        channels: C.
        hidden: width of the layers that find the weights.
    """

    def __init__(self, channels: int, hidden: int = 64) -> None:
        super().__init__()
        self.place = nn.Sequential(nn.Linear(channels, hidden), nn.Tanh(), nn.Linear(hidden, 1))
        self.channel = nn.Sequential(nn.Linear(channels, hidden), nn.Tanh(), nn.Linear(hidden, channels))
        self.segment = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features of each clip, and the weights of its segments.

        Args:
            x: (N, K, C, H, W).

        Returns:
            (N, C), and (N, K) that sum to 1.
        """
        maps = x.flatten(3).transpose(2, 3)  # (N, K, M, C)
        where = self.place(maps).softmax(2)  # (N, K, M, 1)
        seen = (where * maps).sum(2)  # (N, K, C)
        what = self.channel(seen).softmax(2) * seen.shape[2]  # (N, K, C), 1 on average
        chosen = what * seen
        when = self.segment(chosen).squeeze(2).relu()  # (N, K)
        when = when.softmax(1)
        return (when[:, :, None] * chosen).sum(1), when


class VaaNet(nn.Module):
    """An encoder of segments, the attention, and a linear layer.

    Args:
        encoder: (N * K, 3, F, H', W') frames of a segment to (N * K, C, H, W) features.
        channels: C.
        emotions: E.
        hidden: width of the attention layers.
    """

    def __init__(self, encoder: nn.Module, channels: int, emotions: int, hidden: int = 64) -> None:
        super().__init__()
        self.encoder = encoder
        self.attention = VisualAttention(channels, hidden)
        self.head = nn.Linear(channels, emotions)

    def forward(self, x: Tensor) -> Tensor:
        """(N, K, 3, F, H', W') segments to logits (N, E)."""
        maps = self.encoder(x.flatten(0, 1)).unflatten(0, x.shape[:2])  # (N, K, C, H, W)
        logits: Tensor = self.head(self.attention(maps)[0])
        return logits


def polarity_loss(logits: Tensor, emotions: Tensor, positive: Sequence[bool], weight: float = 0.5) -> Tensor:
    """Cross-entropy that counts more where the best emotion is of the other polarity, as the paper has it.

    Args:
        logits: (N, E).
        emotions: (N,) int64.
        positive: E, whether an emotion is positive.
        weight: of the additional penalty.

    Returns:
        One number.
    """
    kind = torch.tensor(positive, device=logits.device)  # (E,)
    other = kind[logits.argmax(1)] != kind[emotions]
    each = functional.cross_entropy(logits, emotions, reduction="none")  # (N,)
    return (each * (1 + weight * other)).mean()
