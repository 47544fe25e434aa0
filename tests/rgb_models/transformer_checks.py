"""What the tests of Video Swin and UniFormer check alike, beside `clip_checks`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from tests.rgb_models import clip_checks
from tests.skeleton_models import graph_checks
from torch import Tensor, nn

from rgb_models.model import RgbModel

_GOLDEN = Path(__file__).parent / "golden"
_PER_OUTPUT = {nn.LayerNorm: 5, nn.BatchNorm3d: 2}  # operations, as fvcore and MMEngine count norms


def stored(golden: str, what: str) -> Tensor:
    """One more output of an original, in float64."""
    with np.load(_GOLDEN / f"{golden}.npz") as file:
        return torch.from_numpy(file[what])


def pictures(golden: str) -> dict[str, Tensor]:
    """Named weights of the network over pictures that the original inflated."""
    return graph_checks.published_state(str(_GOLDEN / golden), torch.float64, "picture_")


def check_output(model: RgbModel, x: Tensor, expected: Tensor) -> None:
    """In float64, to 1e-10 of the largest logit: closer than a layer norm's epsilon can be mistaken."""
    with torch.no_grad():
        got = model.double().eval()(x.double())
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10 * expected.abs().max().item())


def giga_operations(model: RgbModel) -> float:
    """Of one clip of 224 x 224, in 10^9, as MMAction2 publishes them; on the meta device.

    A multiplication with its addition counts as one, also within attention; the outputs of norms count as in
    `_PER_OUTPUT`.
    """
    normalised = 0

    def count(module: nn.Module, inputs: object, output: Tensor) -> None:
        nonlocal normalised
        normalised += (
            next(each for kind, each in _PER_OUTPUT.items() if isinstance(module, kind)) * output.numel()
        )

    handles = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, tuple(_PER_OUTPUT))]
    products = clip_checks.giga_operations(model, model.frames, 224)
    for handle in handles:
        handle.remove()
    return products + normalised / 1e9


def check_paths_dropped(model: RgbModel) -> None:
    """With half of the last block's paths dropped, training differs between runs and evaluation does not."""
    graph_checks.shake(model)
    x = torch.rand(1, 3, model.frames, 32, 32).expand(16, -1, -1, -1, -1)
    with torch.no_grad():
        model.eval()
        assert model(x).std(dim=0).max() < 1e-5
        model.train()
        logits = model(x)
    assert logits.std(dim=0).max() > 1e-3
