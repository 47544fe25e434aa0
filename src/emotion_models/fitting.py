"""A small training loop over features that lie in memory: AdamW, a cosine, everything drawn from one seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        epochs: passes over the clips.
        batch: clips a step.
        rate: of AdamW at the beginning; a cosine takes it to 0.
        decay: of the weights.
    """

    epochs: int = 40
    batch: int = 32
    rate: float = 1e-3
    decay: float = 0.01


def built(make: Callable[[], nn.Module], seed: int) -> nn.Module:
    """A network whose fresh weights come from a seed; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def fit(
    network: nn.Module,
    loss_of: Callable[[nn.Module, Tensor], Tensor],
    rows: Tensor,
    seed: int,
    schedule: Schedule | None = None,
) -> list[float]:
    """Fit a network in place; it ends in eval mode.

    Args:
        network: with its fresh weights.
        loss_of: (network, rows of a batch) to one number.
        rows: (N,) int64, of the clips to fit on.
        seed: of the order of clips and of dropout.
        schedule: its defaults where None.

    Returns:
        Mean loss of every epoch.

    Raises:
        ValueError: no clips, or a loss that is no number.
    """
    schedule = schedule or Schedule()
    if not len(rows):
        raise ValueError("fitting: expected clips to fit on, got none")
    steps = -(-len(rows) // schedule.batch) * schedule.epochs
    optimizer = torch.optim.AdamW(network.parameters(), lr=schedule.rate, weight_decay=schedule.decay)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    order = torch.Generator().manual_seed(seed)
    losses = []
    network.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed + 1)  # dropout takes torch's own generator and no other
        for epoch in range(schedule.epochs):
            total = 0.0
            for batch in rows[torch.randperm(len(rows), generator=order)].split(schedule.batch):
                loss = loss_of(network, batch)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(network.parameters(), 5.0)
                optimizer.step()
                cosine.step()
                total += float(loss.detach()) * len(batch)
            losses.append(total / len(rows))
            if not losses[-1] < float("inf"):
                raise ValueError(f"fitting: the loss is {losses[-1]} in epoch {epoch + 1}; take a lower rate")
    network.eval()
    return losses
