"""The volumes of `heatmap.render` in torch, on any device: only the points, a few kB a clip, go there."""

from __future__ import annotations

import torch
from torch import Tensor

from skeleton_models.heatmap import Drawing


def render(
    points: Tensor, drawing: Drawing, size_hw: tuple[int, int], dtype: torch.dtype = torch.float32
) -> Tensor:
    """Joints or limbs as Gaussian volumes, with the numbers of `heatmap.render`.

    One person after another, so that memory does not grow with their number.

    Args:
        points: (N, M, T, V, 3) float32, x and y in pixels of the map, and score.
        drawing: of which joints or limbs.
        size_hw: of the maps.
        dtype: of the result.

    Returns:
        (N, C, T, H, W) on the points' device.
    """
    pairs = torch.from_numpy(drawing.pairs).to(points.device)
    n, persons, frames = points.shape[:3]
    volume = points.new_zeros((n, len(pairs), frames, *size_hw), dtype=dtype)
    for person in range(persons):
        both = points[:, person][:, :, pairs].transpose(1, 2)  # (N, C, T, 2, 3)
        start, end = both[..., 0, :], both[..., 1, :]
        volume = torch.maximum(volume, _one_person(start, end, drawing, size_hw).to(dtype))
    return volume


def _one_person(start: Tensor, end: Tensor, drawing: Drawing, size_hw: tuple[int, int]) -> Tensor:
    """(N, C, T, H, W) of segments from start to end, both (N, C, T, 3)."""
    value = torch.minimum(start[..., 2], end[..., 2])  # (N, C, T)
    drawn = value >= float(drawing.min_score)
    # A joint that is not there may be NaN, which no product with 0 removes.
    a = torch.where(drawn[..., None], start[..., :2], 0.0)  # (N, C, T, 2)
    b = torch.where(drawn[..., None], end[..., :2], 0.0)
    span = b - a
    length2 = span.square().sum(-1)
    short = length2 < 1
    b = torch.where(short[..., None], a, b)
    span = torch.where(short[..., None], 0.0, span)
    value = torch.where(short, start[..., 2], value)
    reach = 3 * float(drawing.sigma)
    low, high = torch.minimum(a, b) - reach, torch.maximum(a, b) + reach
    y = torch.arange(size_hw[0], device=start.device, dtype=a.dtype)[:, None]  # (H, 1)
    x = torch.arange(size_hw[1], device=start.device, dtype=a.dtype)  # (W,)
    off_x, off_y = x - a[..., 0, None, None], y - a[..., 1, None, None]  # (N, C, T, 1, W), (N, C, T, H, 1)
    span_x, span_y = span[..., 0, None, None], span[..., 1, None, None]
    share = length2.clamp(min=1)[..., None, None]
    along = ((off_x * span_x + off_y * span_y) / share).clamp(0, 1)  # (N, C, T, H, W)
    distance2 = (off_x - along * span_x).square() + (off_y - along * span_y).square()
    maps = torch.exp(-distance2 / (2 * float(drawing.sigma) ** 2)) * value[..., None, None]
    inside = (x >= low[..., 0, None, None].trunc()) & (x <= high[..., 0, None, None].trunc())
    inside = inside & (y >= low[..., 1, None, None].trunc()) & (y <= high[..., 1, None, None].trunc())
    return torch.where(inside & drawn[..., None, None], maps, 0.0)


def with_mirror_images(volume: Tensor, drawing: Drawing, test_clips: int) -> Tensor:
    """(N * 2 * test_clips, C, T, H, W): behind the views of each clip their mirror images."""
    views = volume.unflatten(0, (-1, test_clips))  # (N, views, C, T, H, W)
    mirror = torch.from_numpy(drawing.mirror).to(volume.device)
    return torch.cat([views, views[:, :, mirror].flip(-1)], 1).flatten(0, 1)
