"""MA-52-Pro's network: a face branch and a micro-action branch, emotion from both, micro-actions beside it.

Guo et al.: Benchmarking Micro-action Recognition, TCSVT 2024, the emotion application. Each branch is an
encoder of frames that is handed in (the paper takes MANet for both); a transformer encoder of two layers runs
over time in the micro-action branch. The micro-action head stands on the time's mean of that branch, the
emotion head on the means of both side by side. L = L_act + 0.03 L_emo, with binary cross-entropy for the
micro-actions of a clip and cross-entropy for its emotion. The paper takes T = 16 frames.

With one encoder only the network is that branch alone; both heads then stand on it, as the paper's table of
single branches has micro-actions of the face branch too. Width of the transformer's feed-forward layer, heads
and position codes are not published: those here are ours. Axis letters: N clips, T frames, C channels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

FRAMES = 16
EMOTION_WEIGHT = 0.03


@dataclass(frozen=True)
class TwoBranchOutput:
    """What the network says of a batch.

    Attributes:
        emotions: (N, E) logits, of which one is true.
        actions: (N, A) logits, each true or not.
    """

    emotions: Tensor
    actions: Tensor


class TimeTransformer(nn.Module):
    """A transformer encoder over the frames of a clip, with sinusoidal codes of their places.

    Args:
        channels: C.
        layers: of the encoder.
        heads: of the attention; C must be a multiple.
        dropout: within the layers.
    """

    def __init__(self, channels: int, layers: int = 2, heads: int = 8, dropout: float = 0.1) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"time transformer: {channels} channels are no multiple of {heads} heads")
        layer = nn.TransformerEncoderLayer(
            channels, heads, 2 * channels, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, C) to the same shape."""
        encoded: Tensor = self.layers(x + place_codes(x.shape[1], x.shape[2], x))
        return encoded


def place_codes(places: int, channels: int, like: Tensor) -> Tensor:
    """(places, channels) sines and cosines of every place (Vaswani et al., 2017), as another tensor is."""
    rates = torch.exp(torch.arange(0, channels, 2, device=like.device) * (-math.log(10_000.0) / channels))
    angles = torch.arange(places, device=like.device)[:, None] * rates  # (T, ceil(C / 2))
    codes = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :channels]
    return codes.to(like.dtype)


class TwoBranch(nn.Module):
    """The network, or one of its branches.

    Args:
        emotions: E.
        actions: A.
        face: encoder of the face's frames, what it is given to (N, T, C); None for the other branch alone.
        face_channels: its C.
        action: encoder of the person's frames; None for the face branch alone.
        action_channels: its C.
        heads: of the transformer.
        dropout: before both heads and within the transformer.

    Raises:
        ValueError: no encoder at all.
    """

    def __init__(
        self,
        *,
        emotions: int,
        actions: int,
        face: nn.Module | None = None,
        face_channels: int = 0,
        action: nn.Module | None = None,
        action_channels: int = 0,
        heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if face is None and action is None:
            raise ValueError(
                "two branches: expected an encoder of faces, of micro-actions, or both; got none"
            )
        self.face, self.action = face, action
        self.over_time = None if action is None else TimeTransformer(action_channels, 2, heads, dropout)
        width = (face_channels if face is not None else 0) + (action_channels if action is not None else 0)
        self.dropout = nn.Dropout(dropout)
        self.emotion_head = nn.Linear(width, emotions)
        self.action_head = nn.Linear(action_channels if action is not None else face_channels, actions)

    def forward(self, face: Tensor | None = None, action: Tensor | None = None) -> TwoBranchOutput:
        """Both heads' logits.

        Args:
            face: what the face encoder takes, (N, T, ...) or (N, 3, T, H, W); passed over without one.
            action: what the encoder of micro-actions takes.

        Raises:
            ValueError: a branch without its input.
        """
        means = []
        for name, encoder, given in (("face", self.face, face), ("micro-action", self.action, action)):
            if encoder is None:
                continue
            if given is None:
                raise ValueError(f"two branches: the {name} branch was given nothing")
            x = encoder(given)  # (N, T, C)
            if name == "micro-action" and self.over_time is not None:
                x = self.over_time(x)
            means.append(x.mean(1))  # (N, C)
        return TwoBranchOutput(
            self.emotion_head(self.dropout(torch.cat(means, 1))), self.action_head(self.dropout(means[-1]))
        )


def two_branch_loss(
    output: TwoBranchOutput, emotions: Tensor, actions: Tensor, weight: float = EMOTION_WEIGHT
) -> Tensor:
    """L = L_act + weight * L_emo.

    Args:
        output: of the network.
        emotions: (N,) int64.
        actions: (N, A) in 0..1.
        weight: 0.03 in the paper.

    Returns:
        One number.
    """
    acting = functional.binary_cross_entropy_with_logits(output.actions, actions.to(output.actions.dtype))
    feeling = functional.cross_entropy(output.emotions, emotions)
    return acting + weight * feeling
