"""Any sequence of adding, removing, flushing and opening again leaves what a plain dictionary would hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from cache_samples import METADATA, make_row
from hypothesis import given, settings
from hypothesis import strategies as st

from poses.cache_check import check_cache
from poses.cache_merge import merge_caches
from poses.cache_reader import PoseCache
from poses.cache_writer import CacheWriter

NAMES = [f"clip {number}" for number in range(8)]
STEPS = st.one_of(
    st.tuples(st.just("add"), st.sampled_from(NAMES)),
    st.tuples(st.just("add"), st.sampled_from(NAMES)),
    st.tuples(st.just("remove"), st.sets(st.sampled_from(NAMES), max_size=4)),
    st.just(("flush", None)),
    st.just(("open again", None)),
)


@settings(max_examples=12, deadline=None)
@given(steps=st.lists(STEPS, max_size=15), rows_per_shard=st.integers(1, 4))
def test_a_cache_is_a_dictionary(steps: list[tuple[str, object]], rows_per_shard: int) -> None:
    rng = np.random.default_rng(0)
    expected: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "cache"
        writer = CacheWriter(directory, METADATA, rows_per_shard)
        for step, what in steps:
            if step == "add" and what not in expected:
                row = make_row(str(what), rng, persons=len(expected) % 3, frames=3)
                writer.add(row)
                expected[row.clip_id] = row.checksum
            elif step == "remove":
                assert isinstance(what, set)
                assert writer.remove(what) == len(what & expected.keys())
                expected = {name: value for name, value in expected.items() if name not in what}
            elif step == "flush":
                writer.flush()
            elif step == "open again":
                writer.close()
                writer = CacheWriter(directory, METADATA, rows_per_shard)
        writer.close()
        cache = PoseCache(directory)
        assert {clip_id: cache.row(clip_id).checksum for clip_id in cache.clip_ids} == expected
        assert cache.clip_ids == list(expected)  # in the order of adding
        assert check_cache(directory).problems == ()
        merge_caches([directory], Path(folder) / "merged")
        assert PoseCache(Path(folder) / "merged").clip_ids == cache.clip_ids
