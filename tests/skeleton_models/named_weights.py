"""Weights made from names: the same in an original and in ours, so that none need be stored.

Every golden file in `golden/` was written by filling the original implementation with `named_weights` of its
own state dict, and running it in eval mode in float64 or float32 on `named_input`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def named_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A tensor of each name's shape: depends on the name and the shape only."""
    return {name: _filled(name, tensor) for name, tensor in state.items()}


def _filled(name: str, tensor: Tensor) -> Tensor:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    shape = tuple(tensor.shape)
    if not tensor.is_floating_point():
        return torch.zeros_like(tensor)
    if name.endswith("running_var"):
        values = rng.uniform(0.5, 1.5, shape)
    elif tensor.ndim <= 1:  # biases, scales of normalisation layers, running means
        values = rng.normal(0.0, 0.1, shape) + (1.0 if name.endswith("weight") else 0.0)
    else:
        values = rng.normal(0.0, 1.0, shape) / np.sqrt(np.prod(shape[1:]))
    return torch.as_tensor(np.asarray(values)).to(tensor.dtype).reshape(shape)


def named_input(name: str, shape: tuple[int, ...]) -> Tensor:
    """A float32 input that depends on its name and shape only."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return torch.from_numpy(rng.normal(0.0, 1.0, shape).astype(np.float32))
