"""`fidget emotion train --videos` and `simulate --videos`, as typed, and what is refused."""

from __future__ import annotations

import pytest
from video_samples import ENCODER, TINY, draw_films

from fidget.cli.main import main

TRAIN = ["emotion", "train", "films/table.csv", "--set", "mma82", "--tree", "mma82"]
VIDEOS = ["--videos", "films/videos", "--poses", "films/poses", "--faces", "films/faces.parquet"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    directory = tmp_path_factory.mktemp("typed")
    draw_films(directory / "films")
    return directory


@pytest.fixture(autouse=True)
def there(place, monkeypatch):
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "user"))


def test_train_then_evaluate(place, capsys):
    tiny = [word for pair in (*TINY, f"face.options={ENCODER}") for word in ("--set", pair)]
    words = [*TRAIN, *VIDEOS, "--network", "face_branch", "--recipe", "ma52pro_small", *tiny, "-o", "run"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "(simulated)" in said and "measure it: fidget emotion evaluate run" in said
    assert main(["emotion", "evaluate", "run", "--draws", "50"]) == 0
    assert "Emotions (simulated)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--network", "vaanet"], "looks at pictures: give --videos DIR and --poses DIR"),
        (["--poses", "films/poses", "--labels"], "--poses: only with --videos DIR"),
        (["--set", "train.epochs=2", "--labels"], "--set KEY=VALUE: only with --videos DIR"),
        (["--set", "mma28", "--labels"], "expected one of mma82, ma52pro, own, or table.key=value"),
        ([*VIDEOS, "--network", "linear"], "looks at no videos; with --videos give --network two_branch"),
        ([*VIDEOS, "--network", "vaanet", "--labels"], "--labels: not with --videos"),
        ([*VIDEOS, "--network", "vaanet", "--epochs", "3"], "not with --videos; give --set train.epochs=N"),
        ([*VIDEOS[:2], "--network", "vaanet"], "give --poses DIR"),
        (["--videos", "nowhere", "--poses", "x", "--network", "vaanet"], "nowhere: expected a directory"),
        ([*VIDEOS, "--network", "vaanet", "--recipe", "nobody"], "no emotion recipe 'nobody'"),
        ([*VIDEOS, "--network", "vaanet", "--set", "train.epoch=2"], "nearest: epochs"),
    ],
)
def test_wrong_words_are_one_line(words, told, capsys):
    try:
        status = main([*TRAIN, "-o", "wrong", *words])
    except SystemExit as left:  # argparse's own
        status = left.code
    said = capsys.readouterr().err
    assert status == 2 and told in said and "Traceback" not in said


@pytest.mark.parametrize(
    ("column", "old", "new", "told"),
    [
        ("emotion", ",happy,", ",joyful,", "joyful"),
        ("empty", ",happy,", ",,", "empty emotion"),
    ],
)
def test_a_wrong_table_is_named_before_anything_is_read(column, old, new, told, place, capsys):
    text = (place / "films" / "table.csv").read_text()
    assert old in text
    (place / f"{column}.csv").write_text(text.replace(old, new, 1))
    words = ["emotion", "train", f"{column}.csv", *TRAIN[3:], *VIDEOS, "--network", "face_branch"]
    assert main([*words, "-o", "wrong"]) == 1
    assert told in capsys.readouterr().err and not (place / "wrong").exists()


def test_simulate_films_goes_on_and_refuses_other_content(place, capsys):
    words = ["emotion", "simulate", "--videos", "--size", "32"]
    assert main([*words, "-o", "films", "--clips", "10"]) == 1
    assert "were made otherwise" in capsys.readouterr().err
    for more, told in (
        (["--clips", "3"], "expected 10 or more with --videos, got 3"),
        (["--labels", "x.csv"], "not with --labels"),
        (["--size", "33"], "expected an even number"),
    ):
        assert main([*words, "-o", "other", *more]) == 2
        assert told in capsys.readouterr().err
    assert main(["emotion", "simulate", "-o", "other", "--size", "32"]) == 2
