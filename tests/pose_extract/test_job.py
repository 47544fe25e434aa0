"""Whole jobs with a fake model: what is done, what is named, what is kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from job_fakes import (
    CRASH,
    EMPTY,
    HANG,
    RAISE,
    SETTINGS,
    FakeEstimator,
    build_broken,
    build_fake,
    build_seeing_gpus,
    write_video,
)

from pose_extract.events import ClipDone, Event, FramesDone, WorkerReady, WorkerSetupError
from pose_extract.extract_clip import extract_clip_safely
from pose_extract.job import RUN_LOG, JobReport, make_plan, run_job
from pose_extract.sources import VideoSource, find_videos
from pose_extract.workers import LocalEngine
from poses.cache_check import check_cache
from poses.cache_reader import PoseCache
from poses.cache_writer import CacheLockedError, CacheMismatchError, CacheWriter

MODELS = {"fake": "0" * 64}


class InlineEngine:
    """The engine's contract in this process, for everything that needs no crash."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def run(self, sources: Sequence[VideoSource], stopping: Callable[[], bool]) -> Iterator[Event]:
        estimator = FakeEstimator()
        yield WorkerReady(estimator.runtime)
        for source in sources:
            if stopping():
                return
            self.seen.append(source.clip_id)
            row = extract_clip_safely(source, estimator, estimator.layout, 2)
            yield FramesDone(row.frames)
            yield ClipDone(row)


def job(videos: Path, output: Path, engine: object = None, **options: object) -> JobReport:
    found = find_videos([str(videos)])
    return run_job(
        found.sources,
        found.problems,
        output,
        SETTINGS,
        MODELS,
        engine or InlineEngine(),
        quiet=True,
        **options,
    )


def test_a_job_fills_the_cache_and_a_repeat_does_nothing(tmp_path: Path) -> None:
    for name in ("a.mkv", "deep/b.avi", "deep/c ü'\".mkv"):
        write_video(tmp_path / "in" / name)
    report = job(tmp_path / "in", tmp_path / "out")
    assert (report.ok, report.exit_code, report.frames) == (3, 0, 36)
    cache = PoseCache(tmp_path / "out")
    assert sorted(cache.clip_ids) == ["a", "deep/b", "deep/c ü'\""]
    clip = cache.read("deep/b")
    assert (clip.persons, clip.frames, clip.frame_hw) == (1, 12, (48, 64))
    assert clip.xy_px[0, 0, 3] == pytest.approx([11, 14])
    engine = InlineEngine()
    again = job(tmp_path / "in", tmp_path / "out", engine)
    assert (again.kept, again.ok, engine.seen) == (3, 0, [])
    assert not check_cache(tmp_path / "out").problems


def test_only_the_missing_and_the_changed_are_done_again(tmp_path: Path) -> None:
    for name in "abc":
        write_video(tmp_path / "in" / f"{name}.mkv")
    job(tmp_path / "in", tmp_path / "out")
    write_video(tmp_path / "in/b.mkv", frames=20)
    write_video(tmp_path / "in/d.mkv")
    engine = InlineEngine()
    report = job(tmp_path / "in", tmp_path / "out", engine)
    assert sorted(engine.seen) == ["b", "d"]
    assert (report.kept, report.ok) == (2, 2)
    assert PoseCache(tmp_path / "out").read("b").frames == 20
    assert sorted(PoseCache(tmp_path / "out").clip_ids) == ["a", "b", "c", "d"]


def test_a_clip_keeps_its_id_when_another_of_its_stem_joins(tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mkv")
    job(tmp_path / "in", tmp_path / "out")
    write_video(tmp_path / "in/a.avi")
    engine = InlineEngine()
    report = job(tmp_path / "in", tmp_path / "out", engine)
    assert (report.kept, engine.seen) == (1, ["a.avi"])
    write_video(tmp_path / "in/a.mkv", frames=20)
    job(tmp_path / "in", tmp_path / "out", engine)
    cache = PoseCache(tmp_path / "out")
    assert sorted(cache.clip_ids) == ["a", "a.avi"]
    assert cache.read("a").frames == 20


def test_failures_are_named_rows_and_retried_only_when_asked(tmp_path: Path) -> None:
    write_video(tmp_path / "in/good.mkv")
    (tmp_path / "in/empty.mp4").touch()
    (tmp_path / "in/text.mp4").write_text("not a video")
    report = job(tmp_path / "in", tmp_path / "out")
    assert report.exit_code == 1
    assert sorted(report.failed) == ["empty", "text"]
    assert all(report.failed.values())
    engine = InlineEngine()
    assert job(tmp_path / "in", tmp_path / "out", engine).exit_code == 1
    assert engine.seen == []
    job(tmp_path / "in", tmp_path / "out", engine, retry_failed=True)
    assert sorted(engine.seen) == ["empty", "text"]
    write_video(tmp_path / "in/text.mp4")
    (tmp_path / "in/empty.mp4").unlink()
    assert job(tmp_path / "in", tmp_path / "out").exit_code == 0


def test_nobody_in_sight_is_no_person_not_a_phantom(tmp_path: Path) -> None:
    write_video(tmp_path / "in/nobody.mkv", EMPTY)
    report = job(tmp_path / "in", tmp_path / "out")
    assert (report.no_person, report.ok, report.exit_code) == (1, 0, 0)
    assert PoseCache(tmp_path / "out").stamps()["nobody"][1] == "no_person"
    assert PoseCache(tmp_path / "out").read("nobody").persons == 0


def test_a_clip_id_of_another_living_video_is_never_overwritten(tmp_path: Path) -> None:
    write_video(tmp_path / "one/a.mkv")
    write_video(tmp_path / "two/a.mkv", frames=30)
    job(tmp_path / "one", tmp_path / "out")
    report = job(tmp_path / "two", tmp_path / "out")
    assert report.exit_code == 1
    assert "another directory" in report.problems[0]
    assert PoseCache(tmp_path / "out").read("a").frames == 12


def test_a_moved_directory_needs_no_second_extraction(tmp_path: Path) -> None:
    write_video(tmp_path / "one/a.mkv")
    job(tmp_path / "one", tmp_path / "out")
    (tmp_path / "one").rename(tmp_path / "elsewhere")
    engine = InlineEngine()
    assert job(tmp_path / "elsewhere", tmp_path / "out", engine).kept == 1
    assert engine.seen == []


def test_two_models_never_mix(tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mkv")
    job(tmp_path / "in", tmp_path / "out")
    found = find_videos([str(tmp_path / "in")])
    with pytest.raises(CacheMismatchError, match="detect_every_frames"):
        run_job(
            found.sources,
            [],
            tmp_path / "out",
            replace(SETTINGS, detect_every_frames=3),
            MODELS,
            InlineEngine(),
        )
    with pytest.raises(CacheMismatchError, match="fake"):
        run_job(found.sources, [], tmp_path / "out", SETTINGS, {"fake": "1" * 64}, InlineEngine())


def test_two_jobs_never_write_one_cache(tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mkv")
    job(tmp_path / "in", tmp_path / "out")
    metadata = PoseCache(tmp_path / "out").metadata
    with CacheWriter(tmp_path / "out", metadata), pytest.raises(CacheLockedError):
        job(tmp_path / "in", tmp_path / "out")


def test_a_directory_that_is_no_cache_is_left_alone(tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mkv")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="out"):
        job(tmp_path / "in", tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_the_run_log_says_what_really_ran(tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mkv")
    job(tmp_path / "in", tmp_path / "out")
    entry = json.loads((tmp_path / "out" / RUN_LOG).read_text())
    assert (entry["runtime"], entry["ok"], entry["frames"]) == ("fake", 1, 12)


class ChangesWhileRead(FakeEstimator):
    """Appends to the file in the middle of its being read."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def start_clip(self) -> object:
        with self.path.open("ab") as file:
            file.write(b"more")
        os.utime(self.path, ns=(1, 1))
        return super().start_clip()


def test_a_file_that_changes_while_it_is_read_is_not_trusted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv")
    estimator = ChangesWhileRead(path)
    row = extract_clip_safely(VideoSource(path, "a"), estimator, estimator.layout, 1)
    assert row.status == "failed"
    assert "changed while" in (row.error or "")


def test_whatever_a_clip_throws_is_its_row(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", RAISE)
    estimator = FakeEstimator()
    row = extract_clip_safely(VideoSource(path, "a"), estimator, estimator.layout, 1)
    assert row.status == "failed"
    assert "asked to fail" in (row.error or "")


def test_workers_that_crash_hang_or_raise_cost_one_clip_each(tmp_path: Path) -> None:
    for index in range(6):
        write_video(tmp_path / f"in/good{index}.mkv")
    write_video(tmp_path / "in/a_crash.mkv", CRASH)
    write_video(tmp_path / "in/b_hang.mkv", HANG)
    write_video(tmp_path / "in/c_raise.mkv", RAISE)
    engine = LocalEngine(SETTINGS, workers=2, stall_s=3.0, build=build_fake)
    report = job(tmp_path / "in", tmp_path / "out", engine)
    assert report.ok == 6
    assert sorted(report.failed) == ["a_crash", "b_hang", "c_raise"]
    assert "SIGABRT" in report.failed["a_crash"]
    assert "no frame was answered" in report.failed["b_hang"]
    assert "asked to fail" in report.failed["c_raise"]
    assert len(PoseCache(tmp_path / "out").stamps()) == 9


def test_a_model_that_does_not_load_ends_the_job_with_its_message(tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mkv")
    engine = LocalEngine(SETTINGS, workers=1, build=build_broken)
    with pytest.raises(WorkerSetupError, match="the weights are broken"):
        job(tmp_path / "in", tmp_path / "out", engine)


def test_stopping_keeps_what_is_done(tmp_path: Path) -> None:
    for index in range(4):
        write_video(tmp_path / f"in/{index}.mkv")

    class StopsAfterTwo(InlineEngine):
        def run(self, sources: Sequence[VideoSource], stopping: Callable[[], bool]) -> Iterator[Event]:
            yield from super().run(sources, lambda: len(self.seen) >= 2)

    report = job(tmp_path / "in", tmp_path / "out", StopsAfterTwo())
    assert report.ok == 2
    assert len(PoseCache(tmp_path / "out").clip_ids) == 2
    assert job(tmp_path / "in", tmp_path / "out").ok == 2


def test_plan_of_an_absent_cache_is_everything(tmp_path: Path) -> None:
    source = VideoSource(write_video(tmp_path / "a.mkv"), "a")
    plan = make_plan(tmp_path / "none", [source], retry_failed=False)
    assert (plan.todo, plan.replaced, plan.kept) == ([source], [], 0)


@pytest.mark.parametrize(("gpus", "seen"), [((), {"all"}), (("3", "GPU-5"), {"3", "GPU-5"}), (("0",), {"0"})])
def test_every_worker_sees_one_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: tuple[str, ...], seen: set[str]
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    sources = [
        VideoSource(write_video(tmp_path / f"{index}.mkv", frames=15), str(index)) for index in range(8)
    ]
    engine = LocalEngine(SETTINGS, workers=2, gpus=gpus, build=build_seeing_gpus)
    events = list(engine.run(sources, lambda: False))
    assert {event.runtime for event in events if isinstance(event, WorkerReady)} == seen
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_row_that_no_cache_can_hold_is_a_failed_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poses.cache_schema.VALUES_LIMIT", 300)
    write_video(tmp_path / "in/long.mkv", frames=60)
    write_video(tmp_path / "in/short.mkv", frames=2)
    report = job(tmp_path / "in", tmp_path / "out")
    assert (report.ok, list(report.failed), report.exit_code) == (1, ["long"], 1)
