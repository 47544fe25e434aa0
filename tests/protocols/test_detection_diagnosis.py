"""The diagnosis of a detector: DETAD's numbers, and cases that can be counted by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.protocols.detection_cases import TREE, VIDEOS, annotated, detected

from protocols.detection_diagnosis import KINDS, Diagnosis, diagnose, places_in_class
from protocols.detection_rules import EVERY_TENTH, Rule
from protocols.segment_matching import Labelled

GOLDEN = Path(__file__).parent / "golden"


def of_the_case() -> Diagnosis:
    """The stored case, without what DETAD cannot take: detections of videos and classes not annotated."""
    instances = annotated()
    detections = detected(instances)
    number = {video_id: row for row, video_id in enumerate(VIDEOS)}
    known = {one.video_id for one in instances}
    rows = np.array(
        [n for n, name in enumerate(detections.video_ids) if name in known and detections.actions[n] < 7]
    )
    found = Labelled(
        np.array([number[detections.video_ids[n]] for n in rows]),
        detections.actions[rows], detections.t_start_s[rows], detections.t_end_s[rows],
    )  # fmt: skip
    wanted = Labelled(
        np.array([number[one.video_id] for one in instances]),
        np.array([one.label for one in instances]),
        np.array([one.t_start_s for one in instances]),
        np.array([one.t_end_s for one in instances]),
    )
    duration_s = np.full(len(VIDEOS), 30.0)
    return diagnose(found, detections.scores[rows], wanted, duration_s, TREE.actions, rule=Rule("detad"))


def test_equal_to_detad() -> None:
    """HumamAlwassel/DETAD, ActionDetectorDiagnosis with limit_factor 10 and normalised precision."""
    found = of_the_case()
    with np.load(GOLDEN / "detection_detad.npz") as stored:
        np.testing.assert_array_equal(found.counts, stored["counts"])
        assert found.average_map_n == pytest.approx(float(stored["average"]), abs=1e-9)
        np.testing.assert_allclose(list(found.gains.values()), stored["gains"], rtol=0, atol=1e-9)
        lengths = [one for one in found.bins if one.characteristic == "length (s)"]
        missed = sum(one.missed * one.instances for one in lengths) / sum(one.instances for one in lengths)
        assert missed == pytest.approx(float(stored["missed"].mean()), abs=1e-9)


def test_the_case_as_a_whole() -> None:
    found = of_the_case()
    assert list(found.gains) == list(KINDS[1:])
    np.testing.assert_allclose(found.profile.sum(axis=1), 1)
    at = EVERY_TENTH.index(0.5)
    np.testing.assert_array_equal(found.by_class.sum(axis=0), found.counts[at])
    np.testing.assert_allclose(found.profile[-1], found.counts[at] / found.counts[at].sum())
    assert sum(count for *_, count in found.label_pairs) == found.counts[at, KINDS.index("wrong label")]
    assert all(one != other for one, other, _ in found.label_pairs)
    by_name = {one.characteristic for one in found.bins}
    assert len(by_name) == 4
    for name in by_name:
        assert sum(one.instances for one in found.bins if one.characteristic == name) == 212


def test_every_kind_once() -> None:
    """One instance of each of two classes; one detection of every kind around the first."""
    wanted = Labelled(np.array([0, 0]), np.array([0, 1]), np.array([0.0, 20.0]), np.array([10.0, 30.0]))
    spans = {
        "right": (0.0, 10.0, 0), "double detection": (0.0, 9.0, 0), "wrong label": (0.0, 10.0, 1),
        "localisation": (6.0, 12.0, 0), "confusion": (7.0, 13.0, 1), "background": (40.0, 41.0, 0),
    }  # fmt: skip
    found = Labelled(
        np.zeros(6, np.int64),
        np.array([label for *_, label in spans.values()]),
        np.array([start for start, *_ in spans.values()]),
        np.array([end for _, end, _ in spans.values()]),
    )
    scores = np.linspace(0.9, 0.4, 6)
    result = diagnose(found, scores, wanted, np.array([60.0]), ("a", "b"), (0.5,), rule=Rule("plain"))
    assert result.counts.tolist() == [[1] * 6]
    assert result.label_pairs == (("b", "a", 1),)
    # class a: the hit comes first; class b: never found. Nothing is gained but by what stands before a hit.
    assert result.average_map_n == pytest.approx(0.5)
    assert all(gain == pytest.approx(0) for gain in result.gains.values())
    # 1 G: the surest detection of each class
    assert result.profile[0].tolist() == [0.5, 0, 0.5, 0, 0, 0]


def test_removing_the_error_before_a_hit_gains() -> None:
    wanted = Labelled(np.array([0]), np.array([0]), np.array([0.0]), np.array([1.0]))
    found = Labelled(np.zeros(2, np.int64), np.zeros(2, np.int64), np.array([5.0, 0.0]), np.array([6.0, 1.0]))
    result = diagnose(
        found, np.array([0.9, 0.8]), wanted, np.array([np.nan]), ("a",), (0.5,), rule=Rule("plain")
    )
    assert result.average_map_n == pytest.approx(0.5)
    assert result.gains["background"] == pytest.approx(0.5)
    assert result.gains["confusion"] == pytest.approx(0)
    assert "coverage of the video" not in {one.characteristic for one in result.bins}  # no duration


def test_only_the_surest_ten_times_as_many_count() -> None:
    wanted = Labelled(np.array([0]), np.array([0]), np.array([0.0]), np.array([1.0]))
    many = Labelled(np.zeros(25, np.int64), np.array([0] * 20 + [1] * 5), np.full(25, 5.0), np.full(25, 6.0))
    result = diagnose(many, np.arange(25) / 25, wanted, np.array([9.0]), ("a", "b"), (0.5,))
    assert result.counts.sum() == 10  # of class b, which does not happen, none


def test_places() -> None:
    label, scores = np.array([1, 0, 1, 0, 1]), np.array([0.5, 0.2, 0.9, 0.2, 0.5])
    assert places_in_class(label, scores, 3).tolist() == [1, 0, 0, 1, 2]


def test_wrong_input_is_named() -> None:
    one = Labelled(np.array([0]), np.array([0]), np.array([0.0]), np.array([1.0]))
    nobody = one.rows(np.array([], np.int64))
    with pytest.raises(ValueError, match="0 instances and 1 detections"):
        diagnose(one, np.ones(1), nobody, np.array([9.0]), ("a",), (0.5,))
    with pytest.raises(ValueError, match=r"threshold 0.5 must be one of \(0.3,\)"):
        diagnose(one, np.ones(1), one, np.array([9.0]), ("a",), (0.3,))
