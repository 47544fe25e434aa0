"""Vector arithmetic of the heatmap kernels."""

from __future__ import annotations

import numpy as np

from skeleton_models.heatmap_lanes import evaluated


def test_exponentials_of_negative_numbers() -> None:
    numbers = np.concatenate([np.linspace(-27, 0, 2003), [-1e30, -100.0]]).astype(np.float32)
    seen = evaluated(numbers)
    np.testing.assert_allclose(seen[:-2], np.exp(numbers[:-2].astype(np.float64)), rtol=3e-6, atol=1e-7)
    assert seen[2002] == 1
    assert (seen[-2:] < 2e-12).all()
