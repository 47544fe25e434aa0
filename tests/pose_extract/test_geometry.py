"""Crops and their inverses: known answers, and properties that hold for every crop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose_extract.geometry import (
    Crop,
    CropWarper,
    apply,
    crop_matrix,
    crop_of_box,
    invert,
    letterbox_crop,
    warp,
)

crops = st.builds(
    Crop,
    st.tuples(st.floats(-2000, 4000), st.floats(-2000, 4000)),
    st.tuples(st.floats(2, 4000), st.floats(2, 4000)),
    st.floats(-10, 10),
)
sizes = st.tuples(st.integers(2, 512), st.integers(2, 512))


@pytest.mark.parametrize(
    ("crop", "out_hw", "frame_xy", "crop_xy"),
    [
        # the whole frame onto itself: nothing moves
        (Crop((1.5, 2.5), (4, 6)), (6, 4), (3, 5), (3, 5)),
        # twice as large: the first pixel's centre lies between the first two
        (Crop((1.5, 1.5), (4, 4)), (8, 8), (0, 0), (0.5, 0.5)),
        # half as large: the outer edge stays the outer edge
        (Crop((1.5, 1.5), (4, 4)), (2, 2), (-0.5, 3.5), (-0.5, 1.5)),
        # the centre goes to the centre, whatever the angle
        (Crop((100, 50), (20, 20), 1.1), (256, 256), (100, 50), (127.5, 127.5)),
        # a quarter turn clockwise: what lies to the right in the frame is up in the crop's output
        (Crop((10, 10), (4, 4), math.pi / 2), (4, 4), (11.5, 10), (1.5, 0)),
        (Crop((10, 10), (4, 4), math.pi / 2), (4, 4), (10, 11.5), (3, 1.5)),
    ],
)
def test_crop_matrix_known_answers(crop, out_hw, frame_xy, crop_xy):
    np.testing.assert_allclose(
        apply(crop_matrix(crop, out_hw), np.array(frame_xy, float)), crop_xy, atol=1e-12
    )


@given(crops, sizes)
def test_corners_meet_the_outputs_corners(crop, out_hw):
    height, width = out_hw
    expected = [(-0.5, -0.5), (width - 0.5, -0.5), (width - 0.5, height - 0.5), (-0.5, height - 0.5)]
    np.testing.assert_allclose(apply(crop_matrix(crop, out_hw), crop.corners()), expected, atol=1e-5)


@given(crops, sizes, st.tuples(st.floats(-3000, 3000), st.floats(-3000, 3000)))
def test_there_and_back(crop, out_hw, xy):
    matrix = crop_matrix(crop, out_hw)
    there = apply(matrix, np.array(xy))
    np.testing.assert_allclose(apply(invert(matrix), there), xy, atol=1e-5)
    np.testing.assert_allclose(invert(invert(matrix)), matrix, atol=1e-6)


@given(st.integers(1, 4000), st.integers(1, 4000), sizes)
def test_letterbox_holds_the_frame_and_touches_two_sides(height, width, out_hw):
    matrix = crop_matrix(letterbox_crop((height, width), out_hw), out_hw)
    assert matrix[0, 0] == pytest.approx(matrix[1, 1])
    (left, top), (right, bottom) = apply(matrix, np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]))
    assert min(left, top) == pytest.approx(-0.5, abs=1e-6)
    assert left + right == pytest.approx(out_hw[1] - 1)
    assert top + bottom == pytest.approx(out_hw[0] - 1)
    assert max(right - (out_hw[1] - 0.5), bottom - (out_hw[0] - 0.5)) == pytest.approx(0, abs=1e-6)


def test_crop_of_box_pads_and_reaches_the_aspect():
    assert crop_of_box((10, 20, 30, 60)) == Crop((20, 40), (20, 40))
    assert crop_of_box((10, 20, 30, 60), padding=1.25) == Crop((20, 40), (25, 50))
    assert crop_of_box((10, 20, 30, 60), aspect=0.75) == Crop((20, 40), (30, 40))
    assert crop_of_box((0, 0, 40, 10), aspect=0.5) == Crop((20, 5), (40, 80))


@given(crops, sizes)
@settings(max_examples=20, deadline=None)
def test_apply_keeps_dtype_shape_and_nan(crop, out_hw):
    xy = np.full((2, 3, 2), np.nan, np.float32)
    xy[0] = 1
    moved = apply(crop_matrix(crop, out_hw), xy)
    assert moved.dtype == np.float32 and moved.shape == xy.shape
    assert np.isnan(moved[1]).all() and np.isfinite(moved[0]).all()


def test_warp_puts_pixels_where_apply_puts_points():
    frame = np.zeros((60, 80, 3), np.uint8)
    frame[20, 30] = 255
    crop = Crop((32, 22), (16, 16), math.pi / 2)
    matrix = crop_matrix(crop, (48, 48))
    drawn = warp(frame, matrix, (48, 48))[..., 0].astype(float)
    rows, columns = np.mgrid[:48, :48]
    seen = np.array([(drawn * columns).sum(), (drawn * rows).sum()]) / drawn.sum()
    np.testing.assert_allclose(seen, apply(matrix, np.array([30.0, 20.0])), atol=0.1)


def test_warp_of_the_frame_itself_changes_nothing():
    frame = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    whole = crop_of_box((-0.5, -0.5, 6.5, 4.5))
    out = np.empty_like(frame)
    assert warp(frame, crop_matrix(whole, (5, 7)), (5, 7), out=out) is out
    np.testing.assert_array_equal(out, frame)


def test_warp_border():
    frame = np.full((4, 4, 3), 200, np.uint8)
    matrix = crop_matrix(Crop((1.5, 1.5), (12, 4)), (4, 12))
    assert (warp(frame, matrix, (4, 12))[:, 0] == 0).all()
    assert (warp(frame, matrix, (4, 12), border=(1, 2, 3))[0, 0] == (1, 2, 3)).all()
    assert (warp(frame, matrix, (4, 12), border=None) == 200).all()


@pytest.mark.parametrize("bad", [((0, 0), (0, 1)), ((0, 0), (1, -1)), ((math.nan, 0), (1, 1))])
def test_a_crop_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="finite numbers and a size above 0"):
        Crop(*bad)


def test_a_flat_matrix_has_no_inverse():
    with pytest.raises(ValueError, match="determinant"):
        invert([[1, 2, 0], [2, 4, 0]])


@given(
    st.tuples(st.floats(-60, 160), st.floats(-60, 140)),
    st.tuples(st.floats(4, 300), st.floats(4, 190)),  # at most four times the output
    st.floats(-4, 4),
)
@settings(max_examples=60, deadline=None)
def test_the_warper_draws_what_warp_draws(center, size, angle):
    y, x, channel = np.mgrid[:80, :100, :3]
    frame = (127 + 60 * np.sin(x / 5 + channel) + 60 * np.cos(y / 4)).astype(np.uint8)
    crop = Crop(center, size, angle)
    drawn, matrix = CropWarper((48, 64)).draw(frame, crop)
    np.testing.assert_array_equal(matrix, crop_matrix(crop, (48, 64)))
    expected = warp(frame, matrix, (48, 64))
    assert np.abs(drawn[..., :3].astype(int) - expected).max() <= 1


def test_one_warper_serves_large_and_small_crops_and_none():
    frame = np.full((60, 80, 3), 9, np.uint8)
    warper = CropWarper((8, 8))
    for crop, value in (
        (Crop((40, 30), (20, 20)), 9),
        (Crop((900, 30), (20, 20)), 0),
        (Crop((40, 30), (40, 40)), 9),
    ):
        assert (warper.draw(frame, crop)[0][..., :3] == value).all()


@pytest.mark.parametrize("angle", [0.0, 0.2, 1.5])
@pytest.mark.parametrize("size", [210, 400, 480])
def test_leaving_rows_out_moves_nothing(size, angle):
    """Crops drawn at a quarter of their size and less show a smooth picture as `warp` does."""
    y, x, channel = np.mgrid[:640, :600, :3]
    frame = (127 + 60 * np.sin(x / 60 + channel) + 60 * np.cos(y / 50)).astype(np.uint8)
    drawn, matrix = CropWarper((48, 48)).draw(frame, Crop((300, 320), (size, size), angle))
    expected = warp(frame, matrix, (48, 48)).astype(int)
    inside = expected.min(axis=-1) > 0
    difference = (drawn[..., :3] - expected)[inside]
    assert np.abs(difference).max() <= 3 and np.abs(difference.mean()) < 0.1
