"""Where to look: square regions spanned by points, and whether the last frame's region still fits.

Angles turn a region so that what it shows stands upright: the head above the hips, fingers above the wrist.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose_extract.geometry import Crop

UP, RIGHT, DOWN = math.pi / 2, 0.0, -math.pi / 2
"""Directions as seen in a region, counter-clockwise from the right."""


def angle_towards(from_px: Sequence[float], to_px: Sequence[float], direction: float = UP) -> float:
    """The region's angle at which a point lies in this direction of another."""
    seen = math.atan2(from_px[1] - to_px[1], to_px[0] - from_px[0])
    return math.remainder(direction - seen, 2 * math.pi)


def square_region(
    center_px: Sequence[float],
    size_px: tuple[float, float],
    angle_rad: float,
    scale: float = 1.0,
    shift_down: float = 0.0,
) -> Crop:
    """A square region around a rotated rectangle.

    Args:
        center_px: centre of the rectangle.
        size_px: its width and height; the longer one counts.
        angle_rad: of rectangle and region.
        scale: the longer side is multiplied by this.
        shift_down: the centre is moved down, in the region's own direction, by this share of the height.
    """
    shift = shift_down * size_px[1]
    x = center_px[0] - shift * math.sin(angle_rad)
    y = center_px[1] + shift * math.cos(angle_rad)
    side = max(size_px) * scale
    return Crop((x, y), (side, side), angle_rad)


def aligned_crop(
    center_px: Sequence[float],
    toward_px: Sequence[float],
    scale: float = 1.0,
    direction: float = UP,
    shift_down: float = 0.0,
) -> Crop:
    """The square around a point that reaches `scale` times as far as another point, and turns with it.

    Args:
        center_px: its centre, before the shift.
        toward_px: a point on the inner circle of the unscaled square.
        scale: the square is enlarged by this.
        direction: where the second point lies as seen in the crop.
        shift_down: as for `square_region`.
    """
    side = 2 * math.dist(center_px, toward_px)
    angle = angle_towards(center_px, toward_px, direction)
    return square_region(center_px, (side, side), angle, scale, shift_down)


def turned_box(points_px: NDArray[np.floating], angle_rad: float) -> tuple[list[float], tuple[float, float]]:
    """Centre and size of the smallest rectangle of this angle around points (K, 2)."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    along = points_px @ np.array([[cos, -sin], [sin, cos]])  # into the rectangle's own axes
    low, high = along.min(axis=0), along.max(axis=0)
    x, y = ((low + high) / 2).tolist()
    width, height = (high - low).tolist()
    return [x * cos - y * sin, x * sin + y * cos], (width, height)


@dataclass(frozen=True)
class FollowLimits:
    """How far a region may differ from a freshly found one and still be followed.

    Attributes:
        turn_rad: difference of the angles.
        shift: distance along each axis, as a share of the fresh region's side.
        scale: difference of the sides, as a share of the fresh region's side.
        margin: all points lie inside the fresh region when its sides are changed by this share.
    """

    turn_rad: float
    shift: float
    scale: float
    margin: float


def still_fits(followed: Crop, fresh: Crop, points_px: NDArray[np.floating], limits: FollowLimits) -> bool:
    """Whether a region from the last frame's points may be used where `fresh` was found in this frame."""
    side = fresh.size_px[0]
    turn = math.remainder(followed.angle_rad - fresh.angle_rad, 2 * math.pi)
    if abs(turn) > limits.turn_rad or abs(followed.size_px[0] - side) > limits.scale * side:
        return False
    cos, sin = math.cos(fresh.angle_rad), math.sin(fresh.angle_rad)
    into_axes = np.array([[cos, -sin], [sin, cos]])
    moved = (np.subtract(followed.center_px, fresh.center_px) @ into_axes) / side
    spread = ((points_px - np.asarray(fresh.center_px)) @ into_axes) / side
    return bool(np.abs(moved).max() <= limits.shift and np.abs(spread).max() < (1 + limits.margin) / 2)
