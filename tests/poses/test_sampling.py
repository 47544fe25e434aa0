"""Frame numbers against those of the two toolboxes, and what must hold for any clip."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poses.sampling import dense_window_indices, segment_indices, uniform_indices, uniform_test_indices

numbers = st.integers(1, 150)
seeds = st.integers(0, 2**32 - 1)

# Answers of pyskl (3f6795f) and mmaction2 (4d6c934) themselves: frames, length, clips -> frame numbers.
PUBLISHED = [
    (30, 6, 2, "pyskl", [[1, 5, 11, 17, 24, 26], [2, 6, 14, 19, 21, 25]]),
    (30, 6, 2, "mmaction2", [[3, 6, 11, 15, 21, 27], [4, 6, 10, 19, 22, 26]]),
    (9, 6, 2, "pyskl", [[0, 1, 3, 5, 7, 8], [0, 2, 3, 4, 5, 7]]),
    (9, 6, 2, "mmaction2", [[1, 2, 3, 4, 6, 7], [0, 1, 2, 4, 6, 7]]),
    (4, 6, 3, "pyskl", [[0, 1, 2, 3, 0, 1], [1, 2, 3, 0, 1, 2], [2, 3, 0, 1, 2, 3]]),
    (2, 6, 3, "mmaction2", [[0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0], [0, 1, 0, 1, 0, 1]]),
    (25, 4, 1, "pyskl", [[1, 11, 12, 23]]),
    (25, 4, 1, "mmaction2", [[3, 7, 13, 24]]),
]

# CRC-32 of the frame numbers as little-endian int32: frames, length, clips, pyskl, mmaction2.
PUBLISHED_CRC32 = [
    (20, 48, 10, 837450478, 837450478),
    (48, 48, 10, 579056089, 579056089),
    (60, 48, 10, 294939881, 281766709),
    (79, 48, 10, 4072137001, 3775280379),
    (120, 48, 10, 1919967337, 2679227406),
    (300, 48, 10, 1050931831, 2663928326),
    (1000, 100, 10, 2889840484, 527770173),
]


@pytest.mark.parametrize(("frames", "length", "clips", "convention", "expected"), PUBLISHED)
def test_test_clips_are_the_toolboxes_own(
    frames: int, length: int, clips: int, convention: str, expected: list[list[int]]
) -> None:
    assert uniform_test_indices(frames, length, clips, convention).tolist() == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("frames", "length", "clips", "pyskl", "mmaction2"), PUBLISHED_CRC32)
def test_test_clips_of_published_size_are_the_toolboxes_own(
    frames: int, length: int, clips: int, pyskl: int, mmaction2: int
) -> None:
    for convention, crc32 in (("pyskl", pyskl), ("mmaction2", mmaction2)):
        indices = uniform_test_indices(frames, length, clips, convention)  # type: ignore[arg-type]
        assert indices.shape == (clips, length) and indices.dtype == np.int64
        assert zlib.crc32(indices.astype("<i4").tobytes()) == crc32


def test_the_toolboxes_look_at_different_frames() -> None:
    ours, theirs = (uniform_test_indices(300, 48, 10, c) for c in ("pyskl", "mmaction2"))  # type: ignore[arg-type]
    assert np.mean(ours == theirs) == pytest.approx(0.16, abs=0.01)


def test_another_seed_gives_other_test_clips() -> None:
    assert (uniform_test_indices(300, 48, 2) != uniform_test_indices(300, 48, 2, seed=1)).any()


@given(numbers, numbers, seeds)
@settings(deadline=None)
def test_a_training_clip_is_in_order_and_one_from_each_segment(frames: int, length: int, seed: int) -> None:
    indices = uniform_indices(frames, length, np.random.default_rng(seed))
    assert indices.shape == (length,) and indices.min() >= 0 and indices.max() < frames
    steps = np.diff(indices)
    if frames < length:
        assert np.all((steps == 1) | (indices[1:] == 0))
    else:
        assert np.all(steps >= 1)
    if length <= frames < 2 * length:
        assert np.all(steps <= 2)
    elif frames >= 2 * length:
        np.testing.assert_array_equal(
            np.searchsorted([i * frames // length for i in range(length)], indices, side="right"),
            np.arange(1, length + 1),
        )


@pytest.mark.parametrize(("frames", "expected"), [(4, 4), (6, 1), (9, 35), (30, None)])
def test_training_clips_differ_only_where_they_can(frames: int, expected: int | None) -> None:
    rng = np.random.default_rng(0)
    clips = {tuple(uniform_indices(frames, 6, rng)) for _ in range(3000)}
    if expected is None:
        assert len(clips) > 2500
    else:  # of nine frames: three skips at seven places, all told 7 over 3
        assert len(clips) == expected


def test_every_frame_has_its_chance() -> None:
    rng = np.random.default_rng(1)
    counts = np.bincount(np.concatenate([uniform_indices(40, 8, rng) for _ in range(4000)]), minlength=40)
    assert np.all(np.abs(counts - 800) < 5 * np.sqrt(800))


@given(numbers, st.integers(1, 20), st.integers(1, 12), st.sampled_from(["pyskl", "mmaction2"]))
@settings(deadline=None)
def test_test_clips_stay_within_the_video(frames: int, length: int, clips: int, convention: str) -> None:
    indices = uniform_test_indices(frames, length, clips, convention)  # type: ignore[arg-type]
    assert indices.min() >= 0 and indices.max() < frames
    if frames >= length:
        assert np.all(np.diff(indices, axis=1) >= 1)


def test_the_global_generator_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    uniform_test_indices(100, 16, 10)
    uniform_indices(100, 16, np.random.default_rng(0))
    segment_indices(100, 8, np.random.default_rng(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_same_generator_state_gives_the_same_frames() -> None:
    for sample in (uniform_indices, segment_indices):
        first, again = (sample(100, 16, np.random.default_rng(7)) for _ in range(2))
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("frames", "length", "stride", "expected"),
    [
        (8, 4, 4, [[0, 1, 2, 3], [4, 5, 6, 7]]),
        (9, 4, 4, [[0, 1, 2, 3], [4, 5, 6, 7], [5, 6, 7, 8]]),
        (6, 4, 2, [[0, 1, 2, 3], [2, 3, 4, 5]]),
        (7, 4, 3, [[0, 1, 2, 3], [3, 4, 5, 6]]),
        (4, 4, 1, [[0, 1, 2, 3]]),
        (2, 4, 2, [[0, 1, 1, 1]]),
        (1, 3, 1, [[0, 0, 0]]),
    ],
)
def test_dense_windows(frames: int, length: int, stride: int, expected: list[list[int]]) -> None:
    assert dense_window_indices(frames, length, stride).tolist() == expected


@given(numbers, numbers, numbers)
def test_dense_windows_cover_every_frame_once_at_least(frames: int, length: int, stride: int) -> None:
    stride = min(stride, length)
    windows = dense_window_indices(frames, length, stride)
    assert set(windows.ravel().tolist()) == set(range(frames))
    starts = windows[:, 0]
    assert np.all(np.diff(starts) >= 1) and np.all(np.diff(starts) <= stride)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (1, [0] * 8),
        (5, [0, 0, 1, 2, 2, 3, 4, 4]),
        (8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (30, [1, 5, 9, 13, 16, 20, 24, 28]),
        (79, [4, 14, 24, 34, 44, 54, 64, 74]),
    ],
)
def test_middles_of_eight_segments_as_in_mmaction2(frames: int, expected: list[int]) -> None:
    assert segment_indices(frames, 8).tolist() == expected


@given(numbers, st.integers(1, 40), seeds)
@settings(deadline=None)
def test_random_segments_hold_one_frame_each(frames: int, segments: int, seed: int) -> None:
    indices = segment_indices(frames, segments, np.random.default_rng(seed))
    bounds = np.arange(segments + 1) * frames // segments
    assert np.all(indices >= bounds[:-1]) and np.all(indices < np.maximum(bounds[1:], bounds[:-1] + 1))
    assert indices.max() < frames


def test_impossible_numbers_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="frames 0"):
        uniform_indices(0, 8, rng)
    with pytest.raises(ValueError, match="clips 0"):
        uniform_test_indices(10, 8, 0)
    with pytest.raises(ValueError, match="'pyskl' or 'mmaction2'"):
        uniform_test_indices(10, 8, 1, "mmaction")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="stride up to 4"):
        dense_window_indices(10, 4, 5)
    with pytest.raises(ValueError, match="length -1"):
        dense_window_indices(10, -1, 5)
    with pytest.raises(ValueError, match="segments 0"):
        segment_indices(10, 0)
