from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.activitynet import is_activitynet, read_activitynet, write_opentad
from protocols.detection_table import DetectionTable, Instance
from protocols.label_tree import LabelTree
from protocols.mma52_detection import read_mma52

TREE = LabelTree("two", ("nod", "tap"))


def write(path, content):
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def entry(start, end, label, **more):
    return {"segment": [start, end], "label": label, **more}


OPENTAD = {
    "version": "",
    "taxonomy": [],
    "database": {
        "v1": {"subset": "training", "duration": 10.0, "frame": 290, "annotations": [entry(1, 2.5, "tap")]},
        "名": {
            "subset": "Validation",
            "duration": 4,
            "annotations": [entry(0, 4, "nod"), entry(1, 2, "tap")],
        },
        "t": {"subset": "testing", "duration": 5.0, "annotations": []},
    },
}


def test_opentad(tmp_path):
    table = read_activitynet(write(tmp_path / "anno.json", OPENTAD))
    assert table.video_ids == ("v1", "名", "t") and table.splits == ("train", "val", "test")
    assert table.tree.actions == ("nod", "tap")  # in the order of their names
    assert table.duration_s.tolist() == [10.0, 4.0, 5.0] and table.fps == (Fraction(29), None, None)
    assert table.instances == (
        Instance("v1", 1.0, 2.5, 1),
        Instance("名", 0.0, 4.0, 0),
        Instance("名", 1.0, 2.0, 1),
    )
    assert table.withheld == ("test",)


def test_actionformer_numbers_its_classes(tmp_path):
    content = {"database": {
        "a": {"subset": "Training", "duration": 9.0, "fps": 29.97, "annotations": [
            entry(0, 1, "tap", label_id=0), entry(2, 3, "nod", label_id=1),
        ]},
    }}  # fmt: skip
    table = read_activitynet(write(tmp_path / "a.json", content))
    assert table.tree.actions == ("tap", "nod") and table.fps == (Fraction(2997, 100),)
    (tmp_path / "map.txt").write_text("nod\r\nkick\r\ntap")
    assert read_activitynet(tmp_path / "a.json", class_map=tmp_path / "map.txt").instances[0].label == 2
    assert read_activitynet(tmp_path / "a.json", TREE).instances[0].label == 1


def test_mmaction2(tmp_path):
    content = {
        "v_1": {
            "duration_second": 14.07, "duration_frame": 422, "feature_frame": 416, "fps": 30.0, "rfps": 29.97,
            "annotations": [entry(0.5, 2, "nod")],
        }
    }  # fmt: skip
    table = read_activitynet(write(tmp_path / "anet_anno_val.json", content))
    assert table.splits == ("val",) and table.fps == (Fraction(2997, 100),)
    assert table.duration_s.tolist() == [14.07] and table.video_ids == ("v_1",)
    assert read_activitynet(tmp_path / "anet_anno_val.json", split="train").splits == ("train",)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"results": {}}, "holds results of a network"),
        ({}, "expected annotations as of ActivityNet"),
        ([], "expected annotations as of ActivityNet"),
        ({"v": {"duration": 3}}, "expected annotations as of ActivityNet"),
        ({"database": {"v": 3}}, "video 'v': expected an object, got int"),
        ({"database": {}}, "no video has any"),
        ({"database": {"v": {"annotations": True}}}, "expected a list of annotations, got True"),
        (
            {"database": {"v": {"subset": "training", "annotations": [{"segment": [1], "label": "a"}]}}},
            "video 'v'",
        ),
        (
            {"database": {"v": {"subset": "training", "annotations": [entry("x", 2, "a")]}}},
            "segment of two numbers",
        ),
        (
            {"database": {"v": {"subset": "training", "annotations": [entry(1, 2, 7)]}}},
            "video 'v': expected an ann",
        ),
        (
            {"database": {"v": {"subset": "odd", "annotations": [entry(1, 2, "a")]}}},
            "subset such as training",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, content, words):
    path = write(tmp_path / "anno.json", content)
    with pytest.raises(ValueError, match=words) as caught:
        read_activitynet(path)
    assert "anno.json" in str(caught.value)


def test_names_that_do_not_fit(tmp_path):
    path = write(tmp_path / "anno.json", OPENTAD)
    with pytest.raises(ValueError, match=r"three has no class 'tap'.*did you mean 'taps'"):
        read_activitynet(path, LabelTree("three", ("nod", "taps")))
    path.write_text('{"database": {"a": {"annotations": []}, "a": {"annotations": []}}}')
    with pytest.raises(ValueError, match="keys are there twice: 'a'"):
        read_activitynet(path)
    assert not is_activitynet(path)


times = st.floats(0, 1e4, allow_nan=False)
videos = st.lists(
    st.tuples(
        st.floats(0.1, 1e4),
        st.sampled_from([None, Fraction(30), Fraction(29), Fraction(30000, 1001), Fraction(25)]),
        st.sampled_from(["train", "val", ""]),
        st.lists(st.tuples(times, times, st.integers(0, 1)), max_size=4),
    ),
    min_size=1,
    max_size=5,
)


@given(videos, st.booleans())
def test_what_is_written_is_read_again(tmp_path_factory, made, simulated):
    ids = tuple(f"视频 {number}" for number in range(len(made)))
    instances = tuple(
        Instance(name, *one) for name, (*_, listed) in zip(ids, made, strict=True) for one in listed
    )
    before = DetectionTable(
        "anno", TREE, ids, np.array([one[0] for one in made]), tuple(one[1] for one in made),
        tuple(one[2] for one in made), ("street", *[""] * (len(made) - 1)), ("s1", *[""] * (len(made) - 1)),
        instances, simulated=simulated,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("written") / "anno.json"
    write_opentad(path, before)
    after = read_activitynet(path, TREE)
    assert sorted(after.instances, key=repr) == sorted(before.instances, key=repr)
    np.testing.assert_array_equal(after.duration_s, before.duration_s)
    assert (after.video_ids, after.splits, after.domains) == (before.video_ids, before.splits, before.domains)
    assert (after.subjects, after.simulated) == (before.subjects, simulated)
    assert [rate is None for rate in after.fps] == [
        rate is None or round(rate * Fraction(float(seconds))) == 0
        for rate, seconds in zip(before.fps, before.duration_s, strict=True)
    ]


def test_a_video_without_a_duration_is_not_written(tmp_path):
    none = ("",)
    table = DetectionTable("anno", TREE, ("a",), np.array([np.nan]), (None,), none, none, none, ())
    with pytest.raises(ValueError, match="video 'a': expected a duration"):
        write_opentad(tmp_path / "a.json", table)
    assert not list(tmp_path.iterdir())


@pytest.mark.shared
def test_mma52_as_opentad(shared_dir, tmp_path):
    before = read_mma52(shared_dir / "data" / "annotations" / "mma52")
    write_opentad(tmp_path / "mma52.json", before)
    after = read_activitynet(tmp_path / "mma52.json")
    assert after.tree.actions == before.tree.actions  # numbered by label_id
    assert sorted(after.instances, key=repr) == sorted(before.instances, key=repr)
    assert after.fps == before.fps and after.splits == before.splits and after.withheld == ("test",)
