"""Arrays as JSON holds them, and back without the loss of a bit: states of models on disk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def plain(array: NDArray[Any]) -> dict[str, Any]:
    """Type and numbers of an array of floats or flags; NaN is a number here."""
    return {"type": array.dtype.name, "shape": list(array.shape), "values": array.ravel().tolist()}


def restored(stored: dict[str, Any]) -> NDArray[Any]:
    """The array that `plain` was given."""
    return np.array(stored["values"], stored["type"]).reshape(stored["shape"])
