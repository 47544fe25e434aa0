"""The trivial baseline and the bound of perfect labels, on cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fidget.detection.detection_samples import TREE

from fidget.detection.baselines import prior_detections, with_perfect_labels
from protocols.detection import measure_detections
from protocols.detection_table import Instance
from protocols.detections import Detections


def test_the_prior_lays_every_action_at_regular_places() -> None:
    train = [Instance("t", 0, 2, 0), Instance("t", 3, 7, 0), Instance("t", 1, 2, 1)]
    found = prior_detections(train, {"a": (0.0, 9.0)}, TREE, overlap=0.5)
    first = found.actions == 0
    np.testing.assert_allclose(found.t_start_s[first], [0, 1.5, 3, 4.5, 6])  # mean duration 3 s, half overlap
    np.testing.assert_allclose(found.t_end_s[first], [3, 4.5, 6, 7.5, 9])
    assert set(found.scores[first]) == {2 / 3} and set(found.scores[~first]) == {1 / 3}
    assert found.t_end_s.max() == 9.0


def test_the_prior_knows_nothing_that_training_does_not_hold() -> None:
    found = prior_detections([Instance("t", 0, 20, 1)], {"a": (0.0, 5.0), "b": (1.0, 4.0)}, TREE)
    assert found.video_ids == ("a", "b") and found.actions.tolist() == [1, 1]
    assert found.t_start_s.tolist() == [0.0, 1.0] and found.t_end_s.tolist() == [5.0, 4.0]
    with pytest.raises(ValueError, match="there is no instance"):
        prior_detections([], {"a": (0.0, 5.0)}, TREE)


def test_perfect_labels_name_segments_by_what_they_overlap() -> None:
    instances = [Instance("a", 0, 4, 1), Instance("a", 0, 3, 0), Instance("a", 6, 8, 1)]
    found = Detections(
        TREE, ("a",) * 5, np.array([0.0, 0.0, 6.0, 9.0, 0.0]), np.array([4.0, 4.0, 9.0, 9.5, 2.0]),
        np.array([0, 1, 0, 0, 0]), np.array([0.9, 0.3, 0.5, 0.2, 0.1]), "x",
    )  # fmt: skip
    bound = with_perfect_labels(found, instances)
    rows = sorted(zip(bound.t_start_s, bound.t_end_s, bound.actions, bound.scores.round(6), strict=True))
    third = round(2 / 3, 6)
    assert rows == [(0, 2, 0, third), (0, 4, 1, 1.0), (6, 9, 1, third)]  # each instance once, none for 9-9.5
    own = with_perfect_labels(found, instances, perfect_order=False)
    assert sorted(own.scores.tolist()) == [0.1, 0.1, 0.5, 0.9, 0.9]  # two segments, two instances each
    assert measure_detections(bound, instances, ["a"], (0.5,)).action.average() == 1.0
    assert "perfect labels" in bound.method
