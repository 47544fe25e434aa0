"""Drawing of one picture: shaded limbs, ellipsoids and boxes over a background, nearest last.

What is drawn is sorted by its distance and tested pixel by pixel against the depth of what is there, so that
a hand before a thigh covers it and a hand behind it is covered. Edges are as soft as the share of the pixel
that they cover, by the distance to the outline. Light is Lambert's, part of it from everywhere; what is near
darkens what is just behind it, as a hand does a cheek. Colours are 0..255, depths metres, all float32.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# Columns of a limb: two ends with their radius (pixels) and depth (metres), how far the surface rises towards
# the camera at each end (metres), length of the rounded ends as a share of the radius, the cloth's coordinate
# at both ends (metres), metres a pixel, opacity, and what is taken off the depth when sorting.
X0, Y0, R0, Z0, X1, Y1, R1, Z1, RISE0, RISE1, ROUND, CLOTH0, CLOTH1, METRES, ALPHA, NEARER = range(16)
LIMB_COLUMNS = 16
# Columns of an ellipsoid: middle (pixels), depth, pixels a metre, nine entries that take a point relative to
# the middle (camera's axes, metres) into the unit sphere, a plane of the sphere: the part shown lies where
# n . u > d, and how far, metres in the camera's axes, the middle is that the light takes it to have: parts of
# one head with one middle are lit as one.
EX, EY, EZ, SCALE, MATRIX, PLANE, BEYOND, LIT = 0, 1, 2, 3, 4, 13, 16, 17
ELLIPSOID_COLUMNS = 20
# Columns of a box, which stands before all: middle, half sizes, radius of corners, all pixels.
BOX_COLUMNS = 5

SURFACE, MARK = 0, 1  # a mark is flat paint on a surface
PLAIN, RINGS, STRIPES, CHECKS = 0, 1, 2, 3  # patterns of cloth

_SHADOW_PX = 3.5
_NO_SHADOW_M = 0.35  # beyond this what is behind is not darkened
_SAME_M = 0.006  # surfaces nearer to each other than this do not cover one another
_ON_SURFACE_M = 0.02  # by which a mark may lie below its surface


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def draw(  # type: ignore[no-untyped-def]
    picture, depth, limbs, limb_kind, limb_paint, ellipsoids, ellipsoid_paint, boxes, box_paint,
    paints, patterns, light, ambient,
):  # fmt: skip
    """Draw a picture over its background, in place.

    Args:
        picture: (H, W, 3) holds the background.
        depth: (H, W) overwritten.
        limbs: (P, 16).
        limb_kind: (P,) int64 `SURFACE` or `MARK`.
        limb_paint: (P,) int64 rows of `paints`.
        ellipsoids: (E, 20).
        ellipsoid_paint: (E,).
        boxes: (B, 5).
        box_paint: (B,).
        paints: (K, 6) colour, and the colour of its pattern.
        patterns: (K, 3) pattern, its period in metres, gloss.
        light: (3,) unit vector to the light, camera's axes (x right, y down, z into the picture).
        ambient: share of the light that comes from everywhere.
    """
    depth[:] = 1e9
    p, e = len(limbs), len(ellipsoids)
    order = np.empty(p + e, np.float32)
    for i in range(p):
        order[i] = -(0.5 * (limbs[i, Z0] + limbs[i, Z1]) - limbs[i, NEARER])
    for i in range(e):
        order[p + i] = -ellipsoids[i, EZ]
    for i in np.argsort(order):
        if i < p:
            _draw_limb(
                picture, depth, limbs[i], limb_kind[i], paints[limb_paint[i]], patterns[limb_paint[i]],
                light, ambient,
            )  # fmt: skip
        else:
            paint = ellipsoid_paint[i - p]
            _draw_ellipsoid(picture, depth, ellipsoids[i - p], paints[paint], patterns[paint], light, ambient)
    for i in range(len(boxes)):
        _draw_box(picture, boxes[i], paints[box_paint[i]])


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lit(nx, ny, nz, light, ambient, gloss):  # type: ignore[no-untyped-def]
    """Brightness of a surface whose normal looks to (nx, ny, -nz), and its highlight."""
    facing = nx * light[0] + ny * light[1] - nz * light[2]
    wrapped = 0.5 + 0.5 * facing
    bright = ambient + (1.25 - ambient) * wrapped * wrapped
    bright *= 0.72 + 0.28 * nz  # outlines are darker
    shine = 0.0
    if gloss > 0 and facing > 0.8:
        shine = gloss * (facing - 0.8) * 5
    return bright, shine


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _share_of_second(pattern, along, across, period):  # type: ignore[no-untyped-def]
    """How much of the second colour a point of the cloth has."""
    if pattern == PLAIN:
        return 0.0
    if pattern == RINGS:
        wave = math.sin(along * 6.2832 / period)
    elif pattern == STRIPES:
        wave = math.sin(across * 6.2832 / period)
    else:
        wave = math.sin(along * 6.2832 / period) + math.sin(across * 6.2832 / period)
    return min(max(0.5 + 2.0 * wave, 0.0), 1.0)


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _direction(ax, ay):  # type: ignore[no-untyped-def]
    """Unit vector, length, and one over it, which is 0 for a point."""
    length = math.sqrt(ax * ax + ay * ay)
    if length > 1e-3:
        return ax / length, ay / length, length, 1.0 / length
    return 1.0, 0.0, length, 0.0


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _covered_columns(limb, y, reach, ax, ay, length, left, right):  # type: ignore[no-untyped-def]
    """The columns of a row that a limb may touch: a slanting one only some of its box."""
    if abs(ay) < 0.05 or length < 2 * reach:
        return left, right
    slope = ax / ay
    a, b = limb[X0] + (y - reach - limb[Y0]) * slope, limb[X0] + (y + reach - limb[Y0]) * slope
    slack = reach * (1.0 + abs(ax))
    return max(left, int(min(a, b) - slack)), min(right, int(max(a, b) + slack + 1))


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _draw_limb(picture, depth, limb, kind, paint, pattern, light, ambient):  # type: ignore[no-untyped-def]
    height, width = depth.shape
    x0, y0, r0, x1, y1, r1 = limb[X0], limb[Y0], limb[R0], limb[X1], limb[Y1], limb[R1]
    alpha, thickest = limb[ALPHA], max(r0, r1)
    if thickest < 0.7:  # thinner than a pixel: fainter instead
        alpha *= thickest / 0.7
        r0 = r1 = thickest = 0.7
    mark = kind == MARK
    margin = 1.0 if mark else 1.0 + _SHADOW_PX
    reach = thickest + margin
    top, bottom = max(int(min(y0, y1) - reach), 0), min(int(max(y0, y1) + reach + 1), height)
    left, right = max(int(min(x0, x1) - reach), 0), min(int(max(x0, x1) + reach + 1), width)
    ax, ay, length, inverse = _direction(x1 - x0, y1 - y0)
    sharper = 1.0 / limb[ROUND]
    for y in range(top, bottom):
        first, last = _covered_columns(limb, y, reach, ax, ay, length, left, right)
        for x in range(first, last):
            px, py = x - x0, y - y0
            s, c = px * ax + py * ay, py * ax - px * ay
            within = min(max(s, 0.0), length)
            t, excess = within * inverse, (s - within) * sharper
            r = r0 + (r1 - r0) * t
            square = c * c + excess * excess
            if square > (r + margin) * (r + margin):
                continue
            away = math.sqrt(square)
            cover = min(0.5 + r - away, 1.0)
            z = limb[Z0] + (limb[Z1] - limb[Z0]) * t
            if mark:
                if cover > 0 and z - _ON_SURFACE_M <= depth[y, x]:
                    for k in range(3):
                        picture[y, x, k] += cover * alpha * (paint[k] - picture[y, x, k])
            elif cover <= 0:
                _shade_behind(picture, depth, y, x, z, -cover, alpha)
            else:
                lift = 1.0 / max(r, 0.7)
                nc, ns = c * lift, excess * lift
                nz = math.sqrt(max(1.0 - nc * nc - ns * ns, 0.0))
                surface = z - (limb[RISE0] + (limb[RISE1] - limb[RISE0]) * t) * nz
                if surface <= depth[y, x] + _SAME_M:
                    bright, shine = _lit(ns * ax - nc * ay, ns * ay + nc * ax, nz, light, ambient, pattern[2])
                    along = limb[CLOTH0] + (limb[CLOTH1] - limb[CLOTH0]) * s * inverse
                    second = _share_of_second(pattern[0], along, c * limb[METRES], pattern[1])
                    _lay(picture, y, x, paint, second, bright, shine, cover * alpha)
                    if cover > 0.5:
                        depth[y, x] = min(surface, depth[y, x])


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _lay(picture, y, x, paint, second, bright, shine, share):  # type: ignore[no-untyped-def]
    """Lay a share of lit paint over a pixel."""
    for k in range(3):
        colour = (paint[k] + second * (paint[3 + k] - paint[k])) * bright + 255.0 * shine
        picture[y, x, k] += share * (colour - picture[y, x, k])


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _shade_behind(picture, depth, y, x, z, away, alpha):  # type: ignore[no-untyped-def]
    """The soft shadow of something at depth z on what is just behind it, `away` pixels from its edge."""
    behind = depth[y, x] - z
    if 0.012 < behind < _NO_SHADOW_M:
        dark = 0.42 * alpha * (1.0 - away / _SHADOW_PX) * (1.0 - behind / _NO_SHADOW_M)
        if dark > 0:
            for k in range(3):
                picture[y, x, k] *= 1.0 - dark


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _draw_ellipsoid(picture, depth, body, paint, pattern, light, ambient):  # type: ignore[no-untyped-def]
    height, width = depth.shape
    m = body[MATRIX : MATRIX + 9]
    # |M p|^2 along a ray into the picture is a z^2 + 2 b z + c; it is hit where b^2 > a (c - 1).
    a = m[2] * m[2] + m[5] * m[5] + m[8] * m[8]
    step = 1.0 / body[SCALE]
    largest = 0.16 * body[SCALE] + 2
    narrow = 1.0 / math.sqrt(
        max(m[0] * m[0] + m[3] * m[3] + m[6] * m[6], m[1] * m[1] + m[4] * m[4] + m[7] * m[7])
    )
    narrow *= body[SCALE]  # pixels of the smaller half axis, for soft edges
    for y in range(max(int(body[EY] - largest), 0), min(int(body[EY] + largest + 1), height)):
        for x in range(max(int(body[EX] - largest), 0), min(int(body[EX] + largest + 1), width)):
            px, py = (x - body[EX]) * step, (y - body[EY]) * step
            ux, uy, uz = m[0] * px + m[1] * py, m[3] * px + m[4] * py, m[6] * px + m[7] * py
            b = m[2] * ux + m[5] * uy + m[8] * uz
            c = ux * ux + uy * uy + uz * uz
            closest = c - b * b / a  # squared distance of the ray to the middle, in the unit sphere
            if closest > 3.0:
                continue
            away = (math.sqrt(closest) - 1.0) * narrow
            cover = 0.5 - away
            if cover <= 0:
                if away < _SHADOW_PX and body[BEYOND] < -1:
                    _shade_behind(picture, depth, y, x, body[EZ], away, 1.0)
                continue
            cover = min(cover, 1.0)
            z = (-b - math.sqrt(max(b * b - a * (c - 1.0), 0.0))) / a
            ux, uy, uz = ux + m[2] * z, uy + m[5] * z, uz + m[8] * z
            if body[BEYOND] >= -1:
                beyond = body[PLANE] * ux + body[PLANE + 1] * uy + body[PLANE + 2] * uz - body[BEYOND]
                cover = min(cover, 0.5 + beyond * narrow)
                if cover <= 0:
                    continue
            surface = body[EZ] + z
            if surface > depth[y, x] + _SAME_M:
                continue
            second = _share_of_second(pattern[0], uy, ux, pattern[1])
            px, py, pz = body[LIT], body[LIT + 1], body[LIT + 2]
            ux, uy, uz = (
                ux - m[0] * px - m[1] * py - m[2] * pz,
                uy - m[3] * px - m[4] * py - m[5] * pz,
                uz - m[6] * px - m[7] * py - m[8] * pz,
            )
            nx, ny = m[0] * ux + m[3] * uy + m[6] * uz, m[1] * ux + m[4] * uy + m[7] * uz
            nz = -(m[2] * ux + m[5] * uy + m[8] * uz)
            norm = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz)
            bright, shine = _lit(nx * norm, ny * norm, max(nz * norm, 0.0), light, ambient, pattern[2])
            _lay(picture, y, x, paint, second, bright, shine, cover)
            if cover > 0.5:
                depth[y, x] = surface


@njit(nogil=True, cache=True, fastmath=True)  # type: ignore[untyped-decorator]
def _draw_box(picture, box, paint):  # type: ignore[no-untyped-def]
    height, width = picture.shape[:2]
    x0, y0, half_w, half_h, corner = box[0], box[1], box[2], box[3], box[4]
    for y in range(max(int(y0 - half_h - 1), 0), min(int(y0 + half_h + 2), height)):
        for x in range(max(int(x0 - half_w - 1), 0), min(int(x0 + half_w + 2), width)):
            dx, dy = abs(x - x0) - half_w + corner, abs(y - y0) - half_h + corner
            away = math.sqrt(max(dx, 0.0) ** 2 + max(dy, 0.0) ** 2) + min(max(dx, dy), 0.0) - corner
            cover = min(max(0.5 - away, 0.0), 1.0)
            down = (y - y0) / max(half_h, 1.0)
            for k in range(3):
                colour = paint[k] + (paint[3 + k] - paint[k]) * min(max(0.5 + 0.5 * down, 0.0), 1.0)
                picture[y, x, k] += cover * (colour - picture[y, x, k])
