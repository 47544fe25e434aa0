from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_samples import TREE, make_scores
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from protocols.calibration import calibrate, calibration_intervals
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile

TWO = LabelTree("two", ("a", "b"))


def of_confidences(confidence, right):
    """Two classes; class 1 is predicted, with this confidence."""
    sure = np.asarray(confidence, np.float64)
    scores = np.stack([1 - sure, sure], axis=1).astype(np.float32)
    ids = tuple(f"c{number}" for number in range(len(sure)))
    return ScoreFile(TWO, ids, np.asarray(right, np.int64), scores)


def test_known_answers():
    # Bins of width 1/4: three clips at 0.625 (two right), one at 0.875 (right).
    found = calibrate(of_confidences([0.625, 0.625, 0.625, 0.875], [1, 1, 0, 1]), bins=4)
    assert found.accuracy == 0.75 and found.confidence == pytest.approx((3 * 0.625 + 0.875) / 4)
    assert found.by_width.count.tolist() == [3, 1]
    assert found.by_width.error == pytest.approx(0.75 * (2 / 3 - 0.625) + 0.25 * (1 - 0.875))
    assert found.by_mass.count.tolist() == [3, 1]  # equal confidences stay together
    squares = [2 * 0.375**2, 2 * 0.375**2, 2 * 0.625**2, 2 * 0.125**2]
    assert found.brier == pytest.approx(np.mean(squares))
    assert found.nll == pytest.approx(-np.mean(np.log([0.625, 0.625, 0.375, 0.875])))
    # The surest is right; of the other three any order is as likely.
    assert found.curve.coverage.tolist() == [0.25, 1] and found.curve.risk.tolist() == [0, 0.25]
    assert found.curve.area == pytest.approx((0 + 1 / 6 + 2 / 9 + 1 / 4) / 4)
    assert [found.curve.coverage_at(risk) for risk in (0, 0.2, 0.25, 1)] == [0.25, 0.25, 1, 1]
    assert found.curve.threshold_at(0.1) == 0.875 and found.curve.threshold_at(0.25) == 0.625


def test_bins_of_equal_mass():
    found = calibrate(of_confidences([0.6, 0.7, 0.8, 0.9], [0, 1, 0, 1]), bins=2).by_mass
    assert found.count.tolist() == [2, 2]
    np.testing.assert_allclose(found.confidence, [0.65, 0.85], atol=1e-6)
    assert found.accuracy.tolist() == [0.5, 0.5] and found.error == pytest.approx(0.25)


def test_certain_probabilities():
    right = calibrate(of_confidences([1, 1], [1, 1]))
    assert (right.by_width.error, right.brier, right.nll, right.curve.area) == (0, 0, 0, 0)
    assert right.curve.coverage_at(0) == 1
    wrong = calibrate(of_confidences([1, 1, 1], [0, 0, 1]))
    assert wrong.by_width.error == pytest.approx(2 / 3) and wrong.brier == pytest.approx(4 / 3)
    assert wrong.nll == pytest.approx(2 / 3 * 12 * np.log(10))  # the probability 0 counts as 1e-12
    assert wrong.curve.coverage_at(0.5) == 0 and wrong.curve.threshold_at(0.5) == np.inf


def test_a_perfectly_calibrated_network():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 40_000)
    found = calibrate(of_confidences(sure, rng.uniform(size=40_000) < sure))
    assert found.by_width.error < 0.02 and found.by_mass.error < 0.02
    assert found.nll == pytest.approx(found_entropy(sure), abs=0.01)


def found_entropy(sure):
    return float(np.mean(-sure * np.log(sure) - (1 - sure) * np.log(np.maximum(1 - sure, 1e-12))))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), clips=st.integers(5, 60), bins=st.integers(1, 20))
def test_as_scikit_learn(seed, clips, bins):
    scores = make_scores(np.random.default_rng(seed), clips)
    found = calibrate(scores, bins=bins)
    shares = scores.scores.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    assert found.nll == pytest.approx(log_loss(scores.labels, shares, labels=range(5)))
    brier = brier_score_loss(scores.labels, shares, labels=range(5), scale_by_half=False)
    assert found.brier == pytest.approx(brier)
    right = shares.argmax(axis=1) == scores.labels
    accuracy, confidence = calibration_curve(right, shares.max(axis=1), n_bins=bins, strategy="uniform")
    np.testing.assert_allclose(found.by_width.accuracy, accuracy)
    np.testing.assert_allclose(found.by_width.confidence, confidence)
    assert found.by_width.count.sum() == found.by_mass.count.sum() == clips
    if bins == 1:
        assert found.by_width.error == found.by_mass.error == pytest.approx(abs(right.mean() - confidence[0]))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), clips=st.integers(2, 40))
def test_risk_over_coverage_by_hand(seed, clips):
    rng = np.random.default_rng(seed)
    sure = rng.permutation(np.linspace(0.55, 0.99, clips))
    right = rng.uniform(size=clips) < 0.7
    right[0] = True
    found = calibrate(of_confidences(sure, right)).curve
    wrong = np.cumsum(~right[np.argsort(-sure)])
    risks = wrong / np.arange(1, clips + 1)
    np.testing.assert_allclose(found.risk, risks)
    assert found.area == pytest.approx(risks.mean())
    for limit in (0.1, 0.5):
        fine = np.flatnonzero(risks <= limit)
        assert found.coverage_at(limit) == pytest.approx((fine[-1] + 1) / clips if fine.size else 0)


def test_equal_confidences_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(0)
    sure = rng.choice([0.6, 0.7, 0.8], 30)
    right = rng.uniform(size=30) < 0.6
    right[0] = True
    orders = [rng.permutation(30) for _ in range(2000)]
    found = [calibrate(of_confidences(sure[order], right[order])).measures() for order in orders[:5]]
    assert all(one == pytest.approx(found[0]) for one in found)
    assert calibrate(of_confidences(sure, right)).by_mass.count.tolist() == [
        (sure == one).sum() for one in (0.6, 0.7, 0.8)
    ]
    areas = []
    for order in orders:
        by_sureness = order[np.argsort(-sure[order], kind="stable")]
        areas.append((np.cumsum(~right[by_sureness]) / np.arange(1, 31)).mean())
    assert found[0]["action/aurc"] == pytest.approx(np.mean(areas), abs=0.002)


def test_body_groups_have_probabilities_when_summed():
    scores = make_scores(np.random.default_rng(0), 40)
    found = calibrate(scores, "body_summed")
    limb = scores.scores[:, 2:].sum(axis=1, dtype=np.float64)
    assert found.confidence == pytest.approx(np.maximum(limb, 1 - limb).mean(), abs=1e-6)
    with pytest.raises(ValueError, match=r"\(action, body_summed\), got 'body'"):
        calibrate(scores, "body")
    with pytest.raises(ValueError, match=r"\(action\), got 'body_summed'"):
        calibrate(of_confidences([0.6], [1]), "body_summed")


@pytest.mark.parametrize("level", ["action", "body_summed"])
def test_intervals_are_of_the_same_measures(level):
    scores = make_scores(np.random.default_rng(0), 300)
    values = calibrate(scores, level, 10).measures((0.78,))
    found = calibration_intervals(scores, np.random.default_rng(0), level, 10, (0.78,), draws=400)
    assert set(found) == set(values)
    for name in (f"{level}/brier", f"{level}/nll", f"{level}/aurc", f"{level}/coverage_at_risk_0.78"):
        low, high = found[name]
        assert low <= values[name] <= high and (low < high or values[name] == 1)


def test_a_draw_is_measured_as_a_file_of_its_clips():
    scores = make_scores(np.random.default_rng(0), 30)
    rows = np.random.default_rng(5).integers(30, size=(1, 30), dtype=np.uint16)[0]
    order = np.argsort(-scores.scores.max(axis=1), kind="stable")[rows]
    drawn = ScoreFile(TREE, tuple(map(str, range(30))), scores.labels[order], scores.scores[order])
    expected = calibrate(drawn, bins=5).measures((0.3,))
    found = calibration_intervals(scores, np.random.default_rng(5), "action", 5, (0.3,), draws=1)
    for name in ("ece_width", "brier", "nll", "aurc", "coverage_at_risk_0.3"):
        assert found[f"action/{name}"][0] == pytest.approx(expected[f"action/{name}"], abs=1e-5)


def test_what_is_refused():
    scores = make_scores(np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least 1 bin, got 0"):
        calibrate(scores, bins=0)
    with pytest.raises(ValueError, match="labels are 0"):
        calibrate(dataclasses.replace(scores, labels=np.zeros(12, np.int64)))
    with pytest.raises(ValueError, match="got 12 clips and 0 draws"):
        calibration_intervals(scores, np.random.default_rng(0), draws=0)
