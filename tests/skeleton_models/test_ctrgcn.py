"""CTR-GCN against both published codes, and its exact rewrites against the eager module of the benchmark."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from benchmarks.eager_ctrgcn import EagerCTRGCN
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input
from torch import nn

from poses.layout import get_layout
from skeleton_models.ctrgcn import CTRGCN, PUBLISHED_NAMES, Convention, TopologyRefinement, ctrgcn
from skeleton_models.graph import adjacency
from weights.checkpoint import load_exactly, rename


def small(layout: str = "coco17", in_channels: int = 3, convention: Convention = "original") -> CTRGCN:
    """Three blocks, one of them with stride and another width; graphs refined from the start."""
    torch.manual_seed(0)
    model = CTRGCN(
        num_classes=5,
        layout=get_layout(layout),
        in_channels=in_channels,
        base_channels=8,
        num_stages=3,
        inflate_stages=(3,),
        down_stages=(3,),
        convention=convention,
    )
    for module in model.modules():
        if isinstance(module, TopologyRefinement):
            nn.init.constant_(module.alpha, 0.5)
            nn.init.constant_(module.bn.weight, 1.0)
    return model


def test_equals_the_authors_code_at_full_size() -> None:
    model = ctrgcn(num_classes=7, layout=get_layout("nwucla20"), data_bn="MVC", persons=2)
    x = named_input("ctrgcn", (2, 2, 16, 20, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["original"], "ctrgcn_original", x)


def test_equals_pyskl() -> None:
    coco = get_layout("coco17")
    model = CTRGCN(num_classes=7, layout=coco, base_channels=16, convention="pyskl", data_bn="MVC", persons=2)
    x = named_input("ctrgcn", (2, 2, 13, 17, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["pyskl"], "ctrgcn_pyskl", x)


@pytest.mark.parametrize("toolbox", ["pyskl", "mmaction2"])
def test_toolbox_names_load_at_full_size(toolbox: str) -> None:
    layout = get_layout("ntu25")
    make = partial(ctrgcn, num_classes=60, layout=layout, convention="pyskl", data_bn="MVC", persons=2)
    graph_checks.check_fits(make, PUBLISHED_NAMES[toolbox], "ctrgcn_pyskl", "full_", toolbox)


def test_training_equals_the_eager_module() -> None:
    torch.manual_seed(0)
    layout = get_layout("coco17")
    eager = EagerCTRGCN(torch.from_numpy(adjacency(layout, "spatial")), 5, base_channels=16)
    ours = CTRGCN(num_classes=5, layout=layout, base_channels=16)
    for name, parameter in eager.named_parameters():
        if name.endswith("alpha"):
            nn.init.constant_(parameter, 0.5)
    load_exactly(ours, rename(eager.state_dict(), PUBLISHED_NAMES["original"]))
    x, weight = named_input("train", (4, 1, 12, 17, 3)).double(), named_input("loss", (4, 5)).double()
    outputs = []
    for model in (eager, ours):
        outputs.append(model.double()(x))
        (outputs[-1] * weight).sum().backward()
    torch.testing.assert_close(outputs[1], outputs[0])
    gradients = {name: p.grad for name, p in eager.named_parameters() if p.grad is not None}
    expected = rename(gradients, PUBLISHED_NAMES["original"])
    largest = max(float(gradient.abs().max()) for gradient in expected.values())
    for name, parameter in ours.named_parameters():
        assert parameter.grad is not None, name
        difference = float((parameter.grad - expected[name]).abs().max())
        assert difference < 1e-9 * largest, name
    statistics = rename(eager.state_dict(), PUBLISHED_NAMES["original"])
    for name, buffer in ours.named_buffers():
        torch.testing.assert_close(buffer, statistics[name])


@pytest.mark.parametrize("convention", ["original", "pyskl"])
def test_which_way_the_graph_is_read(convention: Convention) -> None:
    """A[u, v] = 1 brings v's value to u in the authors' code, u's to v in PYSKL's."""
    graph = torch.zeros(1, 3, 3)
    graph[0, 0, 2] = 1
    gcn = TopologyRefinement(graph, 1, 1, convention)
    nn.init.ones_(gcn.subsets[0].features.weight)
    nn.init.zeros_(gcn.subsets[0].features.bias)
    gathered = gcn.gathered(torch.tensor([3.0, 5.0, 7.0]).reshape(1, 1, 1, 3)).flatten().tolist()
    assert gathered == {"original": [7.0, 0.0, 0.0], "pyskl": [0.0, 0.0, 3.0]}[convention]


@pytest.mark.parametrize("convention", ["original", "pyskl"])
def test_gradients(convention: Convention) -> None:
    model = small(in_channels=4, convention=convention)
    graph_checks.check_gradients(model, named_input("train", (2, 1, 9, 17, 4)))


def test_half_precision_stays_near() -> None:
    model = small().eval()
    x = named_input("half", (2, 1, 16, 17, 3))
    with torch.no_grad():
        expected = model(x)
        with torch.autocast("cpu", torch.bfloat16):
            output = model(x)
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.05 * float(expected.abs().max()))
