from __future__ import annotations

import threading
import time

import pytest

from fidget.training.loader import Prefetcher


@pytest.mark.parametrize("depth", [0, 1, 2, 7])
def test_order_and_content_do_not_depend_on_how_many_wait(depth) -> None:
    with Prefetcher(lambda number: number**2, 20, depth) as batches:
        assert list(batches) == [number**2 for number in range(20)]


def test_with_nothing_ahead_each_is_made_by_whoever_asks() -> None:
    own, made = threading.get_ident(), list[int]()

    def make(number: int) -> int:
        made.append(number)
        return threading.get_ident()

    with Prefetcher(make, 3, depth=0) as batches:
        for taken, who in enumerate(batches, start=1):
            assert who == own and len(made) == taken
    assert taken == 3


def test_never_more_ahead_than_allowed() -> None:
    made: list[int] = []
    with Prefetcher(lambda number: made.append(number), 50, depth=2) as batches:
        for taken, _ in enumerate(batches, start=1):
            time.sleep(0.002)
            assert len(made) <= taken + 3  # two wait, one is being handed over
            if taken == 10:
                break
    assert len(made) < 50


def test_an_error_comes_where_its_batch_would_have() -> None:
    def make(number: int) -> int:
        if number == 2:
            raise ValueError("clip 'x' is damaged")
        return number

    seen = []
    with pytest.raises(ValueError, match="clip 'x'"), Prefetcher(make, 5) as batches:
        for number in batches:
            seen.append(number)
    assert seen == [0, 1]


def test_leaving_early_ends_the_thread() -> None:
    before = threading.active_count()
    with Prefetcher(lambda number: number, 1000, depth=1) as batches:
        next(iter(batches))
    assert threading.active_count() == before


def test_waiting_is_measured() -> None:
    with Prefetcher(lambda number: time.sleep(0.02), 3, depth=1) as batches:
        list(batches)
        assert batches.waited_s >= 0.05
    with Prefetcher(lambda number: number, 3, depth=3) as batches:
        time.sleep(0.05)
        list(batches)
        assert batches.waited_s < 0.02
