from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from fidget.benchmark.workers import one_by_one, room_for, side_by_side


class Doer:
    """Jobs are (word, argument)."""

    def __call__(self, job, say):
        word, argument = job
        if word == "say":
            say(argument)
            return len(argument)
        if word == "environment":
            return os.environ.get(argument), os.getpid()
        if word == "kill":
            os.kill(os.getpid(), argument)
        if word == "leave":
            os._exit(argument)
        if word == "sleep":
            Path(argument).write_text(str(os.getpid()))
            time.sleep(60)
        raise {"value": ValueError, "bug": KeyError}[word](argument)


def make(given, threads):
    assert given == "given"
    return Doer()


def _run(jobs, processes=2, lines=None):
    outcomes = side_by_side(make, "given", deque(jobs), processes, 3, (lines or []).append)
    return {outcome.job: outcome for outcome in outcomes}


def test_failures_and_deaths_take_no_other_job_along(capfd) -> None:
    lines: list[str] = [""]
    jobs = [
        ("say", "hello"), ("value", "wrong\nnumber"), ("kill", signal.SIGKILL), ("bug", "key"), ("leave", 3),
        ("environment", "OMP_NUM_THREADS"), ("environment", "OMP_WAIT_POLICY"), ("say", "bye"),
    ]  # fmt: skip
    found = _run(jobs, lines=lines)
    assert set(found) == set(jobs)
    assert found["say", "hello"].value == 5
    assert sorted(lines) == ["", "bye", "hello"]
    assert found["value", "wrong\nnumber"].error == "wrong number"
    assert found["bug", "key"].error == "KeyError: 'key'"
    assert "in __call__" in found["bug", "key"].trace
    assert (
        found["kill", signal.SIGKILL].error
        == "its process was killed by signal 9; out of memory? Try --jobs 1"
    )
    assert found["leave", 3].error == "its process left with status 3"
    assert found["environment", "OMP_NUM_THREADS"].value[0] == "3"
    assert found["environment", "OMP_WAIT_POLICY"].value[0] == "PASSIVE"
    assert found["environment", "OMP_WAIT_POLICY"].value[1] != os.getpid()


def test_jobs_added_while_listening_are_done() -> None:
    for outcomes in (
        lambda ready: one_by_one(Doer(), ready, print),
        lambda ready: side_by_side(make, "given", ready, 1, 1, print),
    ):
        ready = deque([("say", "a")])
        seen = []
        for outcome in outcomes(ready):
            seen.append(outcome.job[1])
            if len(seen) < 3:
                ready.append(("say", "a" * (len(seen) + 1)))
        assert seen == ["a", "aa", "aaa"]


def test_room_is_for_one_at_least_and_never_more_than_jobs() -> None:
    assert room_for(100, 10**6) == 1
    assert room_for(1, 0) == 1
    assert 1 <= room_for(3, 1) <= 3


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "worker"
    script = tmp_path / "parent.py"
    script.write_text(
        "from collections import deque\n"
        "from fidget.benchmark.workers import side_by_side\n"
        "from tests.fidget.benchmark.test_workers import make\n"
        "if __name__ == '__main__':\n"
        f"    list(side_by_side(make, 'given', deque([('sleep', {str(file)!r})]), 1, 1, print))\n"
    )
    path = os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")])
    parent = subprocess.Popen([sys.executable, str(script)], env=os.environ | {"PYTHONPATH": path})
    try:
        deadline = time.monotonic() + 60
        while not file.exists() or not file.read_text():
            assert time.monotonic() < deadline
            assert parent.poll() is None
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.wait()
    worker = int(file.read_text())
    deadline = time.monotonic() + 20
    while _alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
