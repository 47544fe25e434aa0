"""Who is surest, for many detections, against numpy's own sort."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from protocols.detection_rules import ACTIVITYNET, OPENTAD, Rule
from protocols.segment_matching import surest_first, surest_of_each

RNG = np.random.default_rng(0)
MANY = 6000  # enough for the radix sort
SCORES = {
    "uniform": RNG.random(MANY),
    "many ties": RNG.integers(0, 40, MANY) / 40,
    "float32": RNG.random(MANY).astype(np.float32).astype(np.float64),
    "skewed": np.r_[RNG.random(MANY - 1) * 1e-9, 1.0],
    "negative": RNG.normal(0, 1e4, MANY),
    "all equal": np.full(MANY, 0.5),
    "last bits": 0.5 + RNG.integers(0, 50, MANY) * 2**-53,
    "zeros of both signs": np.r_[np.zeros(MANY // 2), -np.zeros(MANY // 2 - 1), 1.0],
    "huge": RNG.choice([-1e308, 1e308, 0.0, 1.0], MANY),
    "few": RNG.integers(0, 5, 30) / 5,
    "none": np.zeros(0),
}


def wanted(scores: NDArray[np.float64], rule: Rule, label: NDArray[np.int64]) -> NDArray[np.int64]:
    rows = np.arange(len(scores))
    return np.lexsort((rows if rule.first_of_equals else -rows, -scores, label))


@pytest.mark.parametrize("rule", [ACTIVITYNET, OPENTAD], ids=lambda rule: rule.name)
@pytest.mark.parametrize("name", SCORES)
def test_surest_first(name: str, rule: Rule) -> None:
    scores = SCORES[name]
    np.testing.assert_array_equal(
        surest_first(scores, rule), wanted(scores, rule, np.zeros(len(scores), np.int64))
    )


@pytest.mark.parametrize("classes", [1, 2, 82, 4096, 5000])
@pytest.mark.parametrize("rule", [ACTIVITYNET, OPENTAD], ids=lambda rule: rule.name)
@pytest.mark.parametrize("name", ["uniform", "many ties", "skewed", "last bits", "none"])
def test_surest_of_each_class(name: str, rule: Rule, classes: int) -> None:
    scores = SCORES[name]
    label = np.random.default_rng(1).integers(0, classes, len(scores))
    asked = np.random.default_rng(2).random(len(scores)) < 0.1
    order = wanted(scores, rule, label)
    places, rows = surest_of_each(scores, rule, label, classes, asked)
    np.testing.assert_array_equal(places, np.flatnonzero(asked[order]))
    np.testing.assert_array_equal(rows, order[places])
