from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poses.cache_samples import METADATA, make_row

from poses.cache_schema import SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import failed_row
from protocols.audit import audit_clips
from protocols.audit_detection import audit_detection
from protocols.audit_record import PoseFacts, read_pose_facts
from protocols.clip_table import ClipTable
from protocols.detection_table import DetectionTable, Instance
from protocols.label_tree import LabelTree
from protocols.ma52 import by_subject, read_ma52
from protocols.mma52_detection import read_mma52
from protocols.scores import NO_LABEL
from protocols.trees import tree

TREE = LabelTree("three", ("nod", "tap", "kick"))


def clips(n=36, **changes):
    """A sound data set: classes, splits and domains in turn, nobody in two splits."""
    splits = tuple(("train", "train", "val", "test")[(row // 3) % 4] for row in range(n))
    table = ClipTable(
        "mine",
        TREE,
        tuple(f"c{row:02d}" for row in range(n)),
        np.arange(n) % 3,
        splits,
        tuple("ab"[row % 2] for row in range(n)),
        tuple(f"{split} {row % 2}" for row, split in enumerate(splits)),
        np.full(n, 2.0),
    )
    return replace(table, **changes)


def found(audit):
    return {finding.check: finding for finding in audit.findings}


def poses_of(table, seconds=2.0, **statuses):
    state = dict.fromkeys(table.clip_ids, "ok") | statuses
    return PoseFacts("poses", state, dict.fromkeys(state, seconds))


def test_counts():
    audit = audit_clips(clips())
    assert audit.splits == {"train": 18, "val": 9, "test": 9}
    assert audit.classes == {name: {"train": 6, "val": 3, "test": 3} for name in TREE.actions}
    assert (
        list(audit.domains) == ["a", "b"] and sum(sum(one.values()) for one in audit.domains.values()) == 36
    )
    assert audit.subjects["train 0"] == {"train": 9}
    assert audit.facts == {"hours": 0.02, "mean_s": 2.0, "shortest_s": 2.0, "longest_s": 2.0}
    assert audit.findings == () and audit.problems == 0


def test_numbers_in_names_are_ordered_as_numbers():
    table = clips(subjects=tuple(f"p{row % 12}" for row in range(36)))
    assert list(audit_clips(table).subjects) == [f"p{number}" for number in range(12)]


def changed(values, **changes):
    listed = list(values)
    for key, value in changes.items():
        listed[int(key[1:])] = value
    return tuple(listed)


@pytest.mark.parametrize(
    ("changes", "check", "count", "words"),
    [
        ({"clip_ids": changed(clips().clip_ids, _3="C04")}, "case_collisions", 1, "differ only in case"),
        (
            {"clip_ids": changed(clips().clip_ids, _3="é", _9="e\u0301")},
            "case_collisions",
            1,
            "differ only",
        ),
        ({"clip_ids": changed(clips().clip_ids, _3="a [1]")}, "odd_characters", 1, r"\[\]"),
        (
            {"subjects": changed(clips().subjects, _6="train 0")},
            "shared_subjects",
            1,
            "train and val share 1 of 4",
        ),
        ({"labels": np.where(np.arange(36) < 9, NO_LABEL, np.arange(36) % 3)}, "kept_back", 9, "of 9 clips"),
        ({"labels": np.array([*[0] * 18, *[1] * 9, *[2] * 9])}, "small_classes", 2, "fewer than 10 clips"),
        (
            {"labels": np.where(np.arange(36) < 6, 2, np.arange(36) % 2)},
            "classes_not_in_split",
            1,
            "not in test",
        ),
        ({"labels": np.zeros(36, np.int64)}, "absent_classes", 2, "2 classes have none"),
        ({"duration_s": np.array([0.0, -1, *[2] * 34])}, "impossible_durations", 2, "2 clips is not above 0"),
        ({"duration_s": np.array([np.nan, *[2] * 35])}, "impossible_durations", 1, "not a number"),
        ({"duration_s": np.array([np.inf, *[2] * 35])}, "impossible_durations", 1, "without end"),
    ],
)
def test_every_check_finds_its_case(changes, check, count, words):
    audit = audit_clips(clips(**changes))
    assert found(audit)[check].count == count
    assert any(words.replace("\\", "") in one.text for one in audit.findings if one.check == check)
    kinds = {"case_collisions": "problem", "impossible_durations": "problem"}
    assert found(audit)[check].kind == kinds.get(check, "note")


def test_durations_that_nobody_states_are_no_finding():
    assert "impossible_durations" not in found(audit_clips(clips(duration_s=np.full(36, np.nan))))


def test_clips_against_poses():
    table = clips()
    assert audit_clips(table, poses_of(table)).findings == ()
    poses = poses_of(table, c00="failed", c01="no_person", more="ok")
    del poses.statuses["c35"]
    got = found(audit_clips(table, poses))
    assert {check: (one.kind, one.examples) for check, one in got.items()} == {
        "without_poses": ("problem", ("c35",)),
        "failed_poses": ("problem", ("c00",)),
        "nobody_found": ("note", ("c01",)),
        "poses_without_label": ("note", ("more",)),
    }
    got = found(audit_clips(table, poses_of(table, seconds=1.5)))["impossible_durations"]
    assert got.count == 36 and "longer than the video" in got.text
    assert audit_clips(table, poses_of(table, seconds=1.95)).findings == ()  # a frame more or less


def test_a_cache_tells_lengths_and_states(tmp_path):
    rng = np.random.default_rng(0)
    row = make_row("a", rng, frames=30)
    with CacheWriter(tmp_path / "poses", METADATA) as writer:
        writer.add(row)
        writer.add(failed_row("b", SourceStamp("b.mp4", 1, 1), "damaged"))
        writer.add(make_row("c", rng, persons=0, frames=5))
    facts = read_pose_facts(tmp_path / "poses")
    assert facts.statuses == {"a": "ok", "b": "failed", "c": "no_person"}
    first, *_, last = np.frombuffer(row.time_us, np.int64) if isinstance(row.time_us, bytes) else row.time_us
    assert facts.seconds["a"] == pytest.approx((last - first) / 1e6 + 1001 / 30000)
    assert np.isnan(facts.seconds["b"])


def test_published_sizes_are_a_note():
    table = ClipTable(
        "mma82", tree("mma82"), ("a", "b"), np.array([0, 1]), ("train", "val"), ("street",) * 2, ("p",) * 2
    )
    got = found(audit_clips(table))["published_sizes"]
    assert got.kind == "note" and "is part of the data set missing?" in got.text
    assert "street, train clips: 1 here, 2,358 published (-2,357)" in got.examples
    assert "no_domains" not in found(audit_clips(table))
    assert found(audit_clips(replace(table, domains=("", ""))))["no_domains"].count == 2
    simulated = audit_clips(replace(table, simulated=True))
    assert "as expected of simulated clips" in found(simulated)["published_sizes"].text


def videos(*instances, **changes):
    table = DetectionTable(
        "det",
        TREE,
        ("v", "w"),
        np.array([10.0, 5.0]),
        (Fraction(30), None),
        ("train", "test"),
        ("", ""),
        ("", ""),
        tuple(Instance(*one) for one in instances),
    )
    return replace(table, **changes)


@pytest.mark.parametrize(
    ("instances", "check", "count", "words"),
    [
        ([("v", 9, 10.5, 0)], "impossible_segments", 1, "outside their video"),
        ([("v", -0.1, 1, 0)], "impossible_segments", 1, "outside their video"),
        ([("v", 2, 2, 0)], "impossible_segments", 1, "do not end after they begin"),
        ([("v", 3, 2, 0)], "impossible_segments", 1, "do not end after they begin"),
        ([("v", float("nan"), 2, 0)], "impossible_segments", 1, "no number"),
        ([("v", 1, 3, 0), ("v", 1, 3, 0)], "repeated_instances", 1, "annotated twice"),
        ([("v", 1, 9, 0), ("v", 2, 3, 0), ("v", 4, 5, 0)], "overlapping_instances", 2, "2 instances overlap"),
    ],
)
def test_segments_that_cannot_be(instances, check, count, words):
    got = found(audit_detection(videos(("w", 0, 5, 1), *instances)))
    assert got[check].count == count and words in got[check].text


def test_sound_segments():
    table = videos(("v", 0, 10, 0), ("v", 2, 3, 1), ("v", 5, 6, 1), ("v", 6, 7, 1), ("w", 0, 5, 2))
    audit = audit_detection(table)
    assert set(found(audit)) == {"small_classes", "classes_not_in_split"} and not audit.problems
    assert audit.facts["frame_rates"] == "30 fps: 1, unknown: 1" and audit.labelled == 5
    assert audit.classes["tap"] == {"train": 3}
    assert found(audit_detection(videos(("v", 0, 1, 0))))["videos_without_instances"].examples == ("w",)
    kept = found(audit_detection(videos(("v", 0, 1, 0), withheld=("test",))))
    assert kept["kept_back"].count == 1 and "videos_without_instances" not in kept


segments = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=7, unique=True)


@given(segments)
def test_overlaps_are_what_comparing_all_pairs_finds(spans):
    table = videos(*(("v", start, start + length, 0) for start, length in spans))
    got = found(audit_detection(table))
    ordered = sorted((start, start + length) for start, length in spans)
    expected = sum(
        any(start < other_end for _, other_end in ordered[:row]) for row, (start, _) in enumerate(ordered)
    )
    assert (got["overlapping_instances"].count if "overlapping_instances" in got else 0) == expected


@pytest.mark.shared
def test_the_official_lists_share_every_subject(shared_dir):
    table = read_ma52(shared_dir / "data" / "annotations" / "ma52")
    got = found(audit_clips(table))
    assert got["shared_subjects"].text.startswith("train and val share all 186 subjects")
    assert got["small_classes"].examples == ("covering face (8)",) and got["kept_back"].count == 5_586
    assert set(got) == {"shared_subjects", "small_classes", "kept_back"}
    assert set(found(audit_clips(by_subject(table)))) == {"small_classes"}


@pytest.mark.shared
def test_both_releases_of_mma52(shared_dir):
    directory = shared_dir / "data" / "annotations" / "mma52"
    got = found(audit_detection(read_mma52(directory)))
    assert set(got) == {"kept_back", "small_classes", "overlapping_instances"}
    assert got["overlapping_instances"].count == 85
    older = found(audit_detection(read_mma52(directory / "old_release", Fraction(30))))
    assert older["case_collisions"].count == 28 + 15 and older["odd_characters"].count > 40
