"""RandAugment: the operations by formula, and which clip gets which."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from rgb_models import frame_colours as colours
from rgb_models.rand_augment import DRAWS_A_LAYER, OPERATIONS, moved, rand_augment

NAMES = list(OPERATIONS)


def _frames(clips: int = 2, side: tuple[int, int] = (24, 30)) -> torch.Tensor:
    values = np.random.default_rng(0).integers(0, 256, (clips, 2, 3, *side))
    return torch.from_numpy(values).float()


def _draw(name: str, sign: float = 0.9, done: float = 0.0, spread: tuple[float, float] = (0.0, 0.0)) -> list:
    return [(NAMES.index(name) + 0.5) / len(NAMES), done, sign, *spread]


def _apply(x: torch.Tensor, *layers: list, **settings: float) -> torch.Tensor:
    row = np.concatenate(layers)[None]
    return rand_augment(x.clone(), np.repeat(row, len(x), 0), settings.pop("magnitude", 10.0), **settings)


def _resampled(x: torch.Tensor, linear: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    """scipy's, about the picture's centre, on a wide ground of 128; linear and shift in x, y."""
    h, w = x.shape[-2:]
    middle = np.array([(h - 1) / 2, (w - 1) / 2])
    matrix = linear[::-1, ::-1]  # rows and columns
    offset = middle - matrix @ middle + np.array(shift[::-1])
    out = np.empty(x.shape)
    for index in np.ndindex(x.shape[:-2]):
        picture = np.pad(x[index].numpy() - 128.0, 40)
        padded = offset + 40 - matrix @ np.array([40.0, 40.0])
        out[index] = ndimage.affine_transform(picture, matrix, padded, order=1)[40:-40, 40:-40] + 128
    return out


def test_there_are_the_paper_s_fourteen() -> None:
    assert len(NAMES) == 14
    assert "identity" in NAMES


def test_moved_is_scipy_s_resampling() -> None:
    x = _frames(1)
    linear = np.array([[0.9, -0.3], [0.2, 1.1]])
    expected = _resampled(x, linear, (3.3, -1.7))
    found = moved(x, linear[None], np.array([[3.3, -1.7]])).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-2)
    assert torch.allclose(moved(x, np.eye(2)[None], np.zeros((1, 2))), x, atol=1e-2)


@pytest.mark.parametrize(("sign", "factor"), [(0.9, 1), (0.1, -1)])
def test_geometry_at_full_and_half_strength(sign: float, factor: int) -> None:
    x = _frames(1)
    h, w = x.shape[-2:]
    for magnitude, share in ((10.0, factor), (5.0, 0.5 * factor)):
        angle = np.deg2rad(30) * share
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        cases = {
            "rotate": (turn, (0, 0)),
            "shear_x": (np.array([[1, 0.3 * share], [0, 1]]), (0, 0)),
            "shear_y": (np.array([[1, 0], [0.3 * share, 1]]), (0, 0)),
            "translate_x": (np.eye(2), (150 / 331 * w * share, 0)),
            "translate_y": (np.eye(2), (0, 150 / 331 * h * share)),
        }
        for name, (linear, shift) in cases.items():
            found = _apply(x, _draw(name, sign), magnitude=magnitude)
            np.testing.assert_allclose(
                found.numpy(), _resampled(x, linear, shift), atol=3e-2, err_msg=f"{name} {share}"
            )


def test_colours_at_full_strength() -> None:
    x = _frames(1)

    def factor(value: float) -> torch.Tensor:
        return torch.tensor([value])

    expected = {
        "brightness": colours.brightness(x, factor(1.9)),
        "color": colours.saturation(x, factor(1.9)),
        "contrast": colours.contrast(x, factor(1.9)),
        "sharpness": colours.sharpness(x, factor(1.9)),
        "posterize": colours.posterize(x, factor(4)),
        "solarize": 255 - x,
        "autocontrast": colours.autocontrast(x),
        "equalize": colours.equalize(x),
        "identity": x,
    }
    for name, values in expected.items():
        assert torch.allclose(_apply(x, _draw(name)), values, atol=1e-3), name
    assert torch.allclose(_apply(x, _draw("brightness", 0.1)), 0.1 * x, atol=1e-3)
    half = _apply(x, _draw("solarize"), magnitude=5.0)
    assert torch.equal(half, torch.where(x >= 128, 255 - x, x))


def test_no_strength_changes_nothing_where_strength_counts() -> None:
    x = (_frames(1) / 2).floor()
    for name in NAMES:
        same = torch.allclose(_apply(x, _draw(name), magnitude=0.0), x, atol=2e-2)
        assert same == (name not in ("autocontrast", "equalize")), name


def test_layers_follow_each_other() -> None:
    x = _frames(1)
    both = _apply(x, _draw("solarize"), _draw("brightness", 0.1))
    assert torch.allclose(both, 0.1 * (255 - x), atol=1e-3)


def test_what_is_not_done_leaves_the_clip() -> None:
    x = _frames(1)
    assert torch.equal(_apply(x, _draw("solarize", done=0.6), probability=0.5), x)
    assert torch.equal(_apply(x, _draw("solarize", done=0.4), probability=0.5), 255 - x)


def test_strength_spreads_as_a_normal_and_is_cut() -> None:
    x = torch.full((1, 1, 3, 4, 4), 100.0)
    up = (1 - np.exp(-0.5), 0.0)  # the normal number 1
    found = _apply(x, _draw("brightness", 0.1, spread=up), magnitude=5.0, deviation=2.0)
    assert torch.allclose(found, torch.full_like(x, 100 * (1 - 0.9 * 0.7)), atol=1e-3)
    cut = _apply(x, _draw("brightness", 0.1, spread=up), magnitude=9.0, deviation=5.0)
    assert torch.allclose(cut, torch.full_like(x, 10.0), atol=1e-3)


def test_a_clip_is_the_same_in_any_batch() -> None:
    x = _frames(20, (9, 8))
    draws = np.random.default_rng(2).random((20, 3 * DRAWS_A_LAYER))
    whole = rand_augment(x.clone(), draws, 6.0, 0.5, 0.8)
    turned = rand_augment(x.flip(0), draws[::-1], 6.0, 0.5, 0.8).flip(0)
    alone = torch.cat(
        [rand_augment(x[n : n + 1].clone(), draws[n : n + 1], 6.0, 0.5, 0.8) for n in range(20)]
    )
    assert torch.allclose(whole, turned, atol=1e-3)
    assert torch.allclose(whole, alone, atol=1e-3)
    assert not torch.allclose(whole, x)
    assert whole.min() >= 0
    assert whole.max() <= 255
