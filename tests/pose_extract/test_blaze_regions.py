"""Regions spanned by points: known answers, and invariance under turning the whole scene."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose_extract.blaze_regions import (
    DOWN,
    RIGHT,
    FollowLimits,
    aligned_crop,
    angle_towards,
    square_region,
    still_fits,
    turned_box,
)
from pose_extract.geometry import Crop, apply, crop_matrix

LIMITS = FollowLimits(turn_rad=math.radians(40), shift=0.2, scale=0.4, margin=-0.1)
angles = st.floats(-3, 3)


@pytest.mark.parametrize(
    ("to", "direction", "angle"),
    [
        ((0, -5), math.pi / 2, 0),  # already up
        ((5, 0), math.pi / 2, math.pi / 2),  # lies to the right: the region is turned clockwise
        ((-5, 0), math.pi / 2, -math.pi / 2),
        ((5, 0), RIGHT, 0),
        ((0, 5), DOWN, 0),
        ((0, -5), DOWN, -math.pi),
    ],
)
def test_angle_towards(to, direction, angle):
    assert math.remainder(angle_towards((0, 0), to, direction) - angle, 2 * math.pi) == pytest.approx(0)


def test_a_standing_persons_region():
    crop = aligned_crop((100, 200), (100, 100), scale=1.25)
    assert crop.center_px == (100, 200) and crop.size_px == (250, 250) and crop.angle_rad == pytest.approx(0)


def test_a_lying_persons_region_shows_them_upright():
    crop = aligned_crop((100, 200), (200, 200))  # the head to the right
    shown = apply(crop_matrix(crop, (256, 256)), np.array([[100.0, 200.0], [200.0, 200.0]]))
    np.testing.assert_allclose(shown, [[127.5, 127.5], [127.5, -0.5]], atol=1e-9)


@given(angles, st.floats(0.5, 500), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_the_second_point_is_always_shown_straight_up(angle, reach, x, y):
    toward = (x + reach * math.cos(angle), y + reach * math.sin(angle))
    crop = aligned_crop((x, y), toward, scale=1.25)
    shown = apply(crop_matrix(crop, (256, 256)), np.array([toward]))
    np.testing.assert_allclose(shown, [[127.5, 127.5 - 128 / 1.25]], atol=1e-5)


def test_the_shift_follows_the_regions_own_direction():
    assert square_region((10, 10), (4, 8), 0, scale=2, shift_down=-0.5).center_px == pytest.approx((10, 6))
    turned = square_region((10, 10), (4, 8), math.pi / 2, scale=2, shift_down=-0.5)
    assert turned.center_px == pytest.approx((14, 10)) and turned.size_px == (16, 16)


def test_turned_box_known_answer():
    diamond = np.array([[5, 6], [6, 7], [5, 8], [4, 7]], float)
    assert turned_box(diamond, 0) == (pytest.approx([5, 7]), pytest.approx((2, 2)))
    center, size = turned_box(diamond, math.pi / 4)
    assert center == pytest.approx([5, 7]) and size == pytest.approx((math.sqrt(2), math.sqrt(2)))


@given(angles, st.floats(1, 300), st.floats(1, 300))
def test_turned_box_of_a_crops_corners_is_the_crop(angle, width, height):
    crop = Crop((20, -30), (width, height), angle)
    center, size = turned_box(crop.corners(), angle)
    assert center == pytest.approx([20, -30], abs=1e-6) and size == pytest.approx((width, height))


@pytest.mark.parametrize(
    ("followed", "points", "fits"),
    [
        (Crop((0, 0), (100, 100)), [[0, 0]], True),
        (Crop((19, 0), (100, 100)), [[0, 0]], True),
        (Crop((21, 0), (100, 100)), [[0, 0]], False),  # moved
        (Crop((0, -21), (100, 100)), [[0, 0]], False),
        (Crop((0, 0), (139, 139)), [[0, 0]], True),
        (Crop((0, 0), (141, 141)), [[0, 0]], False),  # grown
        (Crop((0, 0), (59, 59)), [[0, 0]], False),  # shrunk
        (Crop((0, 0), (100, 100), math.radians(39)), [[0, 0]], True),
        (Crop((0, 0), (100, 100), math.radians(41)), [[0, 0]], False),  # turned
        (Crop((0, 0), (100, 100), math.radians(360 - 39)), [[0, 0]], True),
        (Crop((0, 0), (100, 100)), [[44, -44]], True),
        (Crop((0, 0), (100, 100)), [[0, 0], [46, 0]], False),  # a point at the edge
    ],
)
@pytest.mark.parametrize("turn", [0, 1.0])
def test_still_fits(followed, points, fits, turn):
    """Every row holds as well when the whole scene is turned about the origin."""
    cos, sin = math.cos(turn), math.sin(turn)
    about = np.array([[cos, sin], [-sin, cos]])
    x, y = (np.array(followed.center_px) @ about).tolist()
    fresh = Crop((0, 0), (100, 100), turn)
    moved = Crop((x, y), followed.size_px, followed.angle_rad + turn)
    assert still_fits(moved, fresh, np.array(points, float) @ about, LIMITS) is fits
