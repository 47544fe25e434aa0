"""Emotion-FAN: which frames of a face count, alone and against the whole.

Meng, Peng, Wang, Qiao: Frame Attention Networks for Facial Expression Recognition in Videos, ICIP 2019. The
published encoder is a ResNet-18 over pictures of faces; here any encoder of frames is handed in. With f_i the
features of frame i: alpha_i = sigmoid(f_i . q0); f = sum alpha_i f_i / sum alpha_i;
beta_i = sigmoid([f_i, f] . q1); the clip's features are the mean of [f_i, f] weighted by alpha_i beta_i.

Axis letters: N clips, T frames, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FrameAttention(nn.Module):
    """The two attentions over frames.

    Args:
        channels: C.
        relation: False for the self-attention alone, the paper's smaller variant.
    """

    def __init__(self, channels: int, relation: bool = True) -> None:
        super().__init__()
        self.alone = nn.Linear(channels, 1)
        self.against = nn.Linear(2 * channels, 1) if relation else None
        self.width = 2 * channels if relation else channels

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features of each clip, and the weights of its frames.

        Args:
            x: (N, T, C).

        Returns:
            (N, width), and (N, T) that sum to 1.
        """
        alpha = self.alone(x).sigmoid()  # (N, T, 1)
        whole = (alpha * x).sum(1) / alpha.sum(1)  # (N, C)
        if self.against is None:
            return whole, (alpha / alpha.sum(1, keepdim=True)).squeeze(2)
        pairs = torch.cat([x, whole[:, None].expand_as(x)], 2)  # (N, T, 2C)
        weight = alpha * self.against(pairs).sigmoid()  # (N, T, 1)
        weight = weight / weight.sum(1, keepdim=True)
        return (weight * pairs).sum(1), weight.squeeze(2)


class EmotionFan(nn.Module):
    """An encoder of frames, the attention, dropout and a linear layer.

    Args:
        encoder: what it is given to (N, T, C).
        channels: C.
        emotions: E.
        relation: as in `FrameAttention`.
        dropout: before the linear layer.
    """

    def __init__(
        self, encoder: nn.Module, channels: int, emotions: int, relation: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.attention = FrameAttention(channels, relation)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.attention.width, emotions)

    def forward(self, x: Tensor) -> Tensor:
        """What the encoder takes to logits (N, E)."""
        logits: Tensor = self.head(self.dropout(self.attention(self.encoder(x))[0]))
        return logits
