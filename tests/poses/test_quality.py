"""Quality of clips whose noise, motion and gaps are known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poses.clip import PoseClip
from poses.layout import LAYOUTS
from poses.quality import measure_quality, missing_by_part

LAYOUT = LAYOUTS["coco17"]


def _clip(xy_px: np.ndarray, score: np.ndarray | None = None) -> PoseClip:
    """A clip of these coordinates (M, T, 17, 2); NaN is missing."""
    m, t = xy_px.shape[:2]
    found = np.isfinite(xy_px).all(axis=-1)
    return PoseClip(
        clip_id="made",
        layout=LAYOUT,
        xy_px=np.where(found[..., None], xy_px, np.nan).astype(np.float32),
        score=np.where(found, 1 if score is None else score, 0).astype(np.float32),
        box_px=np.zeros((m, t, 4), np.float32),
        time_s=np.arange(t) / 30,
        frame_hw=(480, 640),
        fps=Fraction(30),
        track_ids=np.arange(m, dtype=np.int64),
    )


def _still(frames: int = 60, persons: int = 1) -> np.ndarray:
    pose = np.random.default_rng(1).uniform(100, 400, (17, 2))
    return np.broadcast_to(pose, (persons, frames, 17, 2)).copy()


@pytest.mark.parametrize("sigma_px", [0.1, 0.5, 3.0])
def test_jitter_of_white_noise_is_its_sigma(sigma_px: float) -> None:
    xy = _still(300) + np.random.default_rng(2).normal(0, sigma_px, (1, 300, 17, 2))
    assert measure_quality(_clip(xy)).jitter_px == pytest.approx(sigma_px, rel=0.05)


def test_smooth_movement_is_not_jitter() -> None:
    t = np.arange(120)[None, :, None, None]
    xy = _still(120) + 0.01 * t**2 + 5 * t + 20 * np.sin(t / 15)
    assert measure_quality(_clip(xy)).jitter_px < 0.01


def test_jitter_survives_a_tenth_of_wild_frames() -> None:
    rng = np.random.default_rng(3)
    xy = _still(300) + rng.normal(0, 1, (1, 300, 17, 2))
    xy[:, ::40] += 200
    assert measure_quality(_clip(xy)).jitter_px == pytest.approx(1, rel=0.2)


def test_motion_of_a_tenth_of_the_joints_is_their_range() -> None:
    xy = _still(201)
    swing = np.linspace(-1, 1, 201)
    for joint in (8, 9, 10):  # 100 px end to end
        xy[0, :, joint] += np.stack([30 * swing, 40 * swing], axis=-1)
    assert measure_quality(_clip(xy)).motion_px == pytest.approx(90, rel=1e-4)  # 5 % to 95 %
    assert measure_quality(_clip(_still())).motion_px == 0
    xy[0, :, 8:10] = _still(201)[0, :, 8:10]  # a single wild joint is not movement
    assert measure_quality(_clip(xy)).motion_px == 0


def test_shares_and_scores() -> None:
    xy = _still(10, persons=2)
    xy[0, 5:] = np.nan
    xy[1, 7:] = np.nan
    score = np.full((2, 10, 17), 0.25)
    score[0] = 0.75
    quality = measure_quality(_clip(xy, score))
    assert quality.person_share == pytest.approx(0.7)
    assert quality.mean_score == pytest.approx((5 * 0.75 + 7 * 0.25) / 12)


def test_nobody_there() -> None:
    quality = measure_quality(_clip(np.empty((0, 8, 17, 2))))
    assert (quality.person_share, quality.mean_score) == (0, 0)
    assert np.isnan(quality.jitter_px) and np.isnan(quality.motion_px)
    assert missing_by_part(_clip(np.empty((0, 8, 17, 2)))) == dict.fromkeys(LAYOUT.parts, 1.0)


def test_one_frame_has_neither_jitter_nor_motion() -> None:
    quality = measure_quality(_clip(_still(1)))
    assert quality.person_share == 1
    assert np.isnan(quality.jitter_px) and np.isnan(quality.motion_px)


def test_gaps_are_not_bridged() -> None:
    xy = _still(60)
    xy[0, 30:] += 100  # a jump across the gap is no jitter
    xy[0, 28:32] = np.nan
    assert measure_quality(_clip(xy)).jitter_px == 0
    xy[0, 3::4] = np.nan  # never four in a row
    assert np.isnan(measure_quality(_clip(xy)).jitter_px)


def test_only_the_main_subject_counts_for_noise() -> None:
    xy = _still(60, persons=2)
    xy[1] += np.random.default_rng(4).normal(0, 20, xy[1].shape)
    assert measure_quality(_clip(xy)).jitter_px == 0


def test_missing_joints_by_part() -> None:
    xy = _still(10)
    xy[0, :, 15:17] = np.nan  # both ankles never
    xy[0, :5, [7, 8, 9]] = np.nan  # three of six arm joints half the time
    missing = missing_by_part(_clip(xy))
    assert missing["legs"] == pytest.approx(2 / 6)
    assert missing["arms"] == pytest.approx(3 / 12)
    assert missing["face"] == 0
    assert missing["body"] == pytest.approx((2 + 1.5) / 17)


def test_doubtful_joints_may_count_as_missing() -> None:
    score = np.full((1, 10, 17), 0.9)
    score[0, :, 15:17] = 0.2
    clip = _clip(_still(10), score)
    assert missing_by_part(clip)["legs"] == 0
    assert missing_by_part(clip, min_score=0.3)["legs"] == pytest.approx(2 / 6)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 3), st.integers(0, 2**31), st.floats(0, 1))
def test_any_clip_has_a_quality(frames: int, persons: int, seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-100, 800, (persons, frames, 17, 2))
    xy[rng.random(xy.shape[:3]) < missing] = np.nan
    clip = _clip(xy)
    quality = measure_quality(clip)
    assert 0 <= quality.person_share <= 1 and 0 <= quality.mean_score <= 1
    assert not quality.jitter_px < 0 and not quality.motion_px < 0
    assert all(0 <= share <= 1 for share in missing_by_part(clip).values())
