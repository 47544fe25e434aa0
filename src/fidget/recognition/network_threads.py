"""How many threads a network computes with where windows come one by one.

On two cores that other programs use too, two threads wait for each other at every layer: a window of a small
network then takes ten times as long as with one. A large network on free cores gains. So both are tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

_WORTH = 0.7  # several threads take at most this share of one thread's time, or one is kept: load may come
_TRIES = 2


@contextmanager
def threads_of(count: int) -> Iterator[None]:
    """Let torch compute with so many threads; afterwards with as many as before."""
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count != before:
            torch.set_num_threads(before)


def quicker_threads(compute: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> int:
    """One thread, or all that torch has where they are clearly quicker: computes a few times with each.

    Args:
        compute: what is to be quick; computed before, so that nothing is made for the first time.
        clock: seconds that pass.
    """
    every = torch.get_num_threads()
    if every == 1:
        return 1
    seconds = {}
    for count in (1, every):
        with threads_of(count):
            seconds[count] = min(_timed(compute, clock) for _ in range(_TRIES))
    return every if seconds[every] <= _WORTH * seconds[1] else 1


def _timed(compute: Callable[[], object], clock: Callable[[], float]) -> float:
    begin_s = clock()
    compute()
    return clock() - begin_s
