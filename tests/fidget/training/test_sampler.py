from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fidget.training.sampler import class_counts, epoch_order

LABELS = np.repeat([0, 1, 2], [16, 4, 1])


@pytest.mark.parametrize(
    ("balance", "total", "counts"),
    [
        ("none", 21, [16, 4, 1]),
        ("class_balanced", 21, [7, 7, 7]),
        ("class_balanced", 22, [8, 7, 7]),
        ("square_root", 21, [12, 6, 3]),  # roots 4, 2, 1
        ("square_root", 7, [4, 2, 1]),
        ("square_root", 8, [5, 2, 1]),  # remainders .571, .286, .143
    ],
)
def test_counts(balance, total, counts) -> None:
    assert class_counts(LABELS, balance, total).tolist() == counts


def test_a_class_without_clips_gets_none() -> None:
    assert class_counts(np.array([0, 0, 2]), "class_balanced", 4).tolist() == [2, 0, 2]


@pytest.mark.parametrize("balance", ["none", "square_root", "class_balanced"])
@pytest.mark.parametrize("repeat", [1, 3])
def test_an_epoch_holds_its_counts_and_shows_clips_of_a_class_equally(balance, repeat) -> None:
    clips, visits = epoch_order(LABELS, balance, repeat, seed=3, epoch=5)
    assert len(clips) == repeat * len(LABELS)
    expected = class_counts(LABELS, balance, len(clips))
    np.testing.assert_array_equal(np.bincount(LABELS[clips], minlength=3), expected)
    shown = np.bincount(clips, minlength=len(LABELS))
    for label in range(3):
        assert np.ptp(shown[label == LABELS]) <= 1
    for clip in range(len(LABELS)):  # each visit of a clip has its own number
        assert sorted(visits[clips == clip]) == list(range(shown[clip]))


@given(st.integers(0, 2**31), st.integers(0, 10_000))
def test_order_is_a_function_of_seed_and_epoch(seed, epoch) -> None:
    first = epoch_order(LABELS, "square_root", 2, seed, epoch)
    np.testing.assert_array_equal(first, epoch_order(LABELS, "square_root", 2, seed, epoch))
    assert (first[0] != epoch_order(LABELS, "square_root", 2, seed, epoch + 1)[0]).any()
    assert (first[0] != epoch_order(LABELS, "square_root", 2, seed + 1, epoch)[0]).any()
