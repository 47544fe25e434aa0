from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.fidget.training.training_samples import RECIPE, synthetic_rows, write_cache

from fidget.cli.main import main

_GOOD = [f"clip{n:02d},{'train' if n < 6 else 'test'},{n % 3}" for n in range(9)]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("command")
    write_cache(place / "cache", synthetic_rows(9))
    (place / "tiny.toml").write_text(RECIPE)
    tables = {
        "good": _GOOD,
        "negative": [*_GOOD[:-1], "clip08,test,-2"],
        "lacking": [row for row in _GOOD if not row.endswith("train,1")],
        "ghost": [*_GOOD, "ghost,train,1"],
    }
    for name, rows in tables.items():
        (place / f"{name}.csv").write_text("\n".join(["clip_id,split,label", *rows]))
    (place / "text.pt").write_text("hello")
    (place / "empty.pt").write_text("")
    torch.save({"a": torch.zeros(2)}, place / "other.pt")
    return place


def _fidget(words: str) -> int:
    given = {"--poses": "cache", "--protocol": "good.csv", "-o": "run"}
    named = words.split()
    rest = [w for option, value in given.items() if option not in named for w in (option, value)]
    return main(["train", *named, *rest, "--set", "train.epochs=1"])


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("tiny.toml --poses nowhere", 2, "nowhere: no such directory, expected a pose cache"),
        ("tiny.toml --protocol nw_ulca", 2, "did you mean 'nw_ucla'?"),
        ("tiny.toml --protocol gone.csv", 2, "no such file"),
        ("tiny.toml --protocol nw_ucla", 1, "clip 'clip00': expected a Northwestern-UCLA name"),
        ("tiny.toml --protocol negative.csv", 1, "line 10, clip 'clip08': expected a class index 0.."),
        ("tiny.toml --protocol lacking.csv", 1, "1 classes without a clip (class 1)"),
        ("tiny.toml --protocol ghost.csv", 1, "clip 'ghost': there are no poses"),
        ("tiny.toml --protocol labels:ghost.csv", 1, "ghost"),
        ("tiny.toml --protocol labels:gone.csv", 2, "gone.csv"),
        ("ctrgnc", 2, "nearest: ctrgcn"),
        ("gone.toml", 2, "recipe gone.toml: No such file or directory; see fidget train --list"),
        ("tiny.toml --set train.epoch=3", 2, "unknown key 'train.epoch'; nearest: epochs"),
        ("tiny.toml --set input.layout=coco_wholebody133/hands", 1, "the cache cache holds 'coco17'"),
        ("tiny.toml --set model.name=ctrgnc", 1, "unknown model 'ctrgnc'"),
        ("tiny.toml --set model.options.wdth=3", 1, "no option 'wdth'"),
        ("tiny.toml --checkpoint text.pt", 1, "text.pt: not a checkpoint of tensors"),
        ("tiny.toml --checkpoint empty.pt", 1, "empty.pt: not a checkpoint of tensors"),
        ("tiny.toml --checkpoint other.pt", 1, "checkpoint does not fit STGCNpp"),
        ("tiny.toml --checkpoint gone.pt", 1, "gone.pt: No such file"),
        ("tiny.toml -o cache", 1, "cache holds other files and no run; choose another directory with -o"),
        ("tiny.toml --devices 0", 2, "--devices and --nodes are at least 1"),
    ],
)
def test_wrong_input_is_one_line_and_a_status(place, monkeypatch, capsys, words, status, told) -> None:
    monkeypatch.chdir(place)
    assert _fidget(words) == status
    shown = capsys.readouterr().err
    assert told in shown
    assert shown.startswith("fidget: ")
    assert shown.count("\n") == 1
    assert not (place / "run").exists()


def test_clips_without_poses_are_dropped_where_the_recipe_says_so(place, monkeypatch, capsys) -> None:
    monkeypatch.chdir(place)
    assert _fidget("tiny.toml --protocol ghost.csv --set data.missing=drop -o ghost") == 0
    assert "train: 6 clips, 1 missing left out (ghost)" in capsys.readouterr().out
    assert _fidget("tiny.toml --protocol good.csv -o ghost") == 1
    assert "ghost holds another run: data.missing is 'drop' there, 'refuse' now" in capsys.readouterr().err
