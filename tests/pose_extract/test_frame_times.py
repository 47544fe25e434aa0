from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_extract.frame_times import FrameTimes

STEP, GAP = 40, 10_000


def placed(stated: Sequence[int | None]) -> tuple[list[int], int]:
    times = FrameTimes(STEP, GAP)
    pairs = list(times.of((time, index) for index, time in enumerate(stated)))
    assert [index for _, index in pairs] == list(range(len(stated)))
    return [time for time, _ in pairs], times.placed_frames


@pytest.mark.parametrize(
    ("stated", "wanted", "count"),
    [
        ([], [], 0),
        ([5], [5], 0),
        ([0, 40, 80], [0, 40, 80], 0),
        ([0, 1, 9_000], [0, 1, 9_000], 0),  # a pause is a pause
        ([None], [0], 1),
        ([None, None, None], [0, 40, 80], 3),
        ([0, None, 80], [0, 40, 80], 1),
        ([0, None, None, 90], [0, 30, 60, 90], 2),
        ([0, 40, 40, 80], [0, 40, 60, 80], 1),  # twice the same
        ([0, 40, 20, 80], [0, 10, 20, 80], 1),  # two exchanged
        ([0, 40, 5_000, 120], [0, 40, 80, 120], 1),  # a lone leap
        ([0, 40, 99_999, 120], [0, 40, 80, 120], 1),  # a lone absurd leap
        ([0, 40, None], [0, 40, 80], 1),
        ([0, 40, 80, 40, 120], [0, 40, 80, 100, 120], 1),  # a step back
        ([0, 40, 0, 0], [0, 40, 80, 120], 2),
        ([0] * 30, [k * 40 for k in range(30)], 29),  # no clock at all
        ([0, 40, 80] * 2, [0, 40, 80, 120, 160, 200], 3),
        ([*range(0, 800, 40)] * 2, [*range(0, 1600, 40)], 9),  # the clock starts again
        ([0, 40, *range(50_000, 50_800, 40)], [*range(0, 880, 40)], 9),  # and leaps
        ([2**63 - 1, -(2**63)], [2**63 - 1, 2**63 + 39], 1),
    ],
)
def test_known_answers(stated: Sequence[int | None], wanted: list[int], count: int) -> None:
    assert placed(stated) == (wanted, count)


@given(st.lists(st.none() | st.integers(0, 500) | st.integers(-(2**63), 2**63 - 1), max_size=60))
def test_times_increase_whatever_is_stated(stated: list[int | None]) -> None:
    times, count = placed(stated)
    assert all(later > earlier for earlier, later in pairwise(times))
    assert count <= len(stated)


@given(st.lists(st.integers(1, GAP), max_size=40))
def test_good_times_stay_as_they_are(steps: list[int]) -> None:
    stated = [sum(steps[:k]) for k in range(len(steps) + 1)]
    assert placed(stated) == (stated, 0)


def test_few_frames_wait() -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield None, None

    given_out = FrameTimes(STEP, GAP).of(endless())  # type: ignore[arg-type]
    for handed in range(1, 50):
        next(given_out)
        assert taken - handed <= 11
