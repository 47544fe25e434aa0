"""What a pose estimator makes of true joints: errors, lost joints, confidence that knows about most of it.

Errors of a joint are in proportion to the size of the body in the picture and to COCO's falloff of that
joint (the evaluation's measure of how well people agree on it): a constant one per clip, a slow one, and a
quick one, shared in part by the joints of a hand or a face. Hidden joints have larger errors and lower
confidence; what is outside the picture, or lost, is missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from poses.layouts_wholebody import COCO_WHOLEBODY133_SIGMAS

JOINTS = 133
# Joints that share errors and are lost together: body, feet, face, left hand, right hand.
PARTS = ((0, 17), (17, 23), (23, 91), (91, 112), (112, 133))
_FIRST_OF_PART = tuple(first for first, _ in PARTS)

_CONSTANT, _SLOW, _QUICK = 0.10, 0.07, 0.025  # of the falloff's distance, 1 standard deviation at noise 1
_SLOW_KEPT, _QUICK_KEPT = 0.94, 0.35  # from frame to frame at 30 a second
_SHARED = 0.6  # of a hand's or the face's error is one error
_HIDDEN_FACTOR = 3.5
_OUTSIDE = 0.01  # of the frame: beyond this a joint is missing
_LOST_SCORE = 0.06  # below, an estimator's joint is not stored


@dataclass(frozen=True)
class NoiseLevel:
    """How bad an estimator is on one clip.

    Attributes:
        noise: size of all errors, 1 is usual, 0 is none.
        resolution_px: size of a picture element of the source.
        drop_per_s: rate at which a part is lost for a while; the part is drawn.
        occluder: whether something stands before a part of the body.
        swap: whether left and right are exchanged for some frames.
    """

    noise: float = 1.0
    resolution_px: float = 1.0
    drop_per_s: float = 0.05
    occluder: bool = False
    swap: bool = False


def estimate(
    true_px: NDArray[np.float32],
    depth_m: NDArray[np.float32],
    frame_hw: tuple[int, int],
    level: NoiseLevel,
    rng: np.random.Generator,
    fps: float = 30.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixels (T, 133, 2), NaN where missing, and scores (T, 133) of an estimator that saw the true joints.

    Args:
        true_px: (T, 133, 2).
        depth_m: (T, 133) from the camera; decides who hides whom.
        frame_hw: of the picture.
        level: of noise.
        rng: all draws.
        fps: for rates.
    """
    frames = len(true_px)
    hidden = np.zeros((frames, JOINTS), np.float32)
    _hide_by_body(true_px, depth_m, hidden)
    if level.occluder:
        _hide_by_thing(true_px, hidden, rng)
    xy = true_px
    if level.swap and frames > 4:
        xy = _swapped(true_px, rng)
    scale_px = np.sqrt(_area(true_px))
    sigmas = np.array(COCO_WHOLEBODY133_SIGMAS, np.float32)
    constant = rng.standard_normal((JOINTS, 2), np.float32)
    shared = rng.standard_normal((frames, len(PARTS), 2), np.float32)
    slow = rng.standard_normal((frames, JOINTS, 2), np.float32)
    quick = rng.standard_normal((frames, JOINTS, 2), np.float32)
    doubt = rng.standard_normal((frames, JOINTS), np.float32)
    out = np.empty((frames, JOINTS, 2), np.float32)
    score = np.empty((frames, JOINTS), np.float32)
    _disturb(
        xy, hidden, 2 * sigmas * scale_px, level.noise, level.resolution_px,
        constant, shared, slow, quick, doubt, out, score,
    )  # fmt: skip
    _drop_parts(score, level.drop_per_s, fps, rng)
    height, width = frame_hw
    margin = _OUTSIDE * height
    outside = (
        (true_px[..., 0] < -margin)
        | (true_px[..., 0] > width - 1 + margin)
        | (true_px[..., 1] < -margin)
        | (true_px[..., 1] > height - 1 + margin)
    )
    score[outside | (score < _LOST_SCORE)] = 0
    out[score == 0] = np.nan
    return out, score


def _area(xy: NDArray[np.float32]) -> float:
    """Square pixels of the body, from its trunk and head, which every crop has: as COCO's areas, about."""
    core = xy[:, (0, 5, 6, 11, 12)]
    spans = core.max(axis=1) - core.min(axis=1)  # (T, 2)
    height = float(np.median(spans[:, 1])) * 2.6
    return max(height * height * 0.25, 1.0)


def thing_before(
    xy: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A passer-by, a table, a microphone: an upright box that stands or crosses before the body.

    Args:
        xy: (T, 133, 2) pixels.
        rng: as `estimate` has it when it begins.

    Returns:
        Its middle (T, 2) and its width and height (2,), pixels.
    """
    frames = len(xy)
    low, high = np.percentile(xy[0, :17], (2, 98), axis=0)
    span = high - low
    size = span * rng.uniform((0.25, 0.25), (0.7, 0.6))
    if rng.random() < 0.5:  # something that stands before the lower part
        centre = np.tile(low + span * rng.uniform((0.2, 0.65), (0.8, 1.0)), (frames, 1))
    else:  # somebody who crosses
        path = np.linspace(-1.2, 1.2, frames) * rng.choice([-1, 1]) * rng.uniform(0.3, 1.0) + rng.uniform(
            -0.4, 0.4
        )
        centre = np.stack([low[0] + span[0] * (0.5 + path), np.full(frames, low[1] + 0.6 * span[1])], axis=1)
        size[1] = span[1] * rng.uniform(0.5, 0.9)
    return centre, size


def _hide_by_thing(xy: NDArray[np.float32], hidden: NDArray[np.float32], rng: np.random.Generator) -> None:
    """Mark what is behind the thing."""
    centre, size = thing_before(xy, rng)
    inside = (np.abs(xy - centre[:, None].astype(np.float32)) < (size / 2).astype(np.float32)).all(axis=2)
    hidden[inside] = 1


def _swapped(xy: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Left and right of arms or legs exchanged for some frames."""
    length = int(rng.integers(2, max(3, len(xy) // 4)))
    start = int(rng.integers(0, len(xy) - length))
    swapped = xy.copy()
    rows = slice(start, start + length)
    if rng.random() < 0.5:
        pairs = [(7, 8), (9, 10), *((91 + i, 112 + i) for i in range(21))]
    else:
        pairs = [(13, 14), (15, 16), *((17 + i, 20 + i) for i in range(3))]
    left, right = (list(side) for side in zip(*pairs, strict=True))
    swapped[rows, left], swapped[rows, right] = xy[rows, right], xy[rows, left]
    return swapped


def _drop_parts(score: NDArray[np.float32], drop_per_s: float, fps: float, rng: np.random.Generator) -> None:
    """Parts that are lost for 0.1 to 1.5 s, in place; a hand most often, else a single joint."""
    frames = len(score)
    for _ in range(int(rng.poisson(drop_per_s * frames / fps))):
        start = int(rng.integers(0, frames))
        end = start + max(2, round(rng.uniform(0.1, 1.5) * fps))
        draw = rng.random()
        if draw < 0.6:
            first, last = PARTS[3 + int(rng.random() < 0.5)]
        elif draw < 0.75:
            first, last = PARTS[1]
        elif draw < 0.8:
            first, last = PARTS[2]
        else:
            first = int(rng.integers(5, 17))
            last = first + 1
        score[start:end, first:last] = 0


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _hide_by_body(xy, depth, hidden):  # type: ignore[no-untyped-def]
    """Mark what the body hides: the face behind a hand, an arm behind the trunk, the far half of a head."""
    for t in range(xy.shape[0]):
        face_px = math.hypot(xy[t, 39, 0] - xy[t, 23, 0], xy[t, 39, 1] - xy[t, 23, 1])
        nose_px = math.hypot(xy[t, 54, 0] - xy[t, 50, 0], xy[t, 54, 1] - xy[t, 50, 1])  # ridge and tip
        reach = max(2.0 * nose_px, 0.5 * face_px)
        for side in range(2):
            hand = 91 + 21 * side + 9
            for j in range(23, 91):
                near = math.hypot(xy[t, j, 0] - xy[t, hand, 0], xy[t, j, 1] - xy[t, hand, 1]) < reach
                if near and depth[t, hand] < depth[t, j]:
                    hidden[t, j] = 0.8
        ears = 0.5 * (depth[t, 3] + depth[t, 4])
        for j in range(91):
            if (j < 5 or j >= 23) and depth[t, j] > ears + 0.035:
                hidden[t, j] = 0.7
        _hide_behind_trunk(xy[t], depth[t], hidden[t])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _hide_behind_trunk(xy, depth, hidden):  # type: ignore[no-untyped-def]
    left = min(xy[5, 0], xy[6, 0], xy[11, 0], xy[12, 0])
    right = max(xy[5, 0], xy[6, 0], xy[11, 0], xy[12, 0])
    top = min(xy[5, 1], xy[6, 1])
    bottom = max(xy[11, 1], xy[12, 1])
    trunk = 0.25 * (depth[5] + depth[6] + depth[11] + depth[12])
    for j in range(7, 133):
        arm = j < 11 or j >= 91
        if arm and depth[j] > trunk + 0.06 and left < xy[j, 0] < right and top < xy[j, 1] < bottom:
            hidden[j] = 0.9


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _disturb(  # type: ignore[no-untyped-def]
    xy, hidden, spread, noise, resolution, constant, shared, slow, quick, doubt, out, score
):
    """Add errors to `xy` -> `out`; `score` says how large they are. `slow`, `quick`, `shared` are changed."""
    slow_new, quick_new = math.sqrt(1 - _SLOW_KEPT**2), math.sqrt(1 - _QUICK_KEPT**2)
    alone = math.sqrt(1 - _SHARED * _SHARED)
    for t in range(xy.shape[0]):
        for part in range(shared.shape[1]):
            for axis in range(2):
                if t:
                    kept = _SLOW_KEPT * shared[t - 1, part, axis]
                    shared[t, part, axis] = kept + slow_new * shared[t, part, axis]
        for j in range(xy.shape[1]):
            part = 0
            for k in range(len(_FIRST_OF_PART)):
                if j >= _FIRST_OF_PART[k]:
                    part = k
            worse = noise * (1 + hidden[t, j] * (_HIDDEN_FACTOR - 1))
            size = max(spread[j], 0.5)
            square = 0.0
            for axis in range(2):
                if t:
                    slow[t, j, axis] = _SLOW_KEPT * slow[t - 1, j, axis] + slow_new * slow[t, j, axis]
                    quick[t, j, axis] = _QUICK_KEPT * quick[t - 1, j, axis] + quick_new * quick[t, j, axis]
                drift = slow[t, j, axis]
                if part >= 2:
                    drift = alone * drift + _SHARED * shared[t, part, axis] * 1.5
                error = size * (_CONSTANT * constant[j, axis] + _SLOW * drift + _QUICK * quick[t, j, axis])
                error = error * worse + 0.35 * (resolution - 1) * quick[t, j, axis] * min(noise, 1.0)
                out[t, j, axis] = xy[t, j, axis] + error
                square += error * error
            relative = square / (size * size)
            sure = 0.94 * math.exp(-4.0 * relative) * (1 - 0.6 * hidden[t, j])
            sure -= 0.06 * (resolution - 1)
            score[t, j] = min(max(sure + 0.035 * noise * doubt[t, j], 0.0), 0.99)
