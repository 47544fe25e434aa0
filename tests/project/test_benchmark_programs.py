"""Every program of `benchmarks/` can be started: what it takes from the packages is there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

_PROGRAMS = sorted(
    path.stem for path in (Path(__file__).parents[2] / "benchmarks").glob("*.py") if path.stem != "__init__"
)


@pytest.mark.parametrize("name", _PROGRAMS)
def test_a_program_and_all_that_it_imports_are_there(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    assert module.__doc__, f"benchmarks/{name}.py says what it measures"
