"""`fidget fuse` with numbers that are chosen: what it writes, prints, keeps and refuses."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from fusion_samples import make_files, shuffled

from fidget.cli.main import main
from protocols.scores import NO_LABEL, read_scores, write_scores


@pytest.fixture
def here(tmp_path, monkeypatch):
    """`rgb_val`, `rgb_test` and so on, in the working directory."""
    monkeypatch.chdir(tmp_path)
    for split, clips, seed in (("val", 200, 1), ("test", 150, 2)):
        for scores in make_files(clips, seed, 3, (1.0, 2.0, 1.0)):
            write_scores(f"{scores.method}_{split}.parquet", shuffled(scores, seed))
    return tmp_path


TWO = ["rgb_test.parquet", "pose_test.parquet"]
SEEN = ["--validation", "rgb_val.parquet", "pose_val.parquet"]
FAST = ["--draws", "200", "-o", "out.parquet"]


def _fuse(*arguments: str) -> int:
    return main(["fuse", *arguments])


def test_weights_are_chosen_and_kept_and_applied(here, capsys) -> None:
    assert _fuse(*TWO, *SEEN, "--mean", "log", "--save", "fusion.json", *FAST) == 0
    out = capsys.readouterr().out
    assert "out.parquet: 150 clips of demo" in out
    assert "chosen on 200 validation clips by log-loss" in out
    assert "weighted mean of logarithms" in out
    assert "on the 200 validation clips, which the choice has seen:" in out
    kept = json.loads((here / "fusion.json").read_text(encoding="utf-8"))
    weights = kept["rule"]["weights"]
    assert sum(weights) == pytest.approx(1)
    assert weights[0] > weights[1] > 0  # the second is twice as sure as it ought to be
    assert f"{weights[0]:g} x rgb_test.parquet" in out
    applied = ["--apply", "fusion.json", "--draws", "200", "-o", "applied.parquet"]
    assert _fuse(*TWO, *applied) == 0
    first, second = read_scores("out.parquet"), read_scores("applied.parquet")
    assert (first.scores == second.scores).all()
    assert first.method == f"{weights[0]:g} rgb + {weights[1]:g} pose"
    assert _fuse(*TWO[::-1], "--apply", "fusion.json", "-o", "turned.parquet") == 1
    assert "name the same methods in the same order" in capsys.readouterr().err
    assert not (here / "turned.parquet").exists()


def test_it_is_compared_with_each_file_alone_and_with_equal_weights(here, capsys) -> None:
    assert _fuse(*TWO, *SEEN, "--mean", "log", *FAST) == 0
    out = capsys.readouterr().out
    for name in (*TWO, "equal weights, mean of logarithms"):
        assert f"  against {name}\n" in out
    block = out.split("against rgb_test.parquet")[1].split("against")[0]
    words = [line.split()[0] for line in block.strip().splitlines()]
    assert words == ["top-1", "mean", "F1mean", "McNemar:"]
    assert "the interval contains 0" not in block  # it is plainly better than one alone
    assert _fuse(*TWO, "--draws", "200", "-o", "equal.parquet") == 0
    assert "equal weights" not in capsys.readouterr().out


def test_no_difference_is_said_plainly(here, capsys) -> None:
    assert _fuse("rgb_test.parquet", "rgb_test.parquet", *FAST) == 0
    out = capsys.readouterr().out
    line = next(line for line in out.splitlines() if "top-1" in line)
    assert "+0.00 (+0.00 to +0.00)" in line
    assert line.endswith("no difference is shown, the interval contains 0")
    fused, alone = read_scores("out.parquet"), read_scores("rgb_test.parquet")
    np.testing.assert_allclose(fused.scores, alone.scores, atol=1e-6)


def test_by_class(here, capsys) -> None:
    assert _fuse(*TWO, *SEEN, "--per-class", "--save", "fusion.json", *FAST) == 0
    out = capsys.readouterr().out
    assert "weights by class, held back by" in out
    assert "against equal weights, mean of logarithms" in out
    kept = json.loads((here / "fusion.json").read_text(encoding="utf-8"))
    assert kept["kind"] == "class_weights"
    assert np.array(kept["rule"]["weights"]).shape == (2, 4)
    assert read_scores("out.parquet").method == "rgb + pose by class"


def test_gate(here, capsys) -> None:
    assert _fuse(*TWO, *SEEN, "--gate", "--save", "fusion.json", *FAST) == 0
    out = capsys.readouterr().out
    assert "base rgb_test.parquet at temperature" in out
    assert "corrected by pose_test.parquet at temperature" in out
    assert "x difference of confidences, at most 1" in out
    kept = json.loads((here / "fusion.json").read_text(encoding="utf-8"))
    assert kept["rule"]["temperatures"][1] > 1.5 * kept["rule"]["temperatures"][0]
    applied = ["--apply", "fusion.json", "-o", "applied.parquet", "--json"]
    assert _fuse(*TWO, *applied) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["fusion"] == kept
    assert found["validation"] == {}
    gap = found["against"]["rgb_test.parquet"]["differences"]["action/top1"]
    assert gap["difference"] == pytest.approx(gap["first"] - gap["second"])


def test_json_of_a_choice(here, capsys) -> None:
    assert _fuse(*TWO, *SEEN, "--choose-by", "top1", "--json", *FAST) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["fusion"]["chosen_by"] == "top1"
    assert found["weights"] == found["fusion"]["rule"]["weights"]
    assert set(found["against"]) == {*TWO, "equal weights, mean of probabilities"}
    measured = found["validation"]
    assert list(measured) == ["1: rgb", "2: pose", "equal weights", "chosen"]
    assert measured["chosen"]["action/top1"] >= max(one["action/top1"] for one in measured.values())


def test_three_files(here, capsys) -> None:
    three = [*TWO, "bone_test.parquet", *SEEN, "bone_val.parquet"]
    assert _fuse(*three, *FAST) == 0
    assert _fuse(*three, "--per-class", "--overwrite", *FAST) == 0
    assert capsys.readouterr().out.count("against bone_test.parquet") == 2


def test_clips_without_labels_are_fused_and_not_compared(here, capsys) -> None:
    for name in TWO:
        scores = read_scores(name)
        write_scores(name, dataclasses.replace(scores, labels=np.full(150, NO_LABEL)))
    assert _fuse(*TWO, *SEEN, *FAST) == 0
    assert "not compared with the files alone: the clips have no labels" in capsys.readouterr().out
    assert len(read_scores("out.parquet")) == 150


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([*TWO, "--validation", "rgb_val.parquet"], 2, "expected 2 score files, one for each to fuse"),
        (
            [*TWO, "--validation", "pose_val.parquet", "rgb_val.parquet"],
            1,
            "name both lists in the same order",
        ),
        ([*TWO, "--validation", *TWO], 1, "rgb_test.parquet: these are scores of a test split"),
        ([*SEEN[1:], *SEEN], 1, "200 of its 200 clips, such as '1/0', are among those to fuse"),
        ([*TWO, "--validation", "a.parquet", "b.parquet"], 1, "a.parquet"),
        ([*TWO, "--gate"], 2, "--gate chooses on validation scores"),
        ([*TWO, "--per-class"], 2, "--per-class chooses on validation scores"),
        ([*TWO, "--choose-by", "top1"], 2, "--choose-by chooses on validation scores"),
        ([*TWO, *SEEN, "--gate", "--per-class"], 2, "exclude each other"),
        ([*TWO, *SEEN, "--gate", "--mean", "log"], 2, "leave --mean out"),
        ([*TWO, "bone_test.parquet", *SEEN, "bone_val.parquet", "--gate"], 2, "--gate takes two files"),
        ([*TWO, *SEEN, "--weights", "1,2"], 2, "--weights and --validation each say"),
        ([*TWO, "--apply", "fusion.json", "--save", "new.json"], 2, "leave one of them out"),
        ([*TWO, "--apply", "absent.json"], 1, "absent.json"),
        ([*TWO, "--apply", "rgb_val.parquet"], 1, "rgb_val.parquet: no fusion"),
        ([*TWO, "--save", "rgb_val.parquet"], 2, "there is such a file already"),
        ([*TWO, "--draws", "0"], 2, "--draws is at least 1"),
        ([*TWO, "--mean", "median"], 2, "invalid choice"),
    ],
)
def test_what_is_refused_in_one_line(here, capsys, arguments, status: int, told: str) -> None:
    try:
        found = _fuse(*arguments, "-o", "out.parquet")
    except SystemExit as left:  # argparse's own refusals
        found = left.code
    assert found == status
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert not (here / "out.parquet").exists()
