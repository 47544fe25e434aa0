"""Names and shapes that the golden files of TimeSformer and VideoMAE list, a line an entry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_GOLDEN = Path(__file__).parent / "golden"


def entries(golden: str, key: str = "entries", device: str = "cpu") -> dict[str, Tensor]:
    """Zeros under the published names: `entries` are those of the network that computed the golden output."""
    with np.load(_GOLDEN / f"{golden}.npz") as file:
        rows = [line.split(" ") for line in str(file[key]).split("\n")]
    return {
        name: torch.zeros([int(axis) for axis in shape.split(",") if axis], device=device)
        for name, shape in rows
    }


def output(golden: str) -> Tensor:
    """What the original computed."""
    with np.load(_GOLDEN / f"{golden}.npz") as file:
        return torch.from_numpy(file["output"])
