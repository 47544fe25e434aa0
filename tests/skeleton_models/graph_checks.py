"""What the tests of several graph networks check alike."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor, nn

from poses.layout import get_layout
from skeleton_models.checkpoint import NameRules, load_exactly, rename
from skeleton_models.graph_network import GraphNetwork

GOLDEN = Path(__file__).parent / "golden"
BUILD = Callable[..., GraphNetwork]


def published_state(golden: str, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Weights under the names and shapes of the original, which the golden file lists."""
    with np.load(GOLDEN / f"{golden}.npz") as file:
        names = str(file["names"]).split("\n")
        shapes = [
            tuple(map(int, line.split(","))) if line else () for line in str(file["shapes"]).split("\n")
        ]
    empty = {
        name: torch.zeros(shape, dtype=torch.long if name.endswith("num_batches_tracked") else dtype)
        for name, shape in zip(names, shapes, strict=True)
    }
    return named_weights(empty)


def check_golden(
    model: nn.Module, rules: NameRules, golden: str, x: Tensor, dtype: torch.dtype = torch.float32
) -> None:
    """The published names fit exactly, and the output is the original's to 1e-5.

    The golden file was written in `dtype`; float64 where made-up weights let a deep network explode.
    """
    load_exactly(model.to(dtype), rename(published_state(golden, dtype), rules))
    with np.load(GOLDEN / f"{golden}.npz") as file:
        expected = torch.from_numpy(file["output"])
    with torch.no_grad():
        got = model.eval()(x.to(dtype))
    scale = expected.abs().max().item()
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5 * scale)


def shake(model: nn.Module) -> None:
    """Weights away from their initial zeros and ones, without touching the global generator."""
    model.load_state_dict(named_weights(model.state_dict()))


def check_gradients(model: nn.Module, x: Tensor) -> None:
    """Every parameter gets a gradient.

    In evaluation, since a bias under a batch norm gets none in training; with the statistics of `x`, so that
    nothing saturates.
    """
    shake(model)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    model.train()(x)
    model.eval()(x).square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not without


def check_any_layout_and_persons(build: BUILD) -> None:
    """Every layout, one to three persons, a confidence channel; absent persons change nothing."""
    for name in ("nwucla20", "coco17", "coco_wholebody133/micro44", "coco_wholebody133/hands"):
        layout = get_layout(name)
        for persons, channels in ((1, 3), (2, 3), (3, 4)):
            model = build(num_classes=4, layout=layout, in_channels=channels).eval()
            shake(model)
            x = named_input(name, (2, persons, 8, len(layout.joints), channels))
            with torch.no_grad():
                assert model(x).shape == (2, 4)


def check_absent_persons_cost_nothing(build: BUILD) -> None:
    """A mask computes the persons it names, and no others, in evaluation and in training."""
    layout = get_layout("coco17")
    model = build(num_classes=4, layout=layout, in_channels=3).eval()
    shake(model)
    x = named_input("absent", (3, 2, 8, 17, 3))
    present = torch.tensor([[True, True], [False, True], [False, False]])
    poisoned = torch.where(present[..., None, None, None], x, torch.nan)
    rows: list[int] = []
    handle = model.blocks[0].register_forward_hook(lambda _m, args, _o: rows.append(len(args[0])))
    with torch.no_grad():
        features = model.forward_features(poisoned, present)
        close = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-5 * features.abs().max().item())
        close(features[:1], model.forward_features(x[:1]))
        close(features[1:2], model.forward_features(x[1:2, 1:]))
    assert not features[2].any()
    assert rows[0] == 3
    assert model.train()(poisoned, present).isfinite().all()
    handle.remove()


def check_export(build: BUILD) -> None:
    """torch.export and ONNX give what eager gives."""
    two_blocks = {"num_stages": 2, "inflate_stages": (2,), "down_stages": (2,)}
    model = build(num_classes=4, layout=get_layout("coco17"), in_channels=3, **two_blocks).eval()
    shake(model)
    x = named_input("export", (2, 2, 12, 17, 3))
    with torch.no_grad():
        expected = model(x)
        exported = torch.export.export(model, (x,)).module()(x)
    scale = expected.abs().max().item()
    torch.testing.assert_close(exported, expected, rtol=0, atol=1e-4 * scale)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), file, dynamo=False, opset_version=17, input_names=["x"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {"x": x.numpy()})
    np.testing.assert_allclose(got, expected.numpy(), rtol=0, atol=1e-4 * scale)


def check_new_classifier(build: BUILD) -> None:
    """`reset_classifier` changes the width of the logits and nothing before it."""
    model = build(num_classes=4, layout=get_layout("coco17"), in_channels=3).eval()
    x = named_input("classifier", (1, 1, 8, 17, 3))
    with torch.no_grad():
        before = model.forward_features(x)
        model.reset_classifier(9)
        assert model.num_classes == 9
        assert model(x).shape == (1, 9)
        torch.testing.assert_close(model.forward_features(x), before)
    assert before.shape == (1, model.num_features)
