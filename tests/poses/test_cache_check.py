from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cache_samples import METADATA, make_clip, make_row

from poses import cache_shards
from poses.cache_check import CacheCheck, check_cache
from poses.cache_reader import NotACacheError
from poses.cache_schema import CacheMetadata, SourceStamp
from poses.cache_writer import CacheWriter
from poses.encoding import encode_clip, failed_row


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Nine clips in three shards, row groups of two."""
    rng = np.random.default_rng(0)
    stamp = SourceStamp("v", 1, 2)
    with CacheWriter(tmp_path, METADATA, rows_per_shard=3, rows_per_group=2) as writer:
        for number in range(7):
            writer.add(make_row(f"clip {number}", rng))
        writer.add(encode_clip(make_clip("nobody", rng, 0), stamp))
        writer.add(failed_row("bad", stamp, "no video"))
    return tmp_path


def shard(directory: Path, number: int) -> Path:
    return sorted(directory.glob("*.parquet"))[number]


def test_a_whole_cache(directory: Path) -> None:
    assert check_cache(directory) == CacheCheck(rows=9, ok=7, no_person=1, failed=1, problems=())


def test_a_truncated_shard_is_named_and_the_rest_checked(directory: Path) -> None:
    path = shard(directory, 1)
    path.write_bytes(path.read_bytes()[:-50])
    result = check_cache(directory)
    assert (result.rows, result.ok) == (6, 4)
    (problem,) = result.problems
    assert path.name in problem
    assert "delete it, and the next run extracts its clips again" in problem


def test_a_damaged_row_group_is_named_with_its_clips(directory: Path) -> None:
    path = shard(directory, 0)
    content = bytearray(path.read_bytes())
    at = _start_of_column(path, 0, "xy") + 60
    content[at : at + 20] = bytes(20)
    path.write_bytes(content)
    result = check_cache(directory)
    assert result.rows == 7
    (problem,) = result.problems
    assert path.name in problem
    assert "row group 0 is lost with the clips 'clip 0', 'clip 1'" in problem


def _start_of_column(path: Path, group: int, name: str) -> int:
    with cache_shards.open_shard(path) as file:
        columns = [file.metadata.row_group(group).column(i) for i in range(file.metadata.num_columns)]
        return int(next(c.data_page_offset for c in columns if c.path_in_schema.split(".")[0] == name))


def test_a_row_that_lies_is_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wrong = make_row("wrong", rng)
    wrong.score[0] ^= 1
    backwards = make_row("backwards", rng)
    backwards.time_us[:] = backwards.time_us[::-1].copy()
    with CacheWriter(tmp_path, METADATA) as writer:
        for row in (make_row("good", rng), wrong, backwards):
            writer.add(row)
    result = check_cache(tmp_path)
    assert (result.rows, result.ok) == (3, 3)
    assert len(result.problems) == 2
    assert "clip 'wrong': checksum is" in result.problems[0]
    assert "clip 'backwards': checksum is" in result.problems[1]


def test_double_clips_and_foreign_shards_are_named(
    directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (directory / "shard-00000009-copy.parquet").write_bytes(shard(directory, 0).read_bytes())
    elsewhere = tmp_path_factory.mktemp("other")
    with CacheWriter(elsewhere, CacheMetadata("coco17", {}, {"max_persons": 5})) as writer:
        writer.add(make_row("foreign", np.random.default_rng(0)))
    (directory / "shard-00000010-foreign.parquet").write_bytes(shard(elsewhere, 0).read_bytes())
    problems = check_cache(directory).problems
    assert sum("is there twice, first in shard-00000001" in problem for problem in problems) == 3
    assert any(
        "settings.max_persons is 2 in the cache, 5 in shard-00000010-foreign" in problem
        for problem in problems
    )
    assert len(problems) == 4


def test_what_is_no_cache_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(NotACacheError):
        check_cache(tmp_path / "absent")
