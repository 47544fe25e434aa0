from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest

from fidget.cli.main import COMMANDS, main
from protocols.detections import Detections, write_detections
from protocols.scores import ScoreFile, write_scores
from protocols.trees import tree


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A directory with scores of three clips, detections in two videos, and their lists."""
    monkeypatch.setitem(COMMANDS, "submit", COMMANDS.get("submit", "a file for a challenge server"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.ones(52), size=3).astype(np.float32)
    ids = ("test0002", "test0000", "test0001")
    write_scores("scores.parquet", ScoreFile(tree("ma52"), ids, np.full(3, -1, np.int64), values))
    (tmp_path / "list.txt").write_text("test0000.mp4 0\r\ntest0001.mp4 0\r\ntest0002.mp4 0", newline="")
    videos = ("test0000",) * 3 + ("test0001",)
    found = Detections(
        tree("ma52"),
        videos,
        np.array([0.0, 1, 2, 3]),
        np.array([1.0, 3, 6, 4]),
        np.array([0, 9, 9, 51]),
        np.array([0.9, 0.8, 0.7, 0.6]),
    )
    write_detections("found.parquet", found)
    (tmp_path / "test.csv").write_text(
        "id,video_id,start_frame,end_frame,class,total_frames,fps\n"
        "0,test0000,0,20,0,150,30\n1,test0001,0,20,1,116,29\n"
    )


def submit(line):
    return main(["submit", *line.split()])


def rows_of(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("prediction.csv").decode().splitlines()


def test_write_and_check(capsys):
    assert submit("scores.parquet --format mac2025 --ids list.txt -o out/s.zip") == 0
    out = capsys.readouterr().out
    assert "out/s.zip: mac2025, 3 rows, compared with list.txt: fit to hand in" in out
    assert "body groups by the sum of their actions' probabilities" in out
    assert [row.split(",")[0] for row in rows_of("out/s.zip")] == [
        "vid",
        "test0000.mp4",
        "test0001.mp4",
        "test0002.mp4",
    ]
    assert submit("--check out/s.zip --format mac2025 --ids list.txt --json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 3 and found["problems"] == [] and found["compared_with"] == "list.txt"


def test_refused_with_the_reason(tmp_path, capsys):
    assert submit("scores.parquet --format mac2025 -o s.zip") == 1
    captured = capsys.readouterr()
    assert "5,583 of the 5,586 clips of the official list are missing, such as test0003.mp4" in captured.err
    assert len(captured.err.splitlines()) == 1 and not (tmp_path / "s.zip").exists()


def test_broken_row_is_named(tmp_path, capsys):
    (tmp_path / "prediction.csv").write_text(
        "id,pred_label_1,pred_label_2\ntest0000.mp4,1,9\ntest0001.mp4,9,1\n"
    )
    assert submit("--check prediction.csv --format mac2024") == 1
    captured = capsys.readouterr()
    assert "mac2024, 2 rows: not fit to hand in" in captured.out and "warning: a bare CSV" in captured.out
    where = "fidget: prediction.csv: line 3 ('test0001.mp4')"
    assert captured.err == f"{where}: expected pred_label_1 as a whole number 0..6, got '9'\n"


def test_body_rules_differ(capsys):
    for rule in ("summed", "top-action"):
        command = f"scores.parquet --format mac2024 --ids list.txt --body {rule} -o {rule}.zip"
        assert submit(command) == 0
    assert "body groups by their best action" in capsys.readouterr().out
    group_of = tree("ma52").group_of
    for row in rows_of("top-action.zip")[1:]:
        _, body, action = row.split(",")
        assert int(body) == group_of[int(action)]


def test_detection(capsys):
    command = "found.parquet --format mma52-detection --ids test.csv -o d.zip"
    assert submit(command) == 1
    assert "line 4 ('test0000'): t_end 6.0 lies after the video's end at 5.000 s" in capsys.readouterr().err
    assert submit(f"{command} --cut --best 2") == 0
    out = capsys.readouterr().out
    assert (
        "1 segments cut, 0 of them left out" in out and "1 segments beyond the 2 best of their video" in out
    )
    assert rows_of("d.zip") == [
        ",video_id,t_start,t_end,class,score",
        "0,test0000,0.0,1.0,0,0.9",
        "1,test0000,1.0,3.0,9,0.8",
        "2,test0001,3.0,4.0,51,0.6",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ("scores.parquet --format mac2052 -o s.zip", 2, "did you mean 'mac2025'? expected one of"),
        ("--format mac2025", 2, "expected either SCORES to write from, or --check FILE"),
        ("scores.parquet --check s.zip --format mac2025", 2, "expected either SCORES"),
        ("scores.parquet --format mac2025", 2, "expected -o ZIP"),
        ("scores.parquet --format mac2025 -o s.csv", 2, "expected a file that ends in .zip"),
        ("scores.parquet --format mac2025 -o s.zip --cut", 2, "--cut and --best are for"),
        ("found.parquet --format mma52-detection -o s.zip --cut", 2, "name MMA-52's test.csv with --ids"),
        ("found.parquet --format mma52-detection -o s.zip --best 0", 2, "--best is at least 1, got 0"),
        ("found.parquet --format mma52-detection -o s.zip --body summed", 2, "--body is for writing"),
        ("--check s.zip --format mac2025 -o t.zip", 2, "--check writes nothing"),
        ("--check absent.zip --format mac2025", 1, "absent.zip: No such file"),
        ("absent.parquet --format mac2025 -o s.zip", 1, "absent.parquet"),
        ("found.parquet --format mac2025 -o s.zip", 1, "no score file"),
        ("scores.parquet --format mma52-detection -o s.zip", 1, "no detection file"),
        ("scores.parquet --format mac2025 --ids absent.txt -o s.zip", 1, "absent.txt: No such file"),
    ],
)
def test_wrong_usage(tmp_path, capsys, arguments, status, told):
    assert submit(arguments) == status
    captured = capsys.readouterr()
    assert told in captured.err and len(captured.err.splitlines()) == 1
    assert not (tmp_path / "s.zip").exists()


def test_nothing_is_replaced_unasked(tmp_path, capsys):
    (tmp_path / "s.zip").write_bytes(b"mine")
    command = "scores.parquet --format mac2025 --ids list.txt -o s.zip"
    assert submit(command) == 2 and (tmp_path / "s.zip").read_bytes() == b"mine"
    assert "add --overwrite" in capsys.readouterr().err
    assert submit(f"{command} --overwrite") == 0 and len(rows_of("s.zip")) == 4
