"""The comparisons behind the accuracy table: known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.references import AnnotatedPeople, distance_in_heights

from poses.layout import get_layout

COCO17 = get_layout("coco17")


def standing(x: float) -> np.ndarray:
    """Joints of one person, (17, 2), 160 px high."""
    return np.stack([np.linspace(x, x + 50, 17), np.arange(17) * 10.0], axis=1)


def photograph(*x: float) -> AnnotatedPeople:
    xy_px = np.stack([standing(one) for one in x])
    boxes = np.array([[one, 0, one + 50, 160] for one in x])
    frame = np.zeros((200, 400, 3), np.uint8)
    return AnnotatedPeople(frame, xy_px, np.ones(xy_px.shape[:2], bool), boxes, np.full(len(x), 8000.0))


def test_distance_is_in_heights_of_the_reference():
    reference = np.stack([standing(0), standing(20)])
    assert distance_in_heights(reference, reference) == 0
    assert distance_in_heights(reference + np.array([0, 1.6]), reference) == pytest.approx(0.01)
    lacking = reference.copy()
    lacking[0, 3] = np.nan
    assert math.isnan(distance_in_heights(lacking, reference))


def test_each_annotated_person_is_judged_by_who_fits_best():
    truth = photograph(0, 200)
    people = np.stack([standing(203), standing(0), standing(330)])
    similarity = truth.similarity(people, COCO17)
    assert similarity[0] == 1 and 0.5 < similarity[1] < 1
    assert truth.found(people).tolist() == [True, True]


def test_who_is_elsewhere_or_not_there_is_not_found():
    truth = photograph(0, 200)
    assert truth.found(standing(200)[None]).tolist() == [False, True]
    nobody = np.zeros((0, 17, 2))
    assert truth.found(nobody).tolist() == [False, False]
    assert truth.similarity(nobody, COCO17).tolist() == [0, 0]


def test_a_joint_that_is_missing_counts_as_wrong():
    people = standing(0)[None].copy()
    people[0, :4] = np.nan
    assert photograph(0).similarity(people, COCO17) == pytest.approx([13 / 17])


def test_a_layout_without_sigmas_is_refused():
    layout = get_layout("openpose28")
    with pytest.raises(ValueError, match="openpose28 has no published OKS sigmas"):
        photograph(0).similarity(np.zeros((1, 28, 2)), layout)
