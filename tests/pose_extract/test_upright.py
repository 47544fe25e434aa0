from __future__ import annotations

import struct

import numpy as np
import pytest

from pose_extract.upright import Orientation

ONE = 1 << 16


def orientation(a: int, b: int, c: int, d: int) -> Orientation:
    return Orientation.from_display_matrix(struct.pack("=9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))


@pytest.mark.parametrize(
    ("a", "b", "c", "d"),
    [(ONE, 0, 0, ONE), (-ONE, 0, 0, -ONE), (0, ONE, -ONE, 0), (0, -ONE, ONE, 0),
     (-ONE, 0, 0, ONE), (ONE, 0, 0, -ONE), (0, ONE, ONE, 0), (0, -ONE, -ONE, 0)],
)  # fmt: skip
def test_every_pixel_goes_where_the_matrix_sends_it(a: int, b: int, c: int, d: int) -> None:
    height, width = 3, 4
    stored = np.arange(height * width * 3, dtype=np.uint8).reshape(height, width, 3)
    turned = orientation(a, b, c, d)
    upright = np.zeros((width, height, 3) if turned.transpose else (height, width, 3), np.uint8)
    turned.apply(stored, upright)
    for y in range(height):
        for x in range(width):
            shown_x, shown_y = (a * x + c * y) // ONE, (b * x + d * y) // ONE
            if a + c < 0:
                shown_x += upright.shape[1] - 1
            if b + d < 0:
                shown_y += upright.shape[0] - 1
            np.testing.assert_array_equal(upright[shown_y, shown_x], stored[y, x])


@pytest.mark.parametrize(
    ("degrees", "nearest"),
    [(0, 0), (10, 0), (44, 0), (46, 90), (135.5, 180), (-30, 0), (-80, 270), (181, 180)],
)
def test_an_odd_angle_goes_to_the_nearest_quarter(degrees: float, nearest: int) -> None:
    sine, cosine = (int(ONE * f(np.radians(degrees))) for f in (np.sin, np.cos))
    assert orientation(cosine, -sine, sine, cosine).rotation_deg == nearest


@pytest.mark.parametrize("matrix", [b"", b"\0" * 35, b"\0" * 36])
def test_no_matrix_or_nonsense_is_upright(matrix: bytes) -> None:
    found = Orientation.from_display_matrix(matrix)
    assert (found.rotation_deg, found.mirrored) == (0, False)


def test_padded_rows_are_read_as_they_are() -> None:
    padded = np.arange(3 * 16, dtype=np.uint8).reshape(3, 16)
    stored = padded[:, :12].reshape(3, 4, 3)
    assert np.shares_memory(stored, padded)
    for turned in (orientation(0, -ONE, ONE, 0), orientation(ONE, 0, 0, ONE), orientation(-ONE, 0, 0, ONE)):
        shape = (4, 3, 3) if turned.transpose else (3, 4, 3)
        one, other = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        turned.apply(stored, one)
        turned.apply(np.ascontiguousarray(stored), other)
        np.testing.assert_array_equal(one, other)
        assert one.any()
