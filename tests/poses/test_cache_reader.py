from __future__ import annotations

import gc
import os
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cache_samples import METADATA, assert_close, make_clip, make_row

from poses.cache_check import check_cache
from poses.cache_reader import CorruptShardError, NotACacheError, PoseCache
from poses.cache_schema import METADATA_KEY, SCHEMA, CacheMetadata, CacheMismatchError, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import encode_clip, failed_row
from poses.layout import get_layout


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Ten clips, two without people and one that failed, in shards of six rows and row groups of four."""
    rng = np.random.default_rng(8)
    with CacheWriter(tmp_path / "cache", METADATA, rows_per_shard=6, rows_per_group=4) as writer:
        for number in range(10):
            stamp = SourceStamp(f"/v/{number}.mp4", number, number * 10)
            if number == 4:
                writer.add(failed_row("clip 4", stamp, "zero bytes"))
            else:
                persons = 0 if number in (2, 7) else 2
                writer.add(encode_clip(make_clip(f"clip {number}", rng, persons, 5 + number), stamp))
    return tmp_path / "cache"


def test_any_clip_by_its_id(directory: Path) -> None:
    cache = PoseCache(directory)
    assert cache.layout == get_layout("coco17")
    assert cache.metadata == METADATA
    assert cache.clip_ids == [f"clip {number}" for number in range(10) if number != 4]
    assert len(cache) == 9
    assert "clip 3" in cache
    assert "clip 4" not in cache
    assert 3 not in cache
    rng = np.random.default_rng(8)
    expected = {
        f"clip {n}": make_clip(f"clip {n}", rng, 0 if n in (2, 7) else 2, 5 + n) for n in range(10) if n != 4
    }
    for clip_id in [*np.random.default_rng(0).permutation(cache.clip_ids), "clip 9", "clip 0"]:
        assert_close(expected[clip_id], cache.read(clip_id))


def test_failed_clips_are_counted_and_say_why(directory: Path) -> None:
    cache = PoseCache(directory)
    assert cache.failed() == {"clip 4": "zero bytes"}
    with pytest.raises(ValueError, match="'clip 4' holds no poses: it failed with 'zero bytes'"):
        cache.read("clip 4")
    assert cache.row("clip 4").status == "failed"
    stamps = cache.stamps()
    assert [status for _, status in stamps.values()] == [
        "failed" if n == 4 else "no_person" if n in (2, 7) else "ok" for n in range(10)
    ]
    assert stamps["clip 6"][0] == SourceStamp("/v/6.mp4", 6, 60)


def test_an_unknown_clip_is_answered_with_a_near_one(directory: Path) -> None:
    with pytest.raises(KeyError, match="no clip 'clop 3' in this cache; did you mean 'clip 3'"):
        PoseCache(directory).read("clop 3")
    with pytest.raises(KeyError, match="it holds 9 clips"):
        PoseCache(directory).read("something else entirely")


def test_all_clips_one_after_the_other(directory: Path) -> None:
    cache = PoseCache(directory)
    assert [clip.clip_id for clip in cache.clips()] == cache.clip_ids
    for clip in cache.clips():
        np.testing.assert_array_equal(clip.xy_px, cache.read(clip.clip_id).xy_px)


def test_columns_come_as_arrow_without_a_copy(directory: Path) -> None:
    cache = PoseCache(directory)
    table = cache.table(["clip_id", "score", "quality"])
    assert table.column_names == ["clip_id", "score", "quality"]
    assert table.num_rows == 10
    chunk = table["score"].chunk(0)
    values = chunk.values.to_numpy(zero_copy_only=True)
    assert values.ctypes.data == chunk.values.buffers()[1].address + chunk.values.offset
    whole = cache.table()
    assert whole.schema.equals(SCHEMA)
    assert whole.schema.metadata[METADATA_KEY] == METADATA.to_json(get_layout("coco17").joints)
    assert whole["quality"].to_pylist()[4] is None
    quality = whole["quality"].to_pylist()[0]
    assert quality["person_share"] > 0.5
    assert whole["quality"].to_pylist()[2]["jitter_px"] is None  # nobody: nothing to measure
    with pytest.raises(ValueError, match="no column keypoints in a pose cache"):
        cache.table(["keypoints"])


def test_measures_come_back(directory: Path) -> None:
    row = PoseCache(directory).row("clip 2")
    assert row.quality is not None
    assert row.quality.person_share == 0
    assert np.isnan(row.quality.jitter_px)


def test_an_empty_cache_is_a_cache(tmp_path: Path) -> None:
    CacheWriter(tmp_path, METADATA).close()
    cache = PoseCache(tmp_path)
    assert (len(cache), cache.clip_ids, cache.stamps(), list(cache.clips())) == (0, [], {}, [])
    assert cache.table().num_rows == 0
    assert len(cache.view()) == 0


def test_what_is_no_cache_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotACacheError, match="absent: no such directory, expected a pose cache"):
        PoseCache(tmp_path / "absent")
    with pytest.raises(NotACacheError, match="found neither; extract-poses writes one"):
        PoseCache(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotACacheError, match=r"file: expected a pose cache \(a directory\), got a file"):
        PoseCache(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"not json", "expected JSON with format_version"),
        (b"[]", "expected JSON with format_version"),
        (b"\xff\xfe", "expected JSON with format_version"),
        (b"[" * 100_000, "expected JSON with format_version"),
        (b'{"format_version": 1, "layout": 3, "models": {}, "settings": {}}', "layout must be a text"),
        (
            b'{"format_version": 2, "layout": "coco17", "models": {}, "settings": {}}',
            "format version 2, this program",
        ),
        (
            b'{"format_version": 1, "layout": "coco17", "joints": ["nose"], "models": {}, "settings": {}}',
            r"coco17 has the joints \('nose',\) in this cache, expected \('nose', 'left_eye'",
        ),
        (
            b'{"format_version": 1, "layout": "coco71", "models": {}, "settings": {}}',
            "unknown layout 'coco71'",
        ),
    ],
)
def test_metadata_that_cannot_be_understood_is_named(tmp_path: Path, text: bytes, message: str) -> None:
    pq.write_metadata(SCHEMA.with_metadata({METADATA_KEY: text}), tmp_path / "_common_metadata")
    with pytest.raises(ValueError, match=message):
        PoseCache(tmp_path)


def test_a_shard_of_another_cache_is_noticed(directory: Path, tmp_path: Path) -> None:
    other = CacheMetadata("coco17", METADATA.models, {**METADATA.settings, "max_persons": 1})
    with CacheWriter(tmp_path / "other", other) as writer:
        writer.add(make_row("z", np.random.default_rng(0)))
    (shard,) = (tmp_path / "other").glob("*.parquet")
    shard.rename(directory / "shard-00000009-moved.parquet")
    with pytest.raises(CacheMismatchError, match=r"moved.*settings\.max_persons is 2 in the cache, 1 in"):
        PoseCache(directory)


def test_a_clip_that_is_there_twice_is_named(directory: Path) -> None:
    first = min(directory.glob("*.parquet"))
    (directory / "shard-00000009-copy.parquet").write_bytes(first.read_bytes())
    with pytest.raises(ValueError, match="clip 'clip 0' is there twice, again in shard-00000009-copy"):
        PoseCache(directory)
    with pytest.raises(ValueError, match=r"clip 'clip 0' is in .* and again in"):
        CacheWriter(directory, METADATA)


def test_a_cache_that_changes_under_its_reader_is_noticed(directory: Path) -> None:
    cache = PoseCache(directory)
    with CacheWriter(directory, METADATA) as writer:
        writer.remove(["clip 0", "clip 6", "clip 7", "clip 8", "clip 9"])
    with pytest.raises(CorruptShardError, match="changed while it was read; open the cache again"):
        cache.read("clip 1")
    with pytest.raises(CorruptShardError, match="No such file"):
        cache.read("clip 8")
    assert PoseCache(directory).read("clip 1").clip_id == "clip 1"


def test_other_files_in_the_directory_do_not_matter(directory: Path) -> None:
    (directory / "notes.txt").write_text("x")
    (directory / ".hidden.parquet").write_text("x")
    (directory / "_summary.parquet").write_text("x")
    (directory / "sub").mkdir()
    (directory / "sub" / "x.parquet").write_text("x")
    assert len(PoseCache(directory)) == 9


def test_a_cache_travels_to_another_process(directory: Path) -> None:
    cache = pickle.loads(pickle.dumps(PoseCache(directory)))
    assert cache.read("clip 5").clip_id == "clip 5"


def test_going_through_many_shards_holds_one_at_a_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with CacheWriter(tmp_path, METADATA, rows_per_shard=1) as writer:
        for number in range(30):
            writer.add(make_row(str(number), rng, persons=2, frames=500))
    one_group = 2 * 500 * 17 * 9 + 2 * 500 * 16 + 500 * 8
    cache = PoseCache(tmp_path)
    gc.collect()
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in cache.clips())
    assert one_group < most < 4 * one_group


def test_a_directory_whose_name_is_not_unicode(tmp_path: Path) -> None:
    directory = tmp_path / os.fsdecode(b"poses \xff")
    with CacheWriter(directory, METADATA) as writer:
        writer.add(make_row("a", np.random.default_rng(1)))
    assert PoseCache(directory).read("a").frames == 12
    assert not check_cache(directory).problems
