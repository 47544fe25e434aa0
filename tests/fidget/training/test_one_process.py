"""One process: as a Fabric of one, without Lightning."""

from __future__ import annotations

import pytest
import torch
from lightning.fabric import Fabric
from tests.fidget.training.training_samples import tiny_recipe

from fidget.training.one_process import OneProcess, one_process


@pytest.mark.parametrize(("precision", "named"), [("32", "32-true"), ("bf16", "bf16-mixed")])
def test_it_computes_as_a_fabric_of_one_process_does(precision: str, named: str) -> None:
    process = one_process(tiny_recipe(f"train.precision={precision}"), "cpu")
    fabric = Fabric(accelerator="cpu", precision=named)
    assert (process.device, process.global_rank, process.world_size) == (fabric.device, 0, 1)
    layer = torch.nn.Linear(64, 8)
    x = torch.linspace(-1, 1, 128).reshape(2, 64)
    with process.autocast():
        own = layer(x)
    with fabric.autocast():
        other = layer(x)
    assert own.dtype == other.dtype and torch.equal(own, other)
    assert (own.dtype == torch.bfloat16) == (precision == "bf16")


def test_a_recipe_sets_the_threads() -> None:
    before = torch.get_num_threads()
    try:
        one_process(tiny_recipe("train.threads=3"), "cpu")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_what_the_device_has_not_is_named() -> None:
    with pytest.raises(ValueError, match="'16' needs a GPU"):
        one_process(tiny_recipe("train.precision=16"), "cpu")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            one_process(tiny_recipe(), "cuda")
        assert one_process(tiny_recipe(), "auto") == OneProcess(torch.device("cpu"), "32")
