"""t-SNE against its definition, finite differences and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import TSNE, trustworthiness

from fidget.reports.tsne import affinities, divergence, gradient, neighbour_rows, principal_plane, tsne


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(4), 30)
    return rng.normal(0, 6, (4, 16))[label] + rng.normal(size=(120, 16)), label


@pytest.mark.parametrize("perplexity", [3.0, 10.0, 35.0])
def test_rows_have_the_wanted_perplexity(blobs: tuple[np.ndarray, np.ndarray], perplexity: float) -> None:
    rows = neighbour_rows(blobs[0], perplexity)
    assert np.diag(rows).max() == 0
    np.testing.assert_allclose(rows.sum(axis=1), 1)
    entropy = -(rows * np.log(np.maximum(rows, 1e-300))).sum(axis=1)
    np.testing.assert_allclose(np.exp(entropy), perplexity, rtol=1e-5)


def test_affinities_are_symmetric_and_sum_to_one(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    p = affinities(blobs[0], 20)
    np.testing.assert_array_equal(p, p.T)
    assert p.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(
        affinities(1000 * blobs[0] + 5, 20), p, atol=1e-9
    )  # unit and origin do not count


def test_gradient_is_the_slope_of_the_divergence(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    p = affinities(blobs[0][:20], 5)
    y = np.random.default_rng(1).normal(size=(20, 2))
    slope = gradient(y, p)
    for row, axis in ((0, 0), (7, 1), (19, 0)):
        nudge = np.zeros_like(y)
        nudge[row, axis] = 1e-6
        numeric = (divergence(y + nudge, p) - divergence(y - nudge, p)) / 2e-6
        assert slope[row, axis] == pytest.approx(numeric, rel=1e-4, abs=1e-9)


def test_as_good_as_scikit_learn(blobs: tuple[np.ndarray, np.ndarray]) -> None:
    x, label = blobs
    y = tsne(x, perplexity=20)
    reference = TSNE(perplexity=20, method="exact", init="pca", random_state=0).fit(x)
    p = affinities(x, 20)
    assert divergence(y, p) < reference.kl_divergence_ + 0.05
    assert (
        trustworthiness(x, y, n_neighbors=10)
        > trustworthiness(x, reference.embedding_, n_neighbors=10) - 0.02
    )
    distance = np.linalg.norm(y[:, None] - y, axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (label[distance.argmin(axis=1)] == label).all()
    np.testing.assert_array_equal(y, tsne(x, perplexity=20))  # nothing is drawn


def test_principal_plane_keeps_what_lies_on_a_plane() -> None:
    rng = np.random.default_rng(3)
    plane = rng.normal(size=(40, 2)) * (5, 1)
    turned = plane @ np.linalg.qr(rng.normal(size=(8, 8)))[0][:2] + 3
    got = principal_plane(turned)
    assert got[:, 0].std() == pytest.approx(1)
    scale = np.linalg.norm(plane[0] - plane[1]) / np.linalg.norm(got[0] - got[1])
    before, after = (np.linalg.norm(one[:, None] - one, axis=-1) for one in (plane, scale * got))
    np.testing.assert_allclose(after, before, atol=1e-8)


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (2, 4), (3, 1), (5, 3), (12, 1)])
def test_few_points_and_equal_points(shape: tuple[int, int]) -> None:
    assert tsne(np.random.default_rng(0).normal(size=shape), steps=60).shape == (shape[0], 2)
    assert np.isfinite(tsne(np.ones(shape), steps=60)).all()


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 1000 points, got 1001"):
        tsne(np.zeros((1001, 2)))
    with pytest.raises(ValueError, match="finite"):
        tsne(np.full((5, 2), np.nan))
    with pytest.raises(ValueError, match="finite"):
        tsne(np.zeros(5))
