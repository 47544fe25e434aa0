"""A pinhole camera: joints in space become pixels.

World axes are the body's at rest: x to the subject's left, y up, z forward, metres. Pixels are x to the
right, y down, centres at integers. A camera at azimuth 0 stands before the subject, whose left is then on the
right of the picture; at a positive azimuth it stands to the subject's left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEAREST_M = 0.2


@dataclass(frozen=True, eq=False)
class Camera:
    """Where a camera stands and what it looks at; every value may change over time.

    Attributes:
        distance_m: from the point it looks at.
        azimuth: radians about the vertical, 0 frontal.
        elevation: radians above the horizontal, + looks down on the subject.
        roll: radians, + tilts the picture's content clockwise.
        target_m: (3,) or (T, 3) the point in the middle of the picture.
        focal_px: focal length in pixels.
        frame_hw: height and width of the picture.

    Raises:
        ValueError: a distance, a focal length or a frame that is not positive.
    """

    distance_m: float | NDArray[np.float32]
    azimuth: float | NDArray[np.float32]
    elevation: float | NDArray[np.float32]
    roll: float | NDArray[np.float32]
    target_m: NDArray[np.float32]
    focal_px: float | NDArray[np.float32]
    frame_hw: tuple[int, int]

    def __post_init__(self) -> None:
        smallest = min(float(np.min(self.distance_m)), float(np.min(self.focal_px)), *self.frame_hw)
        if not smallest > 0:
            raise ValueError(
                "a camera needs a distance, a focal length and a frame above 0, got "
                f"{np.min(self.distance_m)} m, {np.min(self.focal_px)} px and {self.frame_hw}"
            )

    def rotation(self) -> NDArray[np.float32]:
        """(T, 3, 3), or (1, 3, 3): rows are the picture's right, its down and the way into it."""
        azimuth, elevation, roll = np.broadcast_arrays(
            *(
                np.atleast_1d(np.asarray(angle, np.float32))
                for angle in (self.azimuth, self.elevation, self.roll)
            )
        )
        ca, sa, ce, se = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
        zero = np.zeros_like(ca)
        right = np.stack([ca, zero, -sa], -1)
        down = np.stack([sa * se, -ce, ca * se], -1)
        into = np.stack([-sa * ce, -se, -ca * ce], -1)
        c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
        turned = np.stack([c * right - s * down, s * right + c * down, into], 1)
        return turned.astype(np.float32)

    def project(self, joints_m: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Pixels (T, V, 2) and depths (T, V) metres of joints (T, V, 3).

        What is nearer than 0.2 m, or behind the camera, is put at 0.2 m.
        """
        target = np.broadcast_to(self.target_m, (len(joints_m), 3))[:, None]
        seen = np.matmul(joints_m - target, self.rotation().transpose(0, 2, 1))  # (T, V, 3)
        depth = seen[..., 2] + np.asarray(self.distance_m, np.float32).reshape(-1, 1)
        depth = np.maximum(depth, np.float32(_NEAREST_M))
        height, width = self.frame_hw
        middle = np.array([(width - 1) / 2, (height - 1) / 2], np.float32)
        focal = np.asarray(self.focal_px, np.float32).reshape(-1, 1)
        return seen[..., :2] * (focal / depth)[..., None] + middle, depth


def wander(rng: np.random.Generator, time_s: NDArray[np.float32], hz: float) -> NDArray[np.float32]:
    """(T,) smooth noise of about unit variance: four sines of random phase around a frequency."""
    rates = hz * rng.uniform(0.4, 1.6, 4).astype(np.float32)
    phases = rng.uniform(0, 2 * np.pi, 4).astype(np.float32)
    waves: NDArray[np.float32] = np.sin(2 * np.pi * rates * time_s[:, None] + phases)
    return waves.sum(axis=1) * np.float32(0.7071)
