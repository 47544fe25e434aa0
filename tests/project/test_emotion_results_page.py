"""docs/emotion-results.md is what its program writes; its commands run on few clips with tiny networks."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from benchmarks import emotion_small_run as program

from fidget.cli.main import main
from weights.places import weights_dir

_TINY = (
    "--set train.epochs=1 --set train.warmup_epochs=0 --set train.batch_size=4 --set input.frames=4 "
    "--set input.size=32 --set input.resize_short=36 --set face_input.size=32"
)


def test_the_page_is_what_the_program_writes() -> None:
    told = "python -m benchmarks.emotion_small_run writes it anew"
    assert program.PAGE.read_text(encoding="utf-8") == program.page(), told


def test_ours_are_named_simulated_wherever_they_stand() -> None:
    text = program.PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("- ") and "McNemar" in line]
    assert rows and all("(simulated)" in line or "published" in line for line in rows)
    heads = [line for line in text.splitlines() if line.startswith("| ") and "accuracy" in line]
    assert heads and all("simulated" in line or "published" in line for line in heads)


@pytest.mark.long
@pytest.mark.weights
def test_the_commands_run_in_their_order(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIDGET_WEIGHTS", str(weights_dir()))  # the face detector; the cache is the test's own
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    for command in (program.SIMULATE, *program.TRAIN, program.FUSE, program.EVALUATE):
        cut = command.replace("--clips 280", "--clips 30 --size 96")
        cut += f" {_TINY}" if command in program.TRAIN else ""
        assert main(shlex.split(cut)[1:]) == 0, command
    rows, pairs = program.collect(tmp_path)
    assert [row["simulated"] for row in rows] == ["True"] * 7 and len(pairs) == 6
