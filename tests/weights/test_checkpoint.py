"""Checkpoints: read as data, renamed by rules, loaded entry by entry or refused by name."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest
import torch
from torch import nn

from weights.checkpoint import load_exactly, read_checkpoint, rename


def two_layers() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model", "net"])
def test_reads_a_state_dict_bare_or_wrapped_and_of_data_parallel(tmp_path: Path, wrapper: str | None) -> None:
    state = {"module.a": torch.arange(3), "b": torch.zeros(2)}
    torch.save(state if wrapper is None else {wrapper: state, "epoch": 3}, tmp_path / "c.pt")
    read = read_checkpoint(tmp_path / "c.pt")
    assert list(read) == ["a", "b"] and torch.equal(read["a"], torch.arange(3))


def test_what_is_no_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "c.pt")
    with pytest.raises(ValueError, match=r"c\.pt: expected a state dict .* or one under \('state_dict'"):
        read_checkpoint(tmp_path / "c.pt")
    with pytest.raises(OSError):
        read_checkpoint(tmp_path / "none.pt")


def test_rules_apply_in_order_to_whole_names() -> None:
    state = {"backbone.l1.w": torch.zeros(1), "head.w": torch.ones(1)}
    rules = ((r"^backbone\.", ""), (r"^l(\d)\.", r"blocks.\1."), (r"^head\.", "fc."))
    renamed = rename(state, rules)
    assert list(renamed) == ["blocks.1.w", "fc.w"] and renamed["fc.w"] is state["head.w"]


def test_an_entry_whose_name_becomes_empty_is_left_out() -> None:
    state = {"A": torch.zeros(1), "B": torch.zeros(1), "blocks.A": torch.ones(1)}
    assert list(rename(state, ((r"^[AB]$", ""),))) == ["blocks.A"]


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'b' and another entry both become 'x'"):
        rename({"a": torch.zeros(1), "b": torch.zeros(1)}, ((r"^[ab]$", "x"),))


@pytest.mark.parametrize("axes", [0, 1, 2, 3])
def test_trailing_axes_of_length_one_do_not_count(axes: int) -> None:
    """A 1x1 convolution's weights are a linear layer's, of one, two or three axes of space."""
    model, weight = nn.Linear(3, 2), torch.randn(2, 3)
    load_exactly(model, {"weight": weight.reshape(2, 3, *[1] * axes), "bias": torch.zeros(2)})
    assert torch.equal(model.weight, weight)
    narrow = nn.Conv2d(3, 1, 1)
    load_exactly(narrow, {"weight": weight[:1], "bias": torch.tensor(4.0)})  # (1, 3) into (1, 3, 1, 1)
    assert torch.equal(narrow.weight.flatten(), weight[0]) and narrow.bias.tolist() == [4.0]


@pytest.mark.parametrize("shape", [(1, 2, 3), (3, 2), (2, 3, 2), (6,)])
def test_any_other_shape_is_refused(shape: tuple[int, ...]) -> None:
    state = {"weight": torch.zeros(shape), "bias": torch.zeros(2)}
    with pytest.raises(ValueError, match=r"of another shape \(1\): weight: expected \(2, 3\), got \("):
        load_exactly(nn.Linear(3, 2), state)


def test_old_checkpoints_have_no_counts_of_batches() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))
    state = {name: tensor + 2 for name, tensor in model.state_dict().items() if "num_batches" not in name}
    load_exactly(model, state)
    assert torch.equal(model[1].running_var, torch.full((2,), 3.0)) and model[1].num_batches_tracked == 0
    del state["1.running_var"]
    with pytest.raises(ValueError, match=r"missing \(1\): 1\.running_var;"):
        load_exactly(model, state)


def test_everything_wrong_is_named_at_once_and_nothing_is_loaded() -> None:
    model = two_layers()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = {"0.weight": torch.ones(2, 4), "0.bias": torch.ones(2), "extra": torch.ones(1)}
    with pytest.raises(ValueError) as error:
        load_exactly(model, state)
    assert str(error.value) == (
        "checkpoint does not fit Sequential: missing (2): 1.bias, 1.weight; left over (1): extra; "
        "of another shape (1): 0.weight: expected (2, 3), got (2, 4); "
        "check the model's options (layout, classes, width) against the checkpoint's"
    )
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_long_lists_are_cut() -> None:
    with pytest.raises(ValueError, match=r"left over \(9\): x0, x1, x2, x3, x4, x5 \.\.\.;"):
        load_exactly(nn.Identity(), {f"x{number}": torch.zeros(1) for number in range(9)})


@pytest.mark.parametrize("wrapper", ["model_state", "module"])
def test_options_of_a_command_line_beside_the_tensors_are_plain_data(tmp_path, wrapper: str) -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    torch.save(
        {wrapper: {"module.weight": weight}, "args": Namespace(lr=0.1), "epoch": 3}, tmp_path / "a.pth"
    )
    state = read_checkpoint(tmp_path / "a.pth")
    assert list(state) == ["weight"] and torch.equal(state["weight"], weight)
