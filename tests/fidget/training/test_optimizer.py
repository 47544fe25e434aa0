from __future__ import annotations

import pytest
import torch
from torch import nn

from fidget.training.optimizer import make_optimizer
from fidget.training.recipe import TrainTable


class Blocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, 3, 4))
        self.patch_embed = nn.Linear(4, 4)
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.norm = nn.LayerNorm(4)
        self.head = nn.Linear(4, 2)


def _groups(**values: object) -> dict[str, tuple[float, float]]:
    """Parameter -> (rate, weight decay)."""
    network = Blocks()
    table = TrainTable(epochs=1, batch_size=1, learning_rate=0.1, weight_decay=0.5, **values)
    optimizer = make_optimizer(network, table, network.head)
    names = {id(p): name for name, p in network.named_parameters()}
    return {
        names[id(p)]: (round(group["rate"], 6), group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }


def test_by_default_all_parameters_are_one_group() -> None:
    assert set(_groups().values()) == {(1.0, 0.5)}
    assert len(_groups()) == len(list(Blocks().parameters()))


def test_what_does_not_decay() -> None:
    found = _groups(decay_all=False, no_decay=["pos_embed"])
    assert {name for name, (_, decay) in found.items() if not decay} == {
        "pos_embed", "patch_embed.bias", "blocks.0.bias", "blocks.1.bias", "blocks.2.bias",
        "norm.weight", "norm.bias", "head.bias",
    }  # fmt: skip


def test_tsm_trains_its_classifier_five_times_as_fast_and_biases_twice() -> None:
    """As mmaction2's TSMOptimWrapperConstructor: 5 and 2 times, a classifier's bias 10 times."""
    found = _groups(classifier_rate=5.0, bias_rate=2.0, decay_all=False)
    assert {name: rate for name, (rate, _) in found.items() if rate != 1} == {
        "patch_embed.bias": 2, "blocks.0.bias": 2, "blocks.1.bias": 2, "blocks.2.bias": 2,
        "head.weight": 5, "head.bias": 10,
    }  # fmt: skip


def test_parts_of_names_have_rates_that_multiply() -> None:
    found = _groups(rates={"blocks.1": 3.0, "weight": 2.0})
    assert found["blocks.1.weight"][0] == 6
    assert found["blocks.1.bias"][0] == 3
    assert found["norm.weight"][0] == 2
    assert found["pos_embed"][0] == 1


def test_the_rate_falls_from_block_to_block_below() -> None:
    """VideoMAE's assigner with three blocks: embeddings 0.75^4, blocks 0.75^3..0.75, the rest 1."""
    found = {name: rate for name, (rate, _) in _groups(layer_decay=0.75).items()}
    assert found["pos_embed"] == found["patch_embed.weight"] == round(0.75**4, 6)
    assert [found[f"blocks.{n}.weight"] for n in range(3)] == [round(0.75**n, 6) for n in (3, 2, 1)]
    assert found["norm.bias"] == found["head.weight"] == 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rates": {"gate": 5.0}}, r"train\.rates: no parameter's name holds 'gate'"),
        ({"no_decay": ["cls_token"]}, r"train\.no_decay: no parameter's name holds 'cls_token'"),
    ],
)
def test_a_name_that_no_parameter_has_is_refused(values, words) -> None:
    with pytest.raises(ValueError, match=words):
        _groups(**values)


@pytest.mark.parametrize(
    "network",
    [nn.Linear(2, 2), nn.ModuleDict({stage: nn.ModuleDict({"blocks": nn.ModuleList([nn.Linear(2, 2)])})
                                     for stage in ("early", "late")})],
)  # fmt: skip
def test_layer_decay_needs_one_row_of_blocks(network) -> None:
    table = TrainTable(epochs=1, batch_size=1, learning_rate=1.0, layer_decay=0.5)
    with pytest.raises(ValueError, match="one row of numbered blocks"):
        make_optimizer(network, table)
