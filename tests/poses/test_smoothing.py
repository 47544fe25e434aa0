"""Filters against reference answers, and what must hold for any clip: gaps, scores, rest, straight lines."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from poses.clip import PoseClip
from poses.layout import LAYOUTS
from poses.smoothing import motion_removed, one_euro, savitzky_golay


def _clip(xy_px: np.ndarray, time_s: np.ndarray | None = None) -> PoseClip:
    """A clip of (M, T, 17, 2); NaN is missing."""
    m, t = xy_px.shape[:2]
    found = np.isfinite(xy_px).all(axis=-1)
    return PoseClip(
        clip_id="made",
        layout=LAYOUTS["coco17"],
        xy_px=np.where(found[..., None], xy_px, np.nan).astype(np.float32),
        score=found.astype(np.float32) * np.float32(0.7),
        box_px=np.zeros((m, t, 4), np.float32),
        time_s=np.arange(t) / 30 if time_s is None else time_s,
        frame_hw=(480, 640),
        fps=Fraction(30),
        track_ids=np.arange(m, dtype=np.int64),
    )


def _one_joint(x: list[float] | np.ndarray, time_s: np.ndarray | None = None) -> PoseClip:
    """All joints of one person at (x, 0)."""
    xy = np.zeros((1, len(x), 17, 2))
    xy[0, :, :, 0] = np.asarray(x)[:, None]
    return _clip(xy, time_s)


def _x(clip: PoseClip) -> np.ndarray:
    return clip.xy_px[0, :, 0, 0]


def test_one_euro_step_by_hand() -> None:
    # 10 frames a second, cut-off 1 Hz, no speed term: alpha = t / (1 + t), t = 2 pi / 10
    alpha = (2 * np.pi / 10) / (1 + 2 * np.pi / 10)
    smooth = one_euro(_one_joint([0, 1, 1], np.array([0, 0.1, 0.2])), min_cutoff_hz=1, beta=0)
    np.testing.assert_allclose(_x(smooth), [0, alpha, alpha + alpha * (1 - alpha)], rtol=1e-6)


def test_one_euro_speed_term_by_hand() -> None:
    # second frame: raw speed 10 px/s, smoothed alpha * 10; the cut-off is 1 + beta * that
    alpha = (2 * np.pi / 10) / (1 + 2 * np.pi / 10)
    turns = 2 * np.pi * (1 + 0.5 * alpha * 10) / 10
    smooth = one_euro(_one_joint([0, 1], np.array([0, 0.1])), min_cutoff_hz=1, beta=0.5)
    assert _x(smooth)[1] == pytest.approx(turns / (1 + turns), rel=1e-6)


def test_one_euro_uses_the_clips_own_time() -> None:
    # a long wait lets the filter arrive, a short one hardly moves it
    quick = one_euro(_one_joint([0, 1], np.array([0, 0.001])), min_cutoff_hz=1, beta=0)
    slow = one_euro(_one_joint([0, 1], np.array([0, 100.0])), min_cutoff_hz=1, beta=0)
    assert _x(quick)[1] < 0.01 and _x(slow)[1] > 0.99


def test_one_euro_follows_speed_and_quiets_rest() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.zeros(150), np.linspace(0, 900, 60)]) + rng.normal(0, 1, 210)
    still, lively = one_euro(_one_joint(x), 1, 0), one_euro(_one_joint(x), 1, 0.1)
    assert _x(lively)[50:150].std() < 0.75 * x[50:150].std()
    assert abs(_x(lively)[-1] - 900) < 0.1 * abs(_x(still)[-1] - 900)


def test_one_euro_turns_with_the_picture() -> None:
    xy = np.random.default_rng(1).normal(200, 30, (1, 40, 17, 2))
    turned = one_euro(_clip(xy[..., ::-1] * (1, -1)))
    np.testing.assert_allclose(turned.xy_px, one_euro(_clip(xy)).xy_px[..., ::-1] * (1, -1), atol=1e-3)


@pytest.mark.parametrize(("window", "order"), [(3, 1), (5, 2), (7, 2), (7, 3), (21, 4), (5, 0), (1, 0)])
def test_savitzky_golay_equals_scipy(window: int, order: int) -> None:
    xy = np.random.default_rng(2).normal(200, 30, (2, 50, 17, 2))
    smooth = savitzky_golay(_clip(xy), window, order)
    expected = savgol_filter(xy.astype(np.float32).astype(np.float64), window, order, axis=1, mode="interp")
    np.testing.assert_allclose(smooth.xy_px, expected, rtol=1e-5, atol=1e-3)


def test_savitzky_golay_of_five_points_by_hand() -> None:
    # the classic weights (-3, 12, 17, 12, -3) / 35
    assert _x(savitzky_golay(_one_joint([0, 0, 35, 0, 0]), 5, 2))[2] == pytest.approx(17, rel=1e-6)


def test_savitzky_golay_leaves_parabolas_alone() -> None:
    t = np.arange(30.0)
    x = 3 + 2 * t - 0.5 * t**2
    np.testing.assert_allclose(_x(savitzky_golay(_one_joint(x), 7, 2)), x, rtol=1e-5, atol=1e-3)


def test_a_stretch_shorter_than_the_window_is_fitted_as_a_whole() -> None:
    x = np.full(20, np.nan)
    x[3:8] = [0, 3, 1, 4, 2]
    smooth = _x(savitzky_golay(_one_joint(x), 7, 1))
    np.testing.assert_allclose(smooth[3:8], np.polyval(np.polyfit(range(5), x[3:8], 1), range(5)), rtol=1e-5)
    x[8:] = np.nan
    x[3:8] = [np.nan, np.nan, 0, 3, 1]  # as many as the parabola has coefficients
    np.testing.assert_array_equal(_x(savitzky_golay(_one_joint(x), 7, 2)), x.astype(np.float32))


@pytest.mark.parametrize("smooth", [one_euro, savitzky_golay])
def test_a_gap_separates(smooth: object) -> None:
    rng = np.random.default_rng(3)
    early, late = rng.normal(0, 5, 20), rng.normal(900, 5, 20)
    together = _one_joint(np.concatenate([early, [np.nan], late]))
    apart = [_one_joint(early), _one_joint(late)]
    x = _x(smooth(together))  # type: ignore[operator]
    assert np.isnan(x[20])
    np.testing.assert_allclose(x[:20], _x(smooth(apart[0])), rtol=1e-6)  # type: ignore[operator]
    np.testing.assert_allclose(x[21:], _x(smooth(apart[1])), rtol=1e-6)  # type: ignore[operator]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2),
    st.integers(1, 30),
    st.floats(0, 1),
    st.integers(0, 2**31),
    st.sampled_from([one_euro, savitzky_golay]),
)
def test_any_clip_keeps_its_gaps_scores_and_frame_of_values(
    persons: int, frames: int, missing: float, seed: int, smooth: object
) -> None:
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 500, (persons, frames, 17, 2))
    xy[rng.random(xy.shape[:3]) < missing] = np.nan
    before = _clip(xy, np.cumsum(rng.uniform(0.001, 0.2, frames)))
    stored = before.xy_px.copy()
    after = smooth(before)  # type: ignore[operator]
    np.testing.assert_array_equal(before.xy_px, stored)  # what is stored stays
    np.testing.assert_array_equal(np.isnan(after.xy_px), np.isnan(before.xy_px))
    np.testing.assert_array_equal(after.score, before.score)
    if smooth is one_euro and np.isfinite(xy).any():  # each value lies between those it is made of
        assert np.nanmin(after.xy_px) >= np.nanmin(before.xy_px) - 1e-3
        assert np.nanmax(after.xy_px) <= np.nanmax(before.xy_px) + 1e-3
    removed = motion_removed(before, after)
    assert removed.rms_px >= 0 and removed.energy_share <= 1


@pytest.mark.parametrize("smooth", [one_euro, savitzky_golay])
def test_what_does_not_move_is_left_alone(smooth: object) -> None:
    still = _one_joint([7.25] * 40)
    np.testing.assert_allclose(smooth(still).xy_px, still.xy_px, atol=1e-5)  # type: ignore[operator]


def test_motion_removed_by_hand() -> None:
    before = _one_joint([0, 2, 0, 2])
    assert motion_removed(before, before) == motion_removed(before, replace(before))
    assert motion_removed(before, before).rms_px == 0
    assert motion_removed(before, before).energy_share == 0
    halved = motion_removed(before, _one_joint([0, 1, 0, 1]))
    assert halved.rms_px == pytest.approx(np.sqrt(0.5))
    assert halved.energy_share == pytest.approx(0.75)
    gone = motion_removed(before, _one_joint([1, 1, 1, 1]))
    assert (gone.rms_px, gone.energy_share) == (1, 1)
    assert motion_removed(before, _one_joint([0, 4, 0, 4])).energy_share == pytest.approx(-3)


def test_motion_removed_tells_noise_from_movement() -> None:
    rng = np.random.default_rng(4)
    noise = _one_joint(rng.normal(0, 1, 400))
    wave = _one_joint(100 * np.sin(np.arange(400) / 20))
    assert motion_removed(noise, savitzky_golay(noise, 11, 2)).energy_share > 0.9
    assert motion_removed(wave, savitzky_golay(wave, 11, 2)).energy_share < 0.001


def test_motion_removed_of_nobody_is_nothing() -> None:
    nobody = _clip(np.empty((0, 5, 17, 2)))
    assert motion_removed(nobody, nobody).rms_px == motion_removed(nobody, nobody).energy_share == 0


def test_motion_removed_refuses_two_different_clips() -> None:
    clip, gappy = _one_joint([0, 1, 2]), _one_joint([0, np.nan, 2])
    with pytest.raises(ValueError, match="one clip before and after"):
        motion_removed(clip, replace(clip, clip_id="other"))
    with pytest.raises(ValueError, match="one clip before and after"):
        motion_removed(clip, _one_joint([0, 1]))
    with pytest.raises(ValueError, match="other joints are found"):
        motion_removed(clip, gappy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"min_cutoff_hz": 0}, "positive"), ({"beta": -1}, "beta -1"), ({"speed_cutoff_hz": np.nan}, "nan")],
)
def test_one_euro_refuses_impossible_settings(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        one_euro(_one_joint([0, 1]), **arguments)


@pytest.mark.parametrize(("window", "order"), [(4, 2), (0, 0), (-3, 0), (5, 5), (5, -1)])
def test_savitzky_golay_refuses_impossible_settings(window: int, order: int) -> None:
    with pytest.raises(ValueError, match=f"window_frames {window} and order {order}"):
        savitzky_golay(_one_joint([0, 1]), window, order)
