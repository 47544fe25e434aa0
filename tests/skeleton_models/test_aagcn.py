"""AAGCN and 2s-AGCN against their originals and PYSKL."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import torch
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input
from torch import Tensor

from poses.layout import get_layout
from skeleton_models.aagcn import AAGCN, PUBLISHED_NAMES, aagcn, agcn

SMALL = {"base_channels": 12, "num_stages": 5, "inflate_stages": (3, 5), "down_stages": (3, 4)}
small = partial(aagcn, **SMALL)
small_agcn = partial(agcn, **SMALL)


@pytest.mark.parametrize(
    ("golden", "attention"), [("aagcn_pyskl", True), ("aagcn_pyskl_without_attention", False)]
)
def test_equals_pyskl(golden: str, attention: bool) -> None:
    model = small(num_classes=5, layout=get_layout("coco17"), attention=attention, data_bn="MVC", persons=2)
    x = named_input("stgcn", (2, 2, 16, 17, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["pyskl"], golden, x)


def test_equals_the_originals_at_full_size() -> None:
    """The originals hang the thumbs (22, 24, counted from one) on the hand tips (23, 25)."""
    ntu = get_layout("ntu25")
    parents = list(ntu.parents)
    parents[21], parents[23] = 22, 24
    layout = replace(ntu, parents=tuple(parents))
    x, double = named_input("original", (2, 2, 16, 25, 3)), torch.float64
    gated = aagcn(num_classes=7, layout=layout, data_bn="MVC", persons=2)
    graph_checks.check_golden(gated, PUBLISHED_NAMES["original"], "aagcn_original", x, double)
    plain = agcn(num_classes=7, layout=layout, data_bn="MVC", persons=2)
    graph_checks.check_golden(
        plain, PUBLISHED_NAMES["original_agcn"], "aagcn_original_agcn", x, torch.float64
    )


@pytest.mark.parametrize("toolbox", ["pyskl", "mmaction2"])
def test_full_size_checkpoints_fit(toolbox: str) -> None:
    make = partial(aagcn, num_classes=60, layout=get_layout("ntu25"), data_bn="MVC", persons=2)
    size = graph_checks.check_fits(make, PUBLISHED_NAMES[toolbox], "aagcn_full", toolbox=toolbox)
    assert size == 3_781_668


def gates_one_by_one(gcn: torch.nn.Module, y: Tensor) -> Tensor:
    """The papers' order: gate, look again, gate."""
    y = y + y * torch.sigmoid(gcn.conv_sa(y.mean(2))).unsqueeze(2)
    y = y + y * torch.sigmoid(gcn.conv_ta(y.mean(3))).unsqueeze(3)
    gate = torch.sigmoid(gcn.fc2c(torch.relu(gcn.fc1c(y.mean((2, 3))))))
    return y + y * gate[:, :, None, None]


@pytest.mark.parametrize("name", ["coco17", "nwucla20"])
def test_gates_together_are_the_gates_one_by_one(name: str) -> None:
    model = small(num_classes=3, layout=get_layout(name)).double()
    graph_checks.shake(model)
    gcn = model.blocks[1].gcn
    y = torch.randn(2, 12, 9, len(get_layout(name).joints)).double()
    torch.testing.assert_close(gcn._gate(y), gates_one_by_one(gcn, y))


def test_gradients() -> None:
    for build in (small, small_agcn, partial(AAGCN, adaptive=False, **SMALL)):
        model = build(num_classes=3, layout=get_layout("coco17"))
        graph_checks.check_gradients(model, named_input("gradients", (2, 1, 8, 17, 3)))


def test_starts_as_the_papers_do() -> None:
    model = small(num_classes=3, layout=get_layout("coco17"))
    for block in model.blocks:
        assert (block.gcn.bn.weight == 1e-6).all()
        assert (block.gcn.alpha == 0).all() and (block.tcn.bn.weight == 1).all()
        assert (block.gcn.conv_ta.weight == 0).all() and (block.gcn.fc2c.weight == 0).all()
