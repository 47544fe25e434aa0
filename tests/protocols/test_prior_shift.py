from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import multivariate_normal

from protocols.prior_shift import adjusted, class_prior, estimate_prior, fitted_temperature, tempered

SOURCE = np.array([0.5, 0.3, 0.2])
TARGET = np.array([0.1, 0.2, 0.7])
CENTRES = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])


def _bayes(x: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Exact probabilities of three Gaussian classes under a prior."""
    density = np.stack([multivariate_normal(mean=centre).pdf(x) for centre in CENTRES], axis=1)
    joint = density * prior
    return joint / joint.sum(axis=1, keepdims=True)


def _points(prior: np.ndarray, clips: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, size=clips, p=prior)
    return CENTRES[labels] + rng.normal(size=(clips, 2)), labels


def test_the_prior_of_a_known_mixture_is_recovered() -> None:
    x, labels = _points(TARGET, 20_000)
    found = estimate_prior(_bayes(x, SOURCE), SOURCE)
    np.testing.assert_allclose(found.prior, np.bincount(labels) / len(labels), atol=0.01)
    assert found.steps < 200


def test_adjusted_probabilities_are_those_of_the_target() -> None:
    x, labels = _points(TARGET, 2000)
    given_source = _bayes(x, SOURCE)
    np.testing.assert_allclose(adjusted(given_source, SOURCE, TARGET), _bayes(x, TARGET), atol=1e-12)
    found = estimate_prior(given_source, SOURCE)
    better = adjusted(given_source, SOURCE, found.prior)
    assert (better.argmax(1) == labels).mean() > (given_source.argmax(1) == labels).mean() + 0.05


def test_without_a_shift_there_is_nothing_to_correct() -> None:
    x, _ = _points(SOURCE, 20_000)
    np.testing.assert_allclose(estimate_prior(_bayes(x, SOURCE), SOURCE).prior, SOURCE, atol=0.02)


def test_two_clips_by_hand() -> None:
    """Even prior, two sure clips and one in doubt: 2 / 3 and 1 / 3 is the fixed point's first step."""
    probabilities = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_allclose(estimate_prior(probabilities, np.array([0.5, 0.5])).prior, [2 / 3, 1 / 3])
    smoothed = estimate_prior(probabilities, np.array([0.5, 0.5]), smoothing=3)
    np.testing.assert_allclose(smoothed.prior, [7 / 12, 5 / 12])  # (2 + 1.5) / 6


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 30), st.sampled_from([0.0, 1.0, 20.0]))
def test_the_likelihood_never_falls_and_a_prior_comes_out(seed, clips, smoothing) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(4, 0.5), size=clips)
    source = rng.dirichlet(np.ones(4))
    found = estimate_prior(probabilities, source, smoothing, most_steps=100)
    assert (np.diff(found.log_likelihood) > -1e-9).all()
    assert found.prior.sum() == pytest.approx(1)
    assert (found.prior >= 0).all()
    rows = adjusted(probabilities, source, found.prior)
    np.testing.assert_allclose(rows.sum(axis=1), 1)


def test_a_class_that_the_source_lacks_stays_at_nothing() -> None:
    probabilities = np.array([[0.6, 0.4, 0.0], [0.1, 0.9, 0.0]], np.float32)
    found = estimate_prior(probabilities, np.array([0.5, 0.5, 0.0]))
    assert found.prior[2] == 0
    kept = adjusted(np.array([[0.0, 0.0, 1.0]]), np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.5, 0.0]))
    np.testing.assert_allclose(kept, [[0, 0, 1]])  # all of it lies where the target has nothing


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
def test_the_temperature_of_labels_drawn_from_probabilities_is_found(true) -> None:
    rng = np.random.default_rng(3)
    logits = 2 * rng.normal(size=(20_000, 5))
    drawn = softmax(logits, axis=1).cumsum(axis=1) > rng.uniform(size=(20_000, 1))
    given_too_sure = softmax(logits * true, axis=1)
    assert fitted_temperature(given_too_sure, drawn.argmax(axis=1)) == pytest.approx(true, rel=0.1)
    back = tempered(given_too_sure, true)
    np.testing.assert_allclose(back, softmax(logits, axis=1), atol=1e-3)  # tiny ones are bounded


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: estimate_prior(np.zeros((0, 3)), SOURCE), r"\(N, 3\) of N > 0 clips, got \(0, 3\)"),
        (lambda: estimate_prior(np.ones((2, 2)) / 2, SOURCE), r"got \(2, 2\)"),
        (lambda: estimate_prior(np.ones((2, 3)) / 3, SOURCE * 2), "source's prior .* the sum 2"),
        (lambda: estimate_prior(np.ones((2, 3)) / 3, SOURCE, smoothing=-1), "smoothing of 0 clips or more"),
        (lambda: adjusted(np.ones((2, 3)) / 3, SOURCE, np.array([1.0])), r"\(2, 3\), \(3,\) and \(1,\)"),
        (lambda: class_prior(np.array([0, 0])), "with a sum above 0"),
        (lambda: class_prior(np.array([3, -1])), "numbers of clips"),
        (lambda: fitted_temperature(np.ones((2, 3)), np.array([1])), r"\(2, 3\) and \(1,\)"),
    ],
)
def test_what_is_no_prior_is_refused(call, told) -> None:
    with pytest.raises(ValueError, match=told):
        call()


def test_shares_of_counts() -> None:
    np.testing.assert_allclose(class_prior(np.array([3, 0, 1])), [0.75, 0, 0.25])
