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
