"""Crops of a frame, and the way back: rotated rectangles, 2 x 3 matrices, warping.

One convention for every model: integers are pixel centres, x to the right, y down, so an image of width W
reaches from -0.5 to W - 0.5. A crop's rectangle is mapped edge to edge onto the model's input. Models that
answer in edge coordinates (0 .. W, as the BlazePose family does) subtract 0.5 before the way back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]  # (2, 3): xy -> matrix[:, :2] @ xy + matrix[:, 2]

BLACK = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle in a frame, possibly rotated, possibly reaching outside the frame.

    Attributes:
        center_px: x, y of its centre.
        size_px: width and height, before rotation; both above 0.
        angle_rad: clockwise as seen on the screen; 0 is upright.
    """

    center_px: tuple[float, float]
    size_px: tuple[float, float]
    angle_rad: float = 0.0

    def __post_init__(self) -> None:
        numbers = (*self.center_px, *self.size_px, self.angle_rad)
        if not all(map(math.isfinite, numbers)) or min(self.size_px) <= 0:
            raise ValueError(f"a crop needs finite numbers and a size above 0, got {self}")

    def corners(self) -> NDArray[np.float64]:
        """(4, 2): top left, top right, bottom right, bottom left, in the crop's own orientation."""
        half_w, half_h = self.size_px[0] / 2, self.size_px[1] / 2
        corners = np.array([[-half_w, -half_h], [half_w, -half_h], [half_w, half_h], [-half_w, half_h]])
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        turned: NDArray[np.float64] = corners @ np.array([[cos, sin], [-sin, cos]]) + self.center_px
        return turned


def crop_of_box(
    box_px: Sequence[float] | NDArray[np.floating], padding: float = 1.0, aspect: float | None = None
) -> Crop:
    """An upright crop around a box.

    Args:
        box_px: x1 y1 x2 y2.
        padding: both sides are multiplied by this.
        aspect: width / height of the crop; the short side is lengthened to reach it. None keeps the box's.
    """
    x1, y1, x2, y2 = (float(value) for value in box_px)
    width, height = (x2 - x1) * padding, (y2 - y1) * padding
    if aspect is not None:
        width, height = max(width, height * aspect), max(height, width / aspect)
    return Crop(((x1 + x2) / 2, (y1 + y2) / 2), (width, height))


def letterbox_crop(frame_hw: tuple[int, int], out_hw: tuple[int, int]) -> Crop:
    """The smallest centred crop of `out_hw`'s aspect that holds the whole frame; the rest is border."""
    height, width = frame_hw
    return crop_of_box((-0.5, -0.5, width - 0.5, height - 0.5), aspect=out_hw[1] / out_hw[0])


def crop_matrix(crop: Crop, out_hw: tuple[int, int]) -> Matrix:
    """(2, 3): frame pixels to pixels of an output of `out_hw`; the crop's edges meet the output's edges."""
    scale_x, scale_y = out_hw[1] / crop.size_px[0], out_hw[0] / crop.size_px[1]
    cos, sin = math.cos(crop.angle_rad), math.sin(crop.angle_rad)
    a, b = cos * scale_x, sin * scale_x
    c, d = -sin * scale_y, cos * scale_y
    x, y = crop.center_px
    return np.array(
        [
            [a, b, (out_hw[1] - 1) / 2 - a * x - b * y],
            [c, d, (out_hw[0] - 1) / 2 - c * x - d * y],
        ]
    )


def invert(matrix: ArrayLike) -> Matrix:
    """(2, 3) of the way back. ValueError: the matrix flattens the plane, there is no way back."""
    (a, b, tx), (c, d, ty) = np.asarray(matrix, np.float64).tolist()
    determinant = a * d - b * c
    if determinant == 0 or not math.isfinite(determinant):
        raise ValueError(f"expected an invertible (2, 3) matrix, got determinant {determinant}")
    a, b, c, d = d / determinant, -b / determinant, -c / determinant, a / determinant
    return np.array([[a, b, -(a * tx + b * ty)], [c, d, -(c * tx + d * ty)]])


def apply(matrix: ArrayLike, xy: NDArray[np.floating]) -> NDArray[np.floating]:
    """Points (..., 2) through a (2, 3) matrix; floating dtype and shape are kept, NaN stays NaN."""
    full = np.asarray(matrix, np.float64)
    return (xy @ full[:, :2].T + full[:, 2]).astype(xy.dtype, copy=False)


def warp(
    frame: NDArray[np.uint8],
    matrix: ArrayLike,
    out_hw: tuple[int, int],
    border: Sequence[int] | None = BLACK,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Draw (H, W, C) `frame` through `matrix` into (h, w, C), bilinearly.

    Args:
        frame: any image cv2 takes.
        matrix: (2, 3), frame pixels to output pixels, as `crop_matrix` gives it.
        out_hw: height and width of the output.
        border: colour of what lies outside the frame; None repeats the frame's edge.
        out: where to draw; a new array if None.
    """
    import cv2

    mode = cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT
    colour = BLACK if border is None else tuple(border)
    drawn: NDArray[np.uint8] = cv2.warpAffine(  # type: ignore[assignment]
        frame,
        np.asarray(matrix, np.float64),
        (out_hw[1], out_hw[0]),
        dst=out,
        flags=cv2.INTER_LINEAR,
        borderMode=mode,
        borderValue=colour,
    )
    return drawn


class CropWarper:
    """Draws crops of BGR frames, one size of output, as fast as cold memory allows.

    The part of the frame that the crop covers is first copied, in order, into a four-channel buffer that
    stays in the cache, and drawn from there. A slightly turned crop visits the frame's rows in an order
    that memory dislikes, and OpenCV draws four channels faster than three: on frames that come from a
    decoder this takes a quarter of the time of `warp`, and the pixels are the same to the last bit but one.

    Where a crop is drawn at a quarter of its size or less, rows are left out of the copy, as many as keep
    it at least twice as fine as the output: bilinear drawing would not have looked at most of them either.

    Args:
        out_hw: height and width of the output.
    """

    def __init__(self, out_hw: tuple[int, int]):
        self.out_hw = out_hw
        self._drawn = np.empty((*out_hw, 4), np.uint8)
        self._buffer = np.empty(0, np.uint8)

    def draw(self, frame_bgr: NDArray[np.uint8], crop: Crop) -> tuple[NDArray[np.uint8], Matrix]:
        """The crop as (h, w, 4) BGRA, black outside the frame, and the matrix from frame to output pixels.

        The drawn array is the same one at every call: use it before the next.
        """
        import cv2

        matrix = crop_matrix(crop, self.out_hw)
        x0, y0, x1, y1 = _covered(crop, frame_bgr.shape[:2])
        if x1 <= x0 or y1 <= y0:
            self._drawn[...] = 0
            return self._drawn, matrix
        shrink = min(crop.size_px[0] / self.out_hw[1], crop.size_px[1] / self.out_hw[0])
        every = max(1, math.floor(shrink / 2))
        covered = frame_bgr[y0:y1:every, x0:x1]
        rows, columns, _ = covered.shape
        if len(self._buffer) < rows * columns * 4:
            self._buffer = np.empty(rows * columns * 4, np.uint8)
        part = self._buffer[: rows * columns * 4].reshape(rows, columns, 4)
        cv2.cvtColor(covered, cv2.COLOR_BGR2BGRA, dst=part)
        of_part = matrix.copy()
        of_part[:, 2] += x0 * matrix[:, 0] + y0 * matrix[:, 1]
        of_part[:, 1] *= every
        warp(part, of_part, self.out_hw, border=(0, 0, 0, 0), out=self._drawn)
        return self._drawn, matrix


def _covered(crop: Crop, frame_hw: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Columns x0..x1 and rows y0..y1 of the frame that a crop may read, neighbours for blending included."""
    cos, sin = abs(math.cos(crop.angle_rad)), abs(math.sin(crop.angle_rad))
    reach_x = (crop.size_px[0] * cos + crop.size_px[1] * sin) / 2 + 2
    reach_y = (crop.size_px[0] * sin + crop.size_px[1] * cos) / 2 + 2
    x, y = crop.center_px
    return (
        max(math.floor(x - reach_x), 0),
        max(math.floor(y - reach_y), 0),
        min(math.ceil(x + reach_x) + 1, frame_hw[1]),
        min(math.ceil(y + reach_y) + 1, frame_hw[0]),
    )
