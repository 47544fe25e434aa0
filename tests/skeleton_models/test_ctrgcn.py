"""CTR-GCN against both published codes, and its exact rewrites against the eager module of the benchmark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.eager_ctrgcn import EagerCTRGCN
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor, nn

from poses.layout import get_layout
from skeleton_models.checkpoint import load_exactly, rename
from skeleton_models.ctrgcn import CTRGCN, PUBLISHED_NAMES, Convention, TopologyRefinement, ctrgcn
from skeleton_models.graph import adjacency

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
    state, expected = published_state("ctrgcn_original")
    model = ctrgcn(num_classes=7, layout=get_layout("nwucla20"), data_bn="MVC", persons=2).eval()
    load_exactly(model, rename(state, PUBLISHED_NAMES["original"]))
    with torch.no_grad():
        output = model(named_input("ctrgcn", (2, 2, 16, 20, 3)))
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_equals_pyskl() -> None:
    state, expected = published_state("ctrgcn_pyskl")
    coco = get_layout("coco17")
    model = CTRGCN(
        num_classes=7, layout=coco, base_channels=16, convention="pyskl", data_bn="MVC", persons=2
    ).eval()
    load_exactly(model, rename(state, PUBLISHED_NAMES["pyskl"]))
    with torch.no_grad():
        output = model(named_input("ctrgcn", (2, 2, 13, 17, 3)))
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("toolbox", ["pyskl", "mmaction2"])
def test_toolbox_names_load_at_full_size(toolbox: str) -> None:
    state, _ = published_state("ctrgcn_pyskl", "full_")
    if toolbox == "mmaction2":
        state = {name.replace("fc_cls", "fc"): tensor for name, tensor in state.items()}
    ntu = get_layout("ntu25")
    model = ctrgcn(num_classes=60, layout=ntu, convention="pyskl", data_bn="MVC", persons=2)
    load_exactly(model, rename(state, PUBLISHED_NAMES[toolbox]))


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


@pytest.mark.parametrize("layout", ["nwucla20", "coco17", "coco_wholebody133/micro44"])
@pytest.mark.parametrize("persons", [1, 2, 3])
def test_every_layout_and_number_of_persons_trains(layout: str, persons: int) -> None:
    model = small(layout, in_channels=4)
    model(named_input("train", (2, persons, 9, len(get_layout(layout).joints), 4))).square().sum().backward()
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
    torch.testing.assert_close(output, torch.cat(alone), rtol=1e-5, atol=1e-3)
    assert torch.equal(output, untouched)


def test_half_precision_stays_near() -> None:
    model = small().eval()
    x = named_input("half", (2, 1, 16, 17, 3))
    with torch.no_grad():
        expected = model(x)
        with torch.autocast("cpu", torch.bfloat16):
            output = model(x)
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=0.05 * float(expected.abs().max()))


def test_exports(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = small().eval()
    x = named_input("export", (2, 2, 10, 17, 3))
    with torch.no_grad():
        expected = model(x)
        exported = torch.export.export(model, (x,)).module()(x)
        torch.onnx.export(model, (x,), str(tmp_path / "ctrgcn.onnx"), dynamo=False, opset_version=17)
    session = onnxruntime.InferenceSession(tmp_path / "ctrgcn.onnx", providers=["CPUExecutionProvider"])
    onnx = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
    for output in (exported, onnx):
        torch.testing.assert_close(output, expected, rtol=1e-4, atol=1e-4)
