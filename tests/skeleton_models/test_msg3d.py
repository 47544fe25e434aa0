"""MS-G3D against both published codes; its graphs by hand; both orders of graph and convolution."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from tests.skeleton_models import graph_checks
from tests.skeleton_models.named_weights import named_input

from poses.layout import get_layout
from skeleton_models.msg3d import MSG3D, PUBLISHED_NAMES, Convention, ScaledGraphs, msg3d, scales


def small(layout: str = "coco17", in_channels: int = 3, convention: Convention = "original") -> MSG3D:
    torch.manual_seed(0)
    return MSG3D(
        num_classes=5,
        layout=get_layout(layout),
        in_channels=in_channels,
        base_channels=12,
        spatial_scales=4,
        window_scales=3,
        convention=convention,
    )


def test_equals_the_authors_code() -> None:
    ntu = get_layout("ntu25")
    parents = list(ntu.parents)
    parents[21], parents[23] = 22, 24  # the authors hang the hand's tip on the thumb
    ntu = replace(ntu, parents=tuple(parents))
    model = msg3d(num_classes=7, layout=ntu, spatial_scales=3, window_scales=2, data_bn="MVC", persons=2)
    x = named_input("msg3d", (1, 2, 12, 25, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["original"], "msg3d_original", x)


def test_equals_pyskl() -> None:
    model = MSG3D(
        num_classes=7,
        layout=get_layout("coco17"),
        base_channels=12,
        spatial_scales=4,
        window_scales=3,
        convention="pyskl",
        data_bn="MVC",
        persons=2,
    )
    x = named_input("msg3d", (2, 2, 13, 17, 3))
    graph_checks.check_golden(model, PUBLISHED_NAMES["pyskl"], "msg3d_pyskl", x)


@pytest.mark.parametrize("toolbox", ["original", "pyskl", "mmaction2"])
def test_published_names_load_at_full_size(toolbox: str) -> None:
    original = toolbox == "original"
    make = partial(
        msg3d,
        num_classes=7 if original else 60,
        layout=get_layout("ntu25"),
        convention="original" if original else "pyskl",
        data_bn="MVC",
        persons=2,
    )
    golden = "msg3d_original" if original else "msg3d_pyskl"
    graph_checks.check_fits(make, PUBLISHED_NAMES[toolbox], golden, "full_", toolbox)


@pytest.mark.parametrize("window", [1, 3])
def test_scales_are_powers_of_the_graph(window: int) -> None:
    """Exactly k steps apart in the window's graph, by matrix powers, as the paper defines it."""
    layout = get_layout("coco17")
    bones = scales(layout, 2, 1)[1]  # with self
    step = np.tile(bones, (window, window))
    for k, graph in enumerate(scales(layout, 5, window)):
        reached = np.linalg.matrix_power(step, k) > 0
        before = np.linalg.matrix_power(step, k - 1) > 0 if k else np.zeros_like(reached)
        expected = (reached & ~before) | np.eye(len(step), dtype=bool)
        assert np.array_equal(graph, expected)


@pytest.mark.parametrize("convention", ["original", "pyskl"])
@pytest.mark.parametrize(("c_in", "c_out"), [(3, 8), (8, 8), (8, 3)])
def test_both_orders_are_the_published_product(convention: Convention, c_in: int, c_out: int) -> None:
    layer = ScaledGraphs(scales(get_layout("coco17"), 4, 1), c_in, c_out, convention).eval()
    torch.nn.init.normal_(layer.offset, generator=torch.Generator().manual_seed(0))
    rows = named_input("rows", (2, 5, 17, c_in))
    graph = layer.graph + layer.offset.view_as(layer.graph)
    rule = "kuv,ptvc->pkctu" if convention == "original" else "kvu,ptvc->pkctu"
    expected = torch.relu(layer.bn(layer.conv(torch.einsum(rule, graph, rows).flatten(1, 2))))
    torch.testing.assert_close(layer(rows), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("convention", ["original", "pyskl"])
def test_gradients(convention: Convention) -> None:
    model = small(in_channels=4, convention=convention)
    graph_checks.check_gradients(model, named_input("train", (2, 1, 8, 17, 4)))
