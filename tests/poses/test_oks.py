"""OKS against values worked out by hand, and what must hold for any pose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poses.layout import LAYOUTS
from poses.oks import oks

SIGMAS = LAYOUTS["coco17"].oks_sigmas
assert SIGMAS is not None
TRUTH = np.random.default_rng(0).uniform(0, 200, (17, 2))
ALL = np.ones(17, bool)


def test_the_truth_itself_scores_one() -> None:
    assert oks(TRUTH, TRUTH, ALL, 5000.0, SIGMAS) == 1


@pytest.mark.parametrize(
    ("distance_px", "area_px", "sigma", "expected"),
    [
        (0, 100, 0.05, 1.0),
        (1, 100, 0.05, np.exp(-0.5)),  # 2 sigma sqrt(area) = 1 px: one standard deviation away
        (2, 100, 0.05, np.exp(-2.0)),
        (1, 400, 0.05, np.exp(-0.125)),
        (10, 10000, 0.05, np.exp(-0.5)),  # ten times larger in all directions: the same
        (10, 10000, 0.1, np.exp(-0.125)),
        (1e6, 100, 0.05, 0.0),
        (np.nan, 100, 0.05, 0.0),  # not found
        (np.inf, 100, 0.05, 0.0),
    ],
)
def test_one_joint(distance_px: float, area_px: float, sigma: float, expected: float) -> None:
    found = oks(np.array([[distance_px, 0.0]]), np.zeros((1, 2)), np.ones(1, bool), area_px, (sigma,))
    assert found == pytest.approx(expected, abs=1e-12)


def test_only_labelled_joints_count() -> None:
    labelled = np.zeros(17, bool)
    labelled[[0, 5]] = True
    truth = TRUTH.copy()
    truth[~labelled] = np.nan
    estimate = TRUTH.copy()
    estimate[5] = np.nan
    estimate[16] += 500
    assert oks(estimate, truth, labelled, 5000.0, SIGMAS) == 0.5


def test_nothing_labelled_is_not_a_number() -> None:
    assert np.isnan(oks(TRUTH, TRUTH, ~ALL, 5000.0, SIGMAS))


def test_pairs_by_broadcasting() -> None:
    people = np.stack([TRUTH, TRUTH + 300, TRUTH + 3])  # P = 3
    truths = np.stack([TRUTH, TRUTH + 300])  # G = 2
    table = oks(people[:, None], truths, np.ones((2, 17), bool), np.array([4000.0, 5000.0]), SIGMAS)
    assert table.shape == (3, 2)
    assert table[0, 0] == table[1, 1] == 1
    assert table[0, 1] < 1e-6 < table[2, 0] < 1


@given(st.floats(0.1, 100), st.floats(-50, 50), st.integers(0, 2**31))
def test_scaling_and_shifting_everything_changes_nothing(scale: float, shift: float, seed: int) -> None:
    estimate = TRUTH + np.random.default_rng(seed).normal(0, 5, TRUTH.shape)
    before = oks(estimate, TRUTH, ALL, 5000.0, SIGMAS)
    after = oks(estimate * scale + shift, TRUTH * scale + shift, ALL, 5000.0 * scale**2, SIGMAS)
    assert 0 <= before <= 1
    assert after == pytest.approx(before, rel=1e-6)


@given(st.floats(0, 20), st.floats(0.01, 20))
def test_farther_away_is_never_better(near: float, more: float) -> None:
    step = np.array([1.0, 0.0])
    close = oks(TRUTH + near * step, TRUTH, ALL, 3000.0, SIGMAS)
    far = oks(TRUTH + (near + more) * step, TRUTH, ALL, 3000.0, SIGMAS)
    assert far < close


@pytest.mark.parametrize(
    ("joints", "area", "sigmas", "message"),
    [
        (16, 5000.0, SIGMAS, "one number of joints"),
        (17, 0.0, SIGMAS, "positive"),
        (17, 5.0, SIGMAS[:1], "sigmas"),
    ],
)
def test_wrong_arguments_are_refused(
    joints: int, area: float, sigmas: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        oks(TRUTH[:joints], TRUTH, ALL, area, sigmas)
