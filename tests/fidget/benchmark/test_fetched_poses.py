from __future__ import annotations

from pathlib import Path

import pytest
from tests.fidget.training.training_samples import synthetic_rows, write_cache

from fidget.benchmark.fetched_poses import fetch_file, fetch_poses, is_uri
from poses.cache_reader import PoseCache
from poses.cache_schema import NotACacheError


def test_what_is_a_uri() -> None:
    assert is_uri("s3://bucket/poses")
    assert is_uri("file:///poses")
    assert not is_uri("poses")
    assert not is_uri("/a/b")
    assert not is_uri("C:\\poses")
    assert not is_uri("nw_ucla:poses")


def test_a_cache_behind_a_uri_is_copied_once_and_kept_up_to_date(tmp_path: Path) -> None:
    there = write_cache(tmp_path / "there", synthetic_rows(6))
    (there / "holiday.mp4").write_bytes(b"x" * 1000)
    PoseCache(there).view()  # leaves files that are no part of the cache
    lines: list[str] = []
    here = fetch_poses(there.as_uri(), tmp_path / "here", lines.append)
    own = sorted(file.name for file in there.iterdir() if file.suffix == ".parquet")
    assert sorted(file.name for file in here.iterdir()) == sorted([".fetched.json", "_common_metadata", *own])
    one, other = PoseCache(here), PoseCache(there)
    assert one.clip_ids == other.clip_ids
    assert one.table(["xy"]).equals(other.table(["xy"]))
    size = sum((there / name).stat().st_size for name in ["_common_metadata", *own])
    assert lines == [
        f"poses: {there.as_uri()}, {size / 1024:,.1f} KiB, {size / 1024:,.1f} KiB of it copied to {here}"
    ]

    fetch_poses(there.as_uri(), here, lines.append)
    assert ", 0 B of it copied" in lines[-1]
    for file in there.glob("*.parquet"):
        file.unlink()
    write_cache(there, synthetic_rows(9, seed=1)[6:])
    fetch_poses(there.as_uri(), here, lines.append)
    assert PoseCache(here).clip_ids == ["clip06", "clip07", "clip08"]

    (here / next(iter(here.glob("*.parquet"))).name).unlink()
    (here / ".fetched.json").write_text("{")
    fetch_poses(there.as_uri(), here, lines.append)
    assert len(PoseCache(here)) == 3


def test_what_cannot_be_fetched_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        NotACacheError, match=r"gone: expected a pose cache \(shards \*.parquet\), found none"
    ):
        fetch_poses((tmp_path / "gone").as_uri(), tmp_path / "here", print)
    with pytest.raises(
        ValueError, match=r"^nosuch://x/y: expected a path or a URI such as s3://bucket/poses"
    ):
        fetch_poses("nosuch://x/y", tmp_path / "here", print)
    assert not (tmp_path / "here").exists()
    assert fetch_file((tmp_path / "gone.csv").as_uri(), tmp_path / "here.csv") is None
