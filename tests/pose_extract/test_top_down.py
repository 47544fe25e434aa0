from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_fakes import ScriptedDetector, ScriptedPose, numbered_frames

from pose_extract.boxes import iou_matrix
from pose_extract.estimator import ClipEstimation, FramePeople, PoseEstimator
from pose_extract.top_down import WINDOW_BYTES, TopDownEstimator

HERE = [120.0, 60.0, 200.0, 220.0]


def drifting(number: int) -> list[tuple[list[float], float]]:
    return [([120.0 + number, 60.0, 200.0 + number, 220.0], 0.9)]


def build(
    boxes: Callable, pose: ScriptedPose | None = None, max_persons: int = 2, every: int = 10
) -> tuple[TopDownEstimator, ScriptedDetector, ScriptedPose]:
    detector, pose = ScriptedDetector(boxes), pose or ScriptedPose()
    return TopDownEstimator(detector, pose, max_persons, every, {"d": "00"}, "fake"), detector, pose


def run(estimator: PoseEstimator, frames: list, at_a_time: int = 4) -> list[FramePeople]:
    clip: ClipEstimation = estimator.start_clip()
    answers = []
    for start in range(0, len(frames), at_a_time):
        answers += clip.push(frames[start : start + at_a_time])
    return answers + clip.finish()


def left_edges(answers: list[FramePeople]) -> list[float | None]:
    return [float(people.box_px[0, 0]) if len(people.box_px) else None for people in answers]


@pytest.mark.parametrize("count", [1, 2, 3, 9, 10, 11, 20, 21, 37])
@pytest.mark.parametrize("at_a_time", [1, 4, 50])
def test_every_frame_is_answered_once_in_order(count: int, at_a_time: int) -> None:
    estimator, _, pose = build(drifting)
    answers = run(estimator, numbered_frames(count), at_a_time)
    np.testing.assert_allclose(left_edges(answers), 120 + np.arange(count), rtol=1e-6)
    assert [number for batch in pose.posed for number in batch] == list(range(count))
    for people in answers:
        assert (people.xy_px.shape, people.score.shape, people.box_px.shape) == ((1, 2, 2), (1, 2), (1, 4))
        assert {a.dtype for a in (people.xy_px, people.score, people.box_px, people.box_score)} == {
            np.dtype(np.float32)
        }
        np.testing.assert_allclose(people.xy_px[0, 0, 0], people.box_px[0, 0])


@pytest.mark.parametrize(
    ("count", "looks"),
    [(1, [0]), (2, [0, 1]), (10, [0, 9]), (11, [0, 10]), (12, [0, 10, 11]), (30, [0, 10, 20, 29])],
)
def test_the_detector_runs_every_k_frames_and_on_the_last(count: int, looks: list[int]) -> None:
    estimator, detector, pose = build(drifting)
    run(estimator, numbered_frames(count))
    assert detector.looked_at == looks
    assert len(pose.posed) == -(-count // 10)  # one batch a window


def test_every_frame_may_be_detected() -> None:
    estimator, detector, _ = build(drifting, every=1)
    answers = run(estimator, numbered_frames(5))
    assert detector.looked_at == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(left_edges(answers), 120 + np.arange(5))


def test_no_frames() -> None:
    estimator, _, _ = build(drifting)
    clip = estimator.start_clip()
    assert clip.push([]) == [] and clip.finish() == []


def test_nobody_is_nobody() -> None:
    estimator, detector, pose = build(lambda number: [])
    answers = run(estimator, numbered_frames(25))
    assert len(answers) == 25 and all(people.xy_px.shape == (0, 2, 2) for people in answers)
    assert pose.posed == [] and detector.looked_at == [0, 10, 20, 24]


@pytest.mark.parametrize("entered", [1, 4, 10, 13, 19])
def test_who_enters_between_detections_is_there_from_that_frame_on(entered: int) -> None:
    estimator, _, _ = build(lambda number: [(HERE, 0.9)] * (number >= entered))
    answers = run(estimator, numbered_frames(30))
    assert [len(people.box_px) for people in answers] == [0] * entered + [1] * (30 - entered)


@pytest.mark.parametrize("left", [1, 4, 10, 13, 19])
def test_who_leaves_between_detections_is_gone_from_that_frame_on(left: int) -> None:
    estimator, _, _ = build(lambda number: [(HERE, 0.9)] * (number < left))
    answers = run(estimator, numbered_frames(30))
    assert [len(people.box_px) for people in answers] == [1] * left + [0] * (30 - left)


def test_clips_do_not_know_each_other() -> None:
    estimator, _, _ = build(lambda number: [(HERE, 0.35)] if number else [(HERE, 0.9)])
    known = run(estimator, numbered_frames(25))
    assert all(len(people.box_px) == 1 for people in known)  # believed in at frame 0, so kept
    strangers = run(estimator, numbered_frames(30)[5:])
    assert all(len(people.box_px) == 0 for people in strangers)


def away_between(first: int, last: int) -> Callable:
    """The person steps aside and back, where a straight line between detections does not go."""

    def boxes(number: int) -> list[tuple[list[float], float]]:
        aside = 40.0 * (first <= number <= last)
        return [([120 + aside, 60.0, 200 + aside, 220.0], 0.9)]

    return boxes


def test_fallen_scores_bring_the_detector_back() -> None:
    truth = away_between(4, 6)

    def score(number: int, box: np.ndarray) -> float:
        return 0.9 if abs(box[0] - truth(number)[0][0][0]) < 10 else 0.2

    estimator, detector, pose = build(truth, ScriptedPose(score))
    answers = run(estimator, numbered_frames(11))
    np.testing.assert_allclose(left_edges(answers), [120] * 4 + [160] * 3 + [120] * 4)
    assert sorted(detector.looked_at) == [0, 4, 5, 6, 10]
    assert pose.posed == [list(range(10)), [4, 5, 6], [10]]
    assert all(people.score.min() == np.float32(0.9) for people in answers)


def test_joints_that_leave_the_box_bring_the_detector_back() -> None:
    truth = away_between(4, 6)

    class Leaving(ScriptedPose):
        def estimate(self, frames_bgr, boxes_px):
            true_boxes = [
                np.array([truth(int(frame[0, 0, 0]))[0][0]] * len(boxes), np.float32).reshape(-1, 4)
                for frame, boxes in zip(frames_bgr, boxes_px, strict=True)
            ]
            return super().estimate(frames_bgr, true_boxes)

    estimator, detector, _ = build(truth, Leaving())
    run(estimator, numbered_frames(11))
    assert sorted(detector.looked_at) == [0, 4, 5, 6, 10]


def test_joints_that_are_always_outside_raise_no_doubt() -> None:
    estimator, detector, _ = build(drifting, ScriptedPose(shift_px=60))
    run(estimator, numbered_frames(21))
    assert detector.looked_at == [0, 10, 20]


def test_somebody_who_is_not_there_in_between_has_no_keypoints_there() -> None:
    def boxes(number: int) -> list[tuple[list[float], float]]:
        return [] if 3 <= number <= 7 else [(HERE, 0.9)]

    estimator, _, _ = build(boxes, ScriptedPose(lambda number, box: 0.05 if 3 <= number <= 7 else 0.9))
    answers = run(estimator, numbered_frames(11))
    assert [len(people.box_px) for people in answers] == [1] * 3 + [0] * 5 + [1] * 3


def test_a_detector_that_misses_somebody_whose_joints_are_clear_changes_nothing() -> None:
    estimator, _, _ = build(lambda number: [(HERE, 0.9)] if number % 10 == 0 else [])
    answers = run(estimator, numbered_frames(31))
    assert [len(people.box_px) for people in answers] == [1] * 31


def test_doubt_is_bounded() -> None:
    rng = np.random.default_rng(5)
    pose = ScriptedPose(lambda number, box: float(rng.uniform(0.01, 1)))
    estimator, detector, pose = build(lambda number: drifting(number) * 2, pose)
    answers = run(estimator, numbered_frames(40))
    assert len(answers) == 40
    assert len(detector.looked_at) == len(set(detector.looked_at)) <= 40
    assert sum(map(len, pose.posed)) <= 2 * 2 * 40


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 45),
    every=st.integers(1, 12),
    at_a_time=st.integers(1, 13),
    max_persons=st.integers(1, 3),
)
def test_whatever_happens_the_contract_holds(
    seed: int, count: int, every: int, at_a_time: int, max_persons: int
) -> None:
    """People who walk, come, go, flicker and lose their keypoints at random."""
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 5)
    start = rng.uniform(0, 250, people)
    pace, width, first = (
        rng.uniform(-20, 20, people),
        rng.uniform(15, 90, people),
        rng.integers(0, 30, people),
    )
    scores = rng.uniform(0.25, 1, (people, count))
    missed = rng.uniform(size=(people, count)) < 0.2
    clarity = rng.uniform(0, 1, (count, 8))

    def boxes(number: int) -> list[tuple[list[float], float]]:
        return [
            ([x, 30.0, x + width[i], 200.0], float(scores[i, number]))
            for i in range(people)
            if first[i] <= number and not missed[i, number]
            for x in [start[i] + pace[i] * (number - first[i])]
        ]

    pose = ScriptedPose(lambda number, box: float(clarity[number, int(box[0]) % 8]))
    estimator, detector, pose = build(boxes, pose, max_persons, every)
    answers = run(estimator, numbered_frames(count), at_a_time)
    assert len(answers) == count
    assert len(detector.looked_at) == len(set(detector.looked_at)) <= count
    assert sum(map(len, pose.posed)) <= 2 * (max_persons + 1) * count
    for number, answer in enumerate(answers):
        assert len(answer.box_px) <= max_persons + 1
        assert np.isfinite(answer.box_px).all() and np.all(answer.box_px[:, 2:] > answer.box_px[:, :2])
        if number == 0:  # detected: what is answered is what was seen
            assert {tuple(box) for box in answer.box_px} <= {
                tuple(np.float32(box).tolist()) for box, _ in boxes(0)
            }
        overlap = iou_matrix(answer.box_px, answer.box_px)
        assert np.all(overlap[~np.eye(len(overlap), dtype=bool)] < 0.999), "one person twice"


def test_one_more_than_wanted_is_posed_and_the_largest_come_first() -> None:
    def crowd(number: int) -> list[tuple[list[float], float]]:
        return [([x, 60.0, x + 10 + x / 8, 200.0], 0.9 - x / 1000) for x in (5.0, 60.0, 120.0, 180.0, 240.0)]

    estimator, _, pose = build(crowd, max_persons=2)
    answers = run(estimator, numbered_frames(12))
    assert all(len(people.box_px) == 3 for people in answers)
    assert set(answers[5].box_px[:, 0].tolist()) == {120.0, 180.0, 240.0}
    assert len(pose.posed[0]) == 30


def test_large_frames_shorten_the_window() -> None:
    frames = numbered_frames(7, hw=(2160, 3840))
    estimator, detector, pose = build(lambda number: [(HERE, 0.9)])
    answers = run(estimator, frames, at_a_time=1)
    held = max(map(len, pose.posed))
    assert held * frames[0].nbytes <= WINDOW_BYTES and held == 3
    assert len(answers) == 7 and detector.looked_at == [0, 3, 6]


def test_what_is_recorded() -> None:
    estimator, _, _ = build(drifting, every=3)
    assert estimator.layout.name == "two"
    assert (estimator.weights, estimator.runtime, estimator.batch) == ({"d": "00"}, "fake", 3)
    with pytest.raises(ValueError, match="at least 1, got 0 and 10"):
        build(drifting, max_persons=0)
    with pytest.raises(ValueError, match="at least 1, got 2 and 0"):
        build(drifting, every=0)


@pytest.mark.shared
def test_real_clips_have_their_people_in_every_frame(shared_dir: Path) -> None:
    from pose_extract.onnx_session import OnnxSession
    from pose_extract.rtmdet import RtmDet
    from pose_extract.video import VideoFrames
    from weights.manifest import get_weight

    row = get_weight("rtmdet_nano")
    detector = RtmDet.from_weight(OnnxSession(shared_dir / "weights" / row.file, "cpu"), row)
    estimator = TopDownEstimator(detector, ScriptedPose(), 2, 10, {}, "")
    for name, people_there in (("B2_shaking_head__0035_02_0007", 1), ("two_person__ntu_sample", 2)):
        with VideoFrames(shared_dir / "data/clips" / f"{name}.mp4") as video:
            answers = run(estimator, [frame_bgr for _, frame_bgr in video])
        assert [len(people.box_px) for people in answers] == [people_there] * len(answers)
