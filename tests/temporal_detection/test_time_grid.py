"""Positions on a grid and seconds, with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temporal_detection.time_grid import TimeGrid, padded, resized, windows

UNEVEN = np.array([0.0, 0.1, 0.2, 0.5, 0.6])  # a frame is held for 0.3 s


@pytest.mark.parametrize(
    ("position", "second"),
    [(0, 0.1), (1, 0.5), (0.5, 0.2), (0.75, 0.35), (1.5, 0.6), (2.5, 0.8), (-0.5, 0.0), (-1.5, -0.2)],
)
def test_positions_are_seconds_of_frames(position: float, second: float) -> None:
    grid = TimeGrid(UNEVEN, first_frame=1, stride_frames=2, points=4)
    assert grid.seconds(position) == pytest.approx(second)
    assert grid.positions(second) == pytest.approx(position)
    assert grid.valid.tolist() == [True, True, False, False]
    assert grid.frames.tolist() == [1, 3, 4, 4]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(1e-3, 2), min_size=1, max_size=30),
    st.floats(-3, 20),
    st.floats(0.1, 9),
    st.lists(st.floats(-50, 50), min_size=1, max_size=5),
)
def test_there_and_back(steps: list[float], first: float, stride: float, position: list[float]) -> None:
    grid = TimeGrid(np.cumsum([0.0, *steps]), first, stride, 8)
    seconds = grid.seconds(position)
    np.testing.assert_allclose(grid.positions(seconds), position, atol=1e-6)
    assert (np.diff(grid.seconds(np.sort(position))) >= 0).all()


def test_windows_cover_a_recording() -> None:
    times = np.arange(100) / 30
    found = list(windows(times, points=16, stride_frames=2, overlap=0.5))
    assert [one.first_frame for one in found] == [0, 16, 32, 48, 64, 68]
    assert all(one.valid.all() for one in found)
    assert found[-1].span_s == (pytest.approx(68 / 30), pytest.approx(100 / 30))
    (short,) = windows(times[:9], points=16, stride_frames=2)
    assert short.valid.sum() == 5 and short.first_frame == 0


def test_a_whole_recording() -> None:
    times = np.arange(10) / 10
    grid = padded(times, stride_frames=3, multiple=8)
    assert grid.points == 8 and grid.valid.sum() == 4
    grid = resized(times, points=5)
    assert grid.frames.tolist() == [0, 2, 4, 6, 8] and grid.valid.all()
    assert grid.seconds(grid.positions([0.0, 1.0])).tolist() == pytest.approx([0.0, 1.0])
    assert resized(times, points=40).valid.all()


@pytest.mark.parametrize(
    ("times", "first", "stride", "points", "message"),
    [
        ([0.0], 0, 1, 1, "at least 2 frames"),
        ([0.0, 0.2, 0.1], 0, 1, 1, "got 0.2 s then 0.1 s at frame 2"),
        ([0.0, np.nan, 0.1], 0, 1, 1, "expected frame times that increase"),
        ([0.0, 0.1], 0, 0, 1, "positive stride, got 0 and 0"),
        ([0.0, 0.1], np.nan, 1, 1, "expected a first frame"),
        ([0.0, 0.1], 0, 1, 0, "at least 1 point, got 0"),
    ],
)
def test_bad_grids_are_said(
    times: list[float], first: float, stride: float, points: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TimeGrid(np.array(times), first, stride, points)


def test_bad_windows_are_said() -> None:
    with pytest.raises(ValueError, match=r"overlap in \[0, 1\), got 1"):
        list(windows(UNEVEN, 4, 1, overlap=1))
    with pytest.raises(ValueError, match="none of its 2 points"):
        _ = TimeGrid(UNEVEN, 9, 1, 2).span_s
