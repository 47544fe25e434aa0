"""Gains as a picture: each interval about zero, hollow where no difference is shown, its clips behind it."""

from __future__ import annotations

import re

import pytest

from fidget.reports.emotion_gains import Gain, gains_svg

ROWS = [
    Gain("both against <b>face", 4.0, 1.0, 7.0, 28, 700),
    Gain("both against actions", 0.48, 0.0, 1.43, 1, 210, published=True),
    Gain("actions against face", -2.0, -8.0, 1.0, -14, 700),
]


def test_intervals_lie_where_they_are() -> None:
    drawn = gains_svg(ROWS, simulated=True)
    zero = float(re.search(r'class="zero" d="M([\d.]+)', drawn)[1])
    circles = [(kind, float(x)) for kind, x in re.findall(r'<circle class="(\w+)" cx="([\d.]+)"', drawn)]
    assert [kind for kind, _ in circles] == ["shown", "open", "open"]  # an interval that begins at 0 has it
    points = [(x - zero) / (circles[0][1] - zero) * 4.0 for _, x in circles]
    assert points == pytest.approx([4.0, 0.48, -2.0], abs=0.02)
    ends = [float(x) for x in re.findall(r'class="(?:shown|open)" d="M([\d.]+)', drawn)]
    assert ends[1] == pytest.approx(zero, abs=0.1) and ends[2] < zero < ends[0]


def test_clips_are_told_and_names_cannot_become_markup() -> None:
    drawn = gains_svg(ROWS, simulated=True)
    assert "+28 of 700" in drawn and "+1 of 210" in drawn and "-14 of 700" in drawn
    assert drawn.count(", simulated<") == 2 and drawn.count(", published<") == 1
    assert (
        "<b>" not in drawn and "both against actions: +0.48 points, +0.00 to +1.43, +1 of 210 clips" in drawn
    )
    assert "simulated" not in gains_svg(ROWS, simulated=False)
    assert "<circle" not in gains_svg([], simulated=False)
