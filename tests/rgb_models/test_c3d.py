"""C3D against MMAction2: its class `C3D` with `I3DHead`."""

from __future__ import annotations

import pytest
import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models.named_weights import named_input

from rgb_models.c3d import C3D, PUBLISHED_NAMES, c3d

RULES = PUBLISHED_NAMES["mmaction2"]


def test_equals_mmaction2() -> None:
    """Its layers were made narrow, its forward pass is its own; a frame and a row of pixels are lost."""
    model = C3D(num_classes=5, frames=17, size=70, base_channels=4, hidden=24)
    clip_checks.check_golden(model, RULES, "c3d", named_input("c3d", (2, 3, 17, 70, 70)))


def test_published_size() -> None:
    """78.4 M parameters and 38.5 G: configs/recognition/c3d/metafile.yml."""
    model = clip_checks.check_published(lambda: c3d(num_classes=101), RULES, "c3d", 78.4)
    assert round(clip_checks.giga_operations(model, 16, 112), 1) == 38.5


def test_as_any_clip_network() -> None:
    model = C3D(num_classes=4, frames=16, size=33, base_channels=4, hidden=12)
    clip_checks.check_clip_network(model, 33, 33)


def test_bad_arguments() -> None:
    model = C3D(num_classes=2, frames=16, size=32, base_channels=2, hidden=4)
    with pytest.raises(ValueError, match="expected frames of 32 x 32 pixels, got 32 x 48; build it"):
        model(torch.rand(1, 3, 16, 32, 48))
    with pytest.raises(ValueError, match="needs 16 frames of 16 pixels or more, got 8 frames of 112"):
        c3d(num_classes=2, frames=8)
    with pytest.raises(ValueError, match="C3D: hidden must be a whole number of at least 1, got 0"):
        c3d(num_classes=2, hidden=0)
