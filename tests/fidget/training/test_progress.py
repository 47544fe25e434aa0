from __future__ import annotations

import io

import pytest

from fidget.training import progress
from fidget.training.progress import Progress, clock


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def now(monkeypatch) -> list[float]:
    """The clock's time, to be set."""
    time = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    return time


def _steps(told: Progress, now: list[float], count: int) -> None:
    told.begin(epoch=2, epochs=4, steps=50, clips_a_step=8)
    for step in range(count):
        now[0] += 1.0
        told.step(waited_s=0.1 * (step + 1))


def test_a_terminal_has_one_live_line_that_gives_way_to_others(now) -> None:
    stream, said = _Terminal(), []
    told = Progress(said.append, stream)
    _steps(told, now, 10)
    # 140 of the 150 steps of three epochs are left, a second each
    assert (
        stream.getvalue()
        .rstrip()
        .endswith("epoch 2/4  step 10/50  8.0 clips/s  data wait 10.0 %  ETA 0:02:20")
    )
    assert "\n" not in stream.getvalue()
    told.say("epoch 2 done")
    assert said == ["epoch 2 done"]
    assert stream.getvalue().endswith(" \r")  # the live line is wiped
    wiped = stream.getvalue()
    told.close()
    assert stream.getvalue() == wiped


def test_elsewhere_a_plain_line_comes_now_and_then(now) -> None:
    stream = io.StringIO()
    _steps(Progress(print, stream), now, 65)
    lines = stream.getvalue().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["step 30/50", "step 60/50"]
    assert "\r" not in stream.getvalue()


def test_without_a_stream_only_lines_are_said(now) -> None:
    said: list[str] = []
    told = Progress(said.append)
    _steps(told, now, 100)
    told.say("done")
    assert said == ["done"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00:00"), (59.6, "0:01:00"), (3661, "1:01:01")])
def test_clock(seconds, text) -> None:
    assert clock(seconds) == text
