"""C3D over heatmaps against PYSKL."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.skeleton_models import graph_checks, volume_checks
from tests.skeleton_models.named_weights import named_input

from poses.layout import get_layout
from skeleton_models.posec3d_c3d import C3D, PUBLISHED_NAMES, posec3d_c3d_light, posec3d_c3d_small
from weights.checkpoint import load_exactly, rename

small = partial(C3D, num_classes=5, in_channels=17, base_channels=4)
RULES = PUBLISHED_NAMES["pyskl"]


def test_equals_pyskl() -> None:
    x = named_input("posec3d", (2, 17, 9, 22, 25))
    graph_checks.check_golden(small(), RULES, "posec3d_c3d", x, torch.float64)


def test_four_stages_and_halved_time_equal_pyskl() -> None:
    x = named_input("posec3d_time", (2, 17, 19, 33, 32))
    model = small(num_stages=4, temporal_downsample=True)
    graph_checks.check_golden(model, RULES, "posec3d_c3d_time", x, torch.float64)


def test_full_size_checkpoint_fits() -> None:
    model = posec3d_c3d_light(num_classes=60, layout=get_layout("coco17"))
    load_exactly(model, rename(graph_checks.published_state("posec3d_c3d_full"), RULES))
    smaller = posec3d_c3d_small(num_classes=60, layout=get_layout("coco17"))
    assert smaller.num_features * 2 == model.num_features


def test_any_layout_size_and_kind_of_volume() -> None:
    volume_checks.check_volume_network(posec3d_c3d_light, {"base_channels": 4})


def test_too_small_a_volume_is_named() -> None:
    with pytest.raises(ValueError, match=r"\(7, 9\) pixels cannot be halved 3 times; give at least 8 x 8"):
        small()(torch.rand(1, 17, 4, 7, 9))
    with pytest.raises(ValueError, match="num_stages must be 1 to 4, got 5"):
        small(num_stages=5)
