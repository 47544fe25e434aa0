"""A placed body as limbs and ellipsoids: trunk, arms and legs, hands with fingers, a head with a face."""

from __future__ import annotations

import numpy as np

from fidget.benchmark.simulator import render_look as paint
from fidget.benchmark.simulator.body import PlacedBody
from fidget.benchmark.simulator.places import CHEST, HEAD, PELVIS, WAIST
from fidget.benchmark.simulator.render_look import Look
from fidget.benchmark.simulator.render_shapes import Reals, Shapes
from fidget.benchmark.simulator.subjects import Build

# COCO-WholeBody's numbers.
_EARS, _SHOULDERS, _ELBOWS, _WRISTS, _HIPS, _KNEES, _ANKLES = 3, 5, 7, 9, 11, 13, 15
_FEET, _FACE, _HANDS = 17, 23, 91
_HAIR_PLANE = (0.0, 0.68, -0.73)
_LONG_ENDS = 0.16  # metres from the ears down


def add_body(shapes: Shapes, body: PlacedBody, build: Build, look: Look) -> None:
    """Add everything of a person."""
    _add_trunk(shapes, body, build, look)
    for side in range(2):
        _add_arm(shapes, body.joints_m, side, build, look)
        _add_hand(shapes, body.joints_m, side, build)
        _add_leg(shapes, body.joints_m, side, build, look)
    _add_head(shapes, body, build, look)
    _add_face(shapes, body, build, look)


def _at(body: PlacedBody, frame: int, x: float, y: float, z: float) -> Reals:
    """(T, 3) the world's place of a point of a rigid frame."""
    turned: Reals = np.matmul(body.rotations[:, frame], np.array([x, y, z], np.float32))
    return body.origins_m[:, frame] + turned


def _add_trunk(shapes: Shapes, body: PlacedBody, build: Build, look: Look) -> None:
    size, joints = build.size, body.joints_m
    broad, deep = build.shoulder_half / 0.182 * look.girth**0.5, build.depth * look.girth * size
    hips = _at(body, PELVIS, 0, -0.015 * size, 0)
    waist = _at(body, WAIST, 0, 0, 0.01 * size)
    ribs = _at(body, CHEST, 0, -0.15 * size, 0.01 * size)
    low, mid, high = (0.158 * broad, 0.112 * deep), (0.138 * broad, 0.1 * deep), (0.162 * broad, 0.108 * deep)
    seat = _at(body, PELVIS, 0, -0.045 * size, 0), _at(body, PELVIS, 0, 0.06 * size, 0)
    under = (0.95 * low[0], 0.9 * low[1])
    shapes.wide_limb(*seat, body.rotations[:, PELVIS], (under, under), paint.TROUSERS, 0.5)
    shapes.wide_limb(hips, waist, body.rotations[:, PELVIS], (low, mid), paint.SHIRT, 0.12, (0.0, 0.2))
    shapes.wide_limb(waist, ribs, body.rotations[:, CHEST], (mid, high), paint.SHIRT, 0.75, (0.2, 0.4))
    for side in range(2):
        outward = 1.0 - 2.0 * side
        near = _at(body, CHEST, 0.045 * outward * size, -0.01 * size, -0.01 * size)
        below = _at(body, CHEST, 0.07 * outward * size, -0.075 * size, 0)
        shoulder = joints[:, _SHOULDERS + side]
        slope = (0.034 * size, 0.05 * size * look.girth)
        shapes.limb(near, shoulder, slope, paint.SHIRT, cloth=(0.45, 0.5))
        shapes.limb(below, shoulder, (0.07 * size, slope[1]), paint.SHIRT, cloth=(0.42, 0.5))
    neck = 0.05 * size * look.girth**0.5
    shapes.limb(
        _at(body, CHEST, 0, -0.04 * size, 0.0),
        _at(body, HEAD, 0, -0.05 * size, -0.02 * size),
        (neck * 1.1, neck),
        paint.SKIN,
    )
    for side in range(2):  # the neckline: skin in an opening, so that the shirt has a front
        shapes.limb(
            _at(body, CHEST, 0, -0.035 * size, 0.075 * deep),
            _at(body, CHEST, 0.028 * (1 - 2 * side) * size, 0.0, 0.06 * deep),
            (0.014 * size, 0.02 * size),
            paint.SKIN,
            nearer=0.05,
        )
    if look.trim:
        front = [
            _at(body, CHEST, 0, -0.05 * size, 0.105 * deep),
            _at(body, CHEST, 0, -0.15 * size, 0.135 * deep),
            _at(body, WAIST, 0, 0.02 * size, 0.125 * deep),
            _at(body, PELVIS, 0, -0.01 * size, 0.13 * deep),
        ]
        shapes.line(np.stack(front, 1), look.trim, paint.TRIM, nearer=0.06)


def _add_arm(shapes: Shapes, joints: Reals, side: int, build: Build, look: Look) -> None:
    thick = build.size * look.girth
    shoulder, elbow, wrist = (joints[:, first + side] for first in (_SHOULDERS, _ELBOWS, _WRISTS))
    if look.sleeves == "long":
        shapes.limb(shoulder, elbow, (0.052 * thick, 0.044 * thick), paint.SHIRT, cloth=(0.0, 0.28))
        cuff = elbow + 0.93 * (wrist - elbow)
        shapes.limb(elbow, cuff, (0.044 * thick, 0.034 * thick), paint.SHIRT, rounded=0.6, cloth=(0.3, 0.55))
        shapes.limb(elbow + 0.8 * (wrist - elbow), wrist, (0.024 * thick, 0.025 * thick), paint.SKIN)
    else:
        hem = shoulder + 0.6 * (elbow - shoulder)
        shapes.limb(shoulder, hem, (0.052 * thick, 0.05 * thick), paint.SHIRT, rounded=0.5, cloth=(0.0, 0.17))
        under = shoulder + 0.4 * (elbow - shoulder)
        shapes.limb(under, elbow, (0.041 * thick, 0.041 * thick), paint.SKIN)
        shapes.limb(elbow, wrist, (0.041 * thick, 0.027 * thick), paint.SKIN)


def _add_hand(shapes: Shapes, joints: Reals, side: int, build: Build) -> None:
    hand = joints[:, _HANDS + 21 * side : _HANDS + 21 * (side + 1)]  # (T, 21, 3)
    thick = 1.08 * build.hand
    for knuckle in (5, 9, 13, 17):
        shapes.limb(hand[:, 0], hand[:, knuckle], (0.019 * thick, 0.0135 * thick), paint.SKIN)
    shapes.limb(hand[:, 0], hand[:, 1], (0.018 * thick, 0.015 * thick), paint.SKIN)
    shapes.limb(hand[:, 1], hand[:, 5], (0.012 * thick, 0.012 * thick), paint.SKIN)
    for first, root, tip in (
        (1, 0.0135, 0.0098),
        (5, 0.0115, 0.0088),
        (9, 0.0115, 0.009),
        (13, 0.011, 0.0088),
        (17, 0.01, 0.008),
    ):
        for bone in range(3):
            radii = tuple(thick * (root + (tip - root) * (bone + end) / 3) for end in (0, 1))
            start, end = hand[:, first + bone], hand[:, first + bone + 1]
            shapes.limb(start, end, (radii[0], radii[1]), paint.SKIN, nearer=0.003)


def _add_leg(shapes: Shapes, joints: Reals, side: int, build: Build, look: Look) -> None:
    thick = build.size * look.girth
    hip, knee, ankle = (joints[:, first + side] for first in (_HIPS, _KNEES, _ANKLES))
    toes = _FEET + 3 * side
    shapes.limb(hip, knee, (0.088 * thick, 0.063 * thick), paint.TROUSERS)
    shapes.limb(knee, ankle, (0.063 * thick, 0.046 * thick), paint.TROUSERS)
    sole = 0.034 * build.foot
    ball = 0.5 * (joints[:, toes] + joints[:, toes + 1])
    shapes.limb(joints[:, toes + 2], ball, (sole, 1.15 * sole), paint.SHOES)
    shapes.limb(ankle, joints[:, toes + 2], (0.036 * thick, sole), paint.SHOES)
    shapes.limb(ankle, ball, (0.036 * thick, 0.9 * sole), paint.SHOES)


def _add_head(shapes: Shapes, body: PlacedBody, build: Build, look: Look) -> None:
    size, width, turned = build.head, build.head * build.face_width, body.rotations[:, HEAD]
    skull = (0.077 * width, 0.116 * size, 0.097 * size)
    middle = _at(body, HEAD, 0, 0.02 * size, 0)
    shapes.ellipsoid(middle, turned, skull, paint.SKIN)
    chin = body.joints_m[:, _FACE + 8]
    up = np.matmul(turned, np.array([0, 0.052, -0.052], np.float32) * np.float32(size))
    jaw = (0.066 * width, 0.064 * size, 0.066 * size)
    cheeks = chin + up  # between its own light and the skull's: no crease, no dark chin
    shapes.ellipsoid(cheeks, turned, jaw, paint.SKIN, lit_from=0.6 * cheeks + 0.4 * middle)
    for side in range(2):
        ear = body.joints_m[:, _EARS + side]
        up = np.matmul(turned, np.array([0, 0.018, 0.004], np.float32) * np.float32(size))
        shapes.limb(ear - up, ear + up, (0.012 * size, 0.016 * size), paint.SKIN)
    if look.hair == "bald":
        return
    cut = 0.08 if look.hair in ("short", "bun") else 0.0
    larger = (skull[0] * 1.1, skull[1] * 1.08, skull[2] * 1.08)
    above = _at(body, HEAD, 0, 0.024 * size, -0.006 * size)
    shapes.ellipsoid(above, turned, larger, paint.HAIR, (*_HAIR_PLANE, cut))
    if look.hair == "bun":
        knot = _at(body, HEAD, 0, 0.11 * size, -0.085 * size)
        shapes.limb(knot, _at(body, HEAD, 0, 0.13 * size, -0.09 * size), (0.042, 0.038), paint.HAIR)
    if look.hair == "long":
        for side in range(-1, 2):
            root = _at(body, HEAD, 0.062 * side * width, 0.05 * size, -0.05 * size)
            end = _at(body, HEAD, 0.078 * side * width, -_LONG_ENDS * size, -0.055 * size)
            shapes.limb(root, end, (0.036 * size, 0.034 * size), paint.HAIR)


def _add_face(shapes: Shapes, body: PlacedBody, build: Build, look: Look) -> None:
    face = body.joints_m[:, _FACE : _FACE + 68]  # (T, 68, 3)
    size = build.head
    shapes.limb(face[:, 27], face[:, 30], (0.007 * size, 0.0135 * size), paint.SKIN, rises=(0.004, 0.016))
    shapes.line(face[:, (31, 33, 35)], 0.0035 * size, paint.FOLD, nearer=0.03, alpha=0.7)
    for first in (17, 22):
        shapes.line(face[:, first : first + 5 : 2], 0.0048 * size, paint.BROW, nearer=0.03)
    for first in (36, 42):
        outer, inner = face[:, first], face[:, first + 3]
        upper = 0.5 * (face[:, first + 1] + face[:, first + 2])
        lower = 0.5 * (face[:, first + 4] + face[:, first + 5])
        opening = np.linalg.norm(upper - lower, axis=-1).astype(np.float32) / 2
        middle = 0.5 * (upper + lower)
        corner, other = outer + 0.25 * (inner - outer), inner + 0.25 * (outer - inner)
        shapes.limb(corner, other, (opening, opening), paint.EYE_WHITE, nearer=0.03, mark=True)
        pupil = np.minimum(0.0065 * size, opening * 1.05).astype(np.float32)
        shapes.limb(middle, middle, (pupil, pupil), paint.IRIS, nearer=0.033, mark=True)
        lid = np.stack([outer, upper, inner], 1)
        shapes.line(lid, 0.0026 * size, paint.IRIS, nearer=0.034, alpha=0.8)
        if look.glasses:
            ring = 0.021 * size
            for start, end in ((outer, upper), (upper, inner), (inner, lower), (lower, outer)):
                away = [point + (point - middle) * 0.55 for point in (start, end)]
                shapes.limb(
                    away[0], away[1], (0.11 * ring, 0.11 * ring), paint.GLASSES, nearer=0.036, mark=True
                )
    if look.glasses:
        shapes.limb(
            face[:, 39], face[:, 42], (0.003 * size, 0.003 * size), paint.GLASSES, nearer=0.036, mark=True
        )
    _add_mouth(shapes, face, size)


def _add_mouth(shapes: Shapes, face: Reals, size: float) -> None:
    gap = np.linalg.norm(face[:, 62] - face[:, 66], axis=-1).astype(np.float32) / 2
    middle = 0.5 * (face[:, 62] + face[:, 66])
    for start, end in ((60, middle), (64, middle)):
        corner = face[:, start] + 0.35 * (end - face[:, start])
        shapes.limb(corner, end, (0.4 * gap + 0.001, gap + 0.001), paint.MOUTH, nearer=0.032, mark=True)
    shapes.line(face[:, (48, 50, 52, 54)], 0.0042 * size, paint.LIPS, nearer=0.033)
    shapes.line(face[:, (48, 58, 56, 54)], 0.0046 * size, paint.LIPS, nearer=0.033)
