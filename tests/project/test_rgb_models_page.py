"""docs/rgb-models.md says what its program counts today, about every network over frames."""

from __future__ import annotations

import pytest
from benchmarks import rgb_models

from rgb_models.zoo import list_models

pytest.importorskip("transformers")


def test_the_page_is_what_the_program_writes() -> None:
    told = "python -m benchmarks.rgb_models writes it anew"
    assert rgb_models.PAGE.read_text(encoding="utf-8") == rgb_models.page(), told


def test_every_network_is_described() -> None:
    assert sorted(rgb_models.ABOUT) == list_models()


@pytest.mark.parametrize("name", [name for name, about in rgb_models.ABOUT.items() if about.stated])
def test_counts_are_near_the_published_ones(name: str) -> None:
    """Within what rounding, and MMAction2's count of normalisation layers, explain."""
    stated = rgb_models.ABOUT[name].stated
    assert stated is not None
    shape = (1, 3, stated.frames, stated.size, stated.size)
    millions, giga = rgb_models.costs(name, shape, stated.classes)
    assert millions == pytest.approx(stated.parameters_m, rel=0.006)
    assert giga == pytest.approx(stated.giga_macs, rel=0.01)
