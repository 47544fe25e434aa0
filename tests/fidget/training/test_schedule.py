from __future__ import annotations

import pytest

from fidget.training.recipe import TrainTable
from fidget.training.schedule import base_learning_rate, learning_rate_factor


def _table(**values) -> TrainTable:
    return TrainTable(**({"epochs": 10, "batch_size": 16, "learning_rate": 0.1} | values))


@pytest.mark.parametrize(
    ("values", "step", "factor"),
    [
        ({}, 0, 1.0),
        ({}, 50, 0.5),  # 10 epochs of 10 steps: the middle of the cosine
        ({}, 100, 0.0),
        ({"final_factor": 0.1}, 100, 0.1),
        ({"final_factor": 0.1}, 50, 0.55),
        ({}, 25, 0.8535533905932737),
        ({"warmup_epochs": 2}, 0, 1 / 20),
        ({"warmup_epochs": 2}, 9, 0.5),
        ({"warmup_epochs": 2}, 19, 1.0),
        ({"warmup_epochs": 2}, 20, 1.0),
        ({"warmup_epochs": 2}, 60, 0.5),  # 80 steps of cosine after 20 of warm-up
        ({"schedule": "constant", "warmup_epochs": 0.5}, 4, 1.0),
        ({"schedule": "constant", "warmup_epochs": 0.5}, 3, 0.8),
        ({"schedule": "step", "step_epochs": [5, 8]}, 49, 1.0),
        ({"schedule": "step", "step_epochs": [5, 8]}, 50, 0.1),
        ({"schedule": "step", "step_epochs": [5, 8]}, 79, 0.1),
        ({"schedule": "step", "step_epochs": [5, 8]}, 80, 0.01),
        ({"schedule": "step", "step_epochs": [5], "step_factor": 0.5}, 99, 0.5),
    ],
)
def test_factor(values, step, factor) -> None:
    assert learning_rate_factor(_table(**values), step, 10) == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize(
    ("values", "batch", "rate"),
    [
        ({}, 16, 0.1),
        ({}, 64, 0.4),
        ({"reference_batch": 256, "learning_rate": 0.4}, 16, 0.025),
        ({"reference_batch": 256, "learning_rate": 0.4}, 128, 0.2),
    ],
)
def test_rate_goes_with_the_effective_batch(values, batch, rate) -> None:
    assert base_learning_rate(_table(**values), batch) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"schedule": "step"}, "needs step_epochs"),
        ({"step_epochs": [3]}, "got schedule 'cosine'"),
        ({"warmup_epochs": 10}, "below epochs"),
        ({"epochs": 0}, "greater than or equal to 1"),
    ],
)
def test_what_does_not_fit_is_refused(values, words) -> None:
    with pytest.raises(ValueError, match=words):
        _table(**values)
