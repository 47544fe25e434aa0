"""Published checkpoints into our networks: names are mapped, and nothing may be missing or left over."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from weights.architectures import NameRules

_WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "module", "net")
# What training scripts store beside the tensors: the options of their command line, plain data.
_PLAIN_DATA: list[Any] = [Namespace]


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    """The state dict in a checkpoint file, without the `module.` of DataParallel; opened as data only.

    Raises:
        ValueError: the file holds no state dict.
        OSError: the file cannot be read.
    """
    with torch.serialization.safe_globals(_PLAIN_DATA):
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ValueError(f"{path}: expected a state dict (names to tensors), or one under {_WRAPPERS}")
    return {str(name).removeprefix("module."): tensor for name, tensor in content.items()}


def rename(state: Mapping[str, Tensor], rules: NameRules) -> dict[str, Tensor]:
    """The same tensors under our names.

    An entry whose name becomes empty is left out: a rule says so of what the published code stores and never
    uses.

    Raises:
        ValueError: two names become one.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        new = name
        for pattern, replacement in rules:
            new = re.sub(pattern, replacement, new)
        if not new:
            continue
        if new in renamed:
            raise ValueError(f"checkpoint: {name!r} and another entry both become {new!r}")
        renamed[new] = tensor
    return renamed


def load_exactly(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load a state dict that must fit entry by entry.

    Trailing axes of length 1 do not count: a 1x1 convolution and a linear layer hold the same weights. Batch
    norms' counts of batches may be missing and stay what they are: checkpoints from before PyTorch 0.4.1 have
    none, torchvision's first ResNet-50 among them.

    Raises:
        ValueError: entries are missing, left over or of another shape; the message names them.
    """
    own = model.state_dict()
    state = {name: count for name, count in own.items() if name.endswith("num_batches_tracked")} | dict(state)
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    misfits = [
        f"{name}: expected {tuple(own[name].shape)}, got {tuple(state[name].shape)}"
        for name in sorted(own.keys() & state.keys())
        if _without_trailing_ones(own[name].shape) != _without_trailing_ones(state[name].shape)
    ]
    problems = [
        f"{what} ({len(names)}): {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}"
        for what, names in (("missing", missing), ("left over", unexpected), ("of another shape", misfits))
        if names
    ]
    if problems:
        raise ValueError(
            f"checkpoint does not fit {type(model).__name__}: "
            + "; ".join(problems)
            + "; check the model's options (layout, classes, width) against the checkpoint's"
        )
    model.load_state_dict({name: tensor.reshape(own[name].shape) for name, tensor in state.items()})


def _without_trailing_ones(shape: torch.Size) -> tuple[int, ...]:
    sizes = list(shape)
    while sizes and sizes[-1] == 1:
        sizes.pop()
    return tuple(sizes)
