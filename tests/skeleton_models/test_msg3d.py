"""MS-G3D against both published codes; its graphs by hand; both orders of graph and convolution."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor

from poses.layout import get_layout
from skeleton_models.checkpoint import load_exactly, rename
from skeleton_models.msg3d import MSG3D, PUBLISHED_NAMES, Convention, ScaledGraphs, msg3d, scales

GOLDEN = Path(__file__).parent / "golden"


def published_state(name: str, size: str = "") -> tuple[dict[str, Tensor], Tensor]:
    """A state dict with the published names and shapes (`size` is "" or "full_"), and the stored output."""
    with np.load(GOLDEN / f"{name}.npz") as golden:
        state = {
            str(entry): torch.zeros(
                [int(n) for n in str(shape).split(",") if n],
                dtype=torch.long if str(entry).endswith("tracked") else torch.float32,
            )
            for entry, shape in zip(golden[f"{size}names"], golden[f"{size}shapes"], strict=True)
        }
        return named_weights(state), torch.from_numpy(golden["output"])


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
    state, expected = published_state("msg3d_original")
    ntu = get_layout("ntu25")
    parents = list(ntu.parents)
    parents[21], parents[23] = 22, 24  # the authors hang the hand's tip on the thumb
    ntu = replace(ntu, parents=tuple(parents))
    model = msg3d(
        num_classes=7, layout=ntu, spatial_scales=3, window_scales=2, data_bn="MVC", persons=2
    ).eval()
    load_exactly(model, rename(state, PUBLISHED_NAMES["original"]))
    with torch.no_grad():
        output = model(named_input("msg3d", (1, 2, 12, 25, 3)))
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_equals_pyskl() -> None:
    state, expected = published_state("msg3d_pyskl")
    model = MSG3D(
        num_classes=7,
        layout=get_layout("coco17"),
        base_channels=12,
        spatial_scales=4,
        window_scales=3,
        convention="pyskl",
        data_bn="MVC",
        persons=2,
    ).eval()
    load_exactly(model, rename(state, PUBLISHED_NAMES["pyskl"]))
    with torch.no_grad():
        output = model(named_input("msg3d", (2, 2, 13, 17, 3)))
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("toolbox", ["original", "pyskl", "mmaction2"])
def test_published_names_load_at_full_size(toolbox: str) -> None:
    original = toolbox == "original"
    state, _ = published_state("msg3d_original" if original else "msg3d_pyskl", "full_")
    if toolbox == "mmaction2":
        state = {name.replace("fc_cls", "fc"): tensor for name, tensor in state.items()}
    model = msg3d(
        num_classes=7 if original else 60,
        layout=get_layout("ntu25"),
        convention="original" if original else "pyskl",
        data_bn="MVC",
        persons=2,
    )
    load_exactly(model, rename(state, PUBLISHED_NAMES[toolbox]))


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


@pytest.mark.parametrize("layout", ["nwucla20", "coco17", "coco_wholebody133/micro44"])
@pytest.mark.parametrize("persons", [1, 2, 3])
def test_every_layout_and_number_of_persons_trains(layout: str, persons: int) -> None:
    model = small(layout, in_channels=4, convention="pyskl" if persons == 2 else "original")
    model(named_input("train", (2, persons, 8, len(get_layout(layout).joints), 4))).square().sum().backward()
    unreached = [name for name, p in model.named_parameters() if p.grad is None]
    silent = [name for name, p in model.named_parameters() if p.grad is not None and not p.grad.any()]
    assert unreached == []
    assert [name for name in silent if not name.endswith(".bias")] == []  # a batch norm may undo a bias


def test_absent_persons_are_not_computed() -> None:
    model = small().eval()
    x = named_input("present", (2, 3, 9, 17, 3))
    present = torch.tensor([[True, False, True], [False, True, False]])
    with torch.no_grad():
        output = model(x, present)
        alone = [model(x[:1, [0, 2]]), model(x[1:, [1]])]
        x[~present] = torch.nan
        untouched = model(x, present)
    torch.testing.assert_close(output, torch.cat(alone), rtol=1e-4, atol=1e-5)
    assert torch.equal(output, untouched)


def test_exports(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = small().eval()
    x = named_input("export", (1, 2, 10, 17, 3))
    with torch.no_grad():
        expected = model(x)
        exported = torch.export.export(model, (x,)).module()(x)
        torch.onnx.export(model, (x,), str(tmp_path / "msg3d.onnx"), dynamo=False, opset_version=17)
    session = onnxruntime.InferenceSession(tmp_path / "msg3d.onnx", providers=["CPUExecutionProvider"])
    onnx = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
    for output in (exported, onnx):
        torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)
