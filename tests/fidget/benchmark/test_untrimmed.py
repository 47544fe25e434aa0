"""Simulated untrimmed recordings: what is planned, how bodies do it, what is written."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fidget.benchmark.simulator import untrimmed_plan
from fidget.benchmark.simulator.clip import SimulationSettings, body_at_rest, estimated, make_subject
from fidget.benchmark.simulator.motions import MOTIONS, body_group
from fidget.benchmark.simulator.pose_state import LEFT, RIGHT, PoseState, Timing
from fidget.benchmark.simulator.untrimmed import simulate_untrimmed
from fidget.benchmark.simulator.untrimmed_motion import add_action, stage_recording
from fidget.benchmark.simulator.untrimmed_parts import (
    LEFT_HAND,
    LEGS,
    LONGEST_S,
    POSTURES,
    RIGHT_HAND,
    TRUNK,
    parts_of,
)
from fidget.benchmark.simulator.untrimmed_plan import (
    SHORTEST_S,
    PlannedAction,
    PlannedRecording,
    moving_s,
    plan_recordings,
    table_of,
)
from fidget.benchmark.simulator.untrimmed_statistics import measure, mma52_statistics
from fidget.cli import benchmark_simulate
from fidget.cli.main import OneLineParser
from fidget.cli.usage import UsageError
from poses.cache_check import check_cache
from poses.cache_reader import PoseCache
from poses.cache_schema import CacheMismatchError
from protocols.clip_table import SPLITS
from protocols.detection_tables import detection_kind, read_detection_table
from protocols.instances_csv import INSTANCE_COLUMNS
from protocols.mma52_detection import read_mma52
from protocols.trees import tree

MANY = 400


@pytest.fixture(scope="module")
def plan() -> tuple[PlannedRecording, ...]:
    return plan_recordings(MANY, seed=0)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("untrimmed") / "poses"
    simulate_untrimmed(directory, 10, seed=2)
    return directory


@pytest.mark.shared
def test_the_stored_numbers_are_those_of_the_annotations(shared_dir: Path) -> None:
    stored = mma52_statistics()
    assert measure(read_mma52(shared_dir / "data" / "annotations" / "mma52"), stored.source) == stored
    assert (stored.videos, stored.instances) == (6009, 18_433)


def test_recordings_are_as_the_real_ones(plan: tuple[PlannedRecording, ...]) -> None:
    real, made = mma52_statistics(), measure(table_of(plan), "simulated")
    assert made.instances / made.videos == pytest.approx(3.07, abs=0.15)
    for part in (5, 10, 15, 19):  # quarters, and 95 %
        assert made.duration_s[part] == pytest.approx(real.duration_s[part], rel=0.07)
        assert made.instance_s[part] == pytest.approx(real.instance_s[part], rel=0.2)
    assert made.overlapping == pytest.approx(real.overlapping, abs=0.1)
    np.testing.assert_allclose(made.at_once, real.at_once, atol=0.08)
    for group, share in real.group_shares.items():
        assert made.group_shares[group] == pytest.approx(share, abs=0.06)
    assert made.pairs["Head + Upper limb"] == pytest.approx(real.pairs["Head + Upper limb"], abs=0.07)
    assert made.fps["29"] == pytest.approx(real.fps["29"], abs=0.05)


def test_nobody_does_two_things_with_one_part(plan: tuple[PlannedRecording, ...]) -> None:
    at_once = 0
    for one in plan:
        for i, first in enumerate(one.actions):
            for second in one.actions[i + 1 :]:
                a, b = (moving_s(action, one.duration_s) for action in (first, second))
                if min(a[1], b[1]) > max(a[0], b[0]):
                    at_once += 1
                    shared = parts_of(first.performed, first.side) & parts_of(second.performed, second.side)
                    assert not shared
    assert at_once > MANY / 2


def test_actions_lie_in_their_recordings(plan: tuple[PlannedRecording, ...]) -> None:
    for one in plan:
        assert 4.9 < one.duration_s < 15.1
        assert one.fps in (29, 30)
        for action in one.actions:
            assert 0 <= action.start_s < action.end_s <= one.duration_s
            assert action.end_s - action.start_s > SHORTEST_S - 0.01
            assert action.end_s - action.start_s < LONGEST_S.get(action.performed, 99) + 0.01


def test_splits_share_no_subject(plan: tuple[PlannedRecording, ...]) -> None:
    who = {split: {one.subject for one in plan if one.split == split} for split in SPLITS}
    assert not who["train"] & who["val"] and not who["val"] & who["test"] and not who["train"] & who["test"]
    counts = Counter(one.split for one in plan)
    assert [counts[split] for split in SPLITS] == [278, 90, 32]
    assert len({one.recording_id for one in plan}) == MANY


def test_every_split_has_a_recording_where_there_are_enough() -> None:
    assert [one.split for one in plan_recordings(3, 0)] == list(SPLITS)
    assert [one.split for one in plan_recordings(1, 0)] == ["train"]


def test_label_noise_changes_what_is_written_alone() -> None:
    clean, noisy = plan_recordings(200, 1), plan_recordings(200, 1, label_noise=0.2)
    pairs = [
        (a, b)
        for one, other in zip(clean, noisy, strict=True)
        for a, b in zip(one.actions, other.actions, strict=True)
    ]
    assert all(a.performed == b.performed == a.label for a, b in pairs)
    assert 0.12 < np.mean([a.label != b.label for a, b in pairs]) < 0.21


def test_wrong_plans_are_named() -> None:
    with pytest.raises(ValueError, match="at least one recording, got 0"):
        plan_recordings(0, 0)
    with pytest.raises(ValueError, match=r"expected domains of laboratory.*got moon"):
        plan_recordings(3, 0, domains=("moon",))
    with pytest.raises(ValueError, match=r"share within 0\.\.1, got 2"):
        plan_recordings(3, 0, label_noise=2)


@pytest.mark.parametrize("posture", ["seated", "standing"])
def test_motions_move_no_other_parts_than_the_rule_says(posture: str) -> None:
    time_s = np.arange(20, dtype=np.float32) / 10
    for label, motion in enumerate(MOTIONS):
        for draw in range(6):
            side = draw % 2
            state = PoseState(20, posture)
            for hand in (LEFT, RIGHT):
                state.reach(hand, "thigh")
            motion(state, Timing(time_s, 0.0, 1.9), np.random.default_rng([label, draw]), side, 1.0)
            parts = parts_of(label, side)
            for hand, name in ((LEFT, LEFT_HAND), (RIGHT, RIGHT_HAND)):
                assert len(state.reaches[hand]) == 1 or name in parts, (label, draw)
            legs = np.abs(state.foot).max() + np.abs(state.heel).max() + np.abs(state.knee_out).max()
            assert legs < 1e-6 or LEGS in parts, label
            bent = max(np.abs(state.torso).max(), np.abs(state.body_turn).max())
            assert bent < 0.15 or TRUNK in parts, label


def test_an_action_moves_the_body_from_its_start_to_its_end() -> None:
    rng = np.random.default_rng(0)
    person = make_subject("laboratory", "lab001", 0)
    for label in range(82):
        fps = 30 if label % 2 else 29
        time_s = (np.arange(8 * fps) / fps).astype(np.float32)
        action = PlannedAction(2.2, 2.2 + min(2.5, LONGEST_S.get(label, 2.5)), label, label, label % 2)
        plan = PlannedRecording("x", "laboratory", "lab001", "train", Fraction(fps), len(time_s), (action,))
        state = body_at_rest(person, len(time_s), rng)
        before = state.values.copy()
        add_action(state, before, person, plan, action, time_s, (label,))
        moved = np.abs(state.values - before).max(axis=1)
        for side in (LEFT, RIGHT):
            for reach in state.reaches[side][1:]:
                moved = np.maximum(moved, reach.weight)
        at_s = time_s[moved > 0.02]
        first_s, last_s = moving_s(action, plan.duration_s)
        assert at_s.min() > first_s and at_s.max() < last_s, label
        assert at_s.min() < action.start_s + 0.35, label
        assert at_s.max() > action.end_s - 0.65 or label in POSTURES, label


def test_a_recording_has_no_jump_and_rests_between(plan: tuple[PlannedRecording, ...]) -> None:
    quiet = []
    for one in plan[:12]:
        joints = stage_recording(one, 0, SimulationSettings()).body.joints_m
        assert len(joints) == one.frames
        speed = np.linalg.norm(np.diff(joints[:, :17], axis=0), axis=2) * float(one.fps)  # metres a second
        assert speed.max() < 12
        time_s = np.arange(1, one.frames) / float(one.fps)
        busy = [moving_s(action, one.duration_s) for action in one.actions]
        still = np.all([(time_s < a - 0.1) | (time_s > b + 0.1) for a, b in busy], axis=0)
        quiet.append(
            (np.median(speed[still]) if still.any() else np.nan, np.median(speed[~still].max(axis=1)))
        )
    rest, act = np.nanmean(quiet, axis=0)
    assert 0 < rest < 0.1 * act


def test_a_recording_depends_on_its_name_and_seed_alone(plan: tuple[PlannedRecording, ...]) -> None:
    settings = SimulationSettings()
    one, again, other = (estimated(stage_recording(plan[3], seed, settings)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.xy_px, again.xy_px)
    assert not np.array_equal(one.xy_px, other.xy_px, equal_nan=True)
    assert one.fps == plan[3].fps and one.time_s[1] == pytest.approx(1 / float(plan[3].fps))


def test_the_cache_and_its_table(few: Path) -> None:
    assert not list(check_cache(few).problems)
    cache = PoseCache(few)
    assert cache.metadata.settings["simulated"] == "true" and cache.metadata.settings["untrimmed"] == 10
    path = few.with_name("poses-detection.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == INSTANCE_COLUMNS and {row["simulated"] for row in rows} == {"true"}
    kind = detection_kind(path)
    assert kind == ("instances", path)
    table, expected = read_detection_table(*kind), table_of(plan_recordings(10, 2, 0.02))
    assert table.simulated and table.tree.actions == tree("mma82").actions  # also of unseen classes
    assert table.tree.group_of == tuple(body_group(label) for label in range(82))
    assert table.instances == expected.instances and table.video_ids == expected.video_ids
    assert (table.fps, table.splits, table.subjects) == (expected.fps, expected.splits, expected.subjects)
    assert set(table.splits) == set(SPLITS)
    for video_id, duration_s, fps in zip(table.video_ids, table.duration_s, table.fps, strict=True):
        clip = cache.read(video_id)
        assert clip.fps == fps and clip.frames / float(clip.fps) == duration_s


def test_a_stopped_run_goes_on_and_another_one_is_refused(few: Path, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    made: list[int] = []

    def stop() -> None:
        made.append(1)
        if len(made) == 4:
            raise StoppedError

    with pytest.raises(StoppedError):
        simulate_untrimmed(tmp_path / "poses", 10, seed=2, on_clip=stop)
    again = simulate_untrimmed(tmp_path / "poses", 10, seed=2)
    assert (again.clips, again.made) == (10, 6)
    ours, theirs = PoseCache(tmp_path / "poses"), PoseCache(few)
    for clip_id in theirs.clip_ids:
        np.testing.assert_array_equal(ours.read(clip_id).xy_px, theirs.read(clip_id).xy_px)
    with pytest.raises(CacheMismatchError, match="seed is 2 in the cache, 3 in this job"):
        simulate_untrimmed(few, 10, seed=3)


def run(*words: str) -> int:
    parser = OneLineParser(prog="fidget benchmark")
    benchmark_simulate.add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["simulate", *words])
    status: int = args.run(args)
    return status


def test_the_command_makes_poses_table_and_videos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    short = replace(mma52_statistics(), duration_s=(1.4, 1.6))
    monkeypatch.setattr(untrimmed_plan, "mma52_statistics", lambda: short)
    words = (
        "--untrimmed",
        "2",
        "--videos",
        "--size",
        "32",
        "--workers",
        "1",
        "--domains",
        "laboratory,street",
    )
    assert run("-o", str(tmp_path / "few"), *words) == 0
    shown = capsys.readouterr()
    assert "2 recordings to make" in shown.err and "2 videos to make" in shown.err
    assert "simulated instances:" in shown.out and "(2 recordings, 2 made now)" in shown.out
    assert run("-o", str(tmp_path / "few"), *words, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["simulated"] is True and result["made_now"] == 0
    assert sum(found["recordings"] for found in result["by_split"].values()) == 2
    cache = PoseCache(tmp_path / "few")
    assert {clip_id.split("/")[0] for clip_id in cache.clip_ids} == {"laboratory", "street"}
    for clip_id in cache.clip_ids:
        with av.open(str(tmp_path / "few-videos" / f"{clip_id}.mp4")) as container:
            stream = container.streams.video[0]
            times_s = [float(frame.pts * stream.time_base) for frame in container.decode(stream)]
            assert "simulated" in container.metadata["title"]
        np.testing.assert_allclose(times_s, cache.read(clip_id).time_s, atol=1e-3)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--untrimmed", "0"], "--untrimmed: expected a number of recordings 1..100000, got 0"),
        (["--untrimmed", "2", "--scale", "0.1"], "--scale: it is of trimmed clips"),
        (["--domains", "street"], "--domains: .* needs --untrimmed"),
        (["--untrimmed", "2", "--domains", "moon"], "--domains: expected some of laboratory.*got moon"),
        (["--untrimmed", "2", "--domains", "street,street"], "each once, got street,street"),
    ],
)
def test_wrong_usage_is_named(words: list[str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=problem):
        run("-o", str(tmp_path / "poses"), *words)
    assert not (tmp_path / "poses").exists()
