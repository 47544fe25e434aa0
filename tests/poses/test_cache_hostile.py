"""Damaged and hostile files: a named ValueError, never a crash, a wrong clip or a giant allocation."""

from __future__ import annotations

import re
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cache_samples import METADATA, make_row

from poses.cache_check import check_cache
from poses.cache_reader import PoseCache
from poses.cache_schema import METADATA_KEY, SCHEMA
from poses.cache_writer import CacheWriter
from poses.clip import PoseClip

TWO_GIB = 2 * 2**30


@pytest.fixture
def bounded() -> Iterator[None]:
    """Two GiB more address space than now, so that a giant allocation fails at once."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + TWO_GIB, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def one_shard(directory: Path, clips: int = 6) -> Path:
    rng = np.random.default_rng(0)
    with CacheWriter(directory, METADATA) as writer:
        for number in range(clips):
            writer.add(make_row(f"clip {number}", rng, 1 + number % 2, 20))
    (path,) = directory.glob("*.parquet")
    return path


def read_all(directory: Path) -> list[PoseClip]:
    cache = PoseCache(directory)
    cache.stamps()
    return list(cache.clips())


def truncated(content: bytearray, rng: np.random.Generator) -> bytearray:
    return content[: rng.integers(0, len(content))]


def bits_flipped(content: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(rng.integers(1, 4)):
        content[rng.integers(0, len(content))] ^= 1 << int(rng.integers(0, 8))
    return content


def footer_changed(content: bytearray, rng: np.random.Generator) -> bytearray:
    footer = int.from_bytes(content[-8:-4], "little")
    for _ in range(rng.integers(1, 6)):
        content[len(content) - 8 - rng.integers(0, footer)] = rng.integers(0, 256)
    return content


def overwritten(content: bytearray, rng: np.random.Generator) -> bytearray:
    start, length = rng.integers(0, len(content)), rng.integers(1, 64)
    content[start : start + length] = rng.bytes(length)
    return content


@pytest.mark.parametrize("damage", [truncated, bits_flipped, footer_changed, overwritten])
@pytest.mark.usefixtures("bounded")
def test_damaged_files_give_a_named_error_or_the_right_clips(
    tmp_path: Path, damage: Callable[[bytearray, np.random.Generator], bytearray]
) -> None:
    path = one_shard(tmp_path)
    whole = path.read_bytes()
    expected = {clip.clip_id: clip for clip in read_all(tmp_path)}
    rng = np.random.default_rng(7)
    outcomes: Counter[str] = Counter()
    for _ in range(150):
        path.write_bytes(damage(bytearray(whole), rng))
        try:
            clips = read_all(tmp_path)
        except ValueError as error:
            assert path.name in str(error) or "clip '" in str(error)
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
            for clip in clips:
                np.testing.assert_array_equal(clip.xy_px, expected[clip.clip_id].xy_px)
                np.testing.assert_array_equal(clip.score, expected[clip.clip_id].score)
                np.testing.assert_array_equal(clip.time_s, expected[clip.clip_id].time_s)
            check_cache(tmp_path)
    assert outcomes["refused"] > 75


def rewritten(path: Path, change: dict[str, object]) -> None:
    """Set columns of the first row; the file itself stays faultless Parquet."""
    table = pq.read_table(path)
    for name, value in change.items():
        values = table[name].to_pylist()
        values[0] = value
        column = pa.array(values, SCHEMA.field(name).type)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    metadata = {METADATA_KEY: PoseCache(path.parent)._json}
    pq.write_table(table.replace_schema_metadata(metadata), path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"frames": 2**31 - 1},
            "'clip 0' says 2147483647 frames and 1 persons, got 20 times and 1 track ids",
        ),
        ({"persons": -5}, "says 20 frames and -5 persons"),
        ({"persons": 2**30, "frames": 2**30}, "says 1073741824 frames"),
        ({"track_ids": list(range(50_000)), "persons": 50_000}, "xy holds 680 values, expected 34000000"),
        ({"xy": [1, 2, 3]}, "xy holds 3 values, expected 680"),
        ({"score": []}, "score holds 0 values"),
        ({"box": [0] * 81}, "box holds 81 values, expected 80"),
        ({"status": "fine"}, "'clip 0' has status 'fine', expected one of ok, no_person, failed"),
        ({"status": "failed"}, "a failed clip has no frames, got 20"),
        ({"checksum": 1}, "'clip 0': checksum is .*, expected 00000001"),
        ({"xy_step": float("nan")}, "xy_step must be a power of two"),
        ({"xy_step": 1e300}, "xy_step must be a power of two"),
        ({"fps_num": -30}, "positive frame rate"),
        ({"width": -1}, "expected frames of a size"),
        ({"clip_id": "clip 1"}, "'clip 1' is there twice"),
        ({"clip_id": None}, "column clip_id holds nulls"),
        ({"xy": None}, "column xy holds nulls"),
        ({"xy": [None] * 680}, r"\.parquet: expected a whole Parquet file"),
    ],
)
@pytest.mark.usefixtures("bounded")
def test_rows_that_lie_are_refused_by_name(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = one_shard(tmp_path)
    rewritten(path, change)
    if change.get("status") != "failed":  # such a row is not read, but checked
        with pytest.raises(ValueError, match=message):
            read_all(tmp_path)
    problems = check_cache(tmp_path).problems
    assert problems
    assert any(re.search(message, problem) or "clip_id" in change for problem in problems)


@pytest.mark.usefixtures("bounded")
def test_small_files_that_spread_out_to_gigabytes_are_refused(tmp_path: Path) -> None:
    path = one_shard(tmp_path)
    table = pq.read_table(path).take(pa.array(np.zeros(20_000, np.int64)))
    long = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), pa.array(["x" * 200_000]))
    for name in ("clip_id", "source_path"):
        table = table.set_column(table.schema.get_field_index(name), name, long)
    metadata = {METADATA_KEY: PoseCache(tmp_path)._json}
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")
    assert path.stat().st_size < 10_000_000
    with pytest.raises(ValueError, match=r"column clip_id spreads out to 4000000000 bytes"):
        PoseCache(tmp_path)


@pytest.mark.usefixtures("bounded")
def test_row_groups_beyond_all_measure_are_refused(tmp_path: Path) -> None:
    path = one_shard(tmp_path)
    numbers = pa.array(np.zeros(2**20 + 1, np.int8))
    columns = {field.name: numbers.cast(pa.int32()) for field in SCHEMA}
    metadata = {METADATA_KEY: PoseCache(tmp_path)._json}
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path, row_group_size=2**21)
    with pytest.raises(ValueError, match="claims 1048577 rows, expected at most 1048576"):
        PoseCache(tmp_path)


def test_types_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = one_shard(tmp_path)
    table = pq.read_table(path)
    metadata = {METADATA_KEY: PoseCache(tmp_path)._json}
    for name, column in [
        ("xy", table["frames"]),
        ("frames", pa.array([2**40] * 6)),
        ("score", pa.array([[300]] * 6)),
        ("quality", table["frames"]),
        ("clip_id", table["frames"]),
    ]:
        wrong = table.set_column(table.schema.get_field_index(name), name, column)
        pq.write_table(wrong.replace_schema_metadata(metadata), path)
        with pytest.raises(ValueError, match=r"\.parquet|clip '"):
            read_all(tmp_path)
