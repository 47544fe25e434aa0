from __future__ import annotations

import numpy as np
import pytest

from fidget.recognition.person_windows import WindowLength, person_windows, pose_quality


def test_windows_cover_a_recording_by_its_own_times() -> None:
    times = 3 + np.cumsum(np.r_[0, np.tile([0.03, 0.05], 50)])  # 101 frames, 25 a second on average
    found = person_windows(times, np.ones(101, bool), WindowLength(1.0, 0.5))
    assert [(one.first, one.last) for one in found][:3] == [(0, 25), (12, 37), (24, 49)]
    assert found[0].first == 0 and found[-1].last == 101
    assert found[0].span.start_s == times[0] and found[1].span.start_s == pytest.approx(times[12])
    assert found[-1].span.end_s == pytest.approx(2 * times[-1] - times[-2])


def test_windows_without_the_person_are_left_out() -> None:
    seen = np.zeros(100, bool)
    seen[40:] = True
    found = person_windows(np.arange(100) / 25, seen, WindowLength(1.0, 1.0))
    assert found and all(seen[one.first : one.last].mean() >= 0.5 for one in found)
    assert person_windows(np.arange(100) / 25, np.zeros(100, bool), WindowLength()) == []


def test_a_short_recording_is_one_window() -> None:
    (one,) = person_windows(np.arange(10) / 25, np.ones(10, bool), WindowLength(2.0, 0.5))
    assert (one.first, one.last) == (0, 10)


def test_quality_of_long_recordings_is_told_in_stretches() -> None:
    score = np.linspace(0, 1, 5000, dtype=np.float32)[:, None].repeat(3, 1)
    times, quality = pose_quality(np.arange(5000) / 25, score, most=100)
    assert times.shape == quality.shape == (100,)
    assert (np.diff(times) > 0).all() and quality.mean() == pytest.approx(0.5, abs=1e-3)
    short, _ = pose_quality(np.arange(5) / 25, score[:5], most=100)
    assert len(short) == 5


@pytest.mark.parametrize("wrong", [(0.5, 1.0), (1.0, 0.0), (-1.0, -2.0)])
def test_windows_that_cannot_be_meant_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="expected a window of some seconds"):
        WindowLength(*wrong)
