"""Object keypoint similarity, COCO's measure of agreement of two poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def oks(
    xy_px: NDArray[np.floating],
    truth_px: NDArray[np.floating],
    labelled: NDArray[np.bool_],
    area_px: NDArray[np.floating] | float,
    sigmas: tuple[float, ...] | NDArray[np.floating],
) -> NDArray[np.float64]:
    """Mean over the labelled joints of exp(-d² / (2 area (2 sigma)²)), d the distance to the truth.

    The definition is https://cocodataset.org/#keypoints-eval. All arguments broadcast over their leading
    axes, so (P, 1, V, 2) against (G, V, 2) gives all P x G pairs.

    Args:
        xy_px: (..., V, 2) estimated joints; one that was not found (NaN) counts as infinitely far.
        truth_px: (..., V, 2) true joints; values of joints that are not labelled do not matter.
        labelled: (..., V) which joints the truth has (COCO's v > 0).
        area_px: (...) area of the person in square pixels (COCO: of the segmentation mask).
        sigmas: (V,) falloff of each joint, `Layout.oks_sigmas`.

    Returns:
        (...) in 0..1; NaN where no joint is labelled.

    Raises:
        ValueError: the number of joints differs, or an area or a sigma is not positive.
    """
    falloff = np.asarray(sigmas, np.float64)
    area = np.asarray(area_px, np.float64)[..., None]
    joints = {xy_px.shape[-2], truth_px.shape[-2], labelled.shape[-1], falloff.shape[-1]}
    if len(joints) > 1:
        raise ValueError(
            f"OKS needs one number of joints, got {xy_px.shape[-2]} estimated, {truth_px.shape[-2]} true, "
            f"{labelled.shape[-1]} labelled and {falloff.shape[-1]} sigmas"
        )
    if not (np.all(area > 0) and np.all(falloff > 0)):
        raise ValueError(f"OKS needs positive areas and sigmas, got area {area_px}, sigmas {sigmas}")
    offset = np.asarray(xy_px, np.float64) - np.asarray(truth_px, np.float64)  # (..., V, 2)
    similarity = np.exp(-(offset**2).sum(axis=-1) / (2 * area * (2 * falloff) ** 2))  # (..., V)
    similarity = np.where(labelled & np.isfinite(similarity), similarity, 0.0)
    count = np.broadcast_to(labelled, similarity.shape).sum(axis=-1)
    total: NDArray[np.float64] = similarity.sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
