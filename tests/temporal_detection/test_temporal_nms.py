"""Suppression against a twin of the compiled original, and by hand.

On 16 random cases of 50 to 8000 candidates all scores were also equal, bit for bit, to those of
ActionFormer's compiled `nms_1d` with its `batched_nms`.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.temporal_detection import nms_twin

from temporal_detection.nms import Method, Suppression, suppress, vote

Case = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def candidates(number: int, seed: int, ties: bool = False) -> Case:
    rng = np.random.default_rng(seed)
    middle, length = rng.uniform(0, 200, number), rng.lognormal(2.5, 0.8, number)
    score = rng.integers(1, 20, number) / 20 if ties else rng.uniform(0.001, 1, number) ** 2
    positions = np.stack([middle - length / 2, middle + length / 2], axis=1)
    return positions.astype(np.float32), score.astype(np.float32), rng.integers(0, 4, number)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("class_wise", [True, False])
@pytest.mark.parametrize("method", ["gaussian", "linear", "hard"])
def test_equals_the_compiled_original(method: Method, class_wise: bool, ties: bool) -> None:
    positions, score, label = candidates(120, 3, ties)
    how = Suppression(method, tiou=0.3, min_score=0.01, class_wise=class_wise, voting=0)
    rows, scores = [], []
    for group in [np.flatnonzero(label == one) for one in range(4)] if class_wise else [np.arange(120)]:
        if method == "hard":
            kept, values = nms_twin.hard(positions[group], score[group], 0.3, 0.01)
        else:
            kept, values = nms_twin.soft(positions[group], score[group], method, 0.3, 0.5, 0.01)
        rows += group[kept].tolist()
        scores += values
    order = np.argsort(-np.array(scores, np.float32), kind="stable")
    found = suppress(positions, score, label, how)
    assert 5 < len(rows) < 120  # the case suppresses something
    np.testing.assert_array_equal(found.row, np.array(rows)[order])
    np.testing.assert_allclose(found.score, np.array(scores)[order], rtol=1e-6)
    np.testing.assert_array_equal(found.label, label[found.row])
    np.testing.assert_array_equal(found.positions, positions[found.row])


def test_the_most_that_remain_and_those_given_are_left_alone() -> None:
    positions, score, label = candidates(120, 4)
    before = positions.copy(), score.copy(), label.copy()
    whole = suppress(positions, score, label)
    few = suppress(positions, score, label, Suppression(most=7))
    assert len(few.row) == 7
    np.testing.assert_array_equal(few.row, whole.row[:7])
    assert (np.diff(whole.score) <= 0).all()
    for one, was in zip((positions, score, label), before, strict=True):
        np.testing.assert_array_equal(one, was)


@pytest.mark.parametrize("by_overlap", [True, False])
def test_voting(by_overlap: bool) -> None:
    positions, score, label = candidates(60, 5)
    how = Suppression(class_wise=False, voting=0.6, voting_by_overlap=by_overlap)
    found = suppress(positions, score, label, how)
    wanted = nms_twin.voted(positions[found.row], positions, score, 0.6, by_overlap)
    np.testing.assert_allclose(found.positions, wanted, rtol=1e-6, atol=1e-5)
    assert np.abs(found.positions - positions[found.row]).max() > 0.1
    alone = np.array([[5.0, 5.0]])
    np.testing.assert_array_equal(vote(alone, alone, np.ones(1), 0.5, by_overlap), alone)


def test_by_hand() -> None:
    positions = np.array([[0.0, 10.0], [0.0, 10.0], [5.0, 15.0], [20.0, 30.0]])
    found = suppress(positions, np.array([0.9, 0.8, 0.7, 0.1]), np.array([0, 0, 1, 0]))
    assert found.row.tolist() == [0, 2, 1, 3]
    assert found.score.tolist() == pytest.approx([0.9, 0.7, 0.8 * np.exp(-2), 0.1])
    together = suppress(positions, np.array([0.9, 0.8, 0.7, 0.1]), np.array([0, 0, 1, 0]),
                        Suppression(class_wise=False, voting=0))  # fmt: skip
    first = 0.7 * np.exp(-((1 / 3) ** 2) / 0.5)
    assert together.row.tolist() == [0, 2, 3, 1]
    assert together.score.tolist()[:2] == pytest.approx([0.9, first])


def test_times_keep_their_precision() -> None:
    """Positions come back as they were given, in float64; only their comparison is in float32."""
    positions = np.array([[3600.000123456789, 3601.000987654321]])
    assert suppress(positions, np.array([0.5]), np.array([0])).positions.tolist() == positions.tolist()


def test_nothing_to_suppress() -> None:
    found = suppress(np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64))
    assert [len(column) for column in found] == [0, 0, 0, 0] and found.positions.shape == (0, 2)
    for method in ("linear", "hard"):
        how = Suppression(method, class_wise=False)
        assert not len(suppress(np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64), how).row)


def test_bad_candidates_are_said() -> None:
    good = np.array([[0.0, 1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match=r"candidate 1 is no segment with a score: \[1. 2.\], nan"):
        suppress(good, np.array([0.5, np.nan]), np.array([0, 0]))
    with pytest.raises(ValueError, match="candidate 0 is no segment"):
        suppress(np.array([[0.0, np.inf]]), np.array([0.5]), np.array([0]))
    with pytest.raises(ValueError, match=r"expected candidates \(K, 2\)"):
        suppress(good, np.array([0.5]), np.array([0, 0]))


def test_bad_settings_are_said_at_once() -> None:
    with pytest.raises(
        ValueError, match=r"method must be one of .*sigma must be positive, got 0.*at least 1"
    ):
        Suppression("matrix", sigma=0, most=0)  # type: ignore[arg-type]
