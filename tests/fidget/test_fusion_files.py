"""Rules as files, validation files that must not choose, and the fusion beside each file alone."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from fusion_samples import TREE, make_files, shuffled

from fidget.fusion.class_weights import ClassWeights
from fidget.fusion.gate import Gate
from fidget.fusion.report import against_others, labelled, measured_on
from fidget.fusion.rule_file import Fusion, fusion_of, read_fusion, write_fusion
from fidget.fusion.validation import check_validation, split_of
from fidget.fusion.weighted_mean import WeightedMean
from protocols.comparison import compare
from protocols.label_tree import LabelTree
from protocols.recognition import measures_of
from protocols.score_fusion import fuse
from protocols.scores import NO_LABEL, ScoreFile

RULES = (
    WeightedMean((0.35, 0.65), "log"),
    WeightedMean((1.0, 1.0)),
    ClassWeights((0.8, 1.25), ((0.2, 0.5, 0.9, 1.0), (0.8, 0.5, 0.1, 0.0)), 0.01),
    ClassWeights((1.0, 1.0), ((0.5,) * 4, (0.5,) * 4), math.inf),
    Gate((0.9, 1.7), 4.0),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_is_read_as_it_was_written(rule, tmp_path) -> None:
    files = make_files(30, 0)
    fusion = fusion_of(rule, files, "log_loss", 30)
    path = tmp_path / "new" / "fusion.json"
    write_fusion(path, fusion)
    again = read_fusion(path)
    assert again == fusion
    test = make_files(20, 1)
    assert (again.fused(test).scores == fusion.fused(test).scores).all()
    assert json.loads(path.read_text(encoding="utf-8"))["methods"] == ["rgb", "pose"]
    assert [one.name for one in path.parent.iterdir()] == ["fusion.json"]


def test_files_are_joined_by_clip_and_stay_what_they_are() -> None:
    files = make_files(30, 0)
    for rule in RULES:
        fusion = fusion_of(rule, files)
        straight, crossed = fusion.fused(files), fusion.fused([files[0], shuffled(files[1])])
        assert (straight.scores == crossed.scores).all()
        assert straight.clip_ids == files[0].clip_ids
        assert straight.method == rule.name(files)
        assert (straight.labels == files[0].labels).all()
    assert (fusion_of(RULES[1], files).fused(files).scores == fuse(files).scores).all()


def test_other_methods_actions_or_clips_are_refused() -> None:
    files = make_files(30, 0)
    fusion = fusion_of(RULES[0], files)
    with pytest.raises(ValueError, match=r"for scores of 'rgb', 'pose', in this order, got 'pose', 'rgb'"):
        fusion.fused(files[::-1])
    with pytest.raises(ValueError, match="got 'rgb', 'pose', 'bone'"):
        fusion.fused(make_files(30, 0, 3))
    other = LabelTree("other", ("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="for the 4 actions of demo, the score files have 4 of other"):
        fusion.fused([dataclasses.replace(one, tree=other) for one in files])
    with pytest.raises(ValueError, match="score file 2"):
        fusion.fused([files[0], make_files(30, 1)[1]])


def _content(**changes: object) -> dict:
    return fusion_of(RULES[2], make_files(8, 0)).as_json() | changes


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([], "expected what fidget fuse --save writes"),
        ({"format": "other"}, "expected what fidget fuse --save writes"),
        (_content(format_version=2), "expected format_version 1, got 2"),
        (_content(kind="median"), "expected the kind weighted_mean, class_weights, gate, got 'median'"),
        (_content(rule={"temperatures": [1, 1], "slope": 1}), "slope"),
        (_content(kind="gate", rule={"temperatures": [1, 1], "slope": -1}), "a slope of 0 or more"),
        (_content(kind="gate", rule={"temperatures": [1, "x"], "slope": 1}), "not supported"),
        (_content(methods=["rgb"]), "expected 2 methods, one a file, got 1"),
        (_content(actions=["nod"]), "expected weights of 1 actions"),
        ({key: value for key, value in _content().items() if key != "tree"}, "the key 'tree' is missing"),
    ],
)
def test_a_file_that_is_no_fusion_is_named(tmp_path, content, told: str) -> None:
    path = tmp_path / "fusion.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=told) as caught:
        read_fusion(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\x00", b"[" * 100_000])
def test_bytes_that_are_no_json(tmp_path, text: bytes) -> None:
    path = tmp_path / "fusion.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match="no fusion"):
        read_fusion(path)


def test_a_fusion_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        read_fusion("absent.json")


@pytest.mark.parametrize(
    ("split", "name", "found"),
    [
        ("", "scores/val.parquet", ""),
        ("", "scores/test.parquet", "test"),
        ("", "rgb-Test.parquet", "test"),
        ("", "rgb_train.parquet", "training"),
        ("", "latest.parquet", ""),
        ("", "test_run/rgb.parquet", ""),
        ("val", "test.parquet", ""),
        ("test", "val.parquet", "test"),
        ("train", "val.parquet", "training"),
    ],
)
def test_what_split_a_file_is_of(split: str, name: str, found: str) -> None:
    scores = dataclasses.replace(make_files(5, 0)[0], split=split)
    assert split_of(scores, name) == found


def test_validation_files_are_joined() -> None:
    files, seen = make_files(10, 0), make_files(12, 1)
    joined = check_validation(files, [seen[0], shuffled(seen[1])], ["a.parquet", "b.parquet"])
    assert [one.clip_ids for one in joined] == [seen[0].clip_ids] * 2
    assert (joined[1].scores == seen[1].scores).all()


def test_what_must_not_choose_is_refused() -> None:
    files, seen, paths = make_files(10, 0), make_files(12, 1), ["a.parquet", "b.parquet"]

    def refused(validation: list[ScoreFile], told: str, names: list[str] = paths) -> None:
        with pytest.raises(ValueError, match=told):
            check_validation(files, validation, names)

    refused(seen[:1], "expected 2 score files, one for each to fuse and in their order, got 1")
    refused(seen, "b_test.parquet: these are scores of a test split", ["a.parquet", "b_test.parquet"])
    tested = [seen[0], dataclasses.replace(seen[1], split="test")]
    refused(tested, "b.parquet: these are scores of a test split; weights are chosen on validation")
    refused(
        seen[::-1], "a.parquet: expected validation scores of 'rgb', the method of file 1 to fuse, got 'po"
    )
    refused(files, "a.parquet: 10 of its 10 clips, such as '0/0', are among those to fuse")
    one_shared = [dataclasses.replace(one, clip_ids=("0/3", *one.clip_ids[1:])) for one in seen]
    refused(one_shared, "1 of its 12 clips, such as '0/3'")
    other = LabelTree("other", ("a", "b", "c", "d"))
    refused(
        [dataclasses.replace(one, tree=other) for one in seen],
        "expected the 4 actions of demo, got 4 of other",
    )
    refused(
        [dataclasses.replace(one, labels=np.full(12, NO_LABEL)) for one in seen],
        "12 of 12 clips have no label",
    )
    refused([seen[0], make_files(12, 2)[1]], "expected the clips of the first file")


def test_the_fusion_against_each_file() -> None:
    files = make_files(120, 3)
    fused = fuse(files)
    unlabelled = dataclasses.replace(files[1], labels=np.full(120, NO_LABEL))
    found = against_others(fused, [("one", files[0]), ("two", unlabelled), ("self", fused)], 5, 300)
    expected = compare(fused, files[0], np.random.default_rng(5), 300)
    assert found["one"] == expected
    assert found["two"] == compare(fused, files[1], np.random.default_rng(5), 300)
    assert found["one"].differences["action/top1"].interval[0] > 0
    itself = found["self"].differences["f1_mean"]
    assert itself.interval == (0.0, 0.0)
    assert itself.p_value == 1.0


def test_without_labels_nothing_is_compared() -> None:
    files = make_files(9, 3)
    for labels in (np.full(9, NO_LABEL), np.zeros(9, np.int64), np.array([NO_LABEL] + [1] * 8)):
        blind = [dataclasses.replace(one, labels=labels) for one in files]
        assert not labelled(fuse(blind))
        assert against_others(fuse(blind), [("one", blind[0])]) == {}


def test_measures_on_the_validation_clips() -> None:
    files = make_files(50, 4)
    fusion, equal = fusion_of(RULES[0], files), fusion_of(RULES[1], files)
    found = measured_on(files, fusion, equal)
    assert list(found) == ["1: rgb", "2: pose", "equal weights", "chosen"]
    for name, scores in (
        ("1: rgb", files[0]),
        ("equal weights", fuse(files)),
        ("chosen", fusion.fused(files)),
    ):
        measured = measures_of(scores)
        assert found[name]["f1_mean"] == measured["f1_mean"]
        assert found[name]["action/top1"] == measured["action/top1"]
        own = scores.scores[np.arange(50), scores.labels]
        assert found[name]["log_loss"] == pytest.approx(-np.log(own.astype(np.float64)).mean())


def test_actions_without_groups_have_no_f1_mean() -> None:
    plain = LabelTree("plain", TREE.actions)
    files = [dataclasses.replace(one, tree=plain) for one in make_files(20, 4)]
    fusion = Fusion(RULES[1], "plain", plain.actions, ("rgb", "pose"))
    found = measured_on(files, fusion, fusion)
    assert set(found["chosen"]) == {"action/top1", "action/mean_class", "log_loss"}
