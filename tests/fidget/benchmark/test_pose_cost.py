from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.fidget.training.training_samples import synthetic_rows, write_cache

from fidget.benchmark.low_bandwidth import weigh
from fidget.benchmark.pose_cost import Cost, PoseCosts
from poses.cache_schema import SourceStamp


def _cache(place: Path, sources: list[SourceStamp]) -> Path:
    rows = synthetic_rows(len(sources))
    return write_cache(
        place, [replace(row, source=source) for row, source in zip(rows, sources, strict=True)]
    )


def test_the_files_are_shared_out_whole(tmp_path: Path) -> None:
    poses = _cache(tmp_path / "poses", [SourceStamp(f"/v/{n}.mp4", 1000, 1) for n in range(6)])
    costs = PoseCosts(poses)
    ids = [f"clip{number:02d}" for number in range(6)]
    assert costs.of(ids).pose_bytes == pytest.approx(weigh(poses).bytes, abs=1)
    parts = [costs.of([clip_id]).pose_bytes for clip_id in ids]
    assert sum(parts) == pytest.approx(weigh(poses).bytes, abs=6)
    assert len(set(parts)) > 1  # longer clips cost more
    assert costs.of(["clip01", "ghost"]).clips == 1
    assert costs.of([]) == Cost(0, 0, 0)


def test_videos_count_once_each_and_only_where_all_are_known(tmp_path: Path) -> None:
    sources = [
        SourceStamp("/v/a.mp4", 1000, 1), SourceStamp("/v/a.mp4", 1000, 1), SourceStamp("/v/B.MKV", 500, 1),
        SourceStamp("/v/skeletons.npz", 7777, 1), SourceStamp("/v/c.mp4", 0, 1),
    ]  # fmt: skip
    costs = PoseCosts(_cache(tmp_path / "poses", sources))
    assert costs.of(["clip00"]).video_bytes == 1000
    assert costs.of(["clip00", "clip01", "clip02"]).video_bytes == 1500
    assert costs.of(["clip00", "clip03"]).video_bytes == 0  # an imported file is no video
    assert costs.of(["clip00", "clip04"]).video_bytes == 0
