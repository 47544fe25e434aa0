from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import false_discovery_control, fisher_exact
from sklearn.metrics import mutual_info_score

from emotion_models.association import associate, false_discovery_rates


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 150)
    present = rng.random((150, 6)) < 0.2
    present[:, 0] = rng.random(150) < np.array([0.8, 0.1, 0.1])[labels]
    present[:, 5] = False
    return present, labels


def test_cells_equal_their_definitions(table):
    present, labels = table
    found = associate(present, labels, 3, np.random.default_rng(0), 50)
    for action in range(5):
        for emotion in range(3):
            here = present[:, action] & (labels == emotion)
            assert found.counts[action, emotion] == here.sum()
            lift = here.mean() / (present[:, action].mean() * (labels == emotion).mean())
            assert found.lift[action, emotion] == pytest.approx(lift)
            square = [
                [here.sum(), (present[:, action] & (labels != emotion)).sum()],
                [
                    (~present[:, action] & (labels == emotion)).sum(),
                    (~present[:, action] & (labels != emotion)).sum(),
                ],
            ]
            assert found.p[action, emotion] == pytest.approx(fisher_exact(square).pvalue)
            a, b, c, d = (np.array(square) + 0.5).reshape(-1)
            assert found.odds[action, emotion] == pytest.approx(a * d / (b * c))
        bits = mutual_info_score(present[:, action], labels) / np.log(2)
        assert found.information[action] == pytest.approx(bits, abs=1e-12)
    assert np.isnan(found.lift[5]).all() and np.isnan(found.q[5]).all() and found.information[5] == 0


def test_chance_is_told_from_what_is_there(table):
    present, labels = table
    found = associate(present, labels, 3, np.random.default_rng(0), 200)
    assert found.q[0, 0] < 1e-6 and found.information_p[0] == pytest.approx(1 / 201)
    assert found.total_p < 0.05 and found.information_p[5] == 1
    mixed = np.random.default_rng(5).permutation(labels)
    nothing = associate(present, mixed, 3, np.random.default_rng(0), 200)
    assert np.nanmin(nothing.q) > 0.05 and nothing.total_p > 0.05


def test_rates_equal_those_of_scipy():
    p = np.random.default_rng(0).random((7, 5)) ** 2
    np.testing.assert_allclose(false_discovery_rates(p).reshape(-1), false_discovery_control(p.reshape(-1)))
    p[2] = np.nan
    rates = false_discovery_rates(p)
    assert np.isnan(rates[2]).all()
    np.testing.assert_allclose(rates[np.isfinite(p)], false_discovery_control(p[np.isfinite(p)]))


def test_nothing_to_measure_is_refused(table):
    with pytest.raises(ValueError, match="got 0 clips"):
        associate(table[0][:0], table[1][:0], 3, np.random.default_rng(0))


def test_the_sum_by_chance_is_that_of_shuffled_emotions() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 3, 300)
    found = associate(rng.random((300, 10)) < 0.3, labels, 3, rng, 200)
    assert 0.5 < found.total_information / found.total_by_chance < 1.7  # nothing goes with anything
    assert found.total_by_chance > 0.01  # and is not nothing: few clips make bits
