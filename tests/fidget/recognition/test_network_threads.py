"""How many threads: known times, and what is left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from fidget.recognition.network_threads import quicker_threads, threads_of


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("one_s", "four_s", "chosen"), [(1.0, 0.3, 4), (1.0, 0.69, 4), (1.0, 0.9, 1), (1.0, 9.0, 1)]
)
def test_several_threads_where_they_are_clearly_quicker(one_s: float, four_s: float, chosen: int) -> None:
    now = [0.0]

    def compute() -> None:
        now[0] += {1: one_s, 4: four_s}[torch.get_num_threads()]

    assert quicker_threads(compute, lambda: now[0]) == chosen
    assert torch.get_num_threads() == 4


def test_where_there_is_one_thread_nothing_is_tried() -> None:
    torch.set_num_threads(1)
    assert quicker_threads(lambda: pytest.fail("computed")) == 1


def test_afterwards_there_are_as_many_as_before() -> None:
    with pytest.raises(ValueError), threads_of(2):
        assert torch.get_num_threads() == 2
        raise ValueError
    assert torch.get_num_threads() == 4
