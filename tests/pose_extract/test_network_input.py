from __future__ import annotations

import numpy as np
import pytest

from pose_extract.network_input import Letterbox, PlaneWriter

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.mark.parametrize("colour", ["rgb", "bgr"])
def test_planes_are_normalised_in_the_named_order(colour: str) -> None:
    picture = np.random.default_rng(3).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    planes = np.empty((3, 40, 30), np.float32)
    PlaneWriter(colour, MEAN, STD).write(picture, planes)
    ordered = picture if colour == "bgr" else picture[..., ::-1]
    expected = ((ordered.astype(np.float64) - MEAN) / STD).transpose(2, 0, 1)
    np.testing.assert_allclose(planes, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("colour", "mean", "std"),
    [("grey", MEAN, STD), ("rgb", MEAN[:2], STD), ("rgb", MEAN, (1.0, 0.0, 1.0)), ("rgb", MEAN, (1.0,))],
)
def test_bad_preprocessing_is_refused(colour, mean, std) -> None:
    with pytest.raises(ValueError, match="expected colour rgb or bgr and three values each"):
        PlaneWriter(colour, mean, std)


@pytest.mark.parametrize(
    ("frame_hw", "drawn_hw"),
    [
        ((320, 320), (320, 320)),
        ((640, 320), (320, 160)),
        ((1296, 1080), (320, 267)),
        ((1080, 1920), (180, 320)),
        ((2, 3000), (1, 320)),  # never nothing
        ((50, 50), (320, 320)),
    ],
)
def test_aspect_is_kept_top_left(frame_hw, drawn_hw) -> None:
    box = Letterbox((320, 320), "bgr", (0, 0, 0), (1, 1, 1))
    filled, scale_xy = box.fill(np.full((*frame_hw, 3), 7, np.uint8))
    drawn = filled[0] == 7
    assert drawn[:, : drawn_hw[0], : drawn_hw[1]].all()
    assert drawn.sum() == 3 * drawn_hw[0] * drawn_hw[1]
    assert np.all(filled[0][~drawn] == 114)
    np.testing.assert_allclose(scale_xy, [drawn_hw[1] / frame_hw[1], drawn_hw[0] / frame_hw[0]])
