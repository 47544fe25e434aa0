"""t-SNE: points of many dimensions on a plane, so that neighbours stay neighbours.

L. van der Maaten and G. Hinton, "Visualizing data using t-SNE", JMLR 9 (2008), the exact form: every pair of
points counts, which a thousand points afford. It begins at the first two principal components, so that
nothing is drawn; the learning rate is that of Belkina et al. (Nature Communications 10, 2019).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 1_000
_EXAGGERATION, _EXAGGERATED_STEPS = 12.0, 200
_STEPS = 500
_SEARCH_STEPS = 60
_START = 1e-4  # standard deviation of the first axis before the first step


def tsne(x: NDArray[np.floating], perplexity: float = 30.0, steps: int = _STEPS) -> NDArray[np.float64]:
    """Places of points on a plane.

    Args:
        x: (N, D), finite; N at most 1,000.
        perplexity: about how many neighbours of a point count; at most a third of the other points are taken.
        steps: of the descent.

    Returns:
        (N, 2), centred; scale and direction mean nothing.

    Raises:
        ValueError: too many points, or numbers that are not finite.
    """
    n = len(x)
    if n > MOST_POINTS:
        raise ValueError(f"t-SNE of every pair: expected at most {MOST_POINTS} points, got {n}; take some")
    y = _START * principal_plane(x)
    if n < 4:
        return y / _START
    p = affinities(x, min(perplexity, (n - 1) / 3))
    change, gain = np.zeros_like(y), np.ones_like(y)
    rate = max(n / _EXAGGERATION, 10.0)
    for step in range(steps):
        early = step < min(_EXAGGERATED_STEPS, steps // 2)
        slope = gradient(y, p * _EXAGGERATION if early else p)
        gain = np.maximum(np.where((slope > 0) == (change > 0), gain * 0.8, gain + 0.2), 0.01)
        change = (0.5 if early else 0.8) * change - rate * gain * slope
        y += change
        y -= y.mean(axis=0)
    return y


def principal_plane(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N, 2) projections on the first two principal components, of standard deviation 1 along the first.

    Signs are chosen so that the largest projection of each component is positive.

    Raises:
        ValueError: numbers that are not finite, or no table of numbers.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"expected finite numbers (points, dimensions), got shape {x.shape}")
    if not x.size:
        return np.zeros((len(x), 2))
    left, size, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    plane = np.zeros((len(x), 2))
    kept = min(2, len(size))
    plane[:, :kept] = left[:, :kept] * size[:kept]
    largest = plane[np.abs(plane).argmax(axis=0), [0, 1]]
    plane *= np.where(largest < 0, -1, 1)
    deviation = plane[:, 0].std()
    return plane / deviation if deviation > 0 else plane


def affinities(x: NDArray[np.floating], perplexity: float) -> NDArray[np.float64]:
    """(N, N) symmetric probabilities of being neighbours, summing to 1: equations 1 and 12 of the paper.

    Each point's Gaussian is as wide as makes its row's perplexity, 2 to the entropy in bits, the one wanted.
    """
    rows = neighbour_rows(x, perplexity)
    joint = rows + rows.T
    return np.maximum(joint / joint.sum(), 1e-12)


def neighbour_rows(x: NDArray[np.floating], perplexity: float) -> NDArray[np.float64]:
    """(N, N) conditional probabilities, rows summing to 1, with the wanted perplexity row by row."""
    x = np.asarray(x, np.float64)
    norms = (x**2).sum(axis=1)
    distance = np.maximum(norms[:, None] + norms - 2 * x @ x.T, 0)
    np.fill_diagonal(distance, np.inf)
    distance -= distance.min(axis=1, keepdims=True)
    finite = distance[np.isfinite(distance)]
    distance /= max(float(finite.mean()), 1e-300)
    low, high, sharp = np.zeros(len(x)), np.full(len(x), np.inf), np.ones(len(x))
    with np.errstate(invalid="ignore"):
        for _ in range(_SEARCH_STEPS):
            weight = np.exp(-np.nan_to_num(distance * sharp[:, None], nan=np.inf, posinf=np.inf))
            rows = weight / weight.sum(axis=1, keepdims=True)
            entropy = -(rows * np.log(np.maximum(rows, 1e-300))).sum(axis=1)
            flat = entropy > np.log(perplexity)
            low, high = np.where(flat, sharp, low), np.where(flat, high, sharp)
            sharp = np.where(np.isinf(high), sharp * 2, (low + high) / 2)
    return rows


def gradient(y: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) slope of the divergence between `p` and the neighbourhoods on the plane: equation 5."""
    close = _closeness(y)
    push = (p - close / close.sum()) * close
    return 4 * (push.sum(axis=1)[:, None] * y - push @ y)


def divergence(y: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    """Kullback-Leibler divergence of the plane's neighbourhoods from `p`, in nats: what is lowered."""
    close = _closeness(y)
    q = np.maximum(close / close.sum(), 1e-12)
    return float((p * np.log(p / q)).sum())


def _closeness(y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, N) Student's t with one degree of freedom, 0 on the diagonal."""
    norms = (y**2).sum(axis=1)
    close = 1 / (1 + np.maximum(norms[:, None] + norms - 2 * y @ y.T, 0))
    np.fill_diagonal(close, 0)
    return close
