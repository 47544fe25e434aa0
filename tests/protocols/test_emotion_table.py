from __future__ import annotations

import numpy as np
import pytest

from protocols.emotion_sets import emotion_set
from protocols.emotion_table import read_emotion_table
from protocols.trees import tree

HEAD = "clip_id,emotion,micro_actions\n"


def table(tmp_path, text, kind="own", label_tree=None):
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    return read_emotion_table(path, emotion_set(kind), label_tree)


def test_a_list_of_micro_actions_and_pairs_are_the_same(tmp_path):
    lists = table(tmp_path, HEAD + "a,happy,nodding; shrugging\nb,Sad,bowing head\nc,sad,none\n")
    pairs = table(
        tmp_path,
        "clip_id,emotion,micro_action\na,happy,nodding\na,happy,Shrugging\nb,Sad,bowing head\nc,sad,none\n",
    )
    for found in (lists, pairs):
        assert found.clip_ids == ("a", "b", "c") and found.emotions == ("happy", "Sad")
        assert [name.lower() for name in found.tree.actions] == ["bowing head", "nodding", "shrugging"]
        assert found.labels.tolist() == [0, 1, 1] and not found.simulated
        assert found.present.tolist() == [[False, True, True], [True, False, False], [False, False, False]]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("a,glee,Nodding\n", "line 2, clip 'a': 'glee' is no emotion of mma82"),
        ("a,happi,Nodding\n", "did you mean 'happy'"),
        ("a,,Nodding\n", "line 2, clip 'a': empty emotion"),
        (",happy,Nodding\n", "line 2, clip '': empty clip_id"),
        ("a,happy,\n", "empty micro_actions; write none"),
        ("a,happy,;\n", "expected micro-actions or none, got ';'"),
        ("a,happy,none;Nodding\n", "expected micro-actions or none"),
        ("a,happy,Noding\n", "'Noding' is no micro-action of mma82; did you mean 'Nodding'"),
        ("a,happy,Nodding;nodding\n", "'nodding' is there twice"),
        ("a,happy,Nodding\na,happy,Nodding\n", "line 3, clip 'a': 'Nodding' is there twice"),
        ("a,happy,Nodding\na,sad,Shrugging\n", "line 3, clip 'a': emotion 'sad', but 'happy' in line 2"),
        ("a,happy,Nodding\na,happy,Shrugging;Pointing\n", "the clip is in line 2 already"),
        ("a,happy,none\na,happy,Shrugging\n", "the clip is in line 2 already"),
        ("", "no rows below the head"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, rows, told):
    with pytest.raises(ValueError) as caught:
        table(tmp_path, HEAD + rows, "mma82", tree("mma82"))
    assert told in str(caught.value)


def test_problems_are_told_all_at_once(tmp_path):
    with pytest.raises(ValueError) as caught:
        table(tmp_path, HEAD + "a,glee,Nodding\nb,woe,Noddin\n", "mma82", tree("mma82"))
    assert all(word in str(caught.value) for word in ("'glee'", "'woe'", "'Noddin'"))


def test_columns_splits_and_subjects(tmp_path):
    head = "clip_id,emotion,micro_actions,split,subject,simulated\n"
    found = table(tmp_path, head + "a,x,n,train,p,true\nb,y,n,testing,q,true\n")
    assert found.splits == ("train", "test") and found.subjects == ("p", "q") and found.simulated
    with pytest.raises(ValueError, match="subjects in several splits: 'p'"):
        table(tmp_path, head + "a,x,n,train,p,true\nb,y,n,test,p,true\n")
    with pytest.raises(ValueError, match="expected simulated true or false, got 'maybe'"):
        table(tmp_path, head + "a,x,n,train,p,maybe\n")
    with pytest.raises(ValueError, match="missing emotion; got"):
        table(tmp_path, "clip_id,micro_actions\na,n\n")


def test_lower_limb_groups_are_left_out(tmp_path):
    rows = "a,happy,nodding;shaking legs\nb,sad,patting legs\n"
    whole = table(tmp_path, HEAD + rows, "own", tree("ma52"))
    less = whole.without_groups(["Lower limb", "leg-hand"])
    assert len(less.tree.actions) == 40 and less.tree.groups == (
        "Body",
        "Head",
        "Upper limb",
        "Body-hand",
        "Head-hand",
    )
    assert less.present.sum(axis=1).tolist() == [1, 0]
    np.testing.assert_array_equal(less.labels, whole.labels)
    with pytest.raises(ValueError, match="no group 'Legs'"):
        whole.without_groups(["Legs"])
