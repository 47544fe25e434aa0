"""Box decoding and weighted non-maximum suppression: tables of known answers."""

from __future__ import annotations

import numpy as np
import pytest

from pose_extract.blaze_detector import (
    POSE_DETECTOR,
    BlazeDetector,
    Detections,
    DetectorDesign,
    decode_detections,
    overlap,
    weighted_nms,
)
from pose_extract.litert_session import BrokenModelError

DESIGN = DetectorDesign(strides=(8,), low=0.0)
ANCHORS = np.array([[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]], np.float32)


def test_offsets_count_from_the_anchor_in_input_pixels():
    raw = np.zeros((3, 8), np.float32)
    raw[1] = [10, -20, 30, 40, 1, 2, -3, -4]
    found = decode_detections(raw, np.array([-9, 3, -9], np.float32), ANCHORS, 200, DESIGN)
    assert len(found) == 1
    np.testing.assert_allclose(found.box[0], [60 - 15, 130 - 20, 60 + 15, 130 + 20])
    np.testing.assert_allclose(found.keypoints[0], [[51, 152], [47, 146]])
    assert found.score[0] == pytest.approx(1 / (1 + np.exp(-3)))


@pytest.mark.parametrize(("logit", "kept"), [(0.0, 1), (-1e-3, 0), (1e9, 1), (-1e9, 0)])
def test_the_threshold_is_on_the_probability(logit, kept):
    raw = np.full((1, 8), 10, np.float32)
    found = decode_detections(raw, np.array([logit], np.float32), ANCHORS[:1], 200, DESIGN)
    assert len(found) == kept
    assert np.isfinite(found.score).all() and found.box.shape == (kept, 4)
    assert found.keypoints.shape == (kept, 2, 2)


def test_overlapping_answers_are_averaged_by_score_and_others_stay():
    box = np.array([[0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]], np.float32)
    keypoints = box[:, None, :2] + np.float32(1)
    score = np.array([0.9, 0.6, 0.7], np.float32)
    joined = weighted_nms(Detections(box[[0, 2, 1]], keypoints[[0, 2, 1]], score[[0, 2, 1]]), 0.3)
    np.testing.assert_allclose(joined.score, [0.9, 0.7])
    np.testing.assert_allclose(joined.box, [[0.8, 0, 10.8, 10], [50, 50, 60, 60]], rtol=1e-6)
    np.testing.assert_allclose(joined.keypoints, [[[1.8, 1]], [[51, 51]]], rtol=1e-6)


def test_nms_of_nothing_is_nothing():
    empty = np.empty(0, np.float32)
    nothing = Detections(empty.reshape(0, 4), empty.reshape(0, 2, 2), empty)
    assert len(weighted_nms(nothing, 0.3)) == 0


@pytest.mark.parametrize(
    ("other", "ratio"),
    [
        ((0, 0, 10, 10), 1.0),
        ((5, 0, 15, 10), 1 / 3),
        ((0, 0, 10, 5), 0.5),
        ((10, 0, 20, 10), 0.0),
        ((30, 30, 40, 40), 0.0),
        ((3, 3, 3, 3), 0.0),
    ],
)
def test_overlap(other, ratio):
    assert overlap((0, 0, 10, 10), np.array([other], np.float32))[0] == pytest.approx(ratio)


def test_two_empty_boxes_do_not_overlap():
    assert overlap((3, 3, 3, 3), np.array([[3, 3, 3, 3]], np.float32))[0] == 0


@pytest.mark.weights
def test_a_model_that_does_not_fit_the_design_is_refused():
    from weights.fetch import find_weight

    with pytest.raises(BrokenModelError, match="expected 2744 anchors, the model has 2254"):
        BlazeDetector(find_weight("pose_detection"), DetectorDesign(strides=(8, 16, 16, 16), low=0))


@pytest.mark.weights
@pytest.mark.parametrize("value", [0, 127, 255])
def test_an_even_frame_has_nobody(value):
    from weights.fetch import find_weight

    detector = BlazeDetector(find_weight("pose_detection"), POSE_DETECTOR)
    assert len(detector.detect(np.full((120, 90, 3), value, np.uint8))) == 0
