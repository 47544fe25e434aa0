"""`fidget poses export --profile low-bandwidth`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.poses.cache_samples import METADATA, make_row

from fidget.cli.main import main
from poses.cache_reader import PoseCache
from poses.cache_writer import CacheWriter


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    with CacheWriter(tmp_path / "poses", METADATA) as writer:
        for number in range(12):
            writer.add(make_row(f"ü {number}", rng, 1, 60))
    (tmp_path / "poses-labels.csv").write_text("clip_id,label,split\n", encoding="utf-8")
    return tmp_path / "poses"


def test_profile_writes_a_cache_and_says_what_it_saves(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small"
    assert main(["poses", "export", str(cache), "--profile", "low-bandwidth", "-o", str(out)]) == 0
    said = capsys.readouterr().out
    for word in ("10 frames/s", "16 score levels", "before: ", "after: ", "bytes a second", "source files: "):
        assert word in said
    assert (tmp_path / "small-labels.csv").read_bytes() == (tmp_path / "poses-labels.csv").read_bytes()
    assert PoseCache(out).clip_ids == PoseCache(cache).clip_ids
    assert main(["poses", "check", str(out)]) == 0
    assert main(["poses", "export", str(out), "--format", "csv", "-o", str(tmp_path / "small.csv")]) == 0


def test_settings_and_budget(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start = ["poses", "export", str(cache), "--profile", "low-bandwidth"]
    assert main([*start, "-o", str(tmp_path / "a"), "--joints", "arms", "--fps", "5", "--xy-step", "4"]) == 0
    assert "joints arms, 5 frames/s, step 4" in capsys.readouterr().out
    assert PoseCache(tmp_path / "a").layout.name == "coco17/arms"
    assert main([*start, "-o", str(tmp_path / "b"), "--budget-kib", "2"]) == 0
    assert sum(file.stat().st_size for file in (tmp_path / "b").glob("*")) <= 12 * 2048 + 100  # and the lock
    capsys.readouterr()
    assert main([*start, "-o", str(tmp_path / "c"), "--budget-kib", "0.1"]) == 1
    error = capsys.readouterr().err
    assert "smallest settings cost" in error and error.count("\n") == 1
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "expected --format FORMAT, or --profile"),
        (("--format", "csv", "--fps", "5"), "--fps is for small caches"),
        (("--format", "csv", "--profile", "low-bandwidth"), "--format: not with --profile"),
        (("--profile", "low-bandwidth", "--joints", "hend"), "no part 'hend'"),
        (("--profile", "low-bandwidth", "--xy-step", "3"), "power of two"),
        (("--profile", "low-bandwidth", "--budget-kib", "4", "--fps", "5"), "chooses the settings itself"),
        (("--profile", "low-bandwidth", "--budget-kib", "-4"), "above 0"),
    ],
)
def test_wrong_usage(
    words: tuple[str, ...], told: str, cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["poses", "export", str(cache), "-o", str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()
