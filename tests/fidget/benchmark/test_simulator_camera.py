"""The simulator's camera: projections that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fidget.benchmark.simulator.camera import Camera, wander

ORIGIN = np.zeros(3, np.float32)
POINTS = {  # name -> metres: x to the subject's left, y up, z forward
    "middle": (0, 0, 0),
    "left": (1, 0, 0),
    "up": (0, 1, 0),
    "forward": (0, 0, 1),
}


def camera(azimuth: float = 0.0, elevation: float = 0.0, roll: float = 0.0, **more: object) -> Camera:
    chosen: dict[str, object] = {
        "target_m": ORIGIN,
        "distance_m": 4.0,
        "focal_px": 400.0,
        "frame_hw": (101, 201),
    }
    return Camera(azimuth=azimuth, elevation=elevation, roll=roll, **{**chosen, **more})


# Frame of 201 x 101: the middle is (100, 50); one metre across at 4 m is 100 px.
KNOWN = [
    ({}, "middle", (100, 50), 4),
    ({}, "left", (200, 50), 4),  # the subject's left is on the right of the picture
    ({}, "up", (100, -50), 4),
    ({}, "forward", (100, 50), 3),
    ({"azimuth": np.pi / 2}, "left", (100, 50), 3),  # from the subject's left
    ({"azimuth": np.pi / 2}, "forward", (0, 50), 4),
    ({"azimuth": -np.pi / 2}, "forward", (200, 50), 4),
    ({"elevation": np.pi / 2}, "up", (100, 50), 3),  # from above
    ({"elevation": np.pi / 2}, "forward", (100, 150), 4),
    ({"roll": np.pi / 2}, "left", (100, 150), 4),  # clockwise: what was on the right is below
    ({"distance_m": 5.0}, "left", (180, 50), 5),
    ({"target_m": np.array([0, 1, 0], np.float32)}, "middle", (100, 150), 4),
]


@pytest.mark.parametrize(("settings", "point", "pixel", "depth"), KNOWN)
def test_known_projections(settings: dict, point: str, pixel: tuple[float, float], depth: float) -> None:
    joints = np.array([[POINTS[point]]], np.float32)
    xy_px, depth_m = camera(**settings).project(joints)
    np.testing.assert_allclose(xy_px[0, 0], pixel, atol=1e-3)
    assert depth_m[0, 0] == pytest.approx(depth, abs=1e-4)


def test_a_camera_that_changes_over_time_is_one_camera_a_frame() -> None:
    rng = np.random.default_rng(0)
    joints = rng.normal(0, 0.5, (5, 7, 3)).astype(np.float32)
    azimuth = rng.uniform(-1, 1, 5).astype(np.float32)
    distance = rng.uniform(2, 4, 5).astype(np.float32)
    target = rng.normal(0, 0.1, (5, 3)).astype(np.float32)
    moving, _ = camera(azimuth=azimuth, distance_m=distance, target_m=target).project(joints)
    for t in range(5):
        one = camera(azimuth=float(azimuth[t]), distance_m=float(distance[t]), target_m=target[t])
        still, _ = one.project(joints[t : t + 1])
        np.testing.assert_allclose(moving[t], still[0], atol=1e-3)


def test_its_axes_are_a_rotation() -> None:
    turned = camera(0.7, -0.3, 0.4).rotation()[0]
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(turned) == pytest.approx(1, abs=1e-5)


def test_what_is_behind_the_camera_stays_finite() -> None:
    xy_px, depth_m = camera().project(np.array([[[0.1, 0, 9]]], np.float32))
    assert np.isfinite(xy_px).all()
    assert depth_m[0, 0] == pytest.approx(0.2)


@pytest.mark.parametrize("more", [{"distance_m": 0.0}, {"focal_px": -1.0}, {"frame_hw": (0, 10)}])
def test_a_camera_that_cannot_be_is_refused(more: dict) -> None:
    with pytest.raises(ValueError, match="above 0"):
        camera(**more)


def test_wandering_is_smooth_and_of_about_unit_size() -> None:
    time_s = np.arange(3000, dtype=np.float32) / 30
    waves = np.stack([wander(np.random.default_rng(seed), time_s, 0.5) for seed in range(20)])
    assert waves.std() == pytest.approx(1, abs=0.1)
    assert np.abs(np.diff(waves)).max() <= 2.83 * 2 * np.pi * 0.8 / 30  # the fastest of four sines in step
