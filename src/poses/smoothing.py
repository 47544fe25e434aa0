"""Smoothing, applied when keypoints are read; what is stored stays as it was found.

Both filters return a new clip with the same joints found and missing. A gap is never bridged: each stretch
in which a joint was found is smoothed for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from poses.clip import PoseClip


@dataclass(frozen=True)
class MotionRemoved:
    """What a filter took away.

    Attributes:
        rms_px: root mean square distance between a joint before and after, over all joints found; 0 if none.
        energy_share: share of the motion energy that is gone, the energy being the sum of squared steps of
            every joint from one frame to the next. White noise is nearly all energy of this kind, slow
            movement hardly any; negative where a filter adds motion, 0 where there was none.
    """

    rms_px: float
    energy_share: float


def one_euro(
    clip: PoseClip, min_cutoff_hz: float = 1.5, beta: float = 0.03, speed_cutoff_hz: float = 1.0
) -> PoseClip:
    """The One-Euro filter (Casiez, Roussel and Vogel, CHI 2012): smooth while still, quick while moving.

    A low-pass filter whose cut-off frequency is `min_cutoff_hz + beta * speed`, with the joint's smoothed
    speed in pixels per second (of both axes together, so that turning the picture changes nothing). It
    sees only the past, so it may lag: a smaller `min_cutoff_hz` takes more jitter from still joints, a larger
    `beta` less from moving ones. Time is the clip's own, evenly spaced or not.

    Args:
        clip: the clip.
        min_cutoff_hz: cut-off of a joint at rest.
        beta: hertz per pixel per second.
        speed_cutoff_hz: cut-off of the speed's own low-pass filter.

    Returns:
        A new clip that differs in `xy_px` alone.

    Raises:
        ValueError: a cut-off is not positive, or beta is negative.
    """
    if not (min_cutoff_hz > 0 and beta >= 0 and speed_cutoff_hz > 0):
        raise ValueError(
            "One-Euro needs positive cut-offs and beta of at least 0, got "
            f"min_cutoff_hz {min_cutoff_hz}, beta {beta}, speed_cutoff_hz {speed_cutoff_hz}"
        )
    xy = clip.xy_px.astype(np.float64)
    velocity = np.zeros((clip.persons, len(clip.layout.joints), 2))  # (M, V, 2), of the frame before
    for frame, step_s in enumerate(np.diff(clip.time_s), start=1):
        now, before = xy[:, frame], xy[:, frame - 1]  # (M, V, 2), the second already smoothed
        follows = np.isfinite(now) & np.isfinite(before)
        raw = np.where(follows, (now - before) / step_s, 0.0)
        velocity = np.where(follows, velocity + _low_pass(speed_cutoff_hz, step_s) * (raw - velocity), 0.0)
        speed = np.hypot(velocity[..., 0], velocity[..., 1])[..., None]
        smooth = before + _low_pass(min_cutoff_hz + beta * speed, step_s) * (now - before)
        xy[:, frame] = np.where(follows, smooth, now)
    return replace(clip, xy_px=xy.astype(np.float32))


def savitzky_golay(clip: PoseClip, window_frames: int = 7, order: int = 2) -> PoseClip:
    """The Savitzky-Golay filter (Anal. Chem. 1964): a polynomial fitted around each frame, read at it.

    It sees past and future and does not lag; peaks keep more of their height than under a mean. Frames count
    as evenly spaced. At the ends of a stretch the first or last full window's polynomial is read on; a
    stretch shorter than the window is fitted as a whole, one of at most `order + 1` frames stays as it is.

    Args:
        clip: the clip.
        window_frames: length of the window, odd.
        order: of the polynomial, less than the window.

    Returns:
        A new clip that differs in `xy_px` alone.

    Raises:
        ValueError: the window is even, or not longer than the order.
    """
    if window_frames < 1 or window_frames % 2 == 0 or not 0 <= order < window_frames:
        raise ValueError(
            "Savitzky-Golay needs an odd window_frames and an order below it, got "
            f"window_frames {window_frames} and order {order}"
        )
    xy_px = clip.xy_px.copy()
    for person in range(clip.persons):
        found = clip.score[person] > 0  # (T, V)
        for joint in range(found.shape[1]):
            for start, stop in _runs(found[:, joint]):
                if stop - start > order + 1:
                    track = xy_px[person, start:stop, joint]
                    xy_px[person, start:stop, joint] = _fit_along(track, window_frames, order)
    return replace(clip, xy_px=xy_px)


def motion_removed(before: PoseClip, after: PoseClip) -> MotionRemoved:
    """How much a filter changed a clip, and how much of its motion it took.

    Raises:
        ValueError: the two are not one clip, or not the same joints are found.
    """
    same = before.clip_id == after.clip_id and before.layout.name == after.layout.name
    if not same or before.score.shape != after.score.shape:
        raise ValueError(
            f"motion_removed compares one clip before and after, got {before.clip_id!r} "
            f"{before.layout.name} {before.score.shape} and {after.clip_id!r} {after.layout.name} "
            f"{after.score.shape}"
        )
    if not np.array_equal(before.score > 0, after.score > 0):
        raise ValueError(f"clip {before.clip_id!r}: other joints are found before than after smoothing")
    distance = (after.xy_px.astype(np.float64) - before.xy_px)[before.score > 0]  # (found, 2)
    energy = _energy(before)
    return MotionRemoved(
        rms_px=float(np.sqrt((distance**2).sum(axis=-1).mean())) if len(distance) else 0.0,
        energy_share=float(1 - _energy(after) / energy) if energy > 0 else 0.0,
    )


def _energy(clip: PoseClip) -> float:
    """Sum of squared steps from frame to frame, in square pixels, of joints found in both."""
    return float(np.nansum(np.diff(clip.xy_px.astype(np.float64), axis=1) ** 2))


def _low_pass(cutoff_hz: float | NDArray[np.float64], step_s: float) -> NDArray[np.float64]:
    """Share of the new value in an exponential filter of this cut-off."""
    turns = 2 * np.pi * np.asarray(cutoff_hz, np.float64) * step_s
    return turns / (1 + turns)


def _runs(found: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and stop of each stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], found, [False]))))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _fit_along(track: NDArray[np.float32], window_frames: int, order: int) -> NDArray[np.float64]:
    """(L, 2) smoothed; L is more than order + 1."""
    values = track.astype(np.float64)
    if len(values) < window_frames:
        return _hat(len(values), order) @ values
    hat = _hat(window_frames, order)  # (window, window)
    half = window_frames // 2
    windows = np.lib.stride_tricks.sliding_window_view(values, window_frames, axis=0)  # (L - w + 1, 2, w)
    middle = windows @ hat[half]  # (L - w + 1, 2)
    head = hat[:half] @ values[:window_frames]
    tail = hat[half + 1 :] @ values[-window_frames:]
    return np.concatenate([head, middle, tail])


@lru_cache(maxsize=64)
def _hat(length: int, order: int) -> NDArray[np.float64]:
    """(length, length) matrix that takes values to those of the polynomial fitted to them."""
    powers = np.vander(np.linspace(-1, 1, length), order + 1)
    basis, _ = np.linalg.qr(powers)
    hat: NDArray[np.float64] = basis @ basis.T
    return hat
