"""Batches made ahead by one thread: the numba kernels release the GIL, so no worker processes are needed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Prefetcher(Generic[Made]):
    """The results of `make(0)`, `make(1)`, ... in order, at most `depth` of them made before their use.

    What comes out does not depend on `depth`: every batch is a function of its number. An error in `make` is
    raised where its batch would have come. Leaving the context ends the thread. With nothing to make ahead
    there is no thread: on a busy machine handing over to one costs more than a small network computes.

    Args:
        make: makes one batch; called from one thread only.
        count: how many there are.
        depth: how many may wait; 0 makes each where it is asked for.

    Attributes:
        waited_s: seconds the consumer has waited for batches so far.
    """

    def __init__(self, make: Callable[[int], Made], count: int, depth: int = 3) -> None:
        self.waited_s = 0.0
        self._make, self._count, self._depth = make, count, depth
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fidget-batches")
        self._pending: deque[Future[Made]] = deque()

    def __enter__(self) -> Prefetcher[Made]:
        self._pending.extend(self._thread.submit(self._make, n) for n in range(min(self._depth, self._count)))
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def __iter__(self) -> Iterator[Made]:
        for number in range(self._count):
            begin_s = time.perf_counter()
            made = self._pending.popleft().result() if self._depth else self._make(number)
            self.waited_s += time.perf_counter() - begin_s
            if self._depth and number + self._depth < self._count:
                self._pending.append(self._thread.submit(self._make, number + self._depth))
            yield made
