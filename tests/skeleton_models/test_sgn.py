"""SGN against both published codes, and what is its own: exact pieces of time, fixed frames, exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor
from torch.nn import functional

from poses.layout import get_layout
from skeleton_models.checkpoint import load_exactly, rename
from skeleton_models.sgn import PIECES, PUBLISHED_NAMES, SGN, PieceConvolutions, sgn

GOLDEN = Path(__file__).parent / "golden"


def published_state(name: str, size: str = "") -> tuple[dict[str, Tensor], Tensor]:
    """A state dict with the published names and shapes (`size` is "" or "full_"), and the stored output."""
    with np.load(GOLDEN / f"{name}.npz") as golden:
        state = {
            str(entry): torch.zeros([int(n) for n in str(shape).split(",") if n])
            for entry, shape in zip(golden[f"{size}names"], golden[f"{size}shapes"], strict=True)
        }
        output = torch.from_numpy(golden["output"])
    counts = {k: torch.zeros((), dtype=torch.long) for k in state if k.endswith("num_batches_tracked")}
    return named_weights({**state, **counts}), output


def small(**options: object) -> SGN:
    return SGN(**{"num_classes": 5, "layout": get_layout("coco17"), "frames": 24, "width": 8, **options})  # type: ignore[arg-type]


def test_equals_the_authors_code() -> None:
    state, expected = published_state("sgn_original")
    model = sgn(num_classes=7, layout=get_layout("ntu25"), frames=30).eval()
    load_exactly(model, rename(state, PUBLISHED_NAMES["original"]))
    with torch.no_grad():
        output = model(named_input("sgn", (2, 1, 30, 25, 3)))
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_equals_pyskl() -> None:
    state, expected = published_state("sgn_pyskl")
    model = SGN(num_classes=7, layout=get_layout("coco17"), frames=33, width=16, convention="pyskl").eval()
    load_exactly(model, rename(state, PUBLISHED_NAMES["pyskl"]))
    with torch.no_grad():
        output = model(named_input("sgn", (2, 2, 33, 17, 3)))
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_pyskl_names_load_at_full_size() -> None:
    state, _ = published_state("sgn_pyskl", "full_")
    model = SGN(num_classes=60, layout=get_layout("ntu25"), frames=30, convention="pyskl")
    load_exactly(model, rename(state, PUBLISHED_NAMES["pyskl"]))


@pytest.mark.parametrize("frames", [1, 7, 20, 21, 30, 64, 100])
def test_pieces_are_those_of_adaptive_pooling(frames: int) -> None:
    x = named_input("pieces", (2, 8, frames, 5))
    module = PieceConvolutions(8, frames=frames, joints=5, dropout=0.0, convention="pyskl").eval()
    seen: list[Tensor] = []
    module.conv.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    module(x)
    assert torch.equal(seen[0], functional.adaptive_max_pool2d(x, (PIECES, 1)))


@pytest.mark.parametrize("convention", ["original", "pyskl"])
def test_velocity(convention: str) -> None:
    x = torch.tensor([1.0, 4.0, 9.0]).reshape(1, 3, 1, 1)
    expected = {"original": [0.0, 3.0, 5.0], "pyskl": [3.0, 5.0, -9.0]}[convention]
    assert small(convention=convention)._velocity(x).flatten().tolist() == expected


@pytest.mark.parametrize("layout", ["nwucla20", "coco17", "coco_wholebody133/micro44"])
@pytest.mark.parametrize("persons", [1, 2, 3])
def test_every_layout_and_number_of_persons_trains(layout: str, persons: int) -> None:
    model = small(layout=get_layout(layout), in_channels=4)
    torch.manual_seed(0)
    for gcn in (model.gcn1, model.gcn2, model.gcn3):  # they start at zero, which hides the graph's gradient
        torch.nn.init.normal_(gcn.neighbours.weight, std=0.1)
    x = named_input("train", (3, persons, 24, model.joints, 4))
    model(x).logsumexp(1).sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # a bias before a batch norm, and one that shifts a whole row of the graph's softmax, change nothing
    expected = {f"gcn{i}.own.bias" for i in (1, 2, 3)} | {"temporal.conv.bias", "temporal.widen.bias"}
    assert set(silent) <= expected | {"key.bias", "joint_norm.bias", "velocity_norm.bias"}


def test_absent_persons_are_not_computed() -> None:
    model = small().eval()
    x = named_input("present", (2, 3, 24, 17, 3))
    present = torch.tensor([[True, False, True], [False, True, False]])
    with torch.no_grad():
        output = model(x, present)
        alone = [model(x[:1, [0, 2]]), model(x[1:, [1]])]
        x[~present] = torch.nan
        untouched = model(x, present)
    torch.testing.assert_close(output, torch.cat(alone))
    assert torch.equal(output, untouched)


def test_input_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(24, 17, 3\), got \(1, 1, 25, 17, 3\)"):
        small()(torch.zeros(1, 1, 25, 17, 3))


def test_reset_classifier() -> None:
    model = small()
    model.reset_classifier(9)
    assert model(named_input("reset", (2, 1, 24, 17, 3))).shape == (2, 9) and model.num_classes == 9


@pytest.mark.parametrize("convention", ["original", "pyskl"])
def test_exports(convention: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = small(convention=convention).eval()
    x = named_input("export", (2, 2, 24, 17, 3))
    with torch.no_grad():
        expected = model(x)
        exported = torch.export.export(model, (x,)).module()(x)
        torch.onnx.export(model, (x,), str(tmp_path / "sgn.onnx"), dynamo=False, opset_version=17)
    session = onnxruntime.InferenceSession(tmp_path / "sgn.onnx", providers=["CPUExecutionProvider"])
    onnx = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
    for output in (exported, onnx):
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-4)
