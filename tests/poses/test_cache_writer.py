from __future__ import annotations

import dataclasses
import errno
import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from cache_samples import METADATA, assert_close, make_clip, make_row

from poses import cache_files, cache_writer
from poses.cache_check import check_cache
from poses.cache_reader import PoseCache
from poses.cache_schema import METADATA_KEY, CacheMetadata, CacheRow, NotACacheError, SourceStamp
from poses.cache_writer import CacheLockedError, CacheMismatchError, CacheWriter
from poses.encoding import encode_clip, failed_row
from poses.layout import get_layout

ROOT = Path(__file__).parents[2]


def rows(*names: str, seed: int = 0) -> list[CacheRow]:
    rng = np.random.default_rng(seed)
    return [make_row(name, rng) for name in names]


def shards(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.parquet"))


def test_what_goes_in_comes_out_in_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    clips = [make_clip(f"später/{number} 🎥\n'\"", rng, number % 3, 3 + number) for number in range(20)]
    with CacheWriter(tmp_path / "new" / "cache", METADATA, rows_per_shard=6) as writer:
        for clip in clips:
            writer.add(encode_clip(clip, SourceStamp("v", 1, 2)))
        assert clips[0].clip_id in writer
    cache = PoseCache(tmp_path / "new" / "cache")
    assert cache.clip_ids == [clip.clip_id for clip in clips]
    for clip in clips:
        assert_close(clip, cache.read(clip.clip_id))
    assert [pq.ParquetFile(path).metadata.num_rows for path in shards(cache.directory)] == [6, 6, 6, 2]
    for path in shards(cache.directory):
        with pq.ParquetFile(path) as shard:
            assert shard.schema_arrow.metadata[METADATA_KEY] == METADATA.to_json(get_layout("coco17").joints)


def test_rows_are_written_after_a_while(tmp_path: Path) -> None:
    one, two = rows("a", "b")
    with CacheWriter(tmp_path, METADATA, seconds_per_shard=3600) as writer:
        writer.add(one)
        assert shards(tmp_path) == []
        writer.flush()
        writer.flush()  # of nothing
        assert len(shards(tmp_path)) == 1
    with CacheWriter(tmp_path, METADATA, seconds_per_shard=0) as writer:
        writer.add(two)
        assert len(shards(tmp_path)) == 2


def test_long_clips_make_shards_and_row_groups_of_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_writer, "BYTES_PER_SHARD", 5 * rows("a")[0].nbytes)
    monkeypatch.setattr(cache_files, "VALUES_PER_GROUP", 2 * rows("a")[0].xy.size)
    with CacheWriter(tmp_path, METADATA) as writer:
        for row in rows(*"abcdefg"):
            writer.add(row)
    groups = []
    for path in shards(tmp_path):
        with pq.ParquetFile(path) as shard:
            groups.append([shard.metadata.row_group(g).num_rows for g in range(shard.num_row_groups)])
    assert groups == [[2, 2, 1], [2]]
    assert PoseCache(tmp_path).read("d").clip_id == "d"


def test_a_clip_cannot_be_there_twice(tmp_path: Path) -> None:
    (row,) = rows("a")
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.add(row)
        with pytest.raises(ValueError, match="clip 'a' is in this cache already"):
            writer.add(row)
    with (
        CacheWriter(tmp_path, METADATA) as writer,
        pytest.raises(ValueError, match="clip 'a' is in this cache already"),
    ):
        writer.add(row)
    assert len(PoseCache(tmp_path)) == 1


def test_another_way_of_making_poses_is_refused_value_by_value(tmp_path: Path) -> None:
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.add(*rows("a"))
    other = CacheMetadata(
        "halpe26", {"rtmpose-m": "cd" * 32, "yolox": "ef"}, {"max_persons": 3, "detector": None}
    )
    with pytest.raises(CacheMismatchError) as caught:
        CacheWriter(tmp_path, other)
    for part in (
        "layout is coco17 in the cache, halpe26 in this job",
        f"models.rtmpose-m is {'ab' * 32} in the cache, {'cd' * 32} in this job",
        "models.yolox is absent in the cache, ef in this job",
        "settings.max_persons is 2 in the cache, 3 in this job",
        "settings.flip_test is False in the cache, absent in this job",
        str(tmp_path),
    ):
        assert part in str(caught.value)
    assert "detector" not in str(caught.value)
    assert "left_shoulder" not in str(caught.value)  # the layout's name says enough
    CacheWriter(tmp_path, METADATA).close()  # and the lock was let go


def test_a_cache_that_holds_no_clip_binds_nobody(tmp_path: Path) -> None:
    CacheWriter(tmp_path, METADATA).close()
    other = CacheMetadata("halpe26", {}, {"max_persons": 3})
    CacheWriter(tmp_path, other).close()
    assert PoseCache(tmp_path).metadata == other


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    code = """
        import sys
        sys.path.insert(0, sys.argv[2])
        from cache_samples import METADATA
        from poses.cache_writer import CacheLockedError, CacheWriter
        try:
            CacheWriter(sys.argv[1], METADATA)
        except CacheLockedError as error:
            print(error)
        else:
            print("got in")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with CacheWriter(tmp_path, METADATA):
        with pytest.raises(CacheLockedError, match="_lock"):
            CacheWriter(tmp_path, METADATA)
        output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        assert str(tmp_path / "_lock") in output
        assert f"process {os.getpid()}" in output
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert output == "got in\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_worker_does_not_keep_the_lock_of_a_killed_writer(tmp_path: Path) -> None:
    code = """
        import os, sys, time
        sys.path.insert(0, sys.argv[2])
        from cache_samples import METADATA
        from poses.cache_writer import CacheWriter
        writer = CacheWriter(sys.argv[1], METADATA)
        child = os.fork()
        if child == 0:
            print(os.getpid(), flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        child = int(writer.stdout.readline())
        try:
            writer.kill()
            writer.wait()
            CacheWriter(tmp_path, METADATA).close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_leftovers_of_a_killed_writer_go(tmp_path: Path) -> None:
    CacheWriter(tmp_path, METADATA).close()
    (tmp_path / ".writing-0123").write_bytes(b"half a shard")
    (tmp_path / "notes.txt").write_text("mine")
    with CacheWriter(tmp_path, METADATA) as writer:
        assert not (tmp_path / ".writing-0123").exists()
        (tmp_path / ".writing-0124").write_bytes(b"ours, in use")
        with pytest.raises(CacheLockedError):
            CacheWriter(tmp_path, METADATA)
        assert (tmp_path / ".writing-0124").exists()  # only the holder of the lock may
        writer.add(rows("a")[0])
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_removing_takes_clips_out_of_shards_and_buffer(tmp_path: Path) -> None:
    with CacheWriter(tmp_path, METADATA, rows_per_shard=3) as writer:
        for row in rows(*"abcdefgh"):
            writer.add(row)
        before = shards(tmp_path)
        assert writer.remove(["b", "d", "e", "f", "h", "never there"]) == 5
        assert "b" not in writer
        assert shards(tmp_path) == before[:1]  # the second was emptied, the third never written
        assert PoseCache(tmp_path).clip_ids == ["a", "c"]
        again = rows("b", "h", seed=9)
        for row in again:
            writer.add(row)
    cache = PoseCache(tmp_path)
    assert cache.clip_ids == ["a", "c", "g", "b", "h"]
    assert cache.row("b").checksum == again[0].checksum
    assert check_cache(tmp_path).problems == ()


def test_names_go_on_after_the_last(tmp_path: Path) -> None:
    for name in "abc":
        with CacheWriter(tmp_path, METADATA) as writer:
            writer.add(rows(name)[0])
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.remove(["a"])
        writer.add(rows("d")[0])
    numbers = [path.name.split("-")[1] for path in shards(tmp_path)]
    assert numbers == ["00000002", "00000003", "00000004"]
    assert PoseCache(tmp_path).clip_ids == ["b", "c", "d"]


def test_what_cannot_be_stored_is_refused_and_does_not_spoil_the_rest(tmp_path: Path) -> None:
    good, other = rows("good", "other")
    with CacheWriter(tmp_path, METADATA) as writer:
        writer.add(good)
        with pytest.raises(ValueError, match=r"column clip_id of .*surrogates not allowed"):
            writer.add(dataclasses.replace(other, clip_id="\udcff"))
        with pytest.raises(ValueError, match="column source_bytes"):
            writer.add(dataclasses.replace(other, source=SourceStamp("v", 2**70, 0)))
    assert PoseCache(tmp_path).clip_ids == ["good"]


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    writer = CacheWriter(tmp_path, METADATA)
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.add(rows("a")[0])


def test_what_was_added_is_kept_when_the_job_breaks(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), CacheWriter(tmp_path, METADATA) as writer:
        writer.add(rows("a")[0])
        raise KeyboardInterrupt
    assert PoseCache(tmp_path).clip_ids == ["a"]


def test_places_that_are_no_cache_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    for place in (file, file / "below"):
        with pytest.raises(ValueError, match="file is in the way"):
            CacheWriter(place, METADATA)
    (tmp_path / "foreign").mkdir()
    pq.write_table(
        pq.read_table(_one_row_cache(tmp_path / "c")).select(["clip_id"]), tmp_path / "foreign" / "x.parquet"
    )
    with pytest.raises(ValueError, match=r"x\.parquet: expected the columns of a pose cache, source_path"):
        CacheWriter(tmp_path / "foreign", METADATA)
    (tmp_path / "c" / "_common_metadata").unlink()
    table = pq.read_table(shards(tmp_path / "c")[0]).replace_schema_metadata(None)
    pq.write_table(table, shards(tmp_path / "c")[0])
    with pytest.raises(NotACacheError, match="without the key 'fidget'"):
        CacheWriter(tmp_path / "c", METADATA)
    with pytest.raises(ValueError, match="unknown layout 'coco18'"):
        CacheWriter(tmp_path / "unmade", CacheMetadata("coco18"))
    assert not (tmp_path / "unmade").exists()


def _one_row_cache(directory: Path) -> Path:
    with CacheWriter(directory, METADATA) as writer:
        writer.add(rows("a")[0])
    return directory


def test_a_full_disk_leaves_no_half_shard_and_loses_no_row(tmp_path: Path) -> None:
    """A real refusal of the system: files may not grow beyond a few kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = encode_clip(make_clip("big", np.random.default_rng(0), 2, 2000), SourceStamp("v", 1, 2))
    with CacheWriter(tmp_path, METADATA, rows_per_shard=2) as writer:
        writer.add(rows("first")[0])
        writer.flush()
        writer.add(failed_row("second", SourceStamp("v", 1, 2), "no video"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            with pytest.raises(OSError) as caught:
                writer.add(big)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.errno == errno.EFBIG
        assert list(tmp_path.glob(".writing-*")) == []
        assert PoseCache(tmp_path).clip_ids == ["first"]
        writer.flush()  # there is room again
    assert set(PoseCache(tmp_path).stamps()) == {"first", "second", "big"}
    assert check_cache(tmp_path).problems == ()


def test_a_full_file_system(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if mounted.returncode:
        pytest.skip(f"no file system may be mounted here: {mounted.stderr.strip()}")
    try:
        writer = CacheWriter(small, METADATA)
        writer.add(rows("first")[0])
        writer.flush()
        writer.add(encode_clip(make_clip("big", np.random.default_rng(0), 4, 4000), SourceStamp("v", 1, 2)))
        with pytest.raises(OSError) as caught:
            writer.flush()
        assert caught.value.errno == errno.ENOSPC
        assert sorted(path.name for path in small.iterdir())[:2] == ["_common_metadata", "_lock"]
        assert len(list(small.iterdir())) == 3
        assert writer.remove(["big"]) == 1
        writer.add(rows("small")[0])
        writer.close()
        assert PoseCache(small).clip_ids == ["first", "small"]
        assert check_cache(small).problems == ()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_removing_on_a_full_disk_keeps_the_old_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CacheWriter(tmp_path, METADATA) as writer:
        for row in rows(*"ab"):
            writer.add(row)
        writer.flush()

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(cache_files.os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                writer.remove(["a"])
        assert "a" in writer
        assert list(tmp_path.glob(".writing-*")) == []
        assert PoseCache(tmp_path).clip_ids == ["a", "b"]
        assert writer.remove(["a"]) == 1
    assert PoseCache(tmp_path).clip_ids == ["b"]


@pytest.mark.skipif(os.name == "nt", reason="no /proc or /sys on Windows")
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    place = Path("/sys/fidget-cache") if Path("/sys/kernel").is_dir() else Path("/proc/fidget-cache")
    if not place.parent.is_dir():
        pytest.skip("neither /sys nor /proc is here, and permissions do not bind root")
    with pytest.raises(OSError, match="fidget-cache"):
        CacheWriter(place, METADATA)
