"""SimCC: a joint's x and y as two vectors of bins (arXiv 2107.03332), decoded below the bin.

Bin b of a vector stands for input pixel b / split_ratio, pixel centres at integers: the published codec
labels a joint at x with round(x * split_ratio). Its labels are Gaussians of height 1 and sqrt(pixels / 8)
bins: 4.9, 5.66, 6 and 6.93 for inputs of 192, 256, 288 and 384 pixels.

The published decoding takes the highest bin. The top is flat, so noise moves it: with noise of 0.03 and sigma
4.9 the error is 0.71 bins (root mean square). A parabola through three bins barely helps (0.57), a local
centre of mass does (0.10); correlating with the label's own Gaussian, the least-squares estimate of where
such a peak lies, is best (0.07) and blind to a constant offset, which the training's softmax leaves open. So
the highest bin is where we begin, and the highest point of that correlation nearby is the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


def label_sigma_bins(bins: int, split_ratio: float) -> float:
    """Width of the published labels for a vector of so many bins: sqrt(input pixels / 8)."""
    return math.sqrt(bins / split_ratio / 8)


def decode_simcc(
    simcc_x: Floats, simcc_y: Floats, split_ratio: float = 2.0, peak: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Joints from their vectors.

    The score is the lower one of the two highest values, as mmpose's `get_simcc_maximum` has it (rtmlib takes
    their mean): a joint is as sure as its less sure axis.

    Args:
        simcc_x: (N, V, Wx).
        simcc_y: (N, V, Wy).
        split_ratio: bins per input pixel.
        peak: height that the network was trained to answer for a certain joint: 1 for RTMPose and DWPose
            (softmax of 10 x output against 10 x label), 10 for RTMW (1 x output against 10 x label).

    Returns:
        Positions (N, V, 2) in input pixels, NaN where the score is 0; scores (N, V) in 0..1, 0 where
        no bin is above 0.
    """
    if simcc_x.ndim != 3 or simcc_y.ndim != 3 or simcc_x.shape[:2] != simcc_y.shape[:2]:
        raise ValueError(f"expected SimCC (N, V, Wx) and (N, V, Wy), got {simcc_x.shape} and {simcc_y.shape}")
    n, v = simcc_x.shape[:2]
    x, highest_x = peaks(
        simcc_x.reshape(n * v, simcc_x.shape[2]), label_sigma_bins(simcc_x.shape[2], split_ratio)
    )
    y, highest_y = peaks(
        simcc_y.reshape(n * v, simcc_y.shape[2]), label_sigma_bins(simcc_y.shape[2], split_ratio)
    )
    score = np.clip(np.minimum(highest_x, highest_y) / peak, 0, 1)  # NaN stays NaN
    found = score > 0
    xy = np.where(found[:, None], np.stack([x, y], axis=1) / split_ratio, np.nan)
    return (
        xy.astype(np.float32).reshape(n, v, 2),
        np.where(found, score, 0).astype(np.float32).reshape(n, v),
    )


def peaks(vectors: Floats, sigma_bins: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each vector's peak lies, and its highest value.

    The highest bin, then the top of the correlation with a Gaussian within one sigma of it, by a parabola
    through the correlation's three highest values; inside the vector. Cost is a small matrix product.

    Args:
        vectors: (R, W).
        sigma_bins: width of the peak; 1.4 times too wide or narrow costs a tenth of the precision.

    Returns:
        Positions (R,) in bins, fractional, and the highest values (R,).
    """
    rows, bins = vectors.shape
    top = np.argmax(vectors, axis=1)
    highest = vectors[np.arange(rows), top].astype(np.float64)
    reach = max(1, round(sigma_bins))
    radius = math.ceil(3 * sigma_bins)
    around = np.arange(-(reach + 1 + radius), reach + 2 + radius)
    # (R, 2 (reach + 1 + radius) + 1); beyond its ends a vector goes on as it ended
    window = np.take_along_axis(vectors, np.clip(top[:, None] + around, 0, bins - 1), axis=1)
    window = window.astype(np.float64) - highest[:, None]  # no cancellation below; an offset cancels anyway
    correlation = window @ _correlator(sigma_bins, radius, 2 * reach + 3)  # (R, 2 reach + 3)
    best = np.argmax(correlation[:, 1:-1], axis=1) + 1
    index = np.arange(rows)
    before, here, after = (correlation[index, best + step] for step in (-1, 0, 1))
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, 1), 0)
    position = top + best - (reach + 1) + np.clip(shift, -0.5, 0.5)
    return np.clip(position, 0, bins - 1), highest


def _correlator(sigma_bins: float, radius: int, places: int) -> NDArray[np.float64]:
    """(places + 2 radius, places): column p holds a Gaussian of sum 1 around row p + radius."""
    gaussian = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma_bins) ** 2)
    band = np.zeros((places + 2 * radius, places))
    for place in range(places):
        band[place : place + len(gaussian), place] = gaussian / gaussian.sum()
    return band


def average_with_mirror(
    simcc_x: Floats,
    simcc_y: Floats,
    mirrored_x: Floats,
    mirrored_y: Floats,
    mirror: Sequence[int],
    split_ratio: float = 2.0,
) -> tuple[Floats, Floats]:
    """Flip test: the mean of a crop's vectors and those of its mirror image, brought back.

    Mirroring a picture of W pixels takes pixel x to W - 1 - x, hence bin b to split_ratio (W - 1) - b.
    Reversing the vector, as mmpose does, takes b to split_ratio W - 1 - b: at a split ratio of 2 half a pixel
    off, and the mean a quarter. The split_ratio - 1 bins at the end without counterpart keep their own value.

    Args:
        simcc_x: (N, V, Wx) of the crops.
        simcc_y: (N, V, Wy) of the crops.
        mirrored_x: (N, V, Wx) of their mirror images.
        mirrored_y: (N, V, Wy) of their mirror images.
        mirror: for each joint the index of its left/right counterpart.
        split_ratio: bins per input pixel, a whole number.
    """
    if split_ratio != round(split_ratio) or split_ratio < 1:
        raise ValueError(f"a flip test needs a whole number of bins per pixel, got {split_ratio}")
    pairs = list(mirror)
    counterparts = simcc_x.shape[2] - (round(split_ratio) - 1)
    back_x = simcc_x.copy()
    back_x[..., :counterparts] = mirrored_x[:, pairs, :counterparts][..., ::-1]
    return (simcc_x + back_x) / 2, (simcc_y + mirrored_y[:, pairs]) / 2
