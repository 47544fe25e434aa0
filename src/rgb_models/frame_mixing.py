"""Mixing each clip of a batch with another: mixup and CutMix.

Who mixes with whom, and how much, are functions of the batch's draws alone. Partners go round: no clip is its
own partner, except alone in its batch, where nothing is mixed.

Axis letters: N clips, T frames, H height, W width.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betaincinv
from torch import Tensor

from rgb_models.frame_augment import Columns, Draws, FrameAugment, check_draws


def partners(order: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N,) whom each clip is mixed with: the next in the order of the draws (N,), the last with the first."""
    ranked = np.argsort(order, kind="stable")
    partner = np.empty(len(order), np.int64)
    partner[ranked] = np.roll(ranked, -1)
    return partner


def mix_batch(
    x: Tensor, draws: Draws, settings: FrameAugment
) -> tuple[Tensor, NDArray[np.int64], NDArray[np.float64]]:
    """Mix clips; the loss of clip n is `share * loss(label) + (1 - share) * loss(label of its partner)`.

    mixup (Zhang et al., 2018): `share * x + (1 - share) * x[partner]`, share of Beta(alpha, alpha). CutMix
    (Yun et al., 2019): a rectangle, the same in all frames, is the partner's; its sides are sqrt(1 - share)
    of the frame's, its centre anywhere, and what reaches beyond the frame is cut, so the share is then
    counted from its pixels.

    Args:
        x: (N, T, H, W, 3) of any dtype, after `augment_batch`; left as it is.
        draws: (N, DRAWS) of 0..1, the same rows.
        settings: alphas and the probability.

    Returns:
        x mixed, (N, T, H, W, 3) float32 where something may be mixed; partner (N,); share (N,) of 0..1, of
        the clip's own label. A clip that is not mixed has share 1.

    Raises:
        ValueError: draws of another shape.
    """
    check_draws(draws, len(x))
    own = draws[:, Columns.MIXING]  # (N, 6) whether, which, share, centre's x and y, order
    partner, share = partners(own[:, 5]), np.ones(len(x))
    if not settings.mixes or len(x) < 2:
        return x, partner, share
    chosen = own[:, 0] < settings.mix_probability
    both = settings.mixup_alpha > 0 and settings.cutmix_alpha > 0
    cut = own[:, 1] < 0.5 if both else np.full(len(x), settings.cutmix_alpha > 0)
    alpha = np.where(cut, settings.cutmix_alpha, settings.mixup_alpha)
    share[chosen] = betaincinv(alpha[chosen], alpha[chosen], own[chosen, 2])
    values = x.float()
    mixed = values.clone()
    for row in np.flatnonzero(chosen & cut):
        left, top, right, bottom = _box(share[row], own[row, 3], own[row, 4], x.shape[2], x.shape[3])
        mixed[row, :, top:bottom, left:right] = values[partner[row], :, top:bottom, left:right]
        share[row] = 1 - (right - left) * (bottom - top) / (x.shape[2] * x.shape[3])
    rows = np.flatnonzero(chosen & ~cut)
    if rows.size:
        at = torch.from_numpy(rows).to(x.device)
        other = torch.from_numpy(partner[rows]).to(x.device)
        weight = torch.from_numpy(share[rows]).to(x.device, torch.float32).view(-1, 1, 1, 1, 1)
        mixed[at] = torch.lerp(values[other], values[at], weight)
    return mixed, partner, share


def _box(share: float, of_x: float, of_y: float, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of CutMix's rectangle."""
    side = (1 - share) ** 0.5
    half_w, half_h = int(width * side) // 2, int(height * side) // 2
    x, y = int(of_x * width), int(of_y * height)
    return max(x - half_w, 0), max(y - half_h, 0), min(x + half_w, width), min(y + half_h, height)
