"""Chairs, and people who walk behind: limbs in the world around the one who is watched."""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator import render_look as paint
from fidget.benchmark.simulator.render_shapes import Reals, Shapes
from fidget.benchmark.simulator.subjects import Build

_SEAT_M = -0.135  # below the hip joints


def floor_m(build: Build, posture: str) -> float:
    """Height of the floor; the pelvis at rest is at 0."""
    legs = 0.97 * build.shin if posture == "seated" else 0.985 * (build.thigh + build.shin)
    return -legs - 0.085 * build.foot


def add_chair(shapes: Shapes, build: Build, rng: np.random.Generator) -> None:
    """A chair of one of three kinds below a seated person."""
    kind = rng.choice(["plain", "upholstered", "armchair"])
    wide, thick = (
        (0.21, 0.022) if kind == "plain" else (0.23, 0.04) if kind == "upholstered" else (0.27, 0.065)
    )
    seat = _SEAT_M * build.size - thick
    top = rng.uniform(0.28, 0.5) * build.size

    def point(x: float, y: float, z: float) -> Reals:
        return np.array([x, y, z], np.float32)

    for z in np.arange(-0.12, 0.33, thick):
        shapes.limb(point(-wide, seat, z), point(wide, seat, z), (thick, thick), paint.FURNITURE)
    low = 0.1 if kind == "plain" else seat
    for y in np.arange(low, top, thick if kind != "plain" else 0.1):
        z = -0.17 - 0.12 * (y - seat) - thick
        shapes.limb(point(-wide, y, z), point(wide, y, z), (thick, thick), paint.FURNITURE)
    floor = floor_m(build, "seated")
    for side in (-1.0, 1.0):
        for z in (-0.15, 0.3):
            foot = point(side * (wide + 0.02), floor, z)
            shapes.limb(point(side * wide, seat, z), foot, (0.014, 0.012), paint.METAL)
        back = point(side * wide, seat, -0.17), point(side * wide, top, -0.17 - 0.12 * (top - seat))
        shapes.limb(*back, (0.014, 0.014), paint.METAL)
        if kind == "armchair":
            arm = point(side * (wide + 0.08), 0.07, -0.2), point(side * (wide + 0.08), 0.05, 0.24)
            shapes.limb(*arm, (0.05, 0.055), paint.FURNITURE)
            below = point(side * (wide + 0.08), seat, -0.2), point(side * (wide + 0.08), seat, 0.24)
            shapes.limb(*below, (0.06, 0.06), paint.FURNITURE)


def add_passers_by(shapes: Shapes, floor: float, time_s: Reals, rng: np.random.Generator) -> None:
    """Up to three who walk across behind, `floor` metres high; each has two of the paints for others."""
    camera = shapes.camera
    right, _, into = np.array(camera.rotation()[0], np.float32)
    right, into = (axis * np.array([1, 0, 1], np.float32) for axis in (right, into))
    right, into = right / np.linalg.norm(right), into / np.linalg.norm(into)
    for i in range(int(rng.choice(4, p=[0.35, 0.3, 0.2, 0.15]))):
        behind, speed = rng.uniform(2.0, 6.0), rng.choice([-1, 1]) * rng.uniform(0.0, 1.5)
        start = rng.uniform(-0.5, 0.5) * behind - speed * float(time_s[-1]) * rng.uniform(0, 1)
        along = (start + speed * time_s).astype(np.float32)  # (T,)
        rate = 2 * np.pi * (0.35 + 0.6 * abs(speed))
        swing = (0.3 * min(abs(speed), 1.0) * np.sin(rate * time_s + rng.uniform(0, 6))).astype(np.float32)
        base = behind * into + along[:, None] * right  # (T, 3)
        cloth, legs = paint.OTHERS + 2 * (i % 3), paint.OTHERS + 2 * (i % 3) + 1
        tall = float(rng.uniform(0.9, 1.1))

        def at(x: Reals | float, y: float, base: Reals = base, tall: float = tall) -> Reals:
            aside = np.broadcast_to(np.asarray(x, np.float32), (len(time_s),))[:, None] * right
            return base + aside + np.array([0, floor + y * tall, 0], np.float32)

        shapes.limb(at(0.0, 0.95), at(0.0, 1.33), (0.15, 0.17), cloth)
        shapes.limb(at(0.0, 1.62), at(0.0, 1.66), (0.095, 0.1), paint.OTHERS + 6 + i % 2)
        for sign in (-1, 1):
            shapes.limb(at(0.07 * sign, 0.9), at(0.07 * sign + sign * swing, 0.05), (0.09, 0.06), legs)
            shapes.limb(
                at(0.18 * sign, 1.38), at(0.2 * sign - sign * 0.7 * swing, 0.85), (0.055, 0.045), cloth
            )
