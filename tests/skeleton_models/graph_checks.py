"""What the tests of several networks check alike: golden files, names of published checkpoints, gradients.

A golden file holds names and shapes of an original's entries and what it computed; `size` "full_" names those
of a published checkpoint's full size where the computed one was smaller.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from tests.skeleton_models.named_weights import named_weights
from torch import Tensor, nn

from weights.architectures import NameRules
from weights.checkpoint import load_exactly, rename

GOLDEN = Path(__file__).parent / "golden"


def published_state(
    golden: str, dtype: torch.dtype = torch.float32, size: str = "", device: str = "cpu"
) -> dict[str, Tensor]:
    """Weights under the names and shapes that the golden file lists; on `meta` only shapes."""
    with np.load(GOLDEN / f"{golden}.npz") as file:
        names, shapes = (_lines(file[f"{size}{what}"]) for what in ("names", "shapes"))
    empty = {
        name: torch.zeros(
            [int(axis) for axis in shape.split(",") if axis],
            dtype=torch.long if name.endswith(("num_batches_tracked", "_index")) else dtype,
            device=device,
        )
        for name, shape in zip(names, shapes, strict=True)
    }
    return empty if device == "meta" else named_weights(empty)


def _lines(stored: np.ndarray) -> list[str]:
    """Some files hold one string of lines, some an array of strings."""
    return str(stored).split("\n") if stored.ndim == 0 else [str(line) for line in stored]


def published_output(golden: str) -> Tensor:
    """What the original computed."""
    with np.load(GOLDEN / f"{golden}.npz") as file:
        return torch.from_numpy(file["output" if "output" in file else "logits"])


def check_golden(
    model: nn.Module,
    rules: NameRules,
    golden: str,
    x: Tensor,
    dtype: torch.dtype = torch.float32,
    position: Tensor | None = None,
) -> None:
    """The published names fit exactly, and the output is the original's to 1e-5.

    The golden file was written in `dtype`; float64 where made-up weights let a deep network explode.
    """
    load_exactly(model.to(dtype), rename(published_state(golden, dtype), rules))
    with torch.no_grad():
        got = model.eval()(x.to(dtype), None, position)
    expected = published_output(golden)
    scale = expected.abs().max().item()
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5 * scale)


def check_fits(
    make: Callable[[], nn.Module], rules: NameRules, golden: str, size: str = "", toolbox: str = ""
) -> int:
    """Published names and shapes fit the network entry by entry; returns how many parameters it has.

    On torch's meta device, where weights have no values. MMAction2's own code gives the same names and shapes
    as PYSKL's for all five networks both have, but for the classifier, `fc`.
    """
    with torch.device("meta"):
        model = make().to("meta")
    state = published_state(golden, size=size, device="meta")
    if toolbox == "mmaction2":
        state = {name.replace("fc_cls", "fc"): tensor for name, tensor in state.items()}
    load_exactly(model, rename(state, rules))
    return sum(p.numel() for p in model.parameters())


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
