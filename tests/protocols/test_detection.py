"""Mean average precision: equal to the toolboxes' own, to known answers and to a plain loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.protocols.detection_cases import TREE, VIDEOS, annotated, detected

from protocols.average_precision import interpolated_precision
from protocols.detection import measure_detections
from protocols.detection_rules import CHALLENGE, EVERY_TENTH, OPENTAD, POINTTAD, RULES, Rule
from protocols.detection_table import Instance
from protocols.detection_tables import read_detection_table
from protocols.detections import Detections, read_detections, write_detections
from protocols.label_tree import LabelTree
from protocols.segment_matching import Pairs, match

GOLDEN = Path(__file__).parent / "golden"
ONE = LabelTree("one", ("nodding",))


def found(*rows: tuple[str, float, float, float], tree: LabelTree = ONE) -> Detections:
    ids, start, end, score = zip(*rows, strict=True)
    return Detections(
        tree, ids, np.array(start), np.array(end), np.zeros(len(rows), np.int64), np.array(score)
    )


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_equal_to_the_original(rule: Rule) -> None:
    """Originals: mmaction2, OpenTAD and MAC_2024_baseline's PointTAD, class by class, 1,696 detections."""
    instances = annotated()
    measured = measure_detections(detected(instances), instances, VIDEOS, EVERY_TENTH, rule)
    with np.load(GOLDEN / "detection_small.npz") as stored:
        wanted = stored[rule.name]  # (9, 8), NaN where nothing is annotated
    present = measured.action.instances > 0
    assert not present.all()
    np.testing.assert_allclose(measured.action.ap[:, present], wanted[:, present], rtol=0, atol=1e-9)


@pytest.mark.shared
@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_equal_on_perturbed_mma52(rule: Rule, shared_dir: Path) -> None:
    table = read_detection_table("mma52", shared_dir / "data" / "annotations" / "mma52")
    instances = table.instances_of("val")
    videos = [table.video_ids[row] for row in table.rows("val")]
    measured = measure_detections(detected(instances, table.tree, 2), instances, videos, EVERY_TENTH, rule)
    with np.load(GOLDEN / "detection_mma52.npz") as stored:
        wanted = stored[rule.name]
    present = measured.action.instances > 0
    np.testing.assert_allclose(measured.action.ap[:, present], wanted[:, present], rtol=0, atol=1e-9)
    assert measured.body is not None and measured.body.average() > measured.action.average()
    assert measured.same_class_overlaps == 63  # counted in the file by others too


def test_known_answers() -> None:
    instances = [Instance("a", 0, 2, 0), Instance("b", 1, 3, 0)]
    perfect = found(("a", 0, 2, 0.9), ("b", 1, 3, 0.8))
    assert measure_detections(perfect, instances, ["a", "b"]).average() == 1
    # sure and wrong first: precision 1/2 and 2/3 at the two hits, interpolated 2/3 at both
    late = found(("a", 5, 6, 0.95), ("a", 0, 2, 0.9), ("b", 1, 3, 0.8))
    assert measure_detections(late, instances, ["a", "b"]).average() == pytest.approx(2 / 3)
    # half the length: an overlap of exactly 0.5 counts up to the threshold 0.5
    half = found(("a", 0, 1, 0.9), ("b", 1, 2, 0.8))
    assert measure_detections(half, instances, ["a", "b"]).action.at.tolist() == [1] * 5 + [0] * 4
    # seen twice: the second is wrong, and comes too late to matter only if it is less sure than all hits
    twice = found(("a", 0, 2, 0.9), ("a", 0, 2, 0.85), ("b", 1, 3, 0.8))
    assert measure_detections(twice, instances, ["a", "b"]).average() == pytest.approx((1 + 2 / 3) / 2)


def test_averages_are_named() -> None:
    instances = annotated()
    table = measure_detections(detected(instances), instances, VIDEOS).table()
    tenths, three = [f"action@{tiou:g}" for tiou in EVERY_TENTH], [f"action@{tiou:g}" for tiou in CHALLENGE]
    assert table["action_avg"] == pytest.approx(np.mean([table[name] for name in tenths]))
    assert table["action_avg_challenge"] == pytest.approx(np.mean([table[name] for name in three]))
    assert table["avg"] == pytest.approx((table["action_avg"] + table["body_avg"]) / 2)
    few = measure_detections(detected(instances), instances, VIDEOS, (0.5,))
    assert "action_avg" not in few.table()
    with pytest.raises(ValueError, match=r"was measured at tIoU \(0.5,\), not at 0.2"):
        few.average((0.2,))


def test_what_is_left_out_is_counted() -> None:
    instances = annotated()
    measured = measure_detections(detected(instances), instances, VIDEOS, (0.5,), OPENTAD)
    assert measured.duplicates == 13  # twelve repetitions and one of no length
    assert measured.unknown_videos == 1 and measured.silent_videos >= 5
    assert measured.same_class_overlaps >= 12


def test_absent_classes() -> None:
    instances = annotated()
    left_out = measure_detections(detected(instances), instances, VIDEOS, (0.5,), OPENTAD).action
    as_zero = measure_detections(detected(instances), instances, VIDEOS, (0.5,), POINTTAD).action
    assert np.isnan(left_out.ap[0, 7]) and as_zero.ap[0, 7] == 0
    assert as_zero.at[0] == pytest.approx(as_zero.ap[0, :7].sum() / 8)


def plainly(
    instances: list[Instance], detections: Detections, tiou: float, rule: Rule
) -> NDArray[np.float64]:
    """Average precisions by the loop over detections that every toolbox has."""
    result = []
    for label in range(len(detections.tree.actions)):
        rows = [row for row in range(len(detections)) if detections.actions[row] == label]
        rows.sort(key=lambda row: (-detections.scores[row], row if rule.first_of_equals else -row))
        wanted = [one for one in instances if one.label == label]
        taken: set[int] = set()
        hits, area = [], 0.0
        for rank, row in enumerate(rows, 1):
            overlaps = []
            for number, one in enumerate(wanted):
                if one.video_id == detections.video_ids[row]:
                    start, end = detections.t_start_s[row], detections.t_end_s[row]
                    shared = max(0.0, min(end, one.t_end_s) - max(start, one.t_start_s))
                    overlaps.append((shared / (end - start + one.t_end_s - one.t_start_s - shared), number))
            for overlap, number in sorted(overlaps, reverse=True):
                if overlap >= tiou and number not in taken:
                    taken.add(number)
                    hits.append(rank)
                    break
        for place in range(len(hits)):
            area += max((later + 1) / hits[later] for later in range(place, len(hits)))
        result.append(area / len(wanted) if wanted else np.nan)
    return np.array(result)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 8), st.integers(1, 6), st.integers(0, 1)),
        min_size=1, max_size=8,
    ),
    st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 8), st.integers(1, 6), st.integers(0, 1), st.integers(0, 4)
        ),
        min_size=1, max_size=14,
    ),
    st.sampled_from([0.1, 0.5, 0.75]),
    st.booleans(),
)  # fmt: skip
def test_equal_to_a_plain_loop_with_ties(
    happens: list[tuple[int, int, int, int]],
    seen: list[tuple[int, int, int, int, int]],
    tiou: float,
    first: bool,
) -> None:
    """Equal scores and equal overlaps are common here."""
    tree, rule = LabelTree("two", ("one", "two")), Rule("plain", first_of_equals=first)
    instances = [Instance(f"v{v}", s, s + length, label) for v, s, length, label in happens]
    columns = list(zip(*seen, strict=True))
    start = np.array(columns[1], np.float64)
    detections = Detections(
        tree, tuple(f"v{v}" for v in columns[0]), start, start + np.array(columns[2], np.float64),
        np.array(columns[3], np.int64), np.array(columns[4], np.float64) / 4,
    )  # fmt: skip
    try:
        measured = measure_detections(detections, instances, ["v0", "v1"], (tiou,), rule).action.ap[0]
    except ValueError as error:
        assert "no detection is of an annotated video" in str(error)
        assert not {"v0", "v1"} & set(detections.video_ids)
        return
    np.testing.assert_allclose(measured, plainly(instances, detections, tiou, rule), rtol=0, atol=1e-12)


def test_a_displaced_detection_takes_its_next_best() -> None:
    """Row 1 wants instance 0 as well, but row 0 is surer; it gets instance 1, and row 2 nothing."""
    pairs = Pairs(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]), np.array([0.9, 0.95, 0.6, 0.8]))
    assert match(pairs, 3, 0.5).tolist() == [0, 1, -1]
    assert match(pairs, 3, 0.7).tolist() == [0, 2, -1]


def test_interpolation() -> None:
    assert interpolated_precision(np.array([], np.int64), 3) == 0
    assert interpolated_precision(np.array([1, 4, 5]), 5) == pytest.approx((1 + 0.6 + 0.6) / 5)


def test_order_of_the_file_does_not_matter_where_scores_differ(tmp_path: Path) -> None:
    instances = annotated()
    detections = detected(instances)
    before = measure_detections(detections, instances, VIDEOS).table()
    write_detections(tmp_path / "d.parquet", detections)
    assert measure_detections(read_detections(tmp_path / "d.parquet"), instances, VIDEOS).table() == before
    order = np.random.default_rng(3).permutation(len(detections))
    mixed = replace(
        detections,
        video_ids=tuple(detections.video_ids[n] for n in order),
        t_start_s=detections.t_start_s[order],
        t_end_s=detections.t_end_s[order],
        actions=detections.actions[order],
        scores=detections.scores[order],
    )
    assert measure_detections(mixed, instances[::-1], VIDEOS).table() == before


def test_wrong_input_is_named() -> None:
    instances = [Instance("a", 0, 2, 0)]
    fine = found(("a", 0, 2, 0.9))
    with pytest.raises(ValueError, match="nothing is annotated"):
        measure_detections(fine, [], ["a"])
    with pytest.raises(ValueError, match="'a', which is not among the 1 videos"):
        measure_detections(fine, instances, ["b"])
    with pytest.raises(ValueError, match=r"detections of 'a.mp4', annotations of 'a'; do the names"):
        measure_detections(found(("a.mp4", 0, 2, 0.9)), instances, ["a"])
    with pytest.raises(ValueError, match="above 0 and up to 1, got"):
        measure_detections(fine, instances, ["a"], (0.0,))
    with pytest.raises(ValueError, match="named twice"):
        measure_detections(fine, instances, ["a", "a"])


def test_nothing_right_is_zero() -> None:
    instances = [Instance("a", 0, 2, 0), Instance("b", 0, 2, 0)]
    assert measure_detections(found(("a", 5, 6, 0.5)), instances, ["a", "b"]).table()["avg"] == 0
    assert TREE.groups  # the other cases have both levels
