"""Curves that motions are made of, hands' shapes, and what a body does besides its action."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fidget.benchmark.motion_samples import rate_hz

from fidget.benchmark.simulator.hand_shapes import SHAPES, draw_sides, shape_hand
from fidget.benchmark.simulator.idle import MICRO_MOTIONS, add_distractors, add_idle
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT, PoseState, Timing
from fidget.benchmark.simulator.style import MotionStyle, draw_style
from fidget.benchmark.simulator.timing import (
    arrive,
    bursts,
    draw_timing,
    oscillation,
    pulses,
    visit,
    wander,
)

TIME_S = np.arange(100, dtype=np.float32) / 25


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.floats(0.5, 2.0))
@settings(max_examples=60, deadline=None)
def test_curves_are_finite_and_within_their_range_at_any_length(seed: int, frames: int, tempo: float) -> None:
    rng = np.random.default_rng(seed)
    timing = draw_timing(np.arange(frames) / 30, rng, tempo)
    assert 0 <= timing.begin_s < timing.end_s
    for curve, largest in (
        (visit(timing, rng), 1.0),
        (arrive(timing, rng), 1.0),
        (bursts(timing, rng), 1.0),
        (pulses(timing, rng, (1, 4)), 1.1),
    ):
        assert curve.shape == (frames,) and curve.dtype == np.float32
        assert curve.min() >= -1e-6 and curve.max() <= largest + 1e-5
    assert np.abs(oscillation(timing, rng, (1, 5))).max() < 1.2
    assert wander(timing, rng, channels=3).shape == (frames, 3)


def test_a_visit_begins_and_ends_at_rest_and_a_step_stays() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        timing = Timing(TIME_S, 0.2, 3.7)
        weight = visit(timing, rng, unfinished=0, begun=0)
        assert weight[0] == 0 and weight[-1] == 0 and weight[50] == pytest.approx(1)
        step = arrive(timing, rng)
        assert step[0] == 0 and step[-1] == pytest.approx(1) and (np.diff(step) >= -1e-6).all()


def test_a_visit_is_there_all_the_time_only_where_it_may_be_still() -> None:
    timing = Timing(TIME_S, 0.2, 3.7)
    moving = visit(timing, np.random.default_rng(0), unfinished=1, begun=1)
    assert moving[0] == 0 and moving[-1] == 1
    assert visit(timing, np.random.default_rng(0), unfinished=1, begun=1, still=True).min() == 1


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.8), (1.5, 2.8), (3.0, 5.0)])
def test_an_oscillation_keeps_to_its_rates(low: float, high: float) -> None:
    timing = Timing(np.arange(250, dtype=np.float32) / 25, 0.0, 10.0)
    for seed in range(10):
        rate = rate_hz(oscillation(timing, np.random.default_rng(seed), (low, high)))
        assert low - 0.15 < rate < high + 0.15


def test_a_short_clip_still_has_its_cycles() -> None:
    timing = Timing(np.arange(25, dtype=np.float32) / 25, 0.0, 1.0)
    wave = oscillation(timing, np.random.default_rng(0), (0.3, 0.5), cycles=2, phase=0)
    assert (np.diff(np.sign(wave[1:])) != 0).sum() >= 3


def test_pulses_come_in_the_number_asked_for() -> None:
    timing = Timing(np.arange(500, dtype=np.float32) / 100, 0.0, 5.0)
    for number in (1, 2, 3, 5):
        curve = pulses(timing, np.random.default_rng(number), (number, number), (0.25, 0.3))
        peaks = (curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:]) & (curve[1:-1] > 0.5)
        assert peaks.sum() == number


def test_timing_refuses_what_it_cannot_use() -> None:
    rng = np.random.default_rng(0)
    for time_s, tempo in (([], 1.0), ([[0.0]], 1.0), ([0.0, 0.1], 0.0)):
        with pytest.raises(ValueError, match="give one time per frame"):
            draw_timing(time_s, rng, tempo)


def test_a_quick_subject_does_the_same_in_less_time() -> None:
    slow, quick = (draw_timing(TIME_S, np.random.default_rng(0), tempo) for tempo in (0.8, 1.6))
    assert quick.span_s == pytest.approx(2 * slow.span_s)  # in their own time, of the same clip


def test_hands_take_a_shape_as_far_as_the_weight_says() -> None:
    for name, target in SHAPES.items():
        state = PoseState(3)
        shape_hand(state, RIGHT, name, np.float32([0, 0.5, 1]))
        assert np.allclose(state.curl[2, RIGHT], target[:5]) and np.allclose(state.curl[0, RIGHT], 0.3)
        assert np.allclose(state.curl[1, RIGHT], (np.array(target[:5]) + 0.3) / 2)
        assert np.allclose(state.curl[:, LEFT], 0.3)


def test_sides_are_drawn_in_the_share_asked_for() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_sides(rng, RIGHT, 0.3) for _ in range(500)]
    assert all(sides[0] == RIGHT for sides in drawn)
    assert 0.24 < np.mean([len(sides) == 2 for sides in drawn]) < 0.36


def test_idle_motion_is_small_and_everywhere() -> None:
    state = PoseState(len(TIME_S))
    rest = state.values.copy()
    add_idle(state, Timing(TIME_S, 0.0, 4.0), np.random.default_rng(3), MotionStyle(talk=1.0))
    moved = state.values - rest
    for column in (state.head, state.torso, state.chest, state.shoulder_raise, state.curl, state.mouth_open):
        assert np.ptp(column, axis=0).max() > 0
    assert np.abs(moved[:, :15]).max() < 0.08  # radians and metres of trunk and head
    assert state.eyes.min() >= 0 and state.eyes.max() <= 1


def test_people_blink_about_as_often_as_people_do() -> None:
    time_s = np.arange(3000, dtype=np.float32) / 25  # two minutes
    state = PoseState(len(time_s))
    add_idle(state, Timing(time_s, 0.0, 119.0), np.random.default_rng(0), MotionStyle())
    shut = state.eyes < 0.5
    assert 18 < (np.diff(shut.astype(int)) == 1).sum() < 50


def test_distractors_leave_the_part_of_the_action_alone_and_are_rare() -> None:
    counts = []
    for seed in range(200):
        state = PoseState(len(TIME_S))
        busy = frozenset({"head", "hand"})
        counts.append(
            add_distractors(
                state, Timing(TIME_S, 0, 4), np.random.default_rng(seed), MotionStyle(restlessness=1), busy
            )
        )
        assert not state.head.any() and np.allclose(state.curl, 0.3) and not state.wrist_bend.any()
    assert 0.3 < np.mean(counts) < 0.7
    assert {part for part, _ in MICRO_MOTIONS} == {"head", "body", "hand", "leg", "face"}


def test_subjects_differ_and_most_are_right_handed() -> None:
    styles = [draw_style(np.random.default_rng(seed)) for seed in range(300)]
    assert len({style.amplitude for style in styles}) > 290
    assert np.mean([style.left_share > 0.5 for style in styles]) == pytest.approx(0.1, abs=0.05)
    assert np.mean([draw_style(np.random.default_rng(s), 0.5).amplitude for s in range(99)]) < 0.6
