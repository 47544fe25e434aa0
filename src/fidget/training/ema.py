"""An exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class AveragedWeights:
    """avg = d * avg + (1 - d) * weights after step n, with d = min(decay, (1 + n) / (10 + n)).

    The ramp keeps the first, random weights out of the average. Running statistics of normalisation layers
    are averaged as well; counters are copied.

    Args:
        model: whose weights; the average starts with them.
        decay: d in the long run, below 1.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1 - decay)
            else:
                self.state[name].copy_(tensor)

    def state_dict(self) -> dict[str, int | dict[str, Tensor]]:
        """What a checkpoint holds."""
        return {"steps": self.steps, "state": self.state}

    def load_state_dict(self, stored: dict[str, int | dict[str, Tensor]]) -> None:
        """Go on from a checkpoint."""
        steps, state = stored["steps"], stored["state"]
        assert isinstance(steps, int) and isinstance(state, dict)
        self.steps = steps
        for name, tensor in state.items():
            self.state[name].copy_(tensor)


@contextmanager
def holding(network: nn.Module, average: AveragedWeights | None) -> Iterator[None]:
    """Inside, the network holds the averaged weights, where there are any; afterwards its own again."""
    if average is None:
        yield
        return
    kept = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(average.state)
    try:
        yield
    finally:
        network.load_state_dict(kept)
