from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pose_extract.simcc import average_with_mirror, decode_simcc, label_sigma_bins, peaks


def gaussians(centres: NDArray, bins: int, sigma: float, height: float = 1.0) -> NDArray[np.float64]:
    return height * np.exp(-0.5 * ((np.arange(bins) - np.asarray(centres)[..., None]) / sigma) ** 2)


def rms(error: NDArray) -> float:
    return float(np.sqrt(np.mean(np.square(error))))


def by_parabola(vectors: NDArray) -> NDArray[np.float64]:
    rows, top = np.arange(len(vectors)), np.clip(vectors.argmax(axis=1), 1, vectors.shape[1] - 2)
    before, here, after = (vectors[rows, top + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2 * here + after, -1e-9)
    return top + np.clip(0.5 * (before - after) / bend, -1, 1)


def by_centre_of_mass(vectors: NDArray, radius: int) -> NDArray[np.float64]:
    top = vectors.argmax(axis=1)[:, None] + np.arange(-radius, radius + 1)
    near = np.take_along_axis(vectors, np.clip(top, 0, vectors.shape[1] - 1), axis=1)
    near = near - near.min(axis=1, keepdims=True)
    return (near * top).sum(axis=1) / near.sum(axis=1)


@pytest.mark.parametrize(("pixels", "sigma"), [(192, 4.9), (256, 5.66), (288, 6.0), (384, 6.93)])
def test_published_label_widths(pixels: int, sigma: float) -> None:
    assert label_sigma_bins(2 * pixels, 2.0) == pytest.approx(sigma, abs=0.005)


@pytest.mark.parametrize("x_bin", [30, 30.25, 30.5, 100.75, 199.1, 350.0])
@pytest.mark.parametrize("y_bin", [40.0, 255.3, 470.9])
def test_known_answers(x_bin: float, y_bin: float) -> None:
    xy, score = decode_simcc(
        gaussians(np.array([[x_bin]]), 384, 4.9), gaussians(np.array([[y_bin]]), 512, 5.66), 2.0
    )
    assert (xy.shape, xy.dtype, score.shape, score.dtype) == ((1, 1, 2), np.float32, (1, 1), np.float32)
    np.testing.assert_allclose(xy[0, 0], [x_bin / 2, y_bin / 2], atol=0.005)
    assert score[0, 0] == pytest.approx(1, abs=0.01)


def test_peaks_at_the_ends_stay_inside() -> None:
    found, highest = peaks(gaussians(np.array([0.0, 1.0, 382.0, 383.0]), 384, 4.9), 4.9)
    assert np.all((found >= 0) & (found <= 383))
    np.testing.assert_allclose(found, [0, 1, 382, 383], atol=1.6)  # half the peak is missing there
    np.testing.assert_allclose(highest, 1)


def test_an_offset_changes_nothing() -> None:
    vectors = gaussians(np.array([50.3, 120.7]), 384, 4.9)
    for offset in (-0.5, 0.3, 1000.0):
        np.testing.assert_allclose(peaks(vectors + offset, 4.9)[0], peaks(vectors, 4.9)[0], atol=1e-6)


def test_the_refined_peak_is_the_highest_bins_own() -> None:
    two = gaussians(np.array([100.0]), 384, 4.9) + gaussians(np.array([300.4]), 384, 4.9, height=1.1)
    assert peaks(two, 4.9)[0][0] == pytest.approx(300.4, abs=0.01)


@pytest.mark.parametrize("noise", [0.01, 0.03, 0.1])
@pytest.mark.parametrize(("bins", "sigma"), [(384, 4.9), (768, 6.93)])
def test_error_is_a_fraction_of_the_published_decodings(noise: float, bins: int, sigma: float) -> None:
    rng = np.random.default_rng(7)
    truth = rng.uniform(40, bins - 40, 2000)
    vectors = gaussians(truth, bins, sigma) + rng.normal(0, noise, (2000, bins))
    ours = rms(peaks(vectors, label_sigma_bins(bins, 2.0))[0] - truth)
    assert ours < 0.25 * rms(vectors.argmax(axis=1) - truth)
    assert ours < 0.30 * rms(by_parabola(vectors) - truth)
    assert ours < 0.85 * rms(by_centre_of_mass(vectors, round(2 * sigma)) - truth)
    assert ours < {0.01: 0.04, 0.03: 0.1, 0.1: 0.3}[noise]  # bins


def test_score_is_the_lower_peak() -> None:
    simcc_x = gaussians(np.array([[50.0, 50.0, 50.0]]), 384, 4.9) * [[[0.9], [0.2], [1.3]]]
    simcc_y = gaussians(np.array([[60.0, 60.0, 60.0]]), 512, 5.66) * [[[0.4], [0.7], [1.2]]]
    np.testing.assert_allclose(decode_simcc(simcc_x, simcc_y)[1], [[0.4, 0.2, 1.0]], atol=1e-6)


def test_rtmw_answers_ten_times_as_high() -> None:
    simcc_x = gaussians(np.array([[50.0]]), 384, 4.9, height=6.0)
    simcc_y = gaussians(np.array([[60.0]]), 512, 5.66, height=8.0)
    assert decode_simcc(simcc_x, simcc_y, peak=10.0)[1][0, 0] == pytest.approx(0.6)


@pytest.mark.parametrize("low", [0.0, -0.3, np.nan])
def test_nothing_above_zero_is_a_missing_joint(low: float) -> None:
    simcc_x = np.full((1, 2, 384), low, np.float32)
    simcc_y = gaussians(np.array([[60.0, 60.0]]), 512, 5.66).astype(np.float32)
    simcc_x[0, 1] = gaussians(np.array(50.0), 384, 4.9)
    xy, score = decode_simcc(simcc_x, simcc_y)
    assert score.tolist() == [[0.0, 1.0]]
    assert np.isnan(xy[0, 0]).all() and np.isfinite(xy[0, 1]).all()


def test_no_crops() -> None:
    xy, score = decode_simcc(np.empty((0, 17, 384), np.float32), np.empty((0, 17, 512), np.float32))
    assert (xy.shape, score.shape) == ((0, 17, 2), (0, 17))


def test_mismatched_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected SimCC \(N, V, Wx\) and \(N, V, Wy\), got"):
        decode_simcc(np.zeros((1, 17, 384)), np.zeros((1, 26, 512)))


def test_flip_test_meets_itself_exactly() -> None:
    width_px, ratio = 192, 2
    places = np.array([[20.0, 70.5, 180.25]])  # pixels; joints 1 and 2 are a pair
    mirror = (0, 2, 1)
    # mirrored, pixel x is at W - 1 - x, and what was left is now answered as right
    mirrored_places = (width_px - 1 - places)[:, list(mirror)]
    straight = gaussians(ratio * places, ratio * width_px, 4.9)
    mirrored = gaussians(ratio * mirrored_places, ratio * width_px, 4.9)
    y = gaussians(np.array([[40.0, 50.0, 60.0]]), 512, 5.66)
    mean_x, mean_y = average_with_mirror(straight, y, mirrored, y[:, list(mirror)], mirror, ratio)
    np.testing.assert_allclose(mean_x[..., :-1], straight[..., :-1], atol=1e-12)
    np.testing.assert_allclose(mean_y, y, atol=1e-12)
    xy, _ = decode_simcc(mean_x, mean_y, ratio)
    np.testing.assert_allclose(xy[0, :, 0], places[0], atol=0.005)


def test_flip_test_halves_a_one_sided_error() -> None:
    straight, mirrored = (gaussians(np.array([[b]]), 384, 4.9) for b in (101.0, 382.0 - 99.0))
    y = gaussians(np.array([[60.0]]), 512, 5.66)
    xy, _ = decode_simcc(*average_with_mirror(straight, y, mirrored, y, (0,)))
    assert xy[0, 0, 0] == pytest.approx(50.0, abs=0.005)


def test_flip_test_needs_whole_bins() -> None:
    vectors = np.zeros((1, 1, 288))
    with pytest.raises(ValueError, match=r"whole number of bins per pixel, got 1\.5"):
        average_with_mirror(vectors, vectors, vectors, vectors, (0,), 1.5)
