"""Emotion from a stream of detected micro-actions: attention over events, whatever their number.

An event is a micro-action with a start, a length and a score. The design is ours: MMA-82 says that detected
micro-actions tell emotions, not by which network. Axis letters: N clips, K events, A micro-actions, C
channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

NUMBERS = 4  # of an event beside its action: place in the clip, length, score, time since the last one


@dataclass(frozen=True, eq=False)
class Events:
    """The events of N clips, padded to the same number.

    Attributes:
        actions: (N, K) int64; 0 where there is none.
        numbers: (N, K, 4) float32: start as a share of the clip's events' span, logarithm of the length in
            seconds, score, logarithm of the seconds since the last start.
        there: (N, K) whether there is an event.
    """

    actions: Tensor
    numbers: Tensor
    there: Tensor

    def __len__(self) -> int:
        return len(self.actions)

    def rows(self, kept: Tensor) -> Events:
        """Those of some clips."""
        return Events(self.actions[kept], self.numbers[kept], self.there[kept])


def events_of(
    clips: Sequence[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]],
    most: int = 64,
) -> Events:
    """Events of clips as tensors, in order of time; of more than `most` the surest are kept.

    Args:
        clips: for each clip actions, starts (s), ends (s) and scores of its events, (K,) each.
        most: events of a clip.
    """
    chosen = []
    for actions, start_s, end_s, scores in clips:
        kept = np.sort(np.argsort(-scores, kind="stable")[:most])
        kept = kept[np.argsort(start_s[kept], kind="stable")]
        chosen.append((actions[kept], start_s[kept], end_s[kept], scores[kept]))
    n, k = len(chosen), max([1, *(len(one[0]) for one in chosen)])
    action, there = np.zeros((n, k), np.int64), np.zeros((n, k), np.bool_)
    numbers = np.zeros((n, k, NUMBERS), np.float32)
    for row, (own, start_s, end_s, scores) in enumerate(chosen):
        count = len(own)
        if not count:
            continue
        span = max(float(end_s.max() - start_s.min()), 1e-3)
        since = np.diff(start_s, prepend=start_s[0])
        action[row, :count], there[row, :count] = own, True
        columns = ((start_s - start_s.min()) / span, np.log1p(end_s - start_s), scores, np.log1p(since))
        numbers[row, :count] = np.stack(columns, 1)
    return Events(torch.from_numpy(action), torch.from_numpy(numbers), torch.from_numpy(there))


class EventAttention(nn.Module):
    """Events see each other once, then a learned question asks all of them.

    Args:
        actions: A.
        emotions: E.
        channels: C.
        heads: of the attention.
        dropout: of the attention and before the linear layer.
    """

    def __init__(
        self, actions: int, emotions: int, channels: int = 32, heads: int = 4, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.action = nn.Embedding(actions, channels)
        self.numbers = nn.Linear(NUMBERS, channels)
        self.none = nn.Parameter(torch.zeros(channels))  # stands in every clip, so that none is empty
        self.among = nn.TransformerEncoderLayer(
            channels, heads, 2 * channels, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.question = nn.Linear(channels, 1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(channels, emotions)

    def weights_and_features(self, events: Events) -> tuple[Tensor, Tensor]:
        """(N, 1 + K) weights of "no event" and of every event, and (N, C) features."""
        x = self.action(events.actions) + self.numbers(events.numbers)  # (N, K, C)
        x = torch.cat([self.none.expand(len(x), 1, -1), x], 1)  # (N, 1 + K, C)
        there = torch.cat([torch.ones_like(events.there[:, :1]), events.there], 1)
        x = self.among(x, src_key_padding_mask=~there)
        asked = self.question(x).squeeze(2).masked_fill(~there, float("-inf"))
        weights = asked.softmax(1)  # (N, 1 + K)
        return weights, (weights[:, :, None] * x).sum(1)

    def forward(self, events: Events) -> Tensor:
        """Logits (N, E)."""
        logits: Tensor = self.head(self.dropout(self.weights_and_features(events)[1]))
        return logits
