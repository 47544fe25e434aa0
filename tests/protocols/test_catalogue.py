from __future__ import annotations

from collections import Counter

import pytest

from protocols.catalogue import PROTOCOLS, find_protocol
from protocols.jhmdb import TREE as JHMDB
from protocols.labels_csv import read_labels_csv
from protocols.nw_ucla import recording_of

UCLA = [
    f"a{action:02d}_s{performer:02d}_e00_v0{camera}"
    for action in (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
    for performer in (1, 9, 10)
    for camera in (1, 2, 3)
]
CLIPS = {"nw_ucla": UCLA, "jhmdb14": [f"{split}/{action}_{number:03d}" for split in ("train", "test")
                                      for action in JHMDB.actions for number in range(10)]}  # fmt: skip


def write(path, *rows, header="clip_id,label,split"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_names_itself_and_is_stratified(name):
    clips = CLIPS["nw_ucla" if name.startswith("nw_ucla") else "jhmdb14"]
    protocol = find_protocol(name, clips)
    assert protocol.name == name and protocol.note
    for split in protocol.splits.values():
        sizes = Counter(split.labels)
        assert len(sizes) == len(protocol.tree.actions) and len(set(sizes.values())) == 1


def test_northwestern_ucla_never_looks_at_camera_3_before_the_end():
    splits = {name: find_protocol(name, UCLA).splits for name in PROTOCOLS if name.startswith("nw_ucla")}
    camera = {
        (name, split): sorted({recording_of(clip).camera for clip in clips.clip_ids})
        for name, parts in splits.items()
        for split, clips in parts.items()
    }
    assert camera == {
        ("nw_ucla", "train"): [1, 2], ("nw_ucla", "val"): [1, 2], ("nw_ucla", "test"): [3],
        ("nw_ucla_full", "train"): [1, 2], ("nw_ucla_full", "test"): [3],
        ("nw_ucla_views", "train"): [1], ("nw_ucla_views", "val"): [2],
        ("nw_ucla_views_back", "train"): [2], ("nw_ucla_views_back", "val"): [1],
        ("nw_ucla_full_cleaned", "train"): [1, 2], ("nw_ucla_full_cleaned", "test"): [3],
        ("nw_ucla_views_cleaned", "train"): [1], ("nw_ucla_views_cleaned", "val"): [2],
        ("nw_ucla_views_back_cleaned", "train"): [2], ("nw_ucla_views_back_cleaned", "val"): [1],
    }  # fmt: skip
    performers = {clip[4:7] for clip in splits["nw_ucla"]["val"].clip_ids}
    assert performers == {"s10"}
    assert not any("s10" in clip for clip in splits["nw_ucla"]["train"].clip_ids)


def test_cleaned_northwestern_ucla_lacks_two_groups_of_two_performers_in_camera_2_and_nothing_else():
    clips = [
        *UCLA,
        *(clip.replace("_s01", one) for clip in UCLA if "_s01" in clip for one in ("_s04", "_s05")),
    ]
    full, cleaned = find_protocol("nw_ucla_full", clips), find_protocol("nw_ucla_full_cleaned", clips)
    assert cleaned.splits["test"] == full.splits["test"]
    gone = set(full.splits["train"].clip_ids) - set(cleaned.splits["train"].clip_ids)
    assert not set(cleaned.splits["train"].clip_ids) - set(full.splits["train"].clip_ids)
    expected = {
        clip for clip in clips
        if clip.endswith("v02") and (
            ("_s04_" in clip and clip[:3] in ("a05", "a06"))
            or ("_s05_" in clip and clip[:3] in ("a08", "a09"))
        )
    }  # fmt: skip
    assert gone == expected and gone


@pytest.mark.parametrize(
    ("clip_id", "expected"),
    [
        ("a01_s01_e00_v01", (0, 1, 1)),
        ("a08_s10_e04_v03", (6, 10, 3)),
        ("x/y/a12_s02_e01_v02", (9, 2, 2)),
    ],
)
def test_what_a_name_tells(clip_id, expected):
    assert recording_of(clip_id) == expected


@pytest.mark.parametrize("clip_id", ["a07_s01_e00_v01", "a01_s01_e00_v04", "a01_s01_e00_v01.avi", "", "nod"])
def test_foreign_clips_are_refused_by_name(clip_id):
    with pytest.raises(ValueError, match="Northwestern-UCLA name"):
        find_protocol("nw_ucla", [*UCLA, clip_id])
    with pytest.raises(ValueError, match="train/clap_003"):
        find_protocol("jhmdb14", [*CLIPS["jhmdb14"], clip_id])


def test_jhmdb_validation():
    splits = find_protocol("jhmdb14", CLIPS["jhmdb14"]).splits
    assert [clip for clip in splits["val"].clip_ids if "clap" in clip] == ["train/clap_002", "train/clap_007"]
    assert {name: len(split.clip_ids) for name, split in splits.items()} == {
        "train": 112, "val": 28, "test": 140,
    }  # fmt: skip


def test_an_unknown_name_names_the_nearest(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'nw_ucla_views'"):
        find_protocol("nw_ucla_view", UCLA)
    with pytest.raises(ValueError, match="no such file"):
        find_protocol(tmp_path / "absent.csv", UCLA)


def test_a_csv_is_a_protocol(tmp_path):
    path = write(
        tmp_path / "mine.csv",
        'a,0,train,"nod, slowly"', "b,2,train,tap", "c,0,val,", "d,2,test,tap",
        header="clip_id,label,split,class_name",
    )  # fmt: skip
    protocol = find_protocol(path, ["a", "b", "c", "d", "more"])
    assert protocol.name == "mine"
    assert protocol.tree.actions == ("nod, slowly", "class 1", "tap")
    assert {name: (split.clip_ids, split.labels) for name, split in protocol.splits.items()} == {
        "train": (("a", "b"), (0, 2)), "val": (("c",), (0,)), "test": (("d",), (2,)),
    }  # fmt: skip


def test_one_csv_holds_several_protocols(tmp_path):
    path = write(tmp_path / "ntu.csv", "a,0,xsub_train", "a,0,xview_test", "b,1,xsub_test", "b,1,xview_train")
    xsub = find_protocol(f"{path}:xsub", ["a", "b"])
    assert xsub.name == "ntu:xsub" and xsub.splits["test"].clip_ids == ("b",)
    assert find_protocol(f"{path}:xview", ["a", "b"]).splits["test"].clip_ids == ("a",)
    with pytest.raises(ValueError, match="got 'xsub_train'"):
        find_protocol(path, ["a", "b"])
    with pytest.raises(ValueError, match="no clip is in the split nothing_train"):
        find_protocol(f"{path}:nothing", ["a", "b"])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("z,0,train", "line 3, clip 'z': there are no poses"),
        ("a,0,test", "line 3, clip 'a': the clip is in line 2 already"),
        ("b,,train", "class index 0.*got ''"),
        ("b,-1,train", "got '-1'"),
        ("b,1.0,train", "got '1.0'"),
        ("b,nod,train", "got 'nod'"),
        ("b,²,train", "got '²'"),
        ("b,99999999999999999999,train", "class index"),
        ("b,0,dev", "expected the split train, val or test, got 'dev'"),
        ("b,0", "got ''"),
    ],
)
def test_a_bad_row_is_named(tmp_path, row, words):
    with pytest.raises(ValueError, match=words) as caught:
        find_protocol(write(tmp_path / "mine.csv", "a,0,train", row), ["a", "b"])
    assert "mine.csv" in str(caught.value)


def test_all_bad_rows_are_named_at_once(tmp_path):
    path = write(tmp_path / "mine.csv", *(f"x{n},0,train" for n in range(12)))
    with pytest.raises(ValueError, match=r"x0.*x7.*and 4 more"):
        read_labels_csv(path, clip_ids=())


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a,0,train,nod", "b,0,train,tap"], "class 0 is 'nod' elsewhere, 'tap' here"),
        (["a,0,train,nod", "b,1,train,nod"], "two class indices have the name nod"),
        (["a,0,test,nod"], "no clip is in the split train"),
        ([], "no clip is in the split train"),
    ],
)
def test_a_table_that_makes_no_protocol(tmp_path, rows, words):
    path = write(tmp_path / "mine.csv", *rows, header="clip_id,label,split,class_name")
    with pytest.raises(ValueError, match=words):
        read_labels_csv(path)


def test_class_names_known_elsewhere_bound_the_labels(tmp_path):
    path = write(tmp_path / "mine.csv", "a,0,train", "b,2,train")
    with pytest.raises(ValueError, match=r"class index 0..1 as label, got '2'"):
        read_labels_csv(path, actions=("nod", "tap"))
    assert read_labels_csv(path, actions=("nod", "tap", "kick", "rest")).tree.actions[3] == "rest"


def test_missing_columns_are_named(tmp_path):
    with pytest.raises(ValueError, match="split missing"):
        read_labels_csv(write(tmp_path / "mine.csv", header="clip_id,label"))


GROUPED = "clip_id,label,split,class_name,group_name"


def test_groups_of_a_table(tmp_path):
    rows = ("a,0,train,nod,head", "b,1,train,tap,leg", "c,2,test,shake head,head")
    tree = read_labels_csv(write(tmp_path / "mine.csv", *rows, header=GROUPED)).tree
    assert tree.groups == ("head", "leg")
    assert tree.group_of == (0, 1, 0)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (("a,0,train,nod,head", "b,0,train,nod,leg"), "line 3, clip 'b': class 0 is of 'head' elsewhere"),
        (("a,0,train,nod,head", "b,1,train,tap,"), "classes without a group_name: tap"),
    ],
)
def test_groups_that_do_not_fit(tmp_path, rows, words):
    with pytest.raises(ValueError, match=words):
        read_labels_csv(write(tmp_path / "mine.csv", *rows, header=GROUPED))
