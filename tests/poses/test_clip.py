"""The record refuses whatever breaks its contract, and says what."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from poses.clip import PoseClip
from poses.layout import LAYOUTS

M, T, V = 2, 5, 17


def _clip(persons: int = M, frames: int = T) -> PoseClip:
    return PoseClip(
        clip_id="day 1/ünïcode",
        layout=LAYOUTS["coco17"],
        xy_px=np.ones((persons, frames, V, 2), np.float32),
        score=np.ones((persons, frames, V), np.float32),
        box_px=np.ones((persons, frames, 4), np.float32),
        time_s=np.arange(frames, dtype=np.float64) / 30,
        frame_hw=(480, 640),
        fps=Fraction(30000, 1001),
        track_ids=np.arange(persons, dtype=np.int64),
    )


def test_a_sound_clip_tells_its_size() -> None:
    clip = _clip()
    assert (clip.persons, clip.frames) == (M, T)


def test_nobody_found_is_zero_persons() -> None:
    assert _clip(persons=0).persons == 0
    assert _clip(persons=0, frames=1).frames == 1


def test_a_missing_joint_is_score_zero_and_nan() -> None:
    clip = _clip()
    xy, score, box = clip.xy_px.copy(), clip.score.copy(), clip.box_px.copy()
    xy[0, 2], score[0, 2], box[0, 2] = np.nan, 0, np.nan
    assert np.isnan(replace(clip, xy_px=xy, score=score, box_px=box).xy_px[0, 2]).all()


def _nan_without_zero(clip: PoseClip) -> dict[str, object]:
    xy = clip.xy_px.copy()
    xy[0, 0, 0] = np.nan
    return {"xy_px": xy}


def _half_nan(clip: PoseClip) -> dict[str, object]:
    xy, score = clip.xy_px.copy(), clip.score.copy()
    xy[0, 0, 0, 1] = np.inf
    score[0, 0, 0] = 0.5
    return {"xy_px": xy, "score": score}


def _zero_without_nan(clip: PoseClip) -> dict[str, object]:
    score = clip.score.copy()
    score[1, 4, 16] = 0
    return {"score": score}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda clip: {"xy_px": clip.xy_px.astype(np.float64)}, "xy_px must be float32"),
        (lambda clip: {"xy_px": clip.xy_px[:1]}, r"xy_px must be float32 \(2, 5, 17, 2\)"),
        (lambda clip: {"xy_px": clip.xy_px.tolist()}, "got list"),
        (lambda clip: {"score": clip.score[:, :, :16]}, "joints of coco17"),
        (lambda clip: {"layout": LAYOUTS["halpe26"]}, "joints of halpe26"),
        (lambda clip: {"box_px": clip.box_px[..., :3]}, "box_px"),
        (lambda clip: {"time_s": clip.time_s.astype(np.float32)}, "time_s must be float64"),
        (lambda clip: {"time_s": np.zeros(T)}, "strictly increasing"),
        (lambda clip: {"time_s": clip.time_s[::-1].copy()}, "strictly increasing"),
        (lambda clip: {"time_s": np.array([0, 1, 2, 3, np.inf])}, "finite"),
        (lambda clip: {"score": clip.score * 2}, "0..1"),
        (lambda clip: {"score": clip.score * np.float32(np.nan)}, "0..1"),
        (_nan_without_zero, "NaN where score is 0"),
        (_zero_without_nan, "NaN where score is 0"),
        (_half_nan, "finite where score"),
        (lambda clip: {"track_ids": np.array([3, 3])}, r"unique, got \[3, 3\]"),
        (lambda clip: {"track_ids": np.array([0, 1], np.int32)}, "track_ids must be int64"),
        (lambda clip: {"frame_hw": (0, 640)}, "frame_hw"),
        (lambda clip: {"fps": Fraction(0)}, "fps"),
    ],
)
def test_a_broken_clip_is_refused_by_name(change: object, message: str) -> None:
    clip = _clip()
    with pytest.raises(ValueError, match=message) as error:
        replace(clip, **change(clip))  # type: ignore[operator]
    assert "day 1/ünïcode" in str(error.value)


def test_a_clip_without_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        _clip(frames=0)
