"""One process on one device, for networks that are trained: what `Fabric` is for many, without its import.

Importing Lightning takes five seconds of processor time, more than recognising a short video does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from fidget.training.recipe import Recipe

_LOWER = {"bf16": torch.bfloat16, "16": torch.float16}


@dataclass(frozen=True)
class OneProcess:
    """Where a network computes, and how exactly; stands for a `Fabric` of one process in evaluation.

    Attributes:
        device: of the network.
        precision: of the recipe.
    """

    device: torch.device
    precision: Literal["32", "bf16", "16"]
    global_rank: ClassVar[int] = 0
    world_size: ClassVar[int] = 1

    def autocast(self) -> AbstractContextManager[Any]:
        """Within it the network computes in the recipe's precision."""
        if self.precision == "32":
            return nullcontext()
        make: Callable[..., AbstractContextManager[Any]] = torch.autocast
        return make(self.device.type, dtype=_LOWER[self.precision])


def one_process(recipe: Recipe, device: str) -> OneProcess:
    """The process that calls.

    Args:
        recipe: with precision and threads.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ValueError: no such device here, or a precision that it has not.
    """
    kind = device_kind(recipe, device)
    return OneProcess(torch.device(kind, 0) if kind == "cuda" else torch.device(kind), recipe.train.precision)


def device_kind(recipe: Recipe, device: str) -> str:
    """`cpu` or `cuda`, checked; and torch takes the recipe's threads.

    Raises:
        ValueError: no such device here, or a precision that it has not.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            "--device cuda: torch finds no CUDA device here; use --device cpu, or see fidget doctor"
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if recipe.train.precision == "16" and device == "cpu":
        raise ValueError("precision '16' needs a GPU; use --set train.precision=bf16 or 32 on a CPU")
    if recipe.train.threads:
        torch.set_num_threads(recipe.train.threads)
    return device
