"""What is said when a training does not fit into memory, for every loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from fidget.training.recipe_tables import TrainTable


@contextmanager
def naming_lack_of_memory(table: TrainTable, device: torch.device) -> Iterator[None]:
    """Turn a lack of memory within into one line that says what to set; every other error stays what it is.

    Args:
        table: `[train]` of the recipe.
        device: on which it is trained.

    Raises:
        ValueError: memory did not suffice, the GPU's or the machine's.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise _lack_of_memory(table, device) from error
    except RuntimeError as error:
        if "allocate memory" not in str(error):  # what torch's CPU allocator says
            raise
        raise _lack_of_memory(table, device) from error


def _lack_of_memory(table: TrainTable, device: torch.device) -> ValueError:
    size = table.batch_size
    meant_for = table.reference_batch or size
    return ValueError(
        f"out of memory on {device} with train.batch_size {size}; try "
        f"--set train.batch_size={max(1, size // 2)} --set train.reference_batch={meant_for}"
    )
