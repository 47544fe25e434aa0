"""The anchor grid of the BlazeFace family of detectors (face, palm, pose).

Their anchors have a fixed size of 1, so that an anchor is no more than the centre of a grid cell. Every
stride is one layer and brings two anchors per cell; layers of equal stride that follow each other share
their cells. (Bazarevsky et al., BlazeFace, 2019, section 3.2; strides from MediaPipe's published graphs.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

ANCHORS_PER_CELL = 2


def ssd_anchors(input_size: int, strides: Sequence[int]) -> NDArray[np.float32]:
    """Anchor centres (A, 2), x and y in 0..1 of the input, in the order of the detector's outputs.

    Args:
        input_size: height and width of the square input.
        strides: of every layer, fine to coarse; equal ones are neighbours.
    """
    layers = []
    for stride, equal in groupby(strides):
        cells = -(-input_size // stride)
        centres = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(centres, centres)
        grid = np.stack([x.ravel(), y.ravel()], axis=1)  # (cells * cells, 2), row by row
        layers.append(np.repeat(grid, ANCHORS_PER_CELL * len(list(equal)), axis=0))
    return np.concatenate(layers)
