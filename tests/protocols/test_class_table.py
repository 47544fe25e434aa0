from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_samples import TREE, make_scores
from sklearn.metrics import precision_recall_fscore_support

from protocols.class_table import Thresholds, body_table, class_table, wilson, write_class_table
from protocols.label_tree import LabelTree
from protocols.recognition import measures_of
from protocols.scores import ScoreFile
from protocols.train_counts import read_train_counts


def of_predictions(labels, predicted, tree=TREE):
    scores = np.full((len(labels), len(tree.actions)), 0.01, np.float32)
    scores[np.arange(len(labels)), predicted] = 1 - 0.01 * (len(tree.actions) - 1)
    ids = tuple(map(str, range(len(labels))))
    return ScoreFile(tree, ids, np.array(labels, np.int64), scores)


KNOWN = of_predictions([0, 0, 0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 1, 1, 3, 0])


def test_known_answers():
    nod, shake, tap, kick, rest = class_table(KNOWN).rows
    assert (nod.name, nod.group, nod.clips, nod.taken_for) == ("nod", "head", 4, 3)
    assert (nod.recall, nod.precision, nod.f1) == (0.5, pytest.approx(2 / 3), pytest.approx(4 / 7))
    assert (nod.mistaken_for, nod.mistaken_clips) == ("shake", 2)
    assert (shake.recall, shake.precision, shake.mistaken_for, shake.mistaken_clips) == (1, 0.5, "", 0)
    assert (tap.recall, tap.f1, tap.mistaken_for, tap.mistaken_clips) == (0, 0, "nod", 1)
    assert math.isnan(tap.precision) and tap.taken_for == 0
    assert kick.clips == 0 and math.isnan(kick.recall) and kick.precision == kick.f1 == 0
    assert rest.clips == rest.taken_for == 0 and math.isnan(rest.f1) and math.isnan(rest.top5)
    assert nod.top5 == 1 and nod.train_clips == -1


def test_body_groups_by_both_rules():
    top = body_table(KNOWN)
    assert top.level == "body" and top.confusion.tolist() == [[6, 0], [1, 1]]
    assert [row.recall for row in top.rows] == [1, 0.5]
    scores = np.array([[0.4, 0.0, 0.3, 0.3, 0.0]], np.float32)  # best action: head; larger sum: limb
    file = ScoreFile(TREE, ("a",), np.array([2]), scores)
    assert body_table(file, "top").confusion.tolist() == [[0, 0], [1, 0]]
    summed = body_table(file, "summed")
    assert summed.level == "body_summed" and summed.confusion.tolist() == [[0, 0], [0, 1]]
    assert body_table(KNOWN, train_counts=[30, 2, 10, 1, 0]).rows[0].train_clips == 32
    with pytest.raises(ValueError, match="'flat' has no body groups"):
        body_table(of_predictions([0, 1], [0, 1], LabelTree("flat", ("a", "b"))))


def test_head_middle_and_tail():
    thresholds = Thresholds(head=4, tail=2)
    table = class_table(KNOWN, thresholds)
    assert table.banded_by == "measured clips" and table.thresholds == thresholds
    assert [row.band for row in table.rows] == ["head", "middle", "middle", "tail", "tail"]
    head, middle, tail = table.bands
    assert (head.classes, head.measured, head.clips, head.top1) == (1, 1, 4, 0.5)
    assert (middle.classes, middle.clips, middle.mean_class) == (2, 4, 0.5)
    assert middle.macro_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert (tail.classes, tail.measured, tail.clips) == (2, 0, 0)
    assert math.isnan(tail.top1) and math.isnan(tail.mean_class) and tail.macro_f1 == 0

    trained = class_table(KNOWN, thresholds, [1, 9, 9, 3, 0])
    assert trained.banded_by == "training clips"
    assert [row.band for row in trained.rows] == ["tail", "head", "head", "middle", "tail"]
    assert trained.bands[2].mean_class == 0.5 and trained.rows[0].train_clips == 1


def test_the_default_thresholds():
    bands = [Thresholds().band(clips) for clips in (0, 19, 20, 100, 101)]
    assert bands == ["tail", "tail", "middle", "middle", "head"]
    with pytest.raises(ValueError, match="got tail 5 and head 4"):
        Thresholds(4, 5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), clips=st.integers(2, 60))
def test_as_scikit_learn(seed, clips):
    scores = make_scores(np.random.default_rng(seed), clips)
    table = class_table(scores, Thresholds(8, 4))
    expected = precision_recall_fscore_support(
        scores.labels, scores.scores.argmax(axis=1), labels=range(5), zero_division=np.nan
    )
    rows = table.rows
    np.testing.assert_allclose([row.precision for row in rows], expected[0])
    np.testing.assert_allclose([row.recall for row in rows], expected[1])
    np.testing.assert_allclose([row.f1 for row in rows], expected[2])
    assert [row.clips for row in rows] == expected[3].tolist()
    # The bands together are the whole.
    assert sum(band.clips for band in table.bands) == clips == table.confusion.sum()
    top1 = np.nansum([band.top1 * band.clips for band in table.bands]) / clips
    assert top1 == pytest.approx(measures_of(scores)["action/top1"])
    means = np.nansum([band.mean_class * band.measured for band in table.bands])
    assert means / sum(band.measured for band in table.bands) == pytest.approx(
        measures_of(scores)["action/mean_class"]
    )


@pytest.mark.parametrize(
    ("right", "clips", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ],
)
def test_interval_of_a_share(right, clips, low, high):
    assert wilson(right, clips) == pytest.approx((low, high), abs=5e-5)


def test_interval_of_nothing():
    assert all(math.isnan(one) for one in wilson(0, 0))


def test_csv(tmp_path):
    tree = LabelTree("names", ('say "no", twice', "niña", "absent"))
    path = tmp_path / "sub" / "classes.csv"
    write_class_table(path, class_table(of_predictions([0, 1, 1], [0, 1, 0], tree)))
    assert b"\r" not in path.read_bytes()
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == list(tree.actions)
    assert rows[1]["recall"] == "0.500000" and rows[1]["mistaken_for"] == 'say "no", twice'
    assert rows[2]["recall"] == rows[2]["f1"] == rows[2]["train_clips"] == "" and rows[2]["clips"] == "0"
    write_class_table(path, class_table(of_predictions([0, 1, 1], [0, 1, 0], tree), train_counts=[3, 0, 1]))
    assert "niña,,tail,0,2" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("counts", [[1, 2], [1, 2, 3, 4, -1], []])
def test_counts_that_do_not_fit(counts):
    with pytest.raises(ValueError, match="training clips for each of 5 classes"):
        class_table(KNOWN, train_counts=counts)
    with pytest.raises(ValueError, match="training clips for each of 5 classes"):
        body_table(KNOWN, train_counts=counts)


def test_placeholders_are_refused():
    with pytest.raises(ValueError, match="labels are 0"):
        class_table(of_predictions([0, 0], [0, 1]))


def write(path, *rows, header="clip_id,label,split,class_name", ending="\n"):
    path.write_bytes(ending.join([header, *rows]).encode())
    return path


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_counting_training_clips(tmp_path, ending):
    rows = ("a,0,train,nod", "b,0,train,nod", "é,2,train,", "d,1,val,shake", "e,4,test,wrong name")
    assert read_train_counts(write(tmp_path / "a.csv", *rows, ending=ending), TREE) == (2, 0, 1, 0, 0)
    assert read_train_counts(tmp_path / "a.csv", TREE, "val") == (0, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        (
            ["a,5,train,x"],
            "clip_id,label,split,class_name",
            r"line 2: expected a label 0..4 of demo, got '5'",
        ),
        (["a,-1,train,x"], "clip_id,label,split,class_name", "got '-1'"),
        (["a,,train,x"], "clip_id,label,split,class_name", "got ''"),
        (["a,99999999999999999999,train,x"], "clip_id,label,split,class_name", "expected a label"),
        (["a,²,train,x"], "clip_id,label,split,class_name", "expected a label"),
        (["a"] * 9 + ["a,0,train,nod"] + ["a,9,train,"] * 9, "clip_id,label,split,class_name", "and 1 more"),
        (["a,1,train,nod"], "clip_id,label,split,class_name", "class 1 is 'shake' in demo, 'nod' here"),
        (["a,1,test,shake"], "clip_id,label,split,class_name", "no clip is in the split 'train'"),
        (["a,1"], "clip_id,label", "split missing"),
    ],
)
def test_labels_that_cannot_be_counted(tmp_path, rows, header, words):
    with pytest.raises(ValueError, match=words):
        read_train_counts(write(tmp_path / "a.csv", *rows, header=header), TREE)
