"""Where joints lie on their maps: known answers of a clip that fills its picture."""

from __future__ import annotations

import numpy as np

from poses.layout import get_layout
from skeleton_models.augment import Augment
from skeleton_models.clip_arrays import ClipArrays
from skeleton_models.heatmap_input import HeatmapInput
from skeleton_models.random_keys import clip_keys

COCO = get_layout("coco17")


def corner_clip() -> ClipArrays:
    """Joints 1 and 2 (the eyes) at the ends of a box of 100 x 100; the others in its middle."""
    xy = np.full((1, 4, 17, 2), 100.0, np.float32)
    xy[:, :, 1], xy[:, :, 2] = 50, 150
    return ClipArrays(xy, np.full((1, 4, 17), 0.5, np.float32), (400, 300))


def test_known_places() -> None:
    """The box grows to 37..162 (int(100 -+ 62.5)), 125 pixels, which become 64."""
    points = HeatmapInput(COCO, 2).points([corner_clip()], None)[0, 0, 0].numpy()  # (V, 3)
    expected = (np.array([100, 50, 150]) - 37) * 64 / 125
    np.testing.assert_allclose(points[:3], np.stack([expected, expected, [0.5] * 3], -1), rtol=1e-6)


def test_a_mirrored_clip_lies_reversed_with_left_and_right_exchanged() -> None:
    keys = clip_keys(0, 0, ["a"])
    plain, flipped = (
        HeatmapInput(COCO, 2, random_crop=False, augment=Augment(flip_probability=p)).points(
            [corner_clip()], keys
        )
        for p in (0.0, 1.0)
    )
    np.testing.assert_allclose(flipped[..., 0], 56 - plain[..., list(COCO.mirror), 0], rtol=1e-6)
    np.testing.assert_array_equal(flipped[..., 1:], plain[..., list(COCO.mirror), 1:])


def test_the_short_way_draws_what_the_long_way_draws() -> None:
    """An augmentation that changes next to nothing takes the long way."""
    keys = clip_keys(0, 0, [str(n) for n in range(6)])
    clips = [corner_clip()] * 6
    short = HeatmapInput(COCO, 2, augment=Augment(flip_probability=0.5)).points(clips, keys)
    long = HeatmapInput(COCO, 2, augment=Augment(flip_probability=0.5, shift=1e-9)).points(clips, keys)
    np.testing.assert_allclose(short, long, atol=1e-4)
    assert len(np.unique(short[:, 0, 0, 1, 0])) > 2
