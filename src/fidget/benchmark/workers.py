"""Jobs one after another here, or side by side in processes; a job that fails takes no other along.

Whoever listens may add jobs to the queue between two outcomes. Worker processes end when their parent does,
however it ends. A process that dies (the system's out-of-memory killer, a native crash) fails its job only.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

Job = Any  # what can be pickled
Do = Callable[[Job, Callable[[str], None]], Any]
MakeDo = Callable[[Any, int], Do]  # of what all jobs need, and the threads of a process

_TICK_S = 0.5
_BYTES_A_PROCESS = 4 << 30


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        job: the job.
        value: what it returned; None where it failed.
        error: one line of a job that failed, else empty.
        trace: where it failed, for a log.
    """

    job: Job
    value: Any = None
    error: str = ""
    trace: str = ""


def room_for(jobs: int, threads: int) -> int:
    """Processes that the cores and the free memory of this machine have room for, at least one.

    Args:
        jobs: that could run side by side.
        threads: of each process.
    """
    by_cores = cores() // max(threads, 1)
    return max(1, min(jobs, by_cores, _free_bytes() // _BYTES_A_PROCESS))


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _free_bytes() -> int:
    """Memory that new processes can have; where nobody says, enough for one a core."""
    try:
        with open("/proc/meminfo", encoding="utf-8") as file:
            found = dict(line.split(":", 1) for line in file)
        return int(found["MemAvailable"].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return cores() * _BYTES_A_PROCESS


def one_by_one(do: Do, ready: deque[Job], say: Callable[[str], None]) -> Iterator[Outcome]:
    """The outcomes of the jobs of a queue, done in this process."""
    while ready:
        yield _shielded(do, ready.popleft(), say)


def _shielded(do: Do, job: Job, say: Callable[[str], None]) -> Outcome:
    """The one place that shields a benchmark from a job: whatever it raises becomes its outcome."""
    try:
        return Outcome(job, do(job, say))
    except Exception as error:  # noqa: BLE001
        told = " ".join(str(error).split()) or "no message"
        expected = isinstance(error, (ValueError, OSError))
        return Outcome(
            job,
            error=told if expected else f"{type(error).__name__}: {told}",
            trace=traceback.format_exc(),
        )


def side_by_side(
    make: MakeDo, given: Any, ready: deque[Job], processes: int, threads: int, say: Callable[[str], None]
) -> Iterator[Outcome]:
    """The outcomes of the jobs of a queue as they come, done in processes; they are started as needed.

    Args:
        make: makes the function that does a job, once a process; importable by a fresh process.
        given: what `make` needs, sent to each process once.
        ready: the queue; jobs added to it are taken up.
        processes: at most so many.
        threads: of each, for the libraries that compute.
        say: takes the lines that jobs say.
    """
    workers: list[_Worker] = []
    try:
        while ready or any(worker.job is not None for worker in workers):
            idle = [worker for worker in workers if worker.job is None]
            while ready and (idle or len(workers) < processes):
                if not idle:
                    idle.append(_start(make, given, threads))
                    workers += idle
                idle.pop().give(ready.popleft())
            talking = wait([worker.pipe for worker in workers if worker.job is not None], timeout=_TICK_S)
            for worker in list(workers):
                if worker.pipe not in talking:
                    continue
                outcome = worker.listen(say)
                if worker.gone:
                    workers.remove(worker)
                if outcome is not None:
                    yield outcome
    finally:
        for worker in workers:
            worker.end()


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    job: Job | None = None
    gone: bool = False

    def give(self, job: Job) -> None:
        self.job = job
        with suppress(OSError):  # it died while idle: `listen` sees it next
            self.pipe.send(job)

    def listen(self, say: Callable[[str], None]) -> Outcome | None:
        """Take one message: a line is said, an outcome returned; the end of the process is one too."""
        try:
            message = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            self.pipe.close()
            self.gone = True
            status = self.process.exitcode
            how = f"was killed by signal {-status}" if status and status < 0 else f"left with status {status}"
            hint = "; out of memory? Try --jobs 1" if status == -signal.SIGKILL else ""
            return Outcome(self.job, error=f"its process {how}{hint}")
        if isinstance(message, str):
            say(message)
            return None
        job, self.job = self.job, None
        value, error, trace = message
        return Outcome(job, value, error, trace)

    def end(self) -> None:
        """A process without a job is asked to leave, another one is ended: what it wrote whole stays."""
        if self.job is None:
            with suppress(OSError):
                self.pipe.send(None)
            self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


def _start(make: MakeDo, given: Any, threads: int) -> _Worker:
    context = mp.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, make, given, threads), daemon=True)
    with _threads_of_a_process(threads):
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _threads_of_a_process(threads: int) -> Iterator[None]:
    """The environment of a fresh process: libraries read it as they load, which is before its first line."""
    wanted = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    wanted["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "PASSIVE")
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(pipe: Connection, make: MakeDo, given: Any, threads: int) -> None:
    """Body of a worker process: one job after another until None comes or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it reaches the whole group; the parent decides
    _end_with_parent()
    try:
        do = make(given, threads)
        while (job := pipe.recv()) is not None:
            outcome = _shielded(do, job, pipe.send)
            pipe.send((outcome.value, outcome.error, outcome.trace))
    except (EOFError, OSError):  # the parent is gone
        return


def _end_with_parent() -> None:
    """A thread that ends this process as soon as the parent is gone, in the middle of a job too."""
    parent = mp.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
