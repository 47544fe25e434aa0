from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from cache_samples import METADATA, make_row

from poses import cache_merge
from poses.cache_check import check_cache
from poses.cache_merge import Merged, merge_caches
from poses.cache_reader import NotACacheError, PoseCache
from poses.cache_schema import CacheMetadata, CacheMismatchError, CacheRow, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import failed_row


def cache_of(directory: Path, rows: list[CacheRow], metadata: CacheMetadata = METADATA) -> Path:
    with CacheWriter(directory, metadata, rows_per_shard=3) as writer:
        for row in rows:
            writer.add(row)
    return directory


def rows(names: str, seed: int = 0) -> list[CacheRow]:
    rng = np.random.default_rng(seed)
    return [make_row(name, rng) for name in names]


def checksums(directory: Path) -> dict[str, int]:
    table = PoseCache(directory).table(["clip_id", "checksum"])
    return dict(zip(table["clip_id"].to_pylist(), table["checksum"].to_pylist(), strict=True))


def test_merging_keeps_every_row_in_order_and_compacts(tmp_path: Path) -> None:
    first, second = rows("abcdefgh"), rows("xyz", seed=1)
    failed = failed_row("bad", SourceStamp("v", 0, 0), "no video")
    one = cache_of(tmp_path / "1", first)
    two = cache_of(tmp_path / "2", [*second, failed])
    assert merge_caches([one, two], tmp_path / "deep" / "all") == Merged(rows=12, repeated=0)
    merged = PoseCache(tmp_path / "deep" / "all")
    assert merged.clip_ids == list("abcdefghxyz")
    assert merged.failed() == {"bad": "no video"}
    assert merged.metadata == METADATA
    assert checksums(merged.directory) == {row.clip_id: row.checksum for row in (*first, *second, failed)}
    (shard,) = merged.directory.glob("*.parquet")
    with pq.ParquetFile(shard) as file:
        assert file.num_row_groups == 1
    assert check_cache(merged.directory).problems == ()
    with CacheWriter(merged.directory, METADATA) as writer:  # it is a cache like any other
        writer.add(rows("n")[0])
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["all"]


def test_large_caches_make_several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_merge, "ROWS_PER_MERGED_SHARD", 4)
    monkeypatch.setattr(cache_merge, "_GROUPS_AT_ONCE", 1)
    monkeypatch.setattr(cache_merge, "ROWS_PER_GROUP", 2)
    merge_caches([cache_of(tmp_path / "1", rows("abcdefghijk"))], tmp_path / "all")
    assert len(list((tmp_path / "all").glob("*.parquet"))) == 2
    assert PoseCache(tmp_path / "all").clip_ids == list("abcdefghijk")


def test_caches_made_in_other_ways_do_not_merge(tmp_path: Path) -> None:
    other = dataclasses.replace(METADATA, models={"rtmpose-m": "cd" * 32})
    one, two = cache_of(tmp_path / "1", rows("a")), cache_of(tmp_path / "2", rows("b"), other)
    with pytest.raises(CacheMismatchError) as caught:
        merge_caches([one, two], tmp_path / "all")
    assert f"models.rtmpose-m is {'ab' * 32} in {one}, {'cd' * 32} in {two}" in str(caught.value)
    assert not (tmp_path / "all").exists()


def test_equal_rows_merge_and_different_ones_are_named(tmp_path: Path) -> None:
    one = cache_of(tmp_path / "1", rows("abc"))
    same = cache_of(tmp_path / "2", [*rows("abc")[:2], *rows("d", seed=4)])
    assert merge_caches([one, same], tmp_path / "all") == Merged(rows=4, repeated=2)
    assert PoseCache(tmp_path / "all").clip_ids == list("abcd")
    other = cache_of(tmp_path / "3", [*rows("e"), *rows("b", seed=7)])
    with pytest.raises(ValueError, match=r"clip 'b' is in .*1 and in .*3 with different contents; say which"):
        merge_caches([one, other], tmp_path / "again")
    assert not list(tmp_path.glob("*again*"))
    assert not list(tmp_path.glob(".*merging*"))


def test_a_conflict_can_be_decided(tmp_path: Path) -> None:
    old, new = rows("b", seed=0)[0], rows("b", seed=7)[0]
    one, two = cache_of(tmp_path / "1", [*rows("a"), old]), cache_of(tmp_path / "2", [new, *rows("c")])
    assert merge_caches([one, two], tmp_path / "first", on_conflict="first") == Merged(3, 1)
    assert merge_caches([one, two], tmp_path / "last", on_conflict="last") == Merged(3, 1)
    assert checksums(tmp_path / "first")["b"] == old.checksum != new.checksum
    assert checksums(tmp_path / "last")["b"] == new.checksum
    assert PoseCache(tmp_path / "last").clip_ids == ["a", "b", "c"]


def test_merging_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    one = cache_of(tmp_path / "1", rows("a"))
    with pytest.raises(ValueError, match="at least one cache"):
        merge_caches([], tmp_path / "all")
    with pytest.raises(ValueError, match="needs a new or empty directory"):
        merge_caches([one], one)
    with pytest.raises(NotACacheError, match="nowhere"):
        merge_caches([one, tmp_path / "nowhere"], tmp_path / "all")
    with pytest.raises(ValueError, match="on_conflict must be"):
        merge_caches([one], tmp_path / "all", on_conflict="newest")  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    assert merge_caches([one], tmp_path / "empty").rows == 1


def test_a_merge_that_fails_leaves_nothing(tmp_path: Path) -> None:
    one = cache_of(tmp_path / "1", rows("abc"))
    (shard,) = one.glob("*.parquet")
    content = bytearray(shard.read_bytes())
    middle = content.index(b"PAR1") + len(content) // 3
    content[middle : middle + 200] = bytes(200)
    shard.write_bytes(content)
    with pytest.raises(ValueError, match=shard.name):
        merge_caches([one], tmp_path / "all")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1"]


def test_empty_caches_merge_to_an_empty_one(tmp_path: Path) -> None:
    assert (
        merge_caches([cache_of(tmp_path / "1", []), cache_of(tmp_path / "2", [])], tmp_path / "all").rows == 0
    )
    assert len(PoseCache(tmp_path / "all")) == 0
