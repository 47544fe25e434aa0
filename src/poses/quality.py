"""How good a clip's keypoints are: presence, confidence, jitter against motion, missing joints by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from poses.clip import PoseClip

# The third difference x[t+3] - 3 x[t+2] + 3 x[t+1] - x[t] of white noise of 1 px has a standard deviation of
# sqrt(1 + 9 + 9 + 1); the median of a normal variable, sign removed, is 0.6745 of its standard deviation.
_THIRD_DIFFERENCE_MEDIAN = 0.6744897501960817 * np.sqrt(20.0)

_FRAMES_LOOKED_AT = 20_000
_WINDOW_FRAMES = 1_000


@dataclass(frozen=True)
class ClipQuality:
    """Four numbers of one clip.

    Attributes:
        person_share: share of frames in which at least one person has a joint.
        mean_score: mean score of all joints that were found, of all people; 0 where there is none.
        jitter_px: noise of the main subject's joints from frame to frame, per axis: white noise of standard
            deviation s gives about s, smooth movement about 0. NaN where no joint is found in four frames in
            a row. Of a clip of over 20,000 frames, twenty windows of 1,000 are looked at.
        motion_px: how far the main subject moves: a joint's range is the diagonal of its 5 % to 95 % ranges
            in x and y, and this is the range that a tenth of the joints exceed. NaN where no joint is found
            in two frames.
    """

    person_share: float
    mean_score: float
    jitter_px: float
    motion_px: float


def measure_quality(clip: PoseClip) -> ClipQuality:
    """The quality of a clip; jitter and motion are those of its first person, the main subject."""
    found = clip.score > 0  # (M, T, V)
    subject = clip.xy_px[0] if clip.persons else np.full((clip.frames, 0, 2), np.nan, np.float32)
    return ClipQuality(
        person_share=float(found.any(axis=(0, 2)).mean()),
        mean_score=float(clip.score[found].mean(dtype=np.float64)) if found.any() else 0.0,
        jitter_px=_jitter_px(subject),
        motion_px=_motion_px(subject),
    )


def missing_by_part(clip: PoseClip, min_score: float = 0.0) -> dict[str, float]:
    """For each part of the layout, the share of the main subject's joints that is missing, over all frames.

    A joint is missing where its score is not above `min_score`: models that always answer (BlazePose) leave
    their doubt in the score. A frame without the subject counts as missing; a clip without people is missing
    everything (1.0).
    """
    if not clip.persons:
        return dict.fromkeys(clip.layout.parts, 1.0)
    missing = (clip.score[0] <= min_score).mean(axis=0)  # (V,)
    return {part: float(missing[list(joints)].mean()) for part, joints in clip.layout.parts.items()}


def _jitter_px(xy_px: NDArray[np.float32]) -> float:
    """Median absolute third difference along time, scaled to the standard deviation of white noise."""
    changes = [_third_differences(part) for part in _windows(xy_px)]
    change = np.concatenate(changes) if changes else np.empty(0, np.float32)
    return float(np.median(change) / _THIRD_DIFFERENCE_MEDIAN) if change.size else float("nan")


def _windows(xy_px: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The clip in one piece, or evenly spaced windows of a very long one: a median needs no more."""
    frames = len(xy_px)
    if frames <= _FRAMES_LOOKED_AT:
        yield xy_px
        return
    windows = _FRAMES_LOOKED_AT // _WINDOW_FRAMES
    for begin in np.linspace(0, frames - _WINDOW_FRAMES, windows).astype(int):
        yield xy_px[begin : begin + _WINDOW_FRAMES]


def _third_differences(xy_px: NDArray[np.float32]) -> NDArray[np.float32]:
    if len(xy_px) < 4:
        return np.empty(0, np.float32)
    change = np.diff(xy_px, n=3, axis=0)  # (T - 3, V, 2); NaN where one of its four frames is missing
    kept: NDArray[np.float32] = np.abs(change[np.isfinite(change)])
    return kept


def _motion_px(xy_px: NDArray[np.float32]) -> float:
    """The range of movement that a tenth of the joints exceed."""
    seen = np.isfinite(xy_px[..., 0])  # (T, V)
    whole = seen.all(axis=0) if len(seen) >= 2 else np.zeros(seen.shape[1], bool)
    groups = 1 + len(xy_px) // _FRAMES_LOOKED_AT
    spans = [_span(xy_px[:, joints]) for joints in np.array_split(np.flatnonzero(whole), groups)]
    for joint in np.flatnonzero(~whole & (seen.sum(axis=0) >= 2)):
        spans.append(_span(xy_px[seen[:, joint], joint, None]))
    ranges = np.concatenate(spans) if spans else np.empty(0)
    return float(np.percentile(ranges, 90)) if ranges.size else float("nan")


def _span(xy_px: NDArray[np.float32]) -> NDArray[np.float64]:
    """Diagonal of the 5 % to 95 % ranges of joints (T, J, 2) that are never missing: (J,)."""
    if not xy_px.size:
        return np.empty(0)
    low, high = np.percentile(xy_px, (5, 95), axis=0)
    span: NDArray[np.float64] = np.hypot(*np.moveaxis(high - low, -1, 0))
    return span
