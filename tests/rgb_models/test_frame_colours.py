"""Changes of colour against Pillow, colorsys and the formulas."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from rgb_models import frame_colours as colours


def _frames(seed: int = 0, low: int = 0, high: int = 256) -> torch.Tensor:
    values = np.random.default_rng(seed).integers(low, high, (2, 3, 3, 12, 14))
    return torch.from_numpy(values).float()


def _pillow(x: torch.Tensor, change) -> np.ndarray:
    out = np.empty(x.shape, np.float64)
    for n in range(x.shape[0]):
        for t in range(x.shape[1]):
            picture = Image.fromarray(x[n, t].permute(1, 2, 0).numpy().astype(np.uint8))
            out[n, t] = np.asarray(change(n, picture)).transpose(2, 0, 1)
    return out


FACTORS = torch.tensor([0.35, 1.7])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (colours.brightness, ImageEnhance.Brightness),
        (colours.saturation, ImageEnhance.Color),
        (colours.contrast, ImageEnhance.Contrast),
    ],
)
def test_factors_do_what_pillow_does_within_rounding(ours, theirs) -> None:
    x = _frames(low=20, high=230)
    expected = _pillow(x, lambda n, picture: theirs(picture).enhance(float(FACTORS[n])))
    assert np.abs(ours(x, FACTORS).numpy() - expected).max() <= 1.6  # it cuts values to whole ones twice


def test_sharpness_smooths_as_pillow_and_keeps_the_edge() -> None:
    x = _frames(1)
    smooth = _pillow(x, lambda n, picture: picture.filter(ImageFilter.SMOOTH))
    none = colours.sharpness(x, torch.zeros(2)).numpy()
    assert np.abs(none - smooth)[..., 1:-1, 1:-1].max() <= 1
    assert (none[..., 0, :] == x[..., 0, :].numpy()).all()
    assert (none[..., :, -1] == x[..., :, -1].numpy()).all()
    twice = x + (x - torch.from_numpy(none))
    assert torch.allclose(colours.sharpness(x, torch.full((2,), 2.0)), twice.clamp(0, 255), atol=1e-3)
    tiny = x[..., :2, :2]
    assert (colours.sharpness(tiny, FACTORS) == tiny).all()


def test_factor_one_changes_nothing() -> None:
    x, one = _frames(), torch.ones(2)
    for change in (colours.brightness, colours.contrast, colours.saturation, colours.sharpness):
        assert torch.allclose(change(x, one), x, atol=1e-4)
    assert torch.allclose(colours.hue(x, torch.tensor([0.0, 1.0])), x, atol=1e-3)


def test_factor_zero_is_the_named_end() -> None:
    x, none = _frames(), torch.zeros(2)
    luma = 0.2989 * x[:, :, 0] + 0.587 * x[:, :, 1] + 0.114 * x[:, :, 2]
    assert (colours.brightness(x, none) == 0).all()
    assert torch.allclose(colours.saturation(x, none), luma.unsqueeze(2).expand_as(x), atol=1e-3)
    mean = luma.mean((2, 3))[:, :, None, None, None]  # of each frame by itself
    assert torch.allclose(colours.contrast(x, none), mean.expand_as(x), atol=1e-3)


def test_hue_is_colorsys() -> None:
    x = _frames(3)
    x[0, 0, :, 0, 0] = torch.tensor([40.0, 40.0, 40.0])  # grey has no hue
    turns = torch.tensor([0.2, -0.45])
    found = colours.hue(x, turns).numpy()
    for n, t, row, column in [(0, 0, 0, 0), (0, 1, 2, 3), (1, 2, 11, 13), (1, 0, 5, 0)]:
        h, s, v = colorsys.rgb_to_hsv(*(x[n, t, :, row, column] / 255).tolist())
        expected = np.array(colorsys.hsv_to_rgb((h + float(turns[n])) % 1.0, s, v)) * 255
        np.testing.assert_allclose(found[n, t, :, row, column], expected, atol=1e-3)
    assert torch.allclose(colours.hue(colours.hue(x, turns), -turns), x, atol=2e-2)


def test_autocontrast_and_equalize_are_pillow_s() -> None:
    x = _frames(4, 60, 180)
    x[1, 1, 2] = 77.0  # a channel of one value
    expected = _pillow(x, lambda n, picture: ImageOps.autocontrast(picture))
    assert np.abs(colours.autocontrast(x).numpy() - expected).max() <= 1
    big = torch.from_numpy(np.random.default_rng(5).integers(0, 90, (2, 1, 3, 64, 40)) ** 2 / 40).floor()
    big[0, 0, 1] = 200.0
    expected = _pillow(big, lambda n, picture: ImageOps.equalize(picture))
    assert (colours.equalize(big).numpy() == expected).all()


def test_posterize_and_solarize_are_pillow_s() -> None:
    x = _frames(6)
    bits = torch.tensor([3, 8])
    expected = _pillow(x, lambda n, picture: ImageOps.posterize(picture, int(bits[n])))
    assert (colours.posterize(x, bits).numpy() == expected).all()
    expected = _pillow(x, lambda n, picture: ImageOps.solarize(picture, (128, 40)[n]))
    assert (colours.solarize(x, torch.tensor([128.0, 40.0])).numpy() == expected).all()


def test_clips_do_not_touch_each_other() -> None:
    x, other = _frames(7), _frames(8)
    other[0] = x[0]
    for change in (colours.brightness, colours.contrast, colours.saturation, colours.sharpness, colours.hue):
        assert torch.allclose(change(x, FACTORS - 0.9)[0], change(other, FACTORS - 0.9)[0], atol=1e-4)
    for change in (colours.autocontrast, colours.equalize):
        assert torch.equal(change(x)[0], change(other)[0])
