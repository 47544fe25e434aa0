"""Decoding beside inference: a thread that stays a bounded number of frames ahead."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Event, Semaphore

from pose_extract.estimator import FrameBgr

TimedFrame = tuple[int, FrameBgr]

_BATCH_BYTES = 40 << 20


def read_ahead(
    frames: Iterable[TimedFrame], batch: int, depth: int = 2, batch_bytes: int = _BATCH_BYTES
) -> Generator[list[TimedFrame], None, None]:
    """Hand on frames in lists of `batch`, read in a thread of their own.

    At most `depth` lists wait, one is being filled and one is with the consumer; a list also ends when
    its pictures reach `batch_bytes`, so that memory stays bounded for any frame size. An error of
    `frames` is raised here, after the frames that were read before it. When the consumer stops early
    (`close()`, a `break`, an error) the thread ends before control returns, so that a video may be
    closed safely.

    Args:
        frames: (time_us, frame) in order; a generator is closed in the thread that reads it.
        batch: frames per list, the last one may be shorter.
        depth: lists that wait at most.
        batch_bytes: size at which a list is handed on before it is full.
    """
    if batch < 1 or depth < 1:
        raise ValueError(f"batch and depth must be at least 1, got batch={batch} and depth={depth}")
    return _batches(frames, batch, depth, batch_bytes)


def _batches(
    frames: Iterable[TimedFrame], batch: int, depth: int, batch_bytes: int
) -> Generator[list[TimedFrame], None, None]:
    queue: SimpleQueue[list[TimedFrame]] = SimpleQueue()  # an empty list: no more will come
    free = Semaphore(depth)
    stopping = Event()
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as executor:
        reading = executor.submit(_read, frames, batch, batch_bytes, queue, free, stopping)
        try:
            while ready := queue.get():
                free.release()
                yield ready
                ready = []  # the consumer's now: keep no second hold on 40 MB while waiting
            reading.result()  # raises what the reader met
        finally:
            stopping.set()
            free.release()  # a reader that waits for room sees that it is to stop
            _empty(queue)


def _read(
    frames: Iterable[TimedFrame],
    batch: int,
    batch_bytes: int,
    queue: SimpleQueue[list[TimedFrame]],
    free: Semaphore,
    stopping: Event,
) -> None:
    gathered: list[TimedFrame] = []
    gathered_bytes = 0
    iterator = iter(frames)
    try:
        for timed in iterator:
            gathered.append(timed)
            gathered_bytes += timed[1].nbytes
            del timed
            if len(gathered) >= batch or gathered_bytes >= batch_bytes:
                free.acquire()
                if stopping.is_set():
                    return
                queue.put(gathered)
                gathered, gathered_bytes = [], 0
            if stopping.is_set():
                return
    finally:
        if gathered:
            queue.put(gathered)
        queue.put([])
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def _empty(queue: SimpleQueue[list[TimedFrame]]) -> None:
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return
