"""DG-STGCN against PYSKL."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input

from poses.layout import get_layout
from skeleton_models.dgstgcn import PUBLISHED_NAMES, dgstgcn

SMALL = {"base_channels": 16, "num_stages": 5, "inflate_stages": (3, 5), "down_stages": (3, 4)}
small = partial(dgstgcn, **SMALL)


@pytest.mark.parametrize(
    ("golden", "subset_wise"), [("dgstgcn_pyskl", False), ("dgstgcn_pyskl_subset_wise", True)]
)
def test_equals_pyskl(golden: str, subset_wise: bool) -> None:
    model = small(num_classes=5, layout=get_layout("coco17"), subset_wise=subset_wise)
    x = named_input("stgcn", (2, 2, 16, 17, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["pyskl"], golden, x)


def test_full_size_checkpoint_fits() -> None:
    make = partial(dgstgcn, num_classes=60, layout=get_layout("ntu25"))
    assert graph_checks.check_fits(make, PUBLISHED_NAMES["pyskl"], "dgstgcn_full") == 1_701_172


@pytest.mark.parametrize("channel_graph", [True, False])
@pytest.mark.parametrize("group_graph", [True, False])
def test_gradients(channel_graph: bool, group_graph: bool) -> None:
    model = small(
        num_classes=3,
        layout=get_layout("coco17"),
        channel_graph=channel_graph,
        group_graph=group_graph,
        subset_wise=True,
    )
    graph_checks.shake(model)
    model.eval()(named_input("gradients", (2, 1, 8, 17, 3))).square().sum().backward()
    unused = {"alpha": not channel_graph, "beta": not group_graph}
    for name, parameter in model.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.any())
        assert reached != unused.get(name.rsplit(".", 1)[-1], False), name


def test_the_graph_starts_random_and_the_clips_own_at_nothing() -> None:
    model = dgstgcn(num_classes=3, layout=get_layout("coco17"))
    graphs = torch.stack([block.gcn.A for block in model.blocks])
    assert abs(graphs.mean().item() - 0.04) < 2e-3 and abs(graphs.std().item() - 0.02) < 2e-3
    assert all(not block.gcn.alpha.any() and not block.gcn.beta.any() for block in model.blocks)
    with pytest.raises(ValueError, match="leaves a group no channel"):
        dgstgcn(num_classes=3, layout=get_layout("coco17"), base_channels=4)
