"""Volumes drawn by torch equal those of the kernel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from poses.layout import get_layout
from skeleton_models import heatmap, heatmap_torch
from skeleton_models.heatmap import joint_drawing, limb_drawing

COCO = get_layout("coco17")


@pytest.mark.parametrize("kind", [joint_drawing, limb_drawing])
@pytest.mark.parametrize(("sigma", "size_hw"), [(0.6, (24, 32)), (1.5, (9, 6))])
def test_torch_volumes_equal_the_kernels(kind, sigma: float, size_hw: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(4)
    points = rng.uniform(-0.3, 1.3, (4, 2, 3, 17, 3)) * [size_hw[1], size_hw[0], 1]
    points[..., 2] = points[..., 2].clip(0, 1)
    points[rng.random(points.shape[:-1]) < 0.2] = [np.nan, np.nan, 0]
    points = points.astype(np.float32)
    drawing = kind(COCO, sigma)
    expected = np.empty((8, 17, 3, *size_hw), np.float32)
    target = np.array([0, 1, 4, 5])
    heatmap.render(points, drawing, expected, target=target, mirrored=target + 2)
    ours = heatmap_torch.render(torch.from_numpy(points), drawing, size_hw)
    ours = heatmap_torch.with_mirror_images(ours, drawing, 2)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=0, atol=1e-5)
    assert expected.max() > 0.5
