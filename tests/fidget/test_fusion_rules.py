"""Weights, weights by class and the gate: known answers, minima, and what fusing must not change."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fusion_samples import TREE, make_files, shuffled
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from fidget.fusion.class_weights import ClassWeights, fit_class_weights, fit_weights, onto_simplex
from fidget.fusion.gate import SLOPES, Gate, fit_gate
from fidget.fusion.log_loss import best_temperature, calibrated, log_losses
from fidget.fusion.weighted_mean import WeightedMean, choose_weights, simplex_grid
from protocols.label_tree import LabelTree
from protocols.recognition import predictions
from protocols.score_fusion import log_probabilities, softmax, stacked, weighted_mean
from protocols.scores import NO_LABEL, ScoreFile, aligned


def _loss(fused: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(fused[np.arange(len(labels)), labels]).mean())


def test_log_losses_by_hand() -> None:
    logits = np.log(np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])) + 7.0
    found = log_losses(logits, np.array([1, 2]))
    np.testing.assert_allclose(found, [-math.log(0.25), -math.log(0.8)])


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_best_temperature_makes_confidence_true(temperature: float) -> None:
    # Two classes, always said 0.8 : 0.2, right in 80 % of the clips; the logits are then scaled.
    logits = np.log(np.array([[0.8, 0.2]])).repeat(100, 0) * temperature
    labels = (np.arange(100) >= 80).astype(np.int64)
    assert best_temperature(logits, labels) == pytest.approx(temperature, rel=1e-3)
    probabilities = softmax(logits)[None]
    np.testing.assert_allclose(np.exp(calibrated(probabilities, (temperature,)))[0, 0], [0.8, 0.2], rtol=1e-6)


def test_the_best_temperature_ends_at_its_bounds() -> None:
    logits = np.log(np.array([[0.6, 0.4]] * 10))
    assert best_temperature(logits, np.zeros(10, np.int64)) == pytest.approx(0.05, rel=1e-3)
    assert best_temperature(logits, np.ones(10, np.int64)) == pytest.approx(20, rel=1e-3)


def test_the_grid_has_every_point_of_the_simplex_once() -> None:
    for files, points in ((2, 21), (3, 231), (4, 969)):
        grid = np.array(simplex_grid(files))
        assert len(grid) == points == len({tuple(row) for row in grid.round(6).tolist()})
        np.testing.assert_allclose(grid.sum(axis=1), 1)
        assert (grid >= 0).all()
    assert 100 < len(simplex_grid(9)) <= 1000


@pytest.mark.parametrize("mean", ["probability", "log"])
def test_chosen_weights_are_the_best_of_the_grid(mean) -> None:
    files = make_files(80, 0, 3)
    chosen = choose_weights(files, mean)
    probabilities, labels = stacked(files), files[0].labels
    losses = [
        _loss(weighted_mean(probabilities, weights.tolist(), mean), labels) for weights in simplex_grid(3)
    ]
    assert _loss(chosen(probabilities), labels) <= min(losses) + 1e-9


@pytest.mark.parametrize("criterion", ["log_loss", "top1", "mean_class", "f1_mean"])
def test_a_file_of_chance_gets_no_weight(criterion) -> None:
    good = make_files(200, 1)[0]
    rng = np.random.default_rng(0)
    noise = rng.dirichlet(np.full(4, 0.05), 200).astype(np.float32)
    bad = ScoreFile(TREE, good.clip_ids, good.labels, noise / noise.sum(axis=1, keepdims=True), "noise")
    chosen = choose_weights([good, bad], "probability", criterion)
    assert chosen.weights[0] > 0.7


def test_equally_good_weights_are_equal_ones() -> None:
    one = make_files(40, 2)[0]
    for criterion in ("log_loss", "top1"):
        assert choose_weights([one, one, one], "log", criterion).weights == (1 / 3,) * 3


@pytest.mark.parametrize("mean", ["probability", "log"])
def test_weights_do_not_depend_on_the_order_of_clips_or_files(mean) -> None:
    files = make_files(60, 3)
    straight = choose_weights(files, mean)
    assert choose_weights(aligned([files[0], shuffled(files[1])]), mean) == straight
    turned = choose_weights(files[::-1], mean)
    np.testing.assert_allclose(turned.weights[::-1], straight.weights)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_onto_simplex_is_the_nearest_point(files: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=2.0, size=(files, 3))
    found = onto_simplex(values)
    np.testing.assert_allclose(found.sum(axis=0), 1)
    assert (found >= 0).all()
    others = rng.dirichlet(np.ones(files), (50, 3)).transpose(0, 2, 1)
    distance = np.square(found - values).sum(axis=0)
    assert (np.square(others - values).sum(axis=1) >= distance - 1e-9).all()
    np.testing.assert_allclose(onto_simplex(found), found, atol=1e-12)


@pytest.mark.parametrize(("methods", "strength"), [(2, 0.3), (2, 0.003), (3, 0.03)])
def test_weights_by_class_are_the_minimum(methods: int, strength: float) -> None:
    files = make_files(60, 4, methods)
    logs, labels = log_probabilities(stacked(files)), files[0].labels
    found = fit_weights(logs, labels, strength)

    def objective(flat: np.ndarray) -> float:
        weights = flat.reshape(found.shape)
        logits = np.einsum("fa,fna->na", weights, logs)
        return log_losses(logits, labels).mean() + strength / 2 * np.square(weights - 1 / methods).sum()

    sums = {"type": "eq", "fun": lambda flat: flat.reshape(found.shape).sum(axis=0) - 1}
    theirs = minimize(
        objective, np.full(found.size, 1 / methods), method="SLSQP", bounds=[(0, 1)] * found.size,
        constraints=[sums], options={"ftol": 1e-12, "maxiter": 300},
    )  # fmt: skip
    assert objective(found.ravel()) <= theirs.fun + 1e-7
    np.testing.assert_allclose(found.ravel(), theirs.x, atol=5e-3)
    start = np.zeros(found.shape)
    start[0] = 1.0
    np.testing.assert_allclose(fit_weights(logs, labels, strength, start), found, atol=1e-3)


def test_weights_by_class_find_who_knows_what() -> None:
    files, test = make_files(400, 5), make_files(400, 6)
    rule = fit_class_weights(files, np.random.default_rng(0))
    assert rule.strength < 1
    weights = np.array(rule.weights)
    assert (weights[0, :2] > 0.6).all()
    assert (weights[1, 2:] > 0.6).all()
    equal = ClassWeights(rule.temperatures, ((0.5,) * 4,) * 2, math.inf)
    labels, probabilities = test[0].labels, stacked(test)
    assert _loss(rule(probabilities), labels) < _loss(equal(probabilities), labels) - 0.02


def test_weights_by_class_follow_the_order_of_the_files() -> None:
    files = make_files(120, 15, 3)
    straight = fit_class_weights(files, np.random.default_rng(0))
    turned = fit_class_weights(files[::-1], np.random.default_rng(0))
    assert turned.strength == straight.strength
    np.testing.assert_allclose(turned.weights[::-1], straight.weights, atol=1e-3)
    test = stacked(make_files(30, 16, 3))
    np.testing.assert_allclose(turned(test[::-1]), straight(test), atol=1e-3)


def test_a_strong_regulariser_is_the_equal_log_mean() -> None:
    files = make_files(50, 7)
    rule = fit_class_weights(files, np.random.default_rng(0), [math.inf])
    assert rule.weights == ((0.5,) * 4,) * 2
    plain = ClassWeights((1.0, 1.0), rule.weights, math.inf)
    probabilities = stacked(files)
    np.testing.assert_allclose(plain(probabilities), weighted_mean(probabilities, [1, 1], "log"), atol=1e-9)
    nearly = fit_weights(log_probabilities(probabilities), files[0].labels, 1e5)
    np.testing.assert_allclose(nearly, 0.5, atol=1e-4)


def test_where_classes_say_nothing_the_weights_stay_equal() -> None:
    # Both methods are noise of one kind: what weights learn is chance, and cross-validation holds them back.
    rng = np.random.default_rng(8)
    labels = rng.integers(4, size=60)
    ids = tuple(map(str, range(60)))
    files = [
        ScoreFile(TREE, ids, labels, rng.dirichlet(np.ones(4) * 3, 60).astype(np.float32), str(number))
        for number in range(2)
    ]
    assert fit_class_weights(files, np.random.default_rng(0)).strength >= 1


def test_the_same_file_twice_keeps_its_predictions() -> None:
    one = make_files(60, 9)[0]
    pair = [one, one]
    probabilities = stacked(pair)
    for mean in ("probability", "log"):
        np.testing.assert_allclose(choose_weights(pair, mean)(probabilities), one.scores, atol=1e-6)
    for rule in (fit_class_weights(pair, np.random.default_rng(0)), fit_gate(pair)):
        fused = rule(probabilities)
        np.testing.assert_allclose(fused.sum(axis=1), 1)
        assert (predictions(fused.astype(np.float32)) == predictions(one.scores)).all()


def test_the_gate_by_hand() -> None:
    base = np.array([[0.6, 0.4], [0.6, 0.4], [0.6, 0.4], [0.6, 0.4]])
    corrector = np.array([[0.4, 0.6], [0.3, 0.7], [0.05, 0.95], [0.45, 0.55]])
    gate = Gate((1.0, 1.0), 4.0)
    both = np.stack([base, corrector])
    np.testing.assert_allclose(gate.openings(both), [0, 0.4, 1, 0], atol=1e-9)
    half = np.array([0.6**0.6 * 0.3**0.4, 0.4**0.6 * 0.7**0.4])
    np.testing.assert_allclose(gate(both), [[0.6, 0.4], half / half.sum(), [0.05, 0.95], [0.6, 0.4]])
    np.testing.assert_allclose(Gate((1.0, 1.0), 0.0)(both), base)
    flat = Gate((1.0, 20.0), 64.0)  # a corrector that is hardly ever sure, once it is calibrated
    np.testing.assert_allclose(flat(both), base)


def test_the_base_s_prediction_stands_where_it_is_as_sure() -> None:
    files, test = make_files(300, 10, sure=(1.0, 2.0)), make_files(300, 11, sure=(1.0, 2.0))
    rule = fit_gate(files)
    assert rule.slope in SLOPES[1:]
    assert rule.temperatures[1] == pytest.approx(
        2 * rule.temperatures[0], rel=0.3
    )  # twice as sure as is true
    probabilities = stacked(test)
    base, corrector = np.exp(calibrated(probabilities, rule.temperatures))
    fused = rule(probabilities)
    shut = corrector.max(axis=1) <= base.max(axis=1)
    np.testing.assert_allclose(fused[shut], base[shut], atol=1e-9)
    assert (fused[shut].argmax(axis=1) == test[0].scores[shut].argmax(axis=1)).all()
    changed = fused.argmax(axis=1) != test[0].scores.argmax(axis=1)
    assert changed.any()
    assert not changed[shut].any()
    labels = test[0].labels
    assert _loss(fused, labels) < _loss(base, labels) - 0.05


def test_a_corrector_that_misleads_is_shut_out() -> None:
    base = make_files(200, 12)[0]
    wrong = (base.labels + 1) % 4
    scores = np.full((200, 4), 0.02, np.float32)
    scores[np.arange(200), wrong] = 0.94
    liar = ScoreFile(TREE, base.clip_ids, base.labels, scores, "liar")
    rule = fit_gate([base, liar])
    probabilities = stacked([base, liar])
    assert (rule(probabilities).argmax(axis=1) == base.scores.argmax(axis=1)).all()


def test_rules_name_what_they_made() -> None:
    files = make_files(6, 13)
    assert WeightedMean((1.0, 1.0)).name(files) == "rgb + pose"
    assert WeightedMean((0.25, 0.75)).name(files) == "0.25 rgb + 0.75 pose"
    assert Gate((1.0, 1.0), 1.0).name(files) == "rgb corrected by pose"
    assert ClassWeights((1.0, 1.0), ((0.5,), (0.5,)), 1.0).name(files) == "rgb + pose by class"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: WeightedMean((1.0, -1.0)), "weights of 0 or more"),
        (lambda: WeightedMean((0.0, 0.0)), "weights of 0 or more"),
        (lambda: WeightedMean((1.0, math.nan)), "weights of 0 or more"),
        (lambda: WeightedMean((1.0,), "median"), "'probability' or 'log', got 'median'"),
        (lambda: Gate((1.0, 0.0), 1.0), "temperatures above 0"),
        (lambda: Gate((1.0, 1.0), math.inf), "a slope of 0 or more"),
        (lambda: Gate((1.0, 1.0, 1.0), 1.0), "two temperatures"),
        (lambda: ClassWeights((1.0, 1.0), ((0.5, 0.5), (0.5, 0.6)), 1.0), "sum to 1 over the files"),
        (lambda: ClassWeights((1.0, 1.0), ((0.5, 0.5), (0.5,)), 1.0), "as many each"),
        (lambda: ClassWeights((), (), 1.0), "temperatures above 0"),
    ],
)
def test_numbers_that_cannot_be_meant(make, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


def test_validation_clips_that_cannot_choose() -> None:
    files = make_files(20, 14, 3)
    with pytest.raises(ValueError, match="a gate takes two files, the base and what corrects it, got 3"):
        fit_gate(files)
    with pytest.raises(ValueError, match="expected 5 validation clips or more for weights by class, got 4"):
        fit_class_weights(make_files(4, 0), np.random.default_rng(0))
    plain = LabelTree("plain", TREE.actions)
    bare = [ScoreFile(plain, one.clip_ids, one.labels, one.scores) for one in files]
    with pytest.raises(ValueError, match="plain has no body groups, so there is no F1mean"):
        choose_weights(bare, "log", "f1_mean")
    blind = [ScoreFile(TREE, one.clip_ids, np.full(20, NO_LABEL), one.scores) for one in files]
    with pytest.raises(ValueError, match="20 of 20 clips have no label"):
        choose_weights(blind)
