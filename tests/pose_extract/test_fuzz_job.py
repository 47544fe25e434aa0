"""Whole jobs over mutated videos and files with awkward names: the job ends, and nothing is lost."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest
from hostile_videos import mutated_videos, write_video
from job_fakes import SETTINGS, build_colour_blind

from pose_extract.job import JobReport, run_job
from pose_extract.settings import ExtractSettings
from pose_extract.sources import find_videos
from pose_extract.workers import Builder, LocalEngine
from pose_extract.zoo import build_estimator, weights_in_use
from poses.cache_check import check_cache
from poses.cache_reader import PoseCache

STALL_S = 60.0
AWKWARD = ("two words.mp4", 'it\'s "quoted".mp4', "two\nlines.mp4", "smile \N{GRINNING FACE}.mp4", "-o.mp4")


def broken_and_awkward(directory: Path) -> tuple[set[str], set[str]]:
    """Files made by hand, and a directory named like a video: ids that must fail, ids that must be read."""
    directory.mkdir(parents=True)
    (directory / "zero.mp4").touch()
    (directory / "text.mp4").write_text("not a video\n")
    (directory / "directory.mp4").mkdir()
    write_video(directory / "directory.mp4" / "inside.mp4", frames=3)
    for name in (*AWKWARD, "twin.mp4", "twin.mkv"):
        write_video(directory / name, frames=3)
    read = {f"{directory.name}/{name.removesuffix('.mp4')}" for name in AWKWARD}
    read |= {f"{directory.name}/{name}" for name in ("twin.mp4", "twin.mkv", "directory.mp4/inside")}
    return {f"{directory.name}/zero", f"{directory.name}/text"}, read


def fuzz(
    tmp_path: Path, count: int, seed: int, settings: ExtractSettings, models: dict[str, str], build: Builder
) -> None:
    videos, output = tmp_path / "in", tmp_path / "out"
    mutated = {path.stem for path in mutated_videos(videos, count, seed)}
    failing, readable = broken_and_awkward(videos / "by hand")
    found = find_videos([str(videos)])
    assert {source.clip_id for source in found.sources} == mutated | failing | readable
    assert found.problems == []

    begin_s = time.monotonic()
    engine = LocalEngine(settings, workers=2, stall_s=STALL_S, build=build)
    report = run_job(found.sources, found.problems, output, settings, models, engine, quiet=True)
    seconds = time.monotonic() - begin_s

    stamps = PoseCache(output).stamps()
    check = check_cache(output)
    print(f"seed {seed}: {check.rows} rows, {check.ok} ok, {check.no_person} no_person, "
          f"{check.failed} failed, {len(report.notes)} notes, {seconds:.1f} s")  # fmt: skip
    assert report.exit_code == 1
    assert set(stamps) == mutated | failing | readable
    assert check.problems == ()
    assert check.rows == len(stamps) == len(found.sources)  # each input once
    statuses = {clip_id: status for clip_id, (_, status) in stamps.items()}
    assert all(statuses[clip_id] == "failed" for clip_id in failing)
    assert all(statuses[clip_id] != "failed" for clip_id in readable)
    assert any(statuses[clip_id] == "failed" for clip_id in mutated), "the mutations are too mild"
    assert any(statuses[clip_id] != "failed" for clip_id in mutated), "the mutations are too wild"
    assert_errors_are_told(report, statuses, output)


def assert_errors_are_told(report: JobReport, statuses: dict[str, str], output: Path) -> None:
    """Every failed row has one line of its own that the report repeats; no clip took a worker with it."""
    errors = PoseCache(output).failed()
    assert set(errors) == set(report.failed) == {i for i, status in statuses.items() if status == "failed"}
    told = [*errors.values(), *report.failed.values(), *report.notes.values()]
    assert all(line.strip() and len(line.splitlines()) == 1 for line in told)
    unlawful = [line for line in told if any(w in line for w in ("worker process", "no frame was answered"))]
    assert unlawful == []
    unexpected = Counter(line for line in told if line.startswith("unexpected"))
    assert not unexpected, unexpected


def test_a_job_over_mutated_videos(tmp_path: Path) -> None:
    fuzz(tmp_path, 60, seed=11, settings=SETTINGS, models={"fake": "0" * 64}, build=build_colour_blind)


@pytest.mark.long
@pytest.mark.weights
def test_a_job_over_five_hundred_mutated_videos_with_blazepose(tmp_path: Path) -> None:
    settings = ExtractSettings(model="blazepose", layout="coco17", max_persons=1)
    fuzz(tmp_path, 500, 12, settings, weights_in_use(settings), build_estimator)
