from __future__ import annotations

import json

import pytest

from fidget.cli import main as main_module
from fidget.cli.main import main
from protocols.scores import read_scores


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The verb group, wherever the table of commands has it already or not yet."""
    monkeypatch.setattr(main_module, "COMMANDS", {**main_module.COMMANDS, "emotion": "emotion"})
    monkeypatch.setattr(main_module, "_WITH_VERBS", (*main_module._WITH_VERBS, "emotion"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    from pathlib import Path

    from fidget.emotion.simulated import simulate_emotions

    directory = Path(tmp_path_factory.mktemp("emotion"))
    simulate_emotions(directory, 140, 0)
    return directory


QUICK = ["--shuffles", "20", "--controls", "2", "--folds", "2"]


def test_simulate_is_the_same_for_the_same_seed(data, tmp_path, capsys):
    assert main(["emotion", "simulate", "-o", str(tmp_path / "s"), "--clips", "140"]) == 0
    assert "simulated" in capsys.readouterr().out
    for name in ("table.csv", "actions.parquet", "events.parquet", "faces.parquet"):
        assert (tmp_path / "s" / name).read_bytes() == (data / name).read_bytes()
    assert main(["emotion", "simulate", "-o", str(tmp_path / "s"), "--clips", "0"]) == 2


def test_simulate_for_clips_that_there_are(tmp_path, capsys):
    labels = tmp_path / "labels.csv"
    rows = "".join(f"c{n},{n},x,{name}\n" for n, name in enumerate(["Nodding", "Bowing head"] * 30))
    labels.write_text("clip_id,label,split,class_name\n" + rows, encoding="utf-8")
    assert main(["emotion", "simulate", "-o", str(tmp_path / "s"), "--labels", str(labels)]) == 0
    assert "60 clips" in capsys.readouterr().out
    text = (tmp_path / "s" / "table.csv").read_text(encoding="utf-8")
    assert text.count(",Nodding,") == 30 and text.count("true") == 60
    labels.write_text("clip_id,label\nc,1\n", encoding="utf-8")
    assert main(["emotion", "simulate", "-o", str(tmp_path / "s"), "--labels", str(labels)]) == 1
    assert "missing: class_name" in capsys.readouterr().err


def test_associate_prints_and_writes(data, tmp_path, capsys):
    words = ["emotion", "associate", str(data / "table.csv"), "--set", "mma82", "--tree", "mma82", *QUICK]
    report = tmp_path / "r.html"
    assert main([*words, "-o", str(report), "--figures", str(tmp_path / "f")]) == 0
    out = capsys.readouterr().out
    assert "140 clips, 7 emotions, simulated" in out and "own label: leaks" in out and "MMA-82" in out
    assert report.stat().st_size > 50_000
    assert {path.name for path in (tmp_path / "f").iterdir()} == {
        "sankey.svg", "sankey.png", "heatmap.svg", "heatmap.png",
    }  # fmt: skip
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["simulated"] and found["cells"][0]["p"] <= found["cells"][1]["p"]
    assert {one["leaks"] for one in found["top_experiment"]} == {True, False}


def test_train_and_evaluate(data, tmp_path, capsys):
    words = ["emotion", "train", str(data / "table.csv"), "--set", "mma82", "--tree", "mma82", "--folds", "2"]
    run = tmp_path / "run"
    files = ["--face", str(data / "faces.parquet"), "--actions", str(data / "actions.parquet")]
    assert main([*words, *files, "-o", str(run)]) == 0
    out = capsys.readouterr().out
    assert "simulated" in out and "melancholy: never predicted" in out
    assert read_scores(run / "scores" / "both.parquet").tree.actions[1] == "melancholy"
    assert json.loads((run / "run.json").read_text())["simulated"]
    page = tmp_path / "e.html"
    assert main(["emotion", "evaluate", str(run), "--draws", "200", "-o", str(page)]) == 0
    out = capsys.readouterr().out
    assert "both tells" in out and "McNemar p" in out and "62.38" in out and "32.86" in out
    assert "69 and 68 of about 210 clips, a gain of 1 clip" in out and "Emotions (simulated)" in out
    assert "Simulated data." in page.read_text(encoding="utf-8")
    assert main(["emotion", "evaluate", str(run), "--draws", "50", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["methods"]] == ["both", "actions", "face"] and len(
        found["gains"]
    ) == 3
    assert main(["evaluate", str(run / "scores" / "both.parquet"), "--draws", "50"]) == 0  # a score file


def test_lower_limbs_can_be_left_out(data, tmp_path, capsys):
    words = [
        "emotion",
        "train",
        str(data / "table.csv"),
        "--labels",
        "--folds",
        "2",
        "-o",
        str(tmp_path / "r"),
    ]
    assert main([*words, "--tree", "mma82", "--without-groups", "Lower limb,Leg-hand"]) == 0
    told = json.loads((tmp_path / "r" / "run.json").read_text())
    assert told["without_groups"] == "Lower limb,Leg-hand"
    assert main([*words, "--without-groups", "Lower limb"]) == 2
    assert main([*words, "--tree", "mma82", "--without-groups", "Wings"]) == 2
    assert "it has Body, Head" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["train", "TABLE", "-o", "OUT"], 2, "nothing to learn from"),
        (["train", "TABLE", "-o", "OUT", "--face", "nowhere"], 2, "there is nothing"),
        (["train", "TABLE", "-o", "OUT", "--face", "TABLE"], 1, "no score file"),
        (["train", "TABLE", "-o", "OUT", "--labels", "--network", "attention"], 1, "give --events"),
        (["train", "TABLE", "-o", "OUT", "--labels", "--network", "two_branch"], 2, "takes face and body"),
        (["train", "TABLE", "-o", "OUT", "--labels", "--folds", "90"], 1, "ask for fewer"),
        (["train", "TABLE", "-o", "OUT", "--deepface", "nowhere"], 2, "expected a directory of videos"),
        (["associate", "TABLE", "--tree", "mma8"], 2, "did you mean 'mma82'"),
        (["associate", "TABLE", "-o", "report.pdf"], 2, "ends in .html"),
        (["associate", "TABLE", "--set", "ma52pro"], 1, "expected the 5 emotions of ma52pro, got 7"),
        (["associate", "nowhere.csv"], 1, "nowhere.csv"),
        (["associate", "TABLE", "--folds", "1"], 2, "--folds: expected 2 or more"),
        (["evaluate", "nowhere.parquet"], 1, "nowhere.parquet"),
    ],
)
def test_wrong_usage_is_one_line(data, tmp_path, capsys, words, status, told):
    places = {"TABLE": str(data / "table.csv"), "OUT": str(tmp_path / "out")}
    assert main(["emotion", *(places.get(word, word) for word in words)]) == status
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and "Traceback" not in error


def test_evaluate_refuses_an_empty_directory(tmp_path, capsys):
    assert main(["emotion", "evaluate", str(tmp_path)]) == 1
    assert "expected score files" in capsys.readouterr().err
