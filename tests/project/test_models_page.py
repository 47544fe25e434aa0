"""docs/models.md says what its program counts today, about every network of the zoo."""

from __future__ import annotations

import pytest
from benchmarks import models

from skeleton_models.zoo import create_model, list_models, published_names


def test_the_page_is_what_the_program_writes() -> None:
    told = "python -m benchmarks.models writes it anew"
    assert models.PAGE.read_text(encoding="utf-8") == models.page(), told


def test_every_network_is_described() -> None:
    assert sorted(models.ABOUT) == list_models()


def test_every_published_checkpoint_has_its_options() -> None:
    known = {(name, toolbox) for name in list_models() for toolbox in published_names(name)}
    assert set(models.OPTIONS) <= known
    assert {name for name, _ in models.OPTIONS} == {name for name in list_models() if "_small" not in name}


@pytest.mark.parametrize(("name", "toolbox"), models.OPTIONS)
def test_the_options_are_the_networks_own(name: str, toolbox: str) -> None:
    layout = "nwucla20"
    create_model(name, num_classes=3, layout=layout, in_channels=20, **models.OPTIONS[name, toolbox])


def test_operations_are_two_a_multiply_add() -> None:
    """A linear layer of the light network: known by hand."""
    from torch import nn

    assert models.giga_operations(nn.Linear(1000, 500).to("meta"), (4, 1000)) == 2 * 4 * 1000 * 500 / 1e9
