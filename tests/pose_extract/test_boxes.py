from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_extract.boxes import areas, iou_matrix, match, suppress, to_frame


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 1.0),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 / 3),
        ((0, 0, 4, 4), (1, 1, 3, 3), 0.25),
        ((0, 0, 2, 2), (2, 0, 4, 2), 0.0),  # they touch
        ((0, 0, 2, 2), (5, 5, 6, 6), 0.0),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),  # no area, no division by it
        ((2, 2, 0, 0), (0, 0, 2, 2), 0.0),  # inside out
    ],
)
def test_iou_known_answers(a, b, iou) -> None:
    assert iou_matrix(np.array([a], float), np.array([b], float))[0, 0] == pytest.approx(iou)


def test_areas() -> None:
    assert areas(np.array([[0, 0, 2, 3], [5, 5, 4, 9]], float)).tolist() == [6, 0]


def test_suppression_keeps_the_surer_of_two_that_overlap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [0, 0, 10, 10]], np.float32)
    scores = np.array([0.8, 0.9, 0.5, 0.8], np.float32)
    assert suppress(boxes, scores, 0.5).tolist() == [1, 2]
    assert suppress(boxes, scores, 0.99).tolist() == [1, 0, 2]
    assert suppress(boxes[:0], scores[:0], 0.5).tolist() == []


@given(st.integers(0, 30), st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_what_suppression_keeps_does_not_overlap_and_covers_the_rest(count, seed, threshold) -> None:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 50, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 30, (count, 2))], axis=1).astype(np.float32)
    scores = rng.uniform(size=count).astype(np.float32)
    kept = suppress(boxes, scores, threshold)
    overlap = iou_matrix(boxes[kept], boxes[kept])
    assert np.all(overlap[~np.eye(len(kept), dtype=bool)] <= threshold)
    for lost in set(range(count)) - set(kept.tolist()):
        rivals = kept[scores[kept] >= scores[lost]]
        assert iou_matrix(boxes[lost][None], boxes[rivals]).max() > threshold


def test_to_frame_turns_edges_into_pixel_centres_and_clips() -> None:
    boxes, visible = to_frame(
        np.array([[0, 0, 10, 10], [-4, 2, 500, 8], [90, 90, 99, 99]], float), np.array([0.5, 1.0]), (20, 40)
    )
    np.testing.assert_allclose(boxes[:2], [[-0.5, -0.5, 19.5, 9.5], [-0.5, 1.5, 39.5, 7.5]])
    assert visible.tolist() == [True, True, False]


def test_match_is_best_in_total_not_greedy() -> None:
    a = np.array([[0, 0, 10, 10], [4, 0, 14, 10]], float)
    b = np.array([[3.5, 0, 13.5, 10], [7, 0, 17, 10]], float)
    # the second of a overlaps the first of b most, but then the first of a would stay alone
    assert match(a, b, 0.3) == [(0, 0), (1, 1)]


def test_match_leaves_strangers_alone() -> None:
    a = np.array([[0, 0, 10, 10]], float)
    assert match(a, a + 100, 0.3) == []
    assert match(a, np.concatenate([a + 100, a + 1]), 0.3) == [(0, 1)]
    assert match(a[:0], a, 0.3) == match(a, a[:0], 0.3) == []
