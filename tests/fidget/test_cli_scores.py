from __future__ import annotations

import json

import numpy as np
import pytest

from fidget.cli.main import main
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile, read_scores, write_scores

TREE = LabelTree("demo", ("nod", "shake", "tap"), ("head", "limb"), (0, 0, 1))


@pytest.fixture
def files(tmp_path):
    """Two score files of three clips; their mean is right about every one of them."""
    ids, labels = ("a", "b", "c"), np.array([0, 1, 1])
    first = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]], np.float32)
    second = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]], np.float32)
    write_scores(tmp_path / "1.parquet", ScoreFile(TREE, ids, labels, first, "joint", seed=0))
    write_scores(
        tmp_path / "2.parquet", ScoreFile(TREE, ids[::-1], labels[::-1], second[::-1], "bone", seed=0)
    )
    return [str(tmp_path / "1.parquet"), str(tmp_path / "2.parquet")]


def test_evaluate(files, capsys):
    assert main(["evaluate", files[0]]) == 0
    out = capsys.readouterr().out
    assert "joint on demo, 3 clips, seed 0" in out
    assert "top-1 66.67 (0.00-100.00)" in out and "mean class 75.00" in out
    assert "actions without a clip: 1 of 3: tap" in out
    assert "body, group of the best action: top-1 100.00" in out and "F1mean" in out


def test_evaluate_as_json(files, capsys):
    assert main(["evaluate", *files, "--json", "--draws", "50"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["action"]["top1"] == pytest.approx(2 / 3) and second["action"]["top1"] == 1
    assert first["confusion"] == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert first["recall"] == [1, 0.5, None]
    assert first["actions"] == ["nod", "shake", "tap"]


def test_evaluate_goes_on_after_a_bad_file(files, tmp_path, capsys):
    zeros = ScoreFile(TREE, ("a", "b"), np.zeros(2, np.int64), np.full((2, 3), 1 / 3, np.float32))
    write_scores(tmp_path / "0.parquet", zeros)
    (tmp_path / "bad.parquet").write_bytes(b"no")
    bad = [str(tmp_path / name) for name in ("0.parquet", "bad.parquet", "absent.parquet")]
    assert main(["evaluate", *bad, files[0]]) == 1
    captured = capsys.readouterr()
    assert "3 clips" in captured.out
    assert [line.split(":")[1].strip() for line in captured.err.splitlines()] == bad


@pytest.fixture
def seeds(tmp_path):
    """Two seeds of one method and one of another, on the same 60 clips in other orders."""
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=60)  # tap is never shown
    labels[:2] = (0, 1)
    paths = []
    for number, (method, seed) in enumerate((("gcn", 0), ("gcn", 1), ("cnn", 0))):
        scores = rng.dirichlet((1, 1, 1), size=60)
        scores[np.arange(60), labels] += 0.2 * (number + 1)
        scores = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
        order = rng.permutation(60)
        ids = tuple(f"clip {row}" for row in order)
        paths.append(str(tmp_path / f"{method}{seed}.parquet"))
        write_scores(paths[-1], ScoreFile(TREE, ids, labels[order], scores[order], method, seed=seed))
    return paths


def test_evaluate_by_the_sums_of_groups(files, capsys):
    assert main(["evaluate", files[0], "--body", "summed"]) == 0
    out = capsys.readouterr().out
    assert "body, group of the largest sum of probabilities: top-1 100.00" in out
    assert "equation 5" not in out
    assert main(["evaluate", files[0], "--body", "summed", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["body_rule"] == "summed" and found["measures"]["body_summed/top1"] == 1
    assert set(found["measures"]) == set(found["intervals"])
    assert found["top1_interval"] == found["intervals"]["action/top1"]
    assert found["body_confusion"] == [[3, 0], [0, 0]] and found["groups"] == ["head", "limb"]


def test_evaluate_several_seeds(seeds, capsys):
    assert main(["evaluate", *seeds, "--draws", "100"]) == 0
    out = capsys.readouterr().out
    assert "gcn on demo: 2 files of seeds 0, 1: mean and standard deviation" in out
    assert "cnn on demo: " not in out
    assert main(["evaluate", *seeds, "--draws", "100", "--json"]) == 0
    *single, spread = json.loads(capsys.readouterr().out)
    assert [one["method"] for one in single] == ["gcn", "gcn", "cnn"]
    assert spread["files"] == seeds[:2] and spread["seeds"] == [0, 1]
    values = [one["measures"]["f1_mean"] for one in single[:2]]
    found = spread["spread"]["f1_mean"]
    assert found["mean"] == pytest.approx(np.mean(values))
    assert found["deviation"] == pytest.approx(np.std(values, ddof=1)) and found["within_seeds"] is None


def test_files_of_other_clips_are_not_averaged(seeds, tmp_path, capsys):
    whole = read_scores(seeds[0])
    part = ScoreFile(TREE, whole.clip_ids[:30], whole.labels[:30], whole.scores[:30], "gcn", seed=2)
    write_scores(tmp_path / "part.parquet", part)
    assert main(["evaluate", seeds[0], str(tmp_path / "part.parquet"), "--draws", "10"]) == 0
    assert "standard deviation" not in capsys.readouterr().out


def test_evaluate_against_another_method(seeds, capsys):
    assert main(["evaluate", seeds[2], "--against", seeds[0], "--draws", "200"]) == 0
    out = capsys.readouterr().out
    assert f"against {seeds[0]} (gcn): difference" in out
    assert "action top-1" in out and "McNemar, body top-1" in out and "mid-p" in out
    assert main(["evaluate", seeds[2], "--against", seeds[0], "--draws", "200", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    gap = found["against"]["differences"]["action/top1"]
    assert gap["difference"] == pytest.approx(gap["first"] - gap["second"]) and gap["difference"] > 0
    assert set(found["against"]["mcnemar"]) == {"action", "body", "body_summed"}


def test_evaluate_against_what_does_not_fit(seeds, files, tmp_path, capsys):
    assert main(["evaluate", seeds[0], "--against", files[0]]) == 1
    error = capsys.readouterr().err
    assert f"{seeds[0]}: not measured" in error and "3 more" in error
    assert main(["evaluate", seeds[0], "--against", str(tmp_path / "absent.parquet")]) == 1
    assert "absent.parquet" in capsys.readouterr().err


def test_evaluate_classes_and_tail(seeds, tmp_path, capsys):
    assert main(["evaluate", seeds[0], "--classes", "--tail", "28,5", "--draws", "10"]) == 0
    out = capsys.readouterr().out
    assert "head: actions of more than 28, tail: of fewer than 5 measured clips" in out
    assert "0 nod" in out and "2 tap" in out and "band" in out and "as 1" in out
    labels = tmp_path / "labels.csv"
    labels.write_text("clip_id,label,split\n" + "a,0,train\n" * 3 + "b,2,train\n", encoding="utf-8")
    arguments = ["evaluate", seeds[0], "--train-labels", str(labels), "--tail", "2,1", "--draws", "10"]
    assert main([*arguments, "--csv", str(tmp_path / "classes.csv"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["banded_by"] == "training clips"
    assert [row["band"] for row in found["classes"]] == ["head", "tail", "middle"]
    assert [row["measured"] for row in found["bands"]] == [1, 0, 1]
    lines = (tmp_path / "classes.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4 and lines[3].startswith("2,tap,limb,middle,1,0,")


def test_evaluate_calibration_with_a_plot(seeds, tmp_path, capsys):
    plot = tmp_path / "calibration.png"
    assert main(["evaluate", *seeds, "--calibration", "--plot", str(plot), "--draws", "20"]) == 0
    out = capsys.readouterr().out
    assert "calibration, action: ECE" in out and "risk-coverage, body, group of the largest sum" in out
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert main(["evaluate", seeds[0], "--calibration", "--json", "--draws", "20"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert set(found["calibration"]) == set(found["calibration_intervals"])
    assert 0 < found["calibration"]["action/aurc"] < 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--draws", "0"], "--draws"),
        (["--bins", "0"], "--bins"),
        (["--tail", "20"], "two numbers of clips such as 100,20, got '20'"),
        (["--tail", "20,100"], "larger number first"),
        (["--tail", "x,y"], "two numbers"),
        (["--plot", "plot.pdf"], "ends in .png"),
        (["b.parquet", "--csv", "classes.csv"], "one score file, got 2"),
    ],
)
def test_evaluate_refuses(capsys, arguments, words):
    assert main(["evaluate", "a.parquet", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_fuse_and_evaluate(files, tmp_path, capsys):
    out = tmp_path / "fused" / "test.parquet"
    assert main(["fuse", *files, "-o", str(out)]) == 0
    assert "3 clips of demo" in capsys.readouterr().out
    fused = read_scores(out)
    np.testing.assert_allclose(fused.scores[2], [0.3, 0.6, 0.1], atol=1e-6)
    assert fused.method == "joint + bone" and fused.seed == 0
    assert main(["fuse", *files, "-o", str(out)]) == 2
    assert (
        main(["fuse", *files, "-o", str(out), "--overwrite", "--weights", "1,0", "--mean", "log", "--json"])
        == 0
    )
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["weights"] == [1, 0]
    np.testing.assert_allclose(read_scores(out).scores, read_scores(files[0]).scores, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["1.parquet"], 2),
        (["1.parquet", "2.parquet", "--weights", "1"], 2),
        (["1.parquet", "2.parquet", "--weights", "1,x"], 2),
        (["1.parquet", "2.parquet", "--weights", "0,0"], 2),
        (["1.parquet", "2.parquet", "--weights", "nan,1"], 2),
        (["1.parquet", "absent.parquet"], 1),
    ],
)
def test_fuse_refuses(files, tmp_path, monkeypatch, capsys, arguments, status):
    monkeypatch.chdir(tmp_path)
    assert main(["fuse", *arguments, "-o", "out.parquet"]) == status
    assert not (tmp_path / "out.parquet").exists()
    assert len(capsys.readouterr().err.splitlines()) == 1
