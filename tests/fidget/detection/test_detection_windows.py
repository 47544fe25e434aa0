"""Windows of recordings: what is in them, what is cut, and that randomness comes from keys alone."""

from __future__ import annotations

import numpy as np
import pytest
from tests.fidget.detection.detection_samples import table_of

from fidget.detection.windows import (
    Window,
    WindowRules,
    annotate,
    evaluation_windows,
    training_samples,
    training_window,
)
from protocols.detection_table import Instance
from skeleton_models.random_keys import clip_keys
from temporal_detection.time_grid import TimeGrid

TIMES = np.arange(100) / 10  # ten seconds


def instance(start: float, end: float, label: int = 0) -> Instance:
    return Instance("r0", start, end, label)


@pytest.mark.parametrize(
    ("span", "expected", "cut", "left_out"),
    [
        ((2.5, 3.5), [(5, 15)], 0, 0),  # inside
        ((1.8, 3.0), [(0, 10)], 1, 0),  # ten of twelve points remain
        ((1.0, 3.0), [], 0, 1),  # half of it remains: too little
        ((5.5, 6.2), [(35, 40)], 0, 1),
        ((7.0, 8.0), [], 0, 0),  # elsewhere
    ],
)
def test_an_instance_stays_if_enough_of_it_lies_in_the_window(span, expected, cut, left_out) -> None:
    window = Window("r0", TimeGrid(TIMES, 20, 1, 64), 40)  # 2 to 6 s, then padding
    found = annotate(window, [instance(*span)], 0.75)
    if left_out:
        expected = []
    np.testing.assert_allclose(found.segments, np.array(expected, np.float32).reshape(-1, 2), atol=1e-4)
    assert (found.cut, found.left_out) == (cut, left_out)


def test_instances_at_once_and_of_one_class_are_all_kept() -> None:
    window = Window("r0", TimeGrid(TIMES, 0, 1, 100), 100)
    both = [instance(1, 3, 0), instance(1, 3, 1), instance(2, 4, 0)]
    assert annotate(window, both, 0.75).labels.tolist() == [0, 1, 0]


def test_windows_cover_a_recording() -> None:
    whole = evaluation_windows("r0", TIMES, WindowRules(32, 2, "padding"))
    assert [(one.grid.points, one.valid.sum()) for one in whole] == [(64, 50)]
    resized = evaluation_windows("r0", TIMES, WindowRules(40, 1, "resizing"))
    assert resized[0].grid.span_s == pytest.approx((0.075, 10.075))
    sliding = evaluation_windows("r0", TIMES, WindowRules(32, 2, "sliding", overlap=0.5))
    assert [one.grid.first_frame for one in sliding] == [0, 32, 36]
    assert training_samples("r0", TIMES, WindowRules(32, 2, "sliding")) == [0, 1, 2]
    assert training_samples("r0", TIMES, WindowRules(32, 2, "padding")) == [0]


def test_a_random_part_holds_an_instance_and_is_a_function_of_its_key() -> None:
    rules, found = WindowRules(20, 1, "padding"), [instance(6.0, 6.8)]
    keys = clip_keys(0, 3, [f"r{n}" for n in range(50)])
    windows = [training_window("r0", TIMES, found, rules, 0, keys[n : n + 1]) for n in range(50)]
    starts = [one.grid.first_frame for one in windows]
    assert all(len(annotate(one, found, 0.75).labels) == 1 for one in windows)
    assert len(set(starts)) > 5
    again = training_window("r0", TIMES, found, rules, 0, keys[7:8])
    assert again.grid.first_frame == starts[7]


def test_of_a_short_recording_a_random_share_is_seen() -> None:
    rules = WindowRules(128, 1, "padding", crop=(0.9, 1.0))
    keys = clip_keys(0, 0, [f"r{n}" for n in range(60)])
    seen = {training_window("r0", TIMES, [], rules, 0, keys[n : n + 1]).valid.sum() for n in range(60)}
    assert min(seen) >= 90 and max(seen) <= 100 and len(seen) > 4


def test_the_samples_are_a_table() -> None:
    assert len(table_of([])) == 9
