"""docs/rgb.md is what its program writes; its commands run: fewer clips, smaller networks, one epoch."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from benchmarks import rgb_small_run

from fidget.cli.main import main
from protocols.scores import read_scores

_SMALL = "--set train.epochs=1 --set train.warmup_epochs=0 --set train.batch_size=8"
_NARROW = (
    '--set "model.options={ width = 8, depths = [1, 1, 1, 1] }" --set input.size=32 --set input.frames=2'
)
_NO_BF16 = "--set train.precision=32"


def _cut(command: str) -> str:
    command = command.replace("--size 128 --scale 0.03", "--size 48 --scale 0.002 --workers 1")
    if command.startswith("fidget train"):
        command += f" {_SMALL} {_NO_BF16}" + (f" {_NARROW}" if "--videos" in command else "")
    return command + (" --draws 200" if command.startswith("fidget fuse") else "")


def test_the_page_is_what_the_program_writes() -> None:
    told = "python -m benchmarks.rgb_small_run writes it anew"
    assert rgb_small_run.PAGE.read_text(encoding="utf-8") == rgb_small_run.page(), told


@pytest.mark.long
def test_the_commands_run_in_their_order(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    run = rgb_small_run
    for command in (run.SIMULATE, *run.TRAIN, *run.FUSE, *run.EVALUATE):
        assert main(shlex.split(_cut(command))[1:]) == 0, command
    files = [read_scores(path) for path in sorted(tmp_path.glob("runs/*/scores/test.parquet"))]
    assert len(files) == 3 and len({scores.clip_ids for scores in files}) == 1
    rows = run.collect(tmp_path)
    assert [row["simulated"] for row in rows] == ["True"] * 5
    assert all(0 <= float(row["action/top1"]) <= 1 for row in rows)
    assert rows[0]["over MANet"] == "" and rows[0]["over ST-GCN++"] != ""
