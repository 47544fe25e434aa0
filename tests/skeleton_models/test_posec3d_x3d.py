"""X3D over heatmaps against PYSKL."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.skeleton_models import graph_checks, volume_checks
from tests.skeleton_models.named_weights import named_input

from poses.layout import get_layout
from skeleton_models.posec3d_x3d import PUBLISHED_NAMES, X3D, posec3d_x3d_shallow
from weights.checkpoint import load_exactly, rename

small = partial(X3D, num_classes=5, in_channels=17, base_channels=8, stage_blocks=(2, 1, 1))


def test_equals_pyskl() -> None:
    x = named_input("posec3d", (2, 17, 9, 22, 25))
    graph_checks.check_golden(small(), PUBLISHED_NAMES["pyskl"], "posec3d_x3d", x, torch.float64)


def test_full_size_checkpoint_fits() -> None:
    model = posec3d_x3d_shallow(num_classes=60, layout=get_layout("coco17"))
    load_exactly(model, rename(graph_checks.published_state("posec3d_x3d_full"), PUBLISHED_NAMES["pyskl"]))


def test_any_layout_size_and_kind_of_volume() -> None:
    volume_checks.check_volume_network(posec3d_x3d_shallow, {"base_channels": 8, "stage_blocks": (1, 1, 1)})


def test_stages_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(1, 1\) and \(2, 2, 2\)"):
        small(stage_blocks=(1, 1))
