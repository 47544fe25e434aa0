"""kill -9 at random moments: every finished shard reads, no clip is there twice, the next run goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cache_samples import METADATA, make_row

from poses.cache_check import check_cache
from poses.cache_reader import PoseCache
from poses.cache_writer import CacheWriter

ROUNDS = 10

# Goes on until it is killed: adds the clips that are absent, then makes some anew, as if videos changed.
WRITING = """
import sys
sys.path.insert(0, sys.argv[2])
import numpy as np
from cache_samples import METADATA, make_row
from poses.cache_writer import CacheWriter

rng = np.random.default_rng(int(sys.argv[3]))
rows = [make_row(f"clip {number}", rng, frames=30) for number in range(40)]
with CacheWriter(sys.argv[1], METADATA, rows_per_shard=3) as writer:
    print("ready", flush=True)
    while True:
        for row in rows:
            if row.clip_id not in writer:
                writer.add(row)
        writer.remove([row.clip_id for row in rows if rng.uniform() < 0.3])
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a matter of POSIX")
def test_a_killed_writer_loses_its_last_rows_at_most(tmp_path: Path) -> None:
    rng = np.random.default_rng(2024)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    for attempt in range(ROUNDS):
        command = [sys.executable, "-c", WRITING, str(tmp_path), str(Path(__file__).parent), str(attempt)]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(rng.uniform(0, 0.06))
            writer.kill()
            assert writer.wait() == -9
        cache = PoseCache(tmp_path)
        assert len(set(cache.clip_ids)) == len(cache.clip_ids)
        result = check_cache(tmp_path)
        assert result.problems == ()
        assert result.rows == len(cache)
    with CacheWriter(tmp_path, METADATA) as last:
        assert list(tmp_path.glob(".writing-*")) == []
        for number in range(40):
            if f"clip {number}" not in last:
                last.add(make_row(f"clip {number}", rng))
    assert sorted(PoseCache(tmp_path).clip_ids) == sorted(f"clip {number}" for number in range(40))
