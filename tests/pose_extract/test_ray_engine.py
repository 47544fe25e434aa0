"""The Ray engine on a local Ray, its workers killed while they work."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from job_fakes import RAISE, SETTINGS, build_broken, build_fake, build_slow, write_video

from pose_extract.events import WorkerSetupError
from pose_extract.job import run_job
from pose_extract.ray_engine import RayEngine
from pose_extract.sources import find_videos
from poses.cache_check import check_cache
from poses.cache_reader import PoseCache

ray = pytest.importorskip("ray")
MODELS = {"fake": "0" * 64}


@pytest.fixture(scope="module", autouse=True)
def local_ray() -> Iterator[None]:
    """One Ray for the module, so that its start is paid once; the engine joins the Ray that runs."""
    here = str(Path(__file__).parent)
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=100 * 2**20,
        runtime_env={"env_vars": {"PYTHONPATH": here}},
    )
    yield
    ray.shutdown()


def test_ray_fills_the_same_cache(tmp_path: Path) -> None:
    for index in range(8):
        write_video(tmp_path / f"in/{index}.mkv")
    write_video(tmp_path / "in/raises.mkv", RAISE)
    found = find_videos([str(tmp_path / "in")])
    engine = RayEngine(SETTINGS, workers=2, build=build_fake)
    report = run_job(found.sources, [], tmp_path / "out", SETTINGS, MODELS, engine, quiet=True)
    assert (report.ok, list(report.failed), report.runtime) == (8, ["raises"], "fake")
    assert not check_cache(tmp_path / "out").problems


def kill_actors(times: int, stop: threading.Event, killed: list[int]) -> None:
    """Send SIGKILL to the process of a busy actor, so many times."""
    while len(killed) < times and not stop.is_set():
        time.sleep(1.0)
        for process in psutil.process_iter(["cmdline"]):
            title = " ".join(process.info["cmdline"] or [])
            if "_ClipActor.extract" in title:
                os.kill(process.pid, signal.SIGKILL)
                killed.append(process.pid)
                break


def test_killed_workers_are_replaced_and_every_clip_is_there_once(tmp_path: Path) -> None:
    count = 30
    for index in range(count):
        write_video(tmp_path / f"in/{index:02d}.mkv", frames=75)
    found = find_videos([str(tmp_path / "in")])
    engine = RayEngine(SETTINGS, workers=2, build=build_slow)
    stop, killed = threading.Event(), []
    killer = threading.Thread(target=kill_actors, args=(2, stop, killed))
    killer.start()
    try:
        report = run_job(found.sources, [], tmp_path / "out", SETTINGS, MODELS, engine, quiet=True)
    finally:
        stop.set()
        killer.join()
    assert killed, "no worker was killed, so nothing was shown"
    assert (report.ok, report.failed) == (count, {})
    assert sorted(PoseCache(tmp_path / "out").clip_ids) == [f"{index:02d}" for index in range(count)]
    assert not check_cache(tmp_path / "out").problems


def test_a_model_that_does_not_load_is_said(tmp_path: Path) -> None:
    write_video(tmp_path / "in/a.mkv")
    found = find_videos([str(tmp_path / "in")])
    engine = RayEngine(SETTINGS, workers=1, build=build_broken)
    with pytest.raises(WorkerSetupError, match="the weights are broken"):
        run_job(found.sources, [], tmp_path / "out", SETTINGS, MODELS, engine, quiet=True)
