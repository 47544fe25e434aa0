"""The stored case of ActionFormer, TriDet and OpenTAD, and the tables of their checkpoints' names.

The golden files were written by `PtTransformer` of happyharrycn/actionformer_release, `TriDet` of
dingfengshi/TriDet, and `Conv1DTransformerProj`, `TriDetProj`, `FPNIdentity`, `ActionFormerHead` and
`TriDetHead` of sming256/OpenTAD: 12 channels, width 16, 5 actions, two windows of 96 and 72 points, label
smoothing 0.1, no dropped paths. Their weights are `named_weights`, with 1 added to the scale of every level.
`published_names.txt.xz` lists the names and shapes of their state dicts.
"""

from __future__ import annotations

import lzma
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tests.skeleton_models.named_weights import named_input, named_weights
from torch import Tensor, nn

from temporal_detection.actionformer import fit_shapes
from temporal_detection.detector import Detector
from weights.architectures import NameRules
from weights.checkpoint import load_exactly, rename

GOLDEN = Path(__file__).parent / "golden"
SEGMENTS = [
    torch.tensor([[3.0, 9.5], [4.0, 10.5], [20.0, 26.0], [40.0, 71.0], [50.2, 52.9]]),
    torch.tensor([[1.5, 6.0], [30.0, 60.0]]),
]
LABELS = [torch.tensor([0, 3, 2, 1, 4]), torch.tensor([2, 2])]
RANGES = [(0.0, 4.0), (4.0, 8.0), (8.0, 10000.0)]
VALID = torch.arange(96) < torch.tensor([96, 72])[:, None]


def features() -> Tensor:
    """(2, 12, 96), 0 in the padding."""
    return named_input("actionformer", (2, 12, 96)) * VALID[:, None]


def golden(name: str) -> Mapping[str, NDArray[np.float32]]:
    """What the original said."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def published(table: str) -> dict[str, Tensor]:
    """Empty tensors with the names and shapes of a published state dict."""
    text = lzma.decompress((GOLDEN / "published_names.txt.xz").read_bytes()).decode()
    sections = {
        part.split("\n", 1)[0]: part.split("\n")[1:] for part in text.removeprefix("# ").split("\n# ")
    }
    state = {}
    for line in sections[table]:
        name, _, shape = line.partition(" ")
        state[name] = torch.zeros([int(n) for n in shape.split("x")] if shape else [])
    return state


def fill(model: Detector, rules: NameRules, table: str) -> Detector:
    """The model with the original's named weights, in evaluation."""
    state = named_weights(published(table))
    state = {name: value + 1 if name.endswith("scale") and not value.ndim else value
             for name, value in state.items()}  # fmt: skip
    load_exactly(model, fit_shapes(rename(state, rules), model.state_dict()))
    return model.eval()


def without_drop(model: Detector) -> Detector:
    """The model in training, with no path dropped."""
    for module in model.modules():
        if isinstance(getattr(module, "drop", None), float):
            module.drop = 0.0  # type: ignore[assignment]
    return model.train()


def gradient_norm(model: nn.Module) -> float:
    """Of all parameters together."""
    return float(torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm())
