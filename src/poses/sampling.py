"""Which frames to look at. All functions return frame numbers of the clip; randomness is an argument."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Convention = Literal["pyskl", "mmaction2"]


def uniform_indices(frames: int, length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """One training clip: a random frame from each of `length` equal segments, in order of time.

    The sampling of PoseC3D (Duan et al., CVPR 2022; `UniformSampleFrames`). With at least `2 * length`
    frames, one is drawn from each segment `i * frames // length` up to the next. Between `length` and that,
    `frames - length` gaps of one skipped frame fall at random places. With fewer than `length` frames, all
    follow one another from a random first one, and begin again when they end.

    Args:
        frames: frames of the clip.
        length: frames wanted.
        rng: source of the draws.

    Returns:
        (length,) frame numbers.

    Raises:
        ValueError: `frames` or `length` is below 1.
    """
    _check(frames=frames, length=length)
    if frames < length:
        return (rng.integers(frames) + np.arange(length)) % frames
    if frames < 2 * length:
        return _with_skips(length, rng.choice(length + 1, frames - length, replace=False))
    bounds = _bounds(frames, length)
    return rng.integers(bounds[:-1], bounds[1:])


def uniform_test_indices(
    frames: int, length: int, clips: int, convention: Convention = "pyskl", seed: int = 255
) -> NDArray[np.int64]:
    """The test clips of a toolbox, frame by frame: what published accuracies were measured on.

    Both draw as `uniform_indices` does, from NumPy's legacy generator freshly seeded for every video; PYSKL
    draws two more numbers before each clip (its proportion of the video, here always 1), so the toolboxes
    look at different frames. In a clip of fewer than `length` frames nothing is random: clip i starts at
    frame `i * frames // clips`, or i where there are fewer frames than clips.

    Args:
        frames: frames of the video.
        length: frames of a clip.
        clips: how many clips; 10 in the published recipes.
        convention: whose.
        seed: 255 in both.

    Returns:
        (clips, length) frame numbers.

    Raises:
        ValueError: a number is below 1, or the convention is unknown.
    """
    _check(frames=frames, length=length, clips=clips)
    if convention not in ("pyskl", "mmaction2"):
        raise ValueError(f"unknown convention {convention!r}; expected 'pyskl' or 'mmaction2'")
    legacy = np.random.RandomState(seed)
    bounds = _bounds(frames, length)
    indices = np.empty((clips, length), np.int64)
    for clip in range(clips):
        if convention == "pyskl":
            legacy.random_sample()
            legacy.randint(1, dtype=np.int64)
        if frames < length:
            start = clip if frames < clips else clip * frames // clips
            indices[clip] = (start + np.arange(length)) % frames
        elif frames < 2 * length:
            indices[clip] = _with_skips(length, legacy.choice(length + 1, frames - length, replace=False))
        else:
            indices[clip] = bounds[:-1] + legacy.randint(np.diff(bounds), dtype=np.int64)
    return indices


def dense_window_indices(frames: int, length: int, stride: int) -> NDArray[np.int64]:
    """Windows of consecutive frames that together cover a recording, as for detection.

    They start at 0, `stride`, `2 * stride`, ...; if those leave frames over at the end, a last window
    ends with the last frame. A recording shorter than a window gives one, its last frame repeated.

    Args:
        frames: frames of the recording.
        length: frames of a window.
        stride: frames from the start of a window to that of the next, at most `length`.

    Returns:
        (windows, length) frame numbers.

    Raises:
        ValueError: a number is below 1, or `stride` is above `length`, which would leave frames out.
    """
    _check(frames=frames, length=length, stride=stride)
    if stride > length:
        raise ValueError(
            f"windows of {length} frames every {stride} leave frames out; use a stride up to {length}"
        )
    last = max(frames - length, 0)
    starts = np.arange(0, last + 1, stride)
    if starts[-1] < last:
        starts = np.append(starts, last)
    windows: NDArray[np.int64] = np.minimum(starts[:, None] + np.arange(length), frames - 1)
    return windows


def segment_indices(frames: int, segments: int, rng: np.random.Generator | None = None) -> NDArray[np.int64]:
    """One frame from each of equal segments (TSN, Wang et al., ECCV 2016).

    Random within its segment with a generator, as in training; the middle one without, as in testing. With
    fewer frames than segments some come more than once.

    Args:
        frames: frames of the clip.
        segments: how many.
        rng: source of the draws, or None.

    Returns:
        (segments,) frame numbers, in order of time.

    Raises:
        ValueError: a number is below 1.
    """
    _check(frames=frames, segments=segments)
    if rng is None:
        step = frames / segments  # in floating point, as every TSN code does it: a middle may round down
        return (np.arange(segments) * step + step / 2).astype(np.int64)
    bounds = _bounds(frames, segments)
    return rng.integers(bounds[:-1], np.maximum(bounds[1:], bounds[:-1] + 1))


def segment_test_indices(frames: int, segments: int, clips: int) -> NDArray[np.int64]:
    """Several test clips of one frame from each of equal segments.

    Clip i of n looks at the share (i + 0.5) / n of every segment: a single one at the middles, as
    `segment_indices` without a generator.

    Args:
        frames: frames of the video.
        segments: frames of a clip.
        clips: how many clips.

    Returns:
        (clips, segments) frame numbers, in order of time.

    Raises:
        ValueError: a number is below 1.
    """
    _check(frames=frames, segments=segments, clips=clips)
    step = frames / segments
    shares = (np.arange(clips) + 0.5) / clips
    found: NDArray[np.int64] = (np.arange(segments) * step + shares[:, None] * step).astype(np.int64)
    return found


def strided_indices(
    frames: int, length: int, stride: int, clips: int = 1, rng: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Clips of frames that follow one another at equal steps, as 3D networks take them (I3D, SlowFast).

    A clip takes `length * stride` frames of time. With a generator each starts anywhere it fits, as in
    training; without, clip i of n at the share (i + 0.5) / n of all places where it fits, as MMAction2 tests.
    A video that is shorter begins again when it ends.

    Args:
        frames: frames of the video.
        length: frames of a clip.
        stride: from one frame to the next.
        clips: how many clips.
        rng: source of the draws, or None.

    Returns:
        (clips, length) frame numbers.

    Raises:
        ValueError: a number is below 1.
    """
    _check(frames=frames, length=length, stride=stride, clips=clips)
    places = max(frames - length * stride + 1, 1)
    if rng is None:
        starts = ((np.arange(clips) + 0.5) * places / clips).astype(np.int64)
    else:
        starts = rng.integers(places, size=clips)
    numbers: NDArray[np.int64] = (starts[:, None] + stride * np.arange(length)) % frames
    return numbers


def _bounds(frames: int, segments: int) -> NDArray[np.int64]:
    """(segments + 1,) first frame of each of equal segments, and the end."""
    return np.arange(segments + 1, dtype=np.int64) * frames // segments


def _with_skips(length: int, skipped: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, 1, 2, ... (length of them), leaving out one frame before each of these places."""
    skips = np.zeros(length + 1, np.int64)
    skips[skipped] = 1
    return np.arange(length) + np.cumsum(skips)[:-1]


def _check(**numbers: int) -> None:
    """All at least 1."""
    if min(numbers.values()) < 1:
        got = ", ".join(f"{name} {value}" for name, value in numbers.items())
        raise ValueError(f"sampling needs every number to be at least 1, got {got}")
