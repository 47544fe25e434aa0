"""What the tests of networks over clips check alike.

A golden file holds names and shapes of an original's entries and what it computed in float64; `full_names`
and `full_shapes` are those of the published checkpoint. MMAction2's are of its commit 4d6c934.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.skeleton_models import graph_checks
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rgb_models.model import RgbModel
from weights.architectures import NameRules
from weights.checkpoint import load_exactly, rename

_GOLDEN = Path(__file__).parent / "golden"


def check_golden(model: RgbModel, rules: NameRules, golden: str, x: Tensor) -> None:
    """The published names fit exactly, and the logits are the original's to 1e-5, in any memory order."""
    of_pictures = all(parameter.ndim < 5 for parameter in model.parameters())
    path = str(_GOLDEN / golden)
    load_exactly(model.double(), rename(graph_checks.published_state(path, torch.float64), rules))
    expected = graph_checks.published_output(path)
    near = {"rtol": 0.0, "atol": 1e-5 * expected.abs().max().item()}
    assert (expected[0] - expected[1]).abs().max() > 100 * near["atol"]  # what it saw matters
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(x.double()), expected, **near)
        model.to(memory_format=torch.channels_last if of_pictures else torch.channels_last_3d)
        last = x.double().contiguous(memory_format=torch.channels_last_3d)
        torch.testing.assert_close(model(last), expected, **near)


def check_published(make: Callable[[], RgbModel], rules: NameRules, golden: str, millions: float) -> RgbModel:
    """The published checkpoint fits, and the network has the published parameters; on the meta device."""
    with torch.device("meta"):
        model = make().eval()
    published = graph_checks.published_state(str(_GOLDEN / golden), size="full_", device="meta")
    load_exactly(model, rename(published, rules))
    assert round(sum(parameter.numel() for parameter in model.parameters()) / 1e6, 1) == millions
    return model


def giga_multiplications(model: RgbModel, frames: int, size: int) -> float:
    """Of one clip, in 10^9, each with its addition; on the meta device."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, 3, frames, size, size, device="meta"))
    return counter.get_total_flops() / 2e9


def giga_operations(model: RgbModel, frames: int, size: int) -> float:
    """As MMAction2 publishes them: multiply-adds count as one, each output of a batch norm as two."""
    normalised = 0

    def count(module: nn.Module, inputs: object, output: Tensor) -> None:
        nonlocal normalised
        normalised += output.numel()

    handles = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    giga = giga_multiplications(model, frames, size)
    for handle in handles:
        handle.remove()
    return giga + 2 * normalised / 1e9


def check_clip_network(model: RgbModel, height: int, width: int) -> None:
    """Gradients everywhere, half the precision, a new classifier, and clips of another length refused.

    Args:
        model: small, and in no precision but float32.
        height: of the frames, pixels.
        width: likewise.
    """
    x = torch.rand(2, 3, model.frames, height, width)
    graph_checks.check_gradients(model, x)
    with torch.no_grad():
        features = model.forward_features(x)
        assert features.shape == (2, model.num_features)
        assert model(x).shape == (2, model.num_classes)
        torch.testing.assert_close(model.forward_head(features), model(x))
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(model(x).float(), model(x.bfloat16()).float(), rtol=0.05, atol=0.05)
        model.reset_classifier(9)
        assert model.num_classes == 9
        assert model(x).shape == (2, 9)
        assert model.get_classifier() is model.get_submodule("fc")
        torch.testing.assert_close(model.forward_features(x), features)
    name = type(model).__name__
    with pytest.raises(ValueError, match=rf"{name}: expected frames \(N, 3, {model.frames}, H, W\), got"):
        model(x[:, :, 1:])
    with pytest.raises(ValueError, match=rf"{name}: expected frames"):
        model(x[:, :2])
