"""Where in its clip each frame of a network's input lies, for a whole batch at once.

Positions are frame numbers as float64: whole numbers, except for linear resampling. Training draws them in
a kernel from each clip's key; evaluation takes fixed ones, those of `poses.sampling` where a toolbox
publishes them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from poses.sampling import Convention, uniform_test_indices
from skeleton_models.augment import Draw, Stream
from skeleton_models.random_keys import Keys, stream_base, uniform_at

Sampling = Literal["uniform", "sorted", "linear", "window"]
SAMPLINGS: tuple[Sampling, ...] = ("uniform", "sorted", "linear", "window")
_BUILDER = np.uint64(Stream.BUILDER)


def training_positions(
    sampling: Sampling, keys: Keys, frames: NDArray[np.int64], length: int, drawn: Draw
) -> NDArray[np.float64]:
    """(N, length) positions of one training view of each clip.

    Args:
        sampling: `uniform` a random frame from each equal segment (PoseC3D, Duan et al., CVPR 2022), with
            random skips below 2 * length frames and around again below length; `sorted` random frames in
            order of time, with repetition (CTR-GCN's feeder for Northwestern-UCLA); `linear` evenly spread,
            between frames (SkateFormer's `valid_crop_resize`); `window` consecutive frames from a random
            first one, the last one repeated in a short clip.
        keys: (N,), one a clip.
        frames: (N,) frames of each clip, at least 1.
        length: frames wanted.
        drawn: crop, speed and direction of each clip.
    """
    positions = np.empty((len(keys), length))
    kind = SAMPLINGS.index(sampling)
    _draw_positions(kind, keys, frames, drawn.crop, drawn.speed, drawn.reverse, positions)
    return positions


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _draw_positions(kind, keys, frames, crop, speed, reverse, positions):  # type: ignore[no-untyped-def]
    """Fill positions (N, T); kind is the place in SAMPLINGS."""
    for n in range(len(keys)):
        base = stream_base(keys[n], _BUILDER)
        row = positions[n]
        count = max(1, int(np.rint(crop[n, 1] * frames[n])))  # as augment.crop_frames
        first = min(int(np.rint(crop[n, 0] * frames[n])), frames[n] - count)
        if kind == 0:
            _draw_segments(base, count, row)
        elif kind == 1:
            for i in range(len(row)):
                row[i] = np.floor(uniform_at(base, np.uint64(i)) * count)
            row.sort()
        elif kind == 2:
            for i in range(len(row)):
                row[i] = min(max((i + 0.5) * count / len(row) - 0.5, 0.0), count - 1.0)
        else:
            last_first = max(count - 1 - int((len(row) - 1) * speed[n]), 0)
            start = np.floor(uniform_at(base, np.uint64(0)) * (last_first + 1))
            for i in range(len(row)):
                row[i] = min(start + np.floor(i * speed[n]), count - 1.0)
        if kind != 3 and speed[n] != 1.0:
            for i in range(len(row)):
                share = (row[i] + 0.5) / count
                share += (speed[n] - 1.0) * share * (1.0 - share)
                place = share * count - 0.5 if kind == 2 else np.floor(share * count)
                row[i] = min(max(place, 0.0), count - 1.0)
        for i in range(len(row)):
            row[i] = first + (count - 1 - row[i] if reverse[n] else row[i])


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _draw_segments(base, frames, row):  # type: ignore[no-untyped-def]
    """The draws of `poses.sampling.uniform_indices`, by counting."""
    length = len(row)
    if frames < length:
        start = int(uniform_at(base, np.uint64(0)) * frames)
        for i in range(length):
            row[i] = (start + i) % frames
    elif frames < 2 * length:
        wanted, place = frames - length, 0  # skips yet to place; selection sampling (Knuth, algorithm S)
        for i in range(length + 1):
            if uniform_at(base, np.uint64(i)) * (length + 1 - i) < wanted:
                wanted -= 1
                place += 1
            if i < length:
                row[i] = place
                place += 1
    else:
        begin = 0
        for i in range(length):
            end = (i + 1) * frames // length
            row[i] = begin + int(uniform_at(base, np.uint64(i)) * (end - begin))
            begin = end


@lru_cache(maxsize=4096)
def test_positions(
    sampling: Sampling, frames: int, length: int, clips: int = 1, convention: Convention = "pyskl"
) -> NDArray[np.float64]:
    """(clips, length) positions of the test clips of a clip; read-only.

    `uniform` has the published test clips of the toolbox `convention`. A single test clip of `sorted` is
    CTR-GCN's `linspace`, one of `window` the middle of the clip. Several of `sorted` or `linear` lie
    between one another; several windows spread from the first frame to the last.

    Raises:
        ValueError: a number is below 1, or the convention is unknown.
    """
    if min(frames, length, clips) < 1:
        raise ValueError(f"frames, length and clips must be at least 1, got {frames}, {length}, {clips}")
    phase = (np.arange(clips)[:, None] + 0.5) / clips  # (clips, 1)
    place = (np.arange(length) + phase) * frames / length  # (clips, T) in 0..frames
    if sampling == "uniform":
        positions = uniform_test_indices(frames, length, clips, convention).astype(np.float64)
    elif sampling == "sorted":
        single = np.floor(np.linspace(0, frames - 1, length))[None]
        positions = single if clips == 1 else np.floor(place)
    elif sampling == "linear":
        positions = np.clip(place - 0.5, 0, frames - 1)
    else:
        last = max(frames - length, 0)
        starts = np.rint(np.linspace(0, last, clips)) if clips > 1 else np.array([last // 2])
        positions = np.minimum(starts[:, None] + np.arange(length), frames - 1)
    positions = positions.astype(np.float64)
    positions.flags.writeable = False
    return positions
