from __future__ import annotations

import numpy as np
import pytest

from poses.sampling import segment_indices, segment_test_indices, strided_indices


@pytest.mark.parametrize(
    ("frames", "length", "stride", "clips", "expected"),
    [
        # as MMAction2's SampleFrames tests: starts at (i + 0.5) * (frames - length * stride + 1) / clips
        (20, 4, 2, 1, [[6, 8, 10, 12]]),  # 13 places
        (20, 4, 2, 2, [[3, 5, 7, 9], [9, 11, 13, 15]]),
        (8, 4, 2, 3, [[0, 2, 4, 6]] * 3),  # one place
        (5, 4, 2, 1, [[0, 2, 4, 1]]),  # shorter: from the beginning again
        (1, 3, 1, 1, [[0, 0, 0]]),
    ],
)
def test_strided_test_clips(frames, length, stride, clips, expected) -> None:
    assert strided_indices(frames, length, stride, clips).tolist() == expected


def test_strided_training_clips_start_anywhere_they_fit() -> None:
    rng = np.random.default_rng(0)
    found = strided_indices(20, 4, 2, clips=400, rng=rng)
    assert set(found[:, 0].tolist()) == set(range(13))
    assert (np.diff(found, axis=1) == 2).all()
    assert strided_indices(3, 4, 1, rng=rng).tolist() == [[0, 1, 2, 0]]


def test_a_single_segment_test_clip_is_the_middle_of_each_part() -> None:
    for frames in (1, 5, 8, 33, 100):
        np.testing.assert_array_equal(segment_test_indices(frames, 8, 1)[0], segment_indices(frames, 8))
    assert segment_test_indices(40, 4, 2).tolist() == [[2, 12, 22, 32], [7, 17, 27, 37]]


@pytest.mark.parametrize("numbers", [(0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)])
def test_numbers_below_one_are_refused(numbers) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        strided_indices(*numbers)
    if numbers[2]:
        with pytest.raises(ValueError, match="at least 1"):
            segment_test_indices(numbers[0], numbers[1], numbers[3])
