from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from cache_samples import assert_close, make_clip, make_row
from hypothesis import given, settings
from hypothesis import strategies as st

from poses import encoding
from poses.cache_schema import SourceStamp
from poses.clip import PoseClip
from poses.encoding import check_row, checksum, decode_row, encode_clip, failed_row, fitting_step, running_sum
from poses.layout import Layout, get_layout

STAMP = SourceStamp("a.mp4", 10, 20)
TWO = Layout("two", ("head", "hand"), (0, 0), ((0, 1),), (0, 1))


def two_joint_clip(xy_px: list[list[list[float]]], score: list[list[float]]) -> PoseClip:
    """One person of two joints; the box is always there."""
    xy = np.array([xy_px], np.float32)
    xy[np.array([score]) == 0] = np.nan
    frames = len(score)
    return PoseClip(
        clip_id="two",
        layout=TWO,
        xy_px=xy,
        score=np.array([score], np.float32),
        box_px=np.tile(np.float32([1, 2, 3, 4]), (1, frames, 1)),
        time_s=np.arange(frames) / 25,
        frame_hw=(100, 200),
        fps=Fraction(25),
        track_ids=np.array([7]),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    persons=st.integers(0, 3),
    frames=st.integers(1, 40),
    layout=st.sampled_from(["coco17", "jhmdb15", "coco_wholebody133"]),
    missing=st.sampled_from([0.0, 0.2, 0.95]),
    step=st.sampled_from([1.0, 1 / 16, 2.0**-12]),
)
def test_round_trip(seed: int, persons: int, frames: int, layout: str, missing: float, step: float) -> None:
    clip = make_clip("some/clip", np.random.default_rng(seed), persons, frames, get_layout(layout), missing)
    row = encode_clip(clip, STAMP, "a remark", step)
    assert row.status == ("ok" if persons else "no_person")
    assert (row.error, row.source, row.frames, row.persons) == ("a remark", STAMP, frames, persons)
    once = decode_row(row, clip.layout)
    assert_close(clip, once, step)
    again = encode_clip(once, STAMP, "a remark", step)
    for name in ("xy", "score", "box", "time_us", "track_ids"):
        np.testing.assert_array_equal(getattr(row, name), getattr(again, name))  # nothing drifts
    assert again.checksum == row.checksum


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-30_000_000, 30_000_000, width=32), min_size=1, max_size=30))
def test_any_coordinate_that_fits_comes_back(values: list[float]) -> None:
    clip = two_joint_clip([[[x, -x], [0, x]] for x in values], [[1, 0.5]] * len(values))
    assert_close(clip, decode_row(encode_clip(clip, STAMP), TWO))


def test_known_bytes_of_a_small_clip() -> None:
    score = [[1.0, 0], [0, 0.5], [0.001, 1]]
    clip = two_joint_clip([[[1, 2], [0, 0]], [[0, 0], [-1, 4]], [[0.5, 2.03], [0, 0]]], score)
    row = encode_clip(clip, STAMP)
    # head: q = 16, 32; missing; 8, 32 (2.03 * 16 = 32.48)   hand: missing; -16, 64; 0, 0
    assert row.xy.tolist() == [32, 64, 0, 0, 0, 0, 31, 128, 15, 0, 32, 127]
    assert row.score.tolist() == [255, 0, 0, 128, 1, 255]
    assert row.box.tolist() == [32, 64, 96, 128, 0, 0, 0, 0, 0, 0, 0, 0]
    assert row.time_us.tolist() == [0, 40_000, 80_000]
    assert (row.fps_num, row.fps_den, row.xy_step) == (25, 1, 1 / 16)


def test_known_zigzag_values() -> None:
    stored = np.array([[0], [1], [2], [3], [4]], np.int32)  # 0 -1 1 -2 2
    assert running_sum(stored, 5)[:, 0].tolist() == [0, -1, 0, -2, 0]
    assert running_sum(stored[:4], 2)[:, 0].tolist() == [0, -1, 1, -1]  # two people of two frames


def test_absent_boxes_leave_the_running_value_alone() -> None:
    clip = two_joint_clip([[[1, 2], [3, 4]]] * 4, [[1, 1]] * 4)
    clip.box_px[0, 0] = np.nan
    clip.box_px[0, 2] = np.nan
    row = encode_clip(clip, STAMP)
    assert row.box.reshape(4, 4).tolist() == [[-1] * 4, [32, 64, 96, 128], [-1] * 4, [0] * 4]
    assert_close(clip, decode_row(row, TWO))


def test_clips_longer_than_one_piece_are_coded_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip("long", np.random.default_rng(3), 2, 50, missing=0.4)
    whole = encode_clip(clip, STAMP)
    monkeypatch.setattr(encoding, "_FRAMES_AT_ONCE", 7)
    pieces = encode_clip(clip, STAMP)
    np.testing.assert_array_equal(whole.xy, pieces.xy)
    np.testing.assert_array_equal(whole.box, pieces.box)


def test_normalised_coordinates_survive_with_a_fitting_step() -> None:
    rng = np.random.default_rng(0)
    clip = two_joint_clip(rng.uniform(-1, 1, (20, 2, 2)).tolist(), [[1, 1]] * 20)
    coarse = decode_row(encode_clip(clip, STAMP), TWO)
    assert np.abs(coarse.xy_px - clip.xy_px).max() > 0.01  # what 1/16 would do to them
    step = fitting_step(clip.xy_px)
    fine = decode_row(encode_clip(clip, STAMP, xy_step=step), TWO)
    np.testing.assert_allclose(fine.xy_px, clip.xy_px, atol=2.0**-16, rtol=0)


@pytest.mark.parametrize(
    ("largest", "step"),
    [(1920, 1 / 16), (20, 1 / 16), (1e7, 1 / 16), (1.0, 2.0**-15), (0.9, 2.0**-16), (0.0, 1 / 16)],
)
def test_fitting_step(largest: float, step: float) -> None:
    assert fitting_step(np.array([[0, -largest], [np.nan, 0]], np.float32)) == step


@pytest.mark.parametrize("step", [0.1, 0.0, -0.5, float("nan"), float("inf"), 2.0])
def test_steps_that_are_no_power_of_two_are_refused(step: float) -> None:
    with pytest.raises(ValueError, match=r"'c': xy_step must be a power of two"):
        encode_clip(make_clip("c", np.random.default_rng(0)), STAMP, xy_step=step)


@pytest.mark.parametrize("absurd", [1e8, -4e7, 3e38])
def test_absurd_coordinates_are_refused(absurd: float) -> None:
    clip = two_joint_clip([[[absurd, 0], [0, 0]]], [[1, 1]])
    with pytest.raises(ValueError, match=r"clip 'two', person 0: expected coordinates within"):
        encode_clip(clip, STAMP)


def test_boxes_that_are_partly_there_are_refused() -> None:
    clip = two_joint_clip([[[1, 1], [2, 2]]], [[1, 1]])
    clip.box_px[0, 0, 2] = np.nan
    with pytest.raises(ValueError, match="'two': a box must be four finite numbers or four NaN"):
        encode_clip(clip, STAMP)


def test_frames_within_one_microsecond_are_refused() -> None:
    clip = dataclasses.replace(
        two_joint_clip([[[1, 1], [2, 2]]] * 2, [[1, 1]] * 2), time_s=np.array([0, 2e-7])
    )
    with pytest.raises(ValueError, match="less than a microsecond apart"):
        encode_clip(clip, STAMP)


def test_frame_rates_beyond_64_bits_are_refused() -> None:
    clip = dataclasses.replace(two_joint_clip([[[1, 1], [2, 2]]], [[1, 1]]), fps=Fraction(2**70, 3))
    with pytest.raises(ValueError, match="64-bit"):
        encode_clip(clip, STAMP)


def test_failed_rows_say_why() -> None:
    row = failed_row("bad", STAMP, "no video stream")
    check_row(row, TWO)
    assert (row.status, row.frames, row.persons, row.quality) == ("failed", 0, 0, None)
    with pytest.raises(ValueError, match=r"'bad' holds no poses: it failed with 'no video stream'"):
        decode_row(row, TWO)


@pytest.mark.parametrize("name", ["xy", "score", "box", "time_us", "track_ids"])
def test_one_changed_number_is_noticed(name: str) -> None:
    row = make_row("c", np.random.default_rng(5))
    changed = getattr(row, name).copy()
    changed[-1] += 1
    with pytest.raises(ValueError, match="'c': checksum is"):
        decode_row(dataclasses.replace(row, **{name: changed}), get_layout("coco17"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"xy": np.zeros(3, np.int32)}, "xy holds 3 values, expected 408"),
        ({"score": np.zeros(0, np.uint8)}, "score holds 0 values, expected 204"),
        ({"box": np.zeros(1, np.int32)}, "box holds 1 values, expected 48"),
        ({"status": "no_person"}, "status 'no_person' with 1 persons"),
        ({"fps_den": 0}, "positive frame rate, got 30000/0"),
        ({"frame_hw": (0, 10)}, "expected frames of a size"),
        ({"xy_step": 0.3}, "xy_step must be a power of two"),
        ({"xy": np.full(408, -5, np.int32)}, "xy holds a negative number"),
        ({"box": np.full(48, -2, np.int32)}, "box holds a number below -1"),
        ({"track_ids": np.arange(10**6)}, "1000000 persons"),
    ],
)
def test_rows_that_contradict_themselves_are_refused(change: dict[str, object], message: str) -> None:
    row = dataclasses.replace(make_row("c", np.random.default_rng(5)), **change)
    row = dataclasses.replace(row, checksum=checksum(row))
    with pytest.raises(ValueError, match=message):
        decode_row(row, get_layout("coco17"))


def test_sums_that_leave_the_range_are_refused() -> None:
    row = encode_clip(two_joint_clip([[[1, 1], [2, 2]]] * 3, [[1, 1]] * 3), STAMP)
    row = dataclasses.replace(row, xy=np.full(12, 2**30, np.int32))  # d = 2**29 each
    row = dataclasses.replace(row, checksum=checksum(row))
    with pytest.raises(ValueError, match="'two': coordinates leave the range of the format"):
        decode_row(row, TWO)
