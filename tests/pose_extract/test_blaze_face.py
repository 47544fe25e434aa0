"""The face: its regions, and the 68 points' place in the mesh."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pose_extract.blaze_face import (
    FACE68_OF_MESH,
    MESH_POINTS,
    FaceLandmarks,
    FaceModels,
    FaceTrack,
    region_around,
    rough_region,
)
from pose_extract.geometry import Crop

HEAD = np.zeros((11, 2), np.float32)
HEAD[2], HEAD[5], HEAD[7], HEAD[8], HEAD[9] = (110, 100), (90, 100), (120, 105), (80, 105), (105, 130)
HEAD[[0, 1, 3, 4, 6, 10]] = (100, 110)


def test_the_68_points_are_68_different_vertices():
    assert len(FACE68_OF_MESH) == len(set(FACE68_OF_MESH)) == 68
    assert min(FACE68_OF_MESH) >= 0 and max(FACE68_OF_MESH) < MESH_POINTS


def test_rough_region_known_answer():
    # from x 80 to 120 and y 100 to 130; the eyes are level
    assert rough_region(HEAD) == Crop((100, 115), (120, 120), 0)


def test_the_region_turns_with_the_eyes():
    level = region_around(HEAD, [90, 100], [110, 100], scale=1.5)
    tilted = region_around(HEAD, [90, 100], [110, 110], scale=1.5)
    assert level.angle_rad == 0 and tilted.angle_rad == pytest.approx(math.atan2(10, 20))
    assert tilted.center_px == level.center_px and tilted.size_px == level.size_px == (60, 60)


@pytest.mark.parametrize("head", [np.full((11, 2), 7, np.float32), np.full((11, 2), np.nan, np.float32)])
def test_a_body_without_a_head_has_no_region(head):
    assert rough_region(head) is None


def test_region_of_the_mesh():
    mesh = np.full((MESH_POINTS, 2), 50, np.float32)
    mesh[33], mesh[263], mesh[10] = (30, 60), (70, 60), (50, 20)
    assert FaceLandmarks(mesh, 1.0).region == Crop((50, 40), (60, 60), 0)


@pytest.mark.weights
def test_a_blank_frame_has_no_face():
    from weights.fetch import find_weight

    models = FaceModels({name: find_weight(name) for name in ("face_detection_short_range", "face_landmark")})
    track = FaceTrack()
    track.last = FaceLandmarks(np.zeros((MESH_POINTS, 2), np.float32), 1.0)
    models.follow(np.full((300, 300, 3), 90, np.uint8), HEAD, track)
    assert track.last is None
