"""RandAugment on batches (Cubuk, Zoph, Shlens, Le: RandAugment, 2020): all frames of a clip alike.

The paper's fourteen operations, with the ranges that torchvision gives them; strength 10 here is the end of
each range (30 of 30 there). Where a picture is moved, the ground beside it is grey (128), and values between
pixels are interpolated; solarizing at no strength leaves white as it is.

Axis letters: N clips, T frames, H height, W width.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from rgb_models import frame_colours as colours

MOST_LAYERS = 8
DRAWS_A_LAYER = 5  # which operation, whether, which sign, two for the strength

_GROUND = 128.0
_MOST_STRENGTH = 10.0
Floats = NDArray[np.float64]
Operation = Callable[[Tensor, Floats, Floats], Tensor]  # x (n, T, 3, H, W), strength (n,) 0..1, sign (n,)


def rand_augment(
    x: Tensor, draws: Floats, magnitude: float, deviation: float = 0.0, probability: float = 1.0
) -> Tensor:
    """Operations one after the other, chosen evenly for each clip.

    Args:
        x: (N, T, 3, H, W) float of 0..255, changed in place.
        draws: (N, layers * DRAWS_A_LAYER) of 0..1; they say how many operations a clip gets.
        magnitude: strength in 0..10.
        deviation: standard deviation of the strength, which is then cut to 0..10.
        probability: of each operation to be done.

    Returns:
        x.
    """
    names = list(OPERATIONS)
    for layer in draws.reshape(len(x), -1, DRAWS_A_LAYER).transpose(1, 2, 0):  # (DRAWS_A_LAYER, N)
        which = (layer[0] * len(names)).astype(np.int64)
        done = layer[1] < probability
        sign = np.where(layer[2] < 0.5, -1.0, 1.0)
        spread = np.sqrt(-2 * np.log1p(-layer[3])) * np.cos(2 * np.pi * layer[4])  # Box and Muller, 1958
        strength = np.clip(magnitude + deviation * spread, 0, _MOST_STRENGTH) / _MOST_STRENGTH
        for number in np.unique(which[done]):
            rows = np.flatnonzero(done & (which == number))
            if names[number] != "identity":
                at = torch.from_numpy(rows).to(x.device)
                x[at] = OPERATIONS[names[number]](x[at], strength[rows], sign[rows])
    return x


def moved(x: Tensor, linear: Floats, shift_px: Floats) -> Tensor:
    """Frames resampled: what is seen at place p is what was at `linear @ p + shift`.

    Args:
        x: (N, T, 3, H, W) float.
        linear: (N, 2, 2); places are pixels from the picture's centre, x to the right, y down.
        shift_px: (N, 2).

    Returns:
        (N, T, 3, H, W), grey where nothing was.
    """
    n, t, c, h, w = x.shape
    half = np.array([w, h]) / 2  # grid_sample counts in halves of the picture
    theta = np.empty((n, 2, 3))
    theta[..., :2] = linear * half[None, None, :] / half[None, :, None]
    theta[..., 2] = shift_px / half
    grid = functional.affine_grid(
        torch.from_numpy(theta).to(x.device, x.dtype), [n, t * c, h, w], align_corners=False
    )  # (N, H, W, 2)
    flat = x.reshape(n, t * c, h, w) - _GROUND  # what lies outside is 0: the ground
    sampled = functional.grid_sample(flat, grid, "bilinear", "zeros", align_corners=False)
    return (sampled + _GROUND).view(n, t, c, h, w)


def _rotate(x: Tensor, strength: Floats, sign: Floats) -> Tensor:
    angle = np.deg2rad(30.0) * strength * sign
    cosine, sine = np.cos(angle), np.sin(angle)
    linear = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)  # (n, 2, 2)
    return moved(x, linear, np.zeros((len(x), 2)))


def _shear(axis: int) -> Operation:
    def operation(x: Tensor, strength: Floats, sign: Floats) -> Tensor:
        linear = np.tile(np.eye(2), (len(x), 1, 1))
        linear[:, axis, 1 - axis] = 0.3 * strength * sign
        return moved(x, linear, np.zeros((len(x), 2)))

    return operation


def _translate(axis: int) -> Operation:
    def operation(x: Tensor, strength: Floats, sign: Floats) -> Tensor:
        shift = np.zeros((len(x), 2))
        shift[:, axis] = 150 / 331 * x.shape[4 - axis] * strength * sign
        return moved(x, np.tile(np.eye(2), (len(x), 1, 1)), shift)

    return operation


def _by_factor(change: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    def operation(x: Tensor, strength: Floats, sign: Floats) -> Tensor:
        return change(x, _on(x, 1 + 0.9 * strength * sign))

    return operation


def _on(x: Tensor, values: Floats) -> Tensor:
    return torch.from_numpy(values).to(x.device, x.dtype)


OPERATIONS: dict[str, Operation] = {
    "identity": lambda x, strength, sign: x,
    "shear_x": _shear(0),
    "shear_y": _shear(1),
    "translate_x": _translate(0),
    "translate_y": _translate(1),
    "rotate": _rotate,
    "brightness": _by_factor(colours.brightness),
    "color": _by_factor(colours.saturation),
    "contrast": _by_factor(colours.contrast),
    "sharpness": _by_factor(colours.sharpness),
    "posterize": lambda x, strength, sign: colours.posterize(x, _on(x, 8 - np.round(4 * strength))),
    "solarize": lambda x, strength, sign: colours.solarize(x, _on(x, 256 * (1 - strength))),
    "autocontrast": lambda x, strength, sign: colours.autocontrast(x),
    "equalize": lambda x, strength, sign: colours.equalize(x),
}
