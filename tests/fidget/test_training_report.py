from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fidget.reports.training_report import write_training_report
from protocols.label_tree import LabelTree
from protocols.scores import ScoreFile, write_scores

HOSTILE = '<script>alert("1")</script>\u202e'


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    tree = LabelTree(HOSTILE, ("still", HOSTILE, "nod"))
    labels = np.array([0, 0, 1, 2])
    scores = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
    write_scores(tmp_path / "scores" / "test.parquet", ScoreFile(tree, ("a", "b", "c", "d"), labels, scores))
    summary = {
        "recipe": HOSTILE, "protocol": HOSTILE, "recipe_hash": "1" * 16, "cache_hash": "2" * 16, "seed": 3,
        "epochs": 2, "selected_epoch": 2, "select": "last", "train_counts": [5, 2, 1], "train_s": 60.0,
        "validation_s": 30.0, "data": [f"train: 8 clips, 1 failed left out ({HOSTILE})"],
        "test": {"clips": 4, "top1": 0.75, "mean_class_recall": 5 / 6, "loss": 1.0},
    }  # fmt: skip
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "environment.json").write_text(json.dumps({"command": HOSTILE}))
    (tmp_path / "recipe.toml").write_text(f"name = '{HOSTILE}'\n", encoding="utf-8")
    head = "epoch,learning_rate,train_loss,train_top1,val_loss,val_top1,val_mean_class_recall\n"
    (tmp_path / "metrics.csv").write_text(head + "1,0.1,2.0,0.25,,,\n2,0.1,1.0,0.5,1.5,0.5,0.5\n")
    return tmp_path


def _read(run: Path) -> tuple[_Reader, str]:
    text = write_training_report(run).read_text(encoding="utf-8")
    reader = _Reader()
    reader.feed(text)
    return reader, text


def test_it_tells_accuracy_majority_classes_and_confusions(run) -> None:
    reader, _ = _read(run)
    text = " ".join(reader.text)
    assert "75.00 %" in text  # accuracy
    assert (
        "50.00 %" in text
    )  # class 0, the most frequent of training, is half of the test clips; its recall too
    assert "83.33 %" in text
    assert "1.5 minutes" in text
    assert "1 failed left out" in text
    assert reader.tags.count("svg") == 2


def test_every_name_is_escaped(run) -> None:
    reader, text = _read(run)
    assert "script" not in reader.tags
    assert "\u202e" not in text
    assert "\\u202e" in text


def test_a_run_without_validation_has_no_validation_curve(run) -> None:
    head, first, _ = (run / "metrics.csv").read_text().splitlines()
    (run / "metrics.csv").write_text(f"{head}\n{first}\n")
    _, text = _read(run)
    assert 'path class="train"' in text
    assert 'path class="val"' not in text


def test_clips_that_training_has_seen_are_left_out_in_a_row_of_their_own(run) -> None:
    summary = json.loads((run / "summary.json").read_text())
    summary["test"]["unseen"] = {"clips": 3, "top1": 2 / 3, "mean_class_recall": 0.5}
    (run / "summary.json").write_text(json.dumps(summary))
    text = " ".join(_read(run)[0].text)
    assert "test, no copies of training clips 3 66.67 % 50.00 %" in " ".join(text.split())
