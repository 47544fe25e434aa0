"""ST-GCN against its original and PYSKL, and what it promises beyond."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input
from torch import nn

from poses.layout import get_layout
from skeleton_models.graph_network import plan_stages
from skeleton_models.stgcn import PUBLISHED_NAMES, STGCN, aggregate_and_project, stgcn

SMALL = {"base_channels": 12, "num_stages": 5, "inflate_stages": (3, 5), "down_stages": (3, 4)}
small = partial(STGCN, **SMALL)


def test_equals_pyskl() -> None:
    model = small(num_classes=5, layout=get_layout("coco17"))
    graph_checks.check_golden(
        model, PUBLISHED_NAMES["pyskl"], "stgcn_pyskl", named_input("stgcn", (2, 2, 16, 17, 3))
    )


def test_equals_the_original_at_full_size() -> None:
    model = STGCN(num_classes=7, layout=get_layout("ntu25"), shared_graph=True)
    x = named_input("original", (2, 2, 16, 25, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["original"], "stgcn_original", x)


@pytest.mark.parametrize("toolbox", ["pyskl", "mmaction2"])
def test_full_size_checkpoints_fit(toolbox: str) -> None:
    make = partial(stgcn, num_classes=60, layout=get_layout("ntu25"))
    size = graph_checks.check_fits(make, PUBLISHED_NAMES[toolbox], "stgcn_full", toolbox=toolbox)
    assert size == 3_098_832


def test_the_graph_may_come_first() -> None:
    """The rewrite equals the published order: convolution, then neighbours, each bias once an edge."""
    conv = nn.Conv2d(5, 3 * 7, 1).double()
    x, graph = torch.randn(2, 5, 4, 6).double(), torch.randn(3, 6, 6).double()
    expected = torch.einsum("nkctv,kvw->nctw", conv(x).unflatten(1, (3, 7)), graph)
    torch.testing.assert_close(aggregate_and_project(x, graph, conv), expected)


def test_stages_as_in_the_paper() -> None:
    stages = plan_stages(3)
    assert [s.out_channels for s in stages] == [64] * 4 + [128] * 3 + [256] * 3
    assert [s.stride for s in stages] == [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]
    assert [s.out_channels for s in plan_stages(3, 96, 1.5, 4, (2, 3), ())] == [96, 144, 216, 216]
    with pytest.raises(ValueError, match=r"must lie in 2..4 .*got \[5, 8\]"):
        plan_stages(3, num_stages=4)


def test_every_way_to_learn_the_graph() -> None:
    for adaptive in ("init", "offset", "importance", None):
        model = small(num_classes=3, layout=get_layout("coco17"), adaptive=adaptive, max_hop=2)
        graph_checks.check_gradients(model, named_input("gradients", (2, 1, 8, 17, 3)))
    with pytest.raises(ValueError, match="take shared_graph=False"):
        small(num_classes=3, layout=get_layout("coco17"), adaptive="init", shared_graph=True)


def test_statistics_of_each_person() -> None:
    model = small(num_classes=3, layout=get_layout("coco17"), data_bn="MVC", persons=2)
    x = torch.randn(4, 2, 8, 17, 3)
    x[:, 1] *= 9
    normed, _ = model.data_bn.train().normalise(x, None)
    spread = normed.unflatten(0, (4, 2)).std((0, 2))  # (M, V, C)
    torch.testing.assert_close(spread, torch.ones_like(spread), rtol=0.05, atol=0)
    reference = nn.BatchNorm1d(2 * 17 * 3)(x.permute(0, 1, 3, 4, 2).reshape(4, -1, 8))
    torch.testing.assert_close(
        normed.unflatten(0, (4, 2)), reference.view(4, 2, 17, 3, 8).permute(0, 1, 4, 2, 3)
    )
    with pytest.raises(ValueError, match="pass present=None"):
        model(x, torch.ones(4, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="give persons"):
        small(num_classes=3, layout=get_layout("coco17"), data_bn="MVC")
