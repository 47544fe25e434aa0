"""kill -9 at random moments of a job, then the same command again: every clip exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from job_fakes import write_video

from poses.cache_check import check_cache
from poses.cache_reader import PoseCache

HERE = Path(__file__).parent
CLIPS = 40


def start(videos: Path, output: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    command = [sys.executable, str(HERE / "kill_job.py"), str(videos), str(output)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def workers_of(job: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return psutil.Process(job.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_and_resume(tmp_path: Path, kills: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for index in range(CLIPS):
        write_video(tmp_path / f"in/{index:03d}.mkv", frames=25)
    killed, held, caches = 0, 0, 0
    while killed < kills:
        output = tmp_path / f"out{caches}"
        job = start(tmp_path / "in", output)
        try:
            job.wait(timeout=rng.uniform(0.3, 2.5))
            caches += 1  # finished before its time came: the next one begins anew
        except subprocess.TimeoutExpired:
            workers = workers_of(job)
            job.send_signal(signal.SIGKILL)
            job.wait()
            killed += 1
            _, alive = psutil.wait_procs(workers, timeout=20)
            assert not alive, "workers outlived the job"
        held = max(held, sum(pq.read_table(shard).num_rows for shard in output.glob("*.parquet")))
    assert held > 0, "no kill left anything to resume from"
    for output in sorted(tmp_path.glob("out*")):
        job = start(tmp_path / "in", output)
        assert job.wait(timeout=120) == 0
        ids = [i for shard in output.glob("*.parquet") for i in pq.read_table(shard)["clip_id"].to_pylist()]
        assert sorted(ids) == [f"{index:03d}" for index in range(CLIPS)]
        assert not check_cache(output).problems
        assert all(PoseCache(output).read(clip_id).frames == 25 for clip_id in ids)


def test_kill_5_times(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=5, seed=1)


@pytest.mark.long
def test_kill_25_times(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=25, seed=2)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_being_asked_to_stop_finishes_the_clips_in_flight(tmp_path: Path, signum: int) -> None:
    for index in range(CLIPS):
        write_video(tmp_path / f"in/{index:03d}.mkv", frames=25)
    job = start(tmp_path / "in", tmp_path / "out")
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.02)
    job.send_signal(signum)
    status = job.wait(timeout=60)
    held = len(PoseCache(tmp_path / "out").clip_ids)
    assert status in (0, 130)
    assert (held < CLIPS) == (status == 130)
    assert held > 0
    assert not check_cache(tmp_path / "out").problems


def test_ctrl_c_while_the_models_load_reaches_the_whole_group_and_is_no_failure(tmp_path: Path) -> None:
    for index in range(4):
        write_video(tmp_path / f"in/{index:03d}.mkv", frames=5)
    environment = os.environ | {"PYTHONPATH": str(HERE)}
    command = [sys.executable, str(HERE / "kill_job.py"), str(tmp_path / "in"), str(tmp_path / "out")]
    job = subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while len(workers_of(job)) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(job.pid, signal.SIGINT)
    _, said = job.communicate(timeout=60)
    assert job.returncode == 130
    assert "Traceback" not in said
    assert "--workers 1" not in said
