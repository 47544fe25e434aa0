from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.poses.cache_samples import METADATA, make_row

from poses.cache_writer import CacheWriter
from protocols.clip_table import ClipTable
from protocols.clip_tables import KINDS, kind_of, read_clip_table, table_of_clips
from protocols.column_map import parse_columns
from protocols.id_matching import match_ids
from protocols.label_tree import LabelTree
from protocols.labels_csv import read_labels_csv
from protocols.labels_table import read_labels_table
from protocols.nw_ucla import nw_ucla
from protocols.scores import NO_LABEL

TREE = LabelTree("two", ("nod", "tap"))


def table_of(**changes):
    table = ClipTable(
        "mine", TREE, ("a", "b", "c"), np.array([0, 1, NO_LABEL]), ("train", "val", "test"),
        ("street", "", "street"), ("p", "q", ""), np.array([1.0, 2.0, 3.0]),
    )  # fmt: skip
    return replace(table, **changes)


def cache_of(directory, *clip_ids, **settings):
    rng = np.random.default_rng(0)
    with CacheWriter(directory, replace(METADATA, settings=settings)) as writer:
        for clip_id in clip_ids:
            writer.add(make_row(clip_id, rng, frames=3))
    return directory


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": np.array([0, 1])}, "expected labels of 3 clips, got 2"),
        ({"clip_ids": ("a", "b", "a")}, "clips are there twice: 'a'"),
        ({"labels": np.array([0, 2, 1])}, "clip 'b' has label 2, expected 0..1"),
        ({"splits": ("train", "dev", "test")}, "expected splits train, val, test, got dev"),
    ],
)
def test_a_table_checks_itself(changes, words):
    with pytest.raises(ValueError, match=words):
        table_of(**changes)


def test_rows_and_subsets():
    table = table_of()
    assert table.rows().tolist() == [0, 1] and table.rows(domain="street").tolist() == [0]
    some = table.subset(np.array([2, 0]))
    assert (some.clip_ids, some.labels.tolist(), some.subjects) == (("c", "a"), [NO_LABEL, 0], ("", "p"))
    assert some.duration_s.tolist() == [3.0, 1.0] and some.tree is TREE


@pytest.mark.parametrize(
    ("names", "ids", "found"),
    [
        (["a"], ["a"], {"a": "a"}),
        (["a"], ["x/a"], {"a": "x/a"}),
        (["x/a"], ["a"], {"x/a": "a"}),
        (["x/a", "y/a"], ["x/a", "y/a"], {"x/a": "x/a", "y/a": "y/a"}),
        (["x/a"], ["y/a"], {}),  # clips of other folders
        (["a.mp4"], ["v/a"], {"a.mp4": "v/a"}),
        (["a.b"], ["a.b", "a"], {"a.b": "a.b"}),
        (["a"], ["A"], {}),
        (["y/a"], ["x/y/a", "z/a"], {"y/a": "x/y/a"}),
        (["a", "b"], ["x/a"], {"a": "x/a"}),
    ],
)
def test_names_and_clip_ids(names, ids, found):
    assert match_ids(names, ids) == found


@pytest.mark.parametrize(
    ("names", "ids", "words"),
    [
        (["a"], ["x/a", "y/a"], "'a' may be 'x/a' or 'y/a'"),
        (["x/a", "y/a"], ["a"], "'x/a' and 'y/a' may both be 'a'"),
        (["a", "a.mp4"], ["a"], "'a' and 'a.mp4' may both be 'a'"),
    ],
)
def test_names_that_fit_several(names, ids, words):
    with pytest.raises(ValueError, match=words):
        match_ids(names, ids)


@given(st.lists(st.text("ab/", min_size=1, max_size=5), unique=True))
def test_ids_match_themselves(ids):
    assert match_ids(ids, ids) == {one: one for one in ids}


UCLA = [
    f"a{action:02d}_s{who:02d}_e00_v0{camera}"
    for action in (1, 12)
    for who in (1, 10)
    for camera in (1, 2, 3)
]


def test_cameras_are_domains_and_performers_subjects(tmp_path):
    table = read_clip_table("nw_ucla", cache_of(tmp_path / "poses", *UCLA))
    assert table.clip_ids == tuple(UCLA) and not table.simulated
    assert (table.domains[2], table.subjects[2], table.splits[2]) == ("camera 3", "performer 1", "test")
    assert (table.domains[3], table.subjects[3], table.splits[3]) == ("camera 1", "performer 10", "val")
    assert table.protocol("nw_ucla").splits == nw_ucla(UCLA).splits
    with pytest.raises(ValueError, match="name the pose cache"):
        read_clip_table("nw_ucla")


def test_jhmdb():
    ids = ["train/clap_001", "train/clap_002", "test/golf_001"]
    table = table_of_clips("jhmdb14", ids)
    assert table.splits == ("train", "val", "test") and table.labels.tolist() == [1, 1, 2]
    assert set(table.domains) == set(table.subjects) == {""}


def test_a_cache_says_names_and_that_it_is_simulated(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("clip_id,label,split\na.mp4,0,train\nb,1,test\n")
    assert read_clip_table(path).clip_ids == ("a.mp4", "b")
    poses = cache_of(tmp_path / "poses", "videos/a", "videos/c", simulated="true")
    table = read_clip_table(path, poses)
    assert table.clip_ids == ("videos/a", "b") and table.simulated


def test_a_labels_csv_is_read_as_the_protocol_reads_it(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        "clip_id,label,split,class_name,group_name\n"
        "a,0,train,nod,head\nb,2,train,tap,leg\nc,0,val,,\nd,1,test,shake,head\n"
    )
    protocol, table = read_labels_csv(path), read_labels_table(path)
    assert table.tree == protocol.tree and table.protocol(protocol.name).splits == protocol.splits


def test_names_as_labels_are_numbered_in_their_order(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("clip_id,label,group_name\na,tap,leg\nb,nod,head\nc,tap,leg\n")
    table = read_labels_table(path)
    assert table.tree.actions == ("nod", "tap") and table.labels.tolist() == [1, 0, 1]
    assert (table.tree.groups, table.tree.group_of) == (("head", "leg"), (0, 1))


def test_several_protocols_in_one_file(tmp_path):
    path = tmp_path / "ntu.csv"
    path.write_text("clip_id,label,split\na,0,xsub_train\na,0,xview_test\nb,1,xsub_test\nb,1,xview_train\n")
    for name in (f"{path}:xsub", f"labels:{path}:xsub"):
        table = read_clip_table(name)
        assert table.name == "ntu:xsub" and table.splits == ("train", "test")
    with pytest.raises(
        ValueError, match=r"expected the split train, val or test, got 'xsub_train'; .* FILE:xsub"
    ):
        read_clip_table(path)
    with pytest.raises(ValueError, match="no clip is in the splits nothing_train"):
        read_clip_table(f"{path}:nothing")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,\nb,", "expected labels, every one is empty"),
        ("a,0\nb,nod", "expected class indices or class names as labels, got both, such as 'nod'"),
        ("a,100000", "class indices below 100000"),
        ("a,0\n,1", "line 3: expected a clip, got nothing"),
        ("a,0\na,1", "line 3: clip 'a' is in line 2 already"),
        ("", "no clip is in the splits train, val and test"),
    ],
)
def test_a_table_that_gives_no_clips(tmp_path, rows, words):
    path = tmp_path / "mine.csv"
    path.write_text(f"clip_id,label\n{rows}")
    with pytest.raises(ValueError, match=words):
        read_labels_table(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,0,nod,x\nb,0,tap,x", "class 0 is called 'nod' and 'tap'"),
        ("a,0,nod,x\nb,00,tap,x", "class 0 is called 'nod' and 'tap'"),
        ("a,0,nod,x\nb,0,nod,y", "class 0 is of the group 'x' and 'y'"),
        ("a,0,nod,x\nb,1,tap,", "classes without a group: tap"),
        ("a,0,nod,x\nb,1,nod,x", "actions must be unique, twice: nod"),
    ],
)
def test_a_table_that_gives_no_tree(tmp_path, rows, words):
    path = tmp_path / "mine.csv"
    path.write_text(f"clip_id,label,class_name,group_name\n{rows}")
    with pytest.raises(ValueError, match=words):
        read_labels_table(path)


def test_what_a_path_is(tmp_path):
    (tmp_path / "train_list_videos.txt").touch()
    assert kind_of(str(tmp_path))[0] == "ma52"
    folders = tmp_path / "folders"
    (folders / "nod").mkdir(parents=True)
    (folders / "nod" / "a.mp4").touch()
    assert kind_of(str(folders))[0] == "folders"
    (folders / "val.json").touch()
    assert kind_of(str(folders))[0] == "labels"
    for name in KINDS:
        assert kind_of(f"{name}:{tmp_path}") == (name, tmp_path, "")
    with pytest.raises(ValueError, match=r"looks like a pose cache: .* \(poses-labels.csv"):
        kind_of(str(cache_of(tmp_path / "poses", "a")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="expected the lists of MA-52"):
        kind_of(str(tmp_path / "empty"))
    with pytest.raises(ValueError, match=r"no data set 'jhmdb', and no such file: did you mean 'jhmdb14'"):
        kind_of("jhmdb")
    with pytest.raises(ValueError, match="mma82 is read from files: expected mma82:PATH"):
        kind_of("mma82")
    with pytest.raises(ValueError, match="there is no such file"):
        kind_of(f"ma52:{tmp_path / 'none'}")
    with pytest.raises(ValueError, match="columns were named, but ma52 has none"):
        read_clip_table(tmp_path, columns=parse_columns("clip=a"))
