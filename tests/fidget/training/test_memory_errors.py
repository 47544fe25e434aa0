"""Too little memory in one line, and nothing else taken for it."""

from __future__ import annotations

import pytest
import torch

from fidget.training.memory_errors import naming_lack_of_memory
from fidget.training.recipe_tables import TrainTable

TABLE = TrainTable(epochs=1, batch_size=9, learning_rate=0.1, reference_batch=32)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_lack_of_memory_says_what_to_set(error) -> None:
    with (
        pytest.raises(ValueError, match=r"out of memory on cpu with train\.batch_size 9; try") as told,
        naming_lack_of_memory(TABLE, torch.device("cpu")),
    ):
        raise error
    assert "--set train.batch_size=4 --set train.reference_batch=32" in str(told.value)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), naming_lack_of_memory(TABLE, torch.device("cpu")):
        raise RuntimeError("shapes do not fit")
