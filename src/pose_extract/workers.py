"""The local engine: one process per core or GPU, each with its own model, one clip at a time.

A worker that dies (a native crash, the system's out-of-memory killer) or stalls takes one clip with it:
that clip is tried once more in a fresh worker, and then gets a row that names what happened. Workers end
when the parent does, however it ends.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from pose_extract.events import ClipDone, Event, FramesDone, StillWorking, WorkerReady, WorkerSetupError
from pose_extract.settings import ExtractSettings
from pose_extract.sources import VideoSource
from pose_extract.zoo import build_estimator

if TYPE_CHECKING:
    from pose_extract.estimator import PoseEstimator

Builder = Callable[[ExtractSettings], "PoseEstimator"]

_TICK_S = 0.25
_TRIES = 2
_STOPPED = (-signal.SIGINT, -signal.SIGTERM)


@dataclass(frozen=True)
class _Failed:
    """A worker's last word: it could not load its model."""

    message: str


def _worker_main(pipe: Connection, settings: ExtractSettings, build: Builder, keep: Path | None) -> None:
    """Body of a worker process: load, then one clip after another until the pipe closes."""
    for signum in (signal.SIGINT, signal.SIGTERM):  # they reach the whole group; the parent decides
        signal.signal(signum, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # held since `_interrupts_held`
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2

    cv2.setNumThreads(1)

    try:
        estimator = build(settings)
    except (ValueError, RuntimeError, OSError, ImportError) as error:
        pipe.send(_Failed(" ".join(str(error).split())))
        return
    try:
        pipe.send(WorkerReady(estimator.runtime))
        _serve(pipe, settings, estimator, keep)
    except (EOFError, OSError):  # the parent is gone: so are we
        return


def _serve(pipe: Connection, settings: ExtractSettings, estimator: PoseEstimator, keep: Path | None) -> None:
    from pose_extract.extract_clip import extract_clip_safely, partial_of
    from poses.layout import get_layout

    layout = get_layout(settings.layout)
    while (source := pipe.recv()) is not None:
        partial = partial_of(keep, source, estimator, repr(settings.recorded())) if keep else None
        row = extract_clip_safely(
            source, estimator, layout, settings.max_persons, lambda n: pipe.send(FramesDone(n)), partial
        )
        pipe.send(ClipDone(row))


@dataclass(eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    source: VideoSource | None = None
    ready: bool = False
    hung_up: bool = False
    last_sign_s: float = field(default_factory=time.monotonic)

    def give(self, source: VideoSource) -> None:
        self.source = source
        self.last_sign_s = time.monotonic()
        self.pipe.send(source)

    def end(self, wait_s: float) -> None:
        """Ask the worker to leave; insist after `wait_s`."""
        with suppress(OSError):
            self.pipe.send(None)
        self.process.join(wait_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.pipe.close()


class LocalEngine:
    """Worker processes on this machine.

    Args:
        settings: resolved settings.
        workers: number of processes.
        gpus: names of the GPUs to spread workers over, as CUDA_VISIBLE_DEVICES takes them: worker i sees
            only GPU i, modulo their number. None: every worker sees what this process sees.
        stall_s: a worker that answers no frame for so long is ended and its clip counted as failed.
        build: loads the model; a function that a fresh process can import.
        keep: the cache beside which what is found of a long video is kept on the way; None: nowhere.
    """

    def __init__(
        self,
        settings: ExtractSettings,
        workers: int,
        gpus: Sequence[str] = (),
        stall_s: float = 300.0,
        build: Builder = build_estimator,
        keep: Path | None = None,
    ) -> None:
        if workers < 1:
            raise ValueError(f"--workers expects a whole number of at least 1, got {workers}")
        self._settings = settings
        self._count = workers
        self._gpus = gpus
        self._stall_s = stall_s
        self._build = build
        self._keep = keep
        self._context = mp.get_context("spawn")
        self._started = 0

    def run(self, sources: Sequence[VideoSource], stopping: Callable[[], bool]) -> Iterator[Event]:
        """See `Engine.run`."""
        todo = deque(sources)
        deaths: dict[str, int] = {}
        workers = [self._start() for _ in range(min(self._count, len(todo)))]
        try:
            while todo or any(worker.source for worker in workers):
                if stopping():
                    todo.clear()
                    if not any(worker.source for worker in workers):
                        break
                yield from self._step(workers, todo, deaths, stopping)
        finally:
            finished = not any(worker.source for worker in workers)
            for worker in workers:
                worker.end(wait_s=5.0 if finished else 0.0)

    def _start(self) -> _Worker:
        gpu = self._gpus[self._started % len(self._gpus)] if self._gpus else None
        self._started += 1
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_worker_main, args=(theirs, self._settings, self._build, self._keep), daemon=True
        )
        with _interrupts_held(), _only_gpu(gpu):
            process.start()
        theirs.close()
        return _Worker(process, ours)

    def _step(
        self,
        workers: list[_Worker],
        todo: deque[VideoSource],
        deaths: dict[str, int],
        stopping: Callable[[], bool],
    ) -> Iterator[Event]:
        """Wait for signs of life once, pass them on, hand out clips, replace the dead."""
        for worker in workers:
            if worker.ready and worker.source is None and todo:
                self._hand(worker, todo)
        talking = wait([worker.pipe for worker in workers], timeout=_TICK_S)
        if not talking:
            yield StillWorking()
        for index, worker in enumerate(workers):
            if worker.pipe in talking:
                yield from self._listen(worker)
            if reason := self._lost(worker):
                if stopping() and worker.process.exitcode in _STOPPED:  # the signal reached it as well
                    worker.end(0.0)
                    worker.source = None
                else:
                    yield from self._bury(worker, reason, todo, deaths)
                workers[index] = self._start()

    @staticmethod
    def _hand(worker: _Worker, todo: deque[VideoSource]) -> None:
        source = todo.popleft()
        try:
            worker.give(source)
        except OSError:  # it died while idle: _lost sees it next
            worker.source = source

    @staticmethod
    def _listen(worker: _Worker) -> Iterator[Event]:
        try:
            message = worker.pipe.recv()
        except (EOFError, OSError):
            worker.hung_up = True  # everything it had said has been heard
            worker.process.join(5.0)
            return
        worker.last_sign_s = time.monotonic()
        if isinstance(message, _Failed):
            raise WorkerSetupError(message.message)
        if isinstance(message, WorkerReady):
            worker.ready = True
        if isinstance(message, ClipDone):
            worker.source = None
        yield message

    def _lost(self, worker: _Worker) -> str | None:
        """Why this worker is of no more use, or None."""
        if worker.hung_up:
            return _cause(worker.process.exitcode)
        silent_s = time.monotonic() - worker.last_sign_s
        if worker.source is not None and silent_s > self._stall_s:
            return f"no frame was answered for {silent_s:.0f} s"
        return None

    def _bury(
        self, worker: _Worker, reason: str, todo: deque[VideoSource], deaths: dict[str, int]
    ) -> Iterator[Event]:
        from pose_extract.extract_clip import stamp_of
        from poses.encoding import failed_row

        worker.process.kill()
        worker.process.join()
        worker.pipe.close()
        source = worker.source
        if source is None:
            if not worker.ready:
                raise WorkerSetupError(
                    f"a worker ended before its model was loaded: {reason}; try --workers 1"
                )
            return
        deaths[source.clip_id] = deaths.get(source.clip_id, 0) + 1
        if deaths[source.clip_id] < _TRIES:
            print(f"extract-poses: {source.clip_id}: {reason}; trying once more", file=sys.stderr)
            todo.appendleft(source)
            return
        yield ClipDone(failed_row(source.clip_id, stamp_of(source.path), f"{reason}, {_TRIES} times"))


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A process started here is born deaf to Ctrl-C, so that none ends it before it can ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # a first process would start it, and that ends the hold
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _only_gpu(name: str | None) -> Iterator[None]:
    """A process started here sees one GPU and no other."""
    if name is None:
        yield
        return
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    os.environ["CUDA_VISIBLE_DEVICES"] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ["CUDA_VISIBLE_DEVICES"]
        else:
            os.environ["CUDA_VISIBLE_DEVICES"] = before


def _cause(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"
    return f"the worker process ended with exit status {exitcode}"
