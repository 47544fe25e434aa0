from __future__ import annotations

import pytest
import torch
from torch import nn

from fidget.training.ema import AveragedWeights


def test_table_of_known_answers() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    average = AveragedWeights(model, 0.15)
    expected = 0.0
    for step, decay in enumerate(
        [1 / 10, 0.15, 0.15, 0.15]
    ):  # (1 + n) / (10 + n) up to the decay: 2/11 > .15
        nn.init.constant_(model.weight, step + 1.0)
        average.update(model)
        expected = decay * expected + (1 - decay) * (step + 1)
        assert average.state["weight"].item() == pytest.approx(expected, rel=1e-6)


def test_counters_are_copied_and_running_statistics_averaged() -> None:
    model = nn.BatchNorm1d(2)
    average = AveragedWeights(model, 0.5)
    model.num_batches_tracked += 7
    model.running_mean += 1.0
    average.update(model)
    assert average.state["num_batches_tracked"].item() == 7
    torch.testing.assert_close(average.state["running_mean"], torch.full((2,), 0.9))


def test_a_stored_average_goes_on_as_if_it_had_never_stopped() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    straight, stopped = AveragedWeights(model, 0.9), AveragedWeights(model, 0.9)
    for step in range(6):
        if step == 3:
            stored = stopped.state_dict()
            stopped = AveragedWeights(model, 0.9)
            stopped.load_state_dict(stored)
        nn.init.normal_(model.weight)
        straight.update(model)
        stopped.update(model)
    for name, tensor in straight.state.items():
        assert torch.equal(tensor, stopped.state[name])
