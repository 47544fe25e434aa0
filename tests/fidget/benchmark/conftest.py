"""A run that several test files look at, trained once."""

from __future__ import annotations

import pytest
from tests.fidget.benchmark.shifted_samples import LimbRun, trained_run


@pytest.fixture(scope="session")
def limb_run(tmp_path_factory) -> LimbRun:
    """Trained on the laboratory; nobody changes it, but features are kept in its directory."""
    return trained_run(tmp_path_factory.mktemp("limbs"))
