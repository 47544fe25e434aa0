"""What is behind the people of each domain: a laboratory, a hospital's room, a street, television's sets.

A scenery is a picture larger than a frame, painted once a clip; a camera that moves looks at another part of
it. Rooms stay with the subject, streets and sets change with the clip.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]


def paint_scenery(
    domain: str, hw: tuple[int, int], floor_row: float, room: np.random.Generator, clip: np.random.Generator
) -> NDArray[np.float32]:
    """(H, W, 3) float32 of 0..255.

    Args:
        domain: whose.
        hw: size.
        floor_row: where the floor meets the wall.
        room: draws that stay with the subject.
        clip: draws of the clip.
    """
    picture = np.zeros((*hw, 3), np.uint8)
    blur = _PAINTERS[domain](picture, floor_row, room, clip)
    if blur > 0:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)  # type: ignore[assignment]
    return picture.astype(np.float32)


def _colour(rng: np.random.Generator, low: int, high: int, spread: float = 14) -> Colour:
    """A greyish colour of some brightness."""
    mixed = np.clip(rng.uniform(low, high) + rng.normal(0, spread, 3), 0, 255)
    return int(mixed[0]), int(mixed[1]), int(mixed[2])


def muted(rng: np.random.Generator, low: float, high: float, vivid: float = 0.6) -> Colour:
    """Any colour, mixed with grey: `vivid` is the share of the colour."""
    drawn = rng.uniform(low, high, 3)
    mixed = vivid * drawn + (1 - vivid) * drawn.mean()
    return int(mixed[0]), int(mixed[1]), int(mixed[2])


def _box(picture: Picture, x: float, y: float, w: float, h: float, colour: Colour) -> None:
    """A filled rectangle in shares of the picture."""
    height, width = picture.shape[:2]
    start, end = (round(x * width), round(y * height)), (round((x + w) * width), round((y + h) * height))
    cv2.rectangle(picture, start, end, colour, -1)


def _gradient(picture: Picture, top: int, bottom: int, first: Colour, last: Colour) -> None:
    """Rows `top` to `bottom` from one colour to another."""
    top, bottom = max(top, 0), min(bottom, len(picture))
    if bottom > top:
        share = np.linspace(0, 1, bottom - top)[:, None, None]
        mixed = (1 - share) * np.array(first) + share * np.array(last)
        picture[top:bottom] = np.broadcast_to(mixed, picture[top:bottom].shape)


def _darker(colour: Colour, share: float) -> Colour:
    return int(colour[0] * share), int(colour[1] * share), int(colour[2] * share)


def _wall_and_floor(
    picture: Picture, floor_row: float, wall: Colour, floor: Colour, skirting: bool = True
) -> None:
    row = int(np.clip(floor_row, 0, len(picture)))
    _gradient(picture, 0, row, wall, _darker(wall, 0.9))
    _gradient(picture, row, len(picture), _darker(floor, 0.85), floor)
    if skirting:
        picture[max(row - len(picture) // 40, 0) : row] = _darker(wall, 0.72)


def _laboratory(
    picture: Picture, floor_row: float, room: np.random.Generator, clip: np.random.Generator
) -> float:
    """Plain: a wall, a floor, at most a curtain or a panel."""
    wall = _colour(room, 150, 225, 7)
    _wall_and_floor(picture, floor_row, wall, _colour(room, 90, 150, 8), room.random() < 0.5)
    draw = room.random()
    if draw < 0.3:
        folds = picture.shape[1]
        shade = 1 + 0.05 * np.sin(np.arange(folds) * 2 * np.pi / room.uniform(9, 16))
        wall_only = picture[: int(np.clip(floor_row, 0, len(picture)))]
        wall_only[:] = np.clip(wall_only * shade[None, :, None], 0, 255)
    elif draw < 0.5:
        _box(picture, room.uniform(0, 0.7), 0, room.uniform(0.1, 0.3), 0.7, _darker(wall, 0.88))
    return 0.8


def _psychiatric(
    picture: Picture, floor_row: float, room: np.random.Generator, clip: np.random.Generator
) -> float:
    """A consulting room: coloured wall, window or picture, cupboard, plant."""
    tint = room.choice(np.array([(196, 206, 190), (206, 196, 176), (184, 196, 210), (214, 206, 198)]))
    wall = (int(tint[0]), int(tint[1]), int(tint[2]))
    _wall_and_floor(picture, floor_row, wall, _colour(room, 100, 140, 16))
    if room.random() < 0.5:
        _box(picture, 0, 0.55, 1, 0.4, _darker(wall, 0.86))
    if room.random() < 0.6:  # a window with blinds
        x, w = room.uniform(0.05, 0.6), room.uniform(0.2, 0.32)
        _box(picture, x - 0.012, 0.03, w + 0.024, 0.47, (232, 232, 228))
        for i in range(14):
            _box(picture, x, 0.05 + 0.03 * i, w, 0.02, (206 + 3 * i, 216 + 2 * i, 226 + i))
    if room.random() < 0.6:
        x, y = room.uniform(0.02, 0.8), room.uniform(0.05, 0.25)
        _box(picture, x, y, 0.13, 0.17, (90, 70, 52))
        _box(picture, x + 0.012, y + 0.016, 0.106, 0.138, muted(room, 90, 200))
    if room.random() < 0.5:
        x = room.choice([0.0, 0.8])
        _box(picture, x, 0.3, 0.2, 0.7, (140, 108, 74))
        _box(picture, x + 0.095, 0.3, 0.006, 0.7, (96, 70, 46))
    if room.random() < 0.4:
        height, width = picture.shape[:2]
        x = room.choice([0.08, 0.92]) * width
        for _ in range(24):
            end = (int(x + room.normal(0, 0.05) * width), int(room.uniform(0.3, 0.65) * height))
            cv2.line(picture, (int(x), int(0.75 * height)), end, (44, int(room.uniform(80, 130)), 50), 3)
    return 1.0


def _street(
    picture: Picture, floor_row: float, room: np.random.Generator, clip: np.random.Generator
) -> float:
    """Sky, houses with windows, shops, a road, trees and parked cars, all out of focus."""
    height, width = picture.shape[:2]
    row = int(np.clip(floor_row, 0.45 * height, 0.95 * height))
    sky = muted(clip, 150, 235)
    _gradient(picture, 0, row, sky, (226, 226, 222))
    x = -0.05
    while x < 1:
        w, top = clip.uniform(0.12, 0.34), clip.uniform(-0.1, 0.4)
        front = _colour(clip, 70, 190, 24)
        _box(picture, x, top, w, row / height - top, front)
        pane = _colour(clip, 40, 110, 10) if clip.random() < 0.7 else (240, 226, 170)
        columns, rows = int(clip.integers(2, 5)), int(clip.integers(3, 7))
        for i in range(columns):
            for j in range(rows):
                at = x + w * (i + 0.25) / columns, top + (row / height - top) * (j + 0.2) / rows
                _box(picture, *at, 0.5 * w / columns, 0.5 * (row / height - top) / rows, pane)
        if clip.random() < 0.5:  # a shop
            _box(picture, x, row / height - 0.22, w, 0.07, muted(clip, 60, 230))
        x += w
    _gradient(picture, row, height, _colour(clip, 90, 140, 6), _colour(clip, 60, 110, 6))
    for _ in range(int(clip.integers(0, 3))):  # trees
        x, r = clip.uniform(0, 1) * width, clip.uniform(0.08, 0.18) * height
        cv2.line(picture, (int(x), row), (int(x), row // 3), (74, 58, 44), max(int(r / 5), 1))
        green = (int(clip.uniform(40, 90)), int(clip.uniform(90, 140)), int(clip.uniform(30, 70)))
        for _ in range(6):
            at = int(x + clip.normal(0, 0.7) * r), int(0.3 * row + clip.normal(0, 0.6) * r)
            cv2.circle(picture, at, int(r * 0.7), green, -1)
    for _ in range(int(clip.integers(0, 3))):  # cars
        x, w = clip.uniform(-0.1, 0.9), clip.uniform(0.22, 0.36)
        body, y = muted(clip, 30, 220), row / height
        _box(picture, x, y - 0.1, w, 0.11, body)
        _box(picture, x + 0.2 * w, y - 0.17, 0.55 * w, 0.08, _darker(body, 0.5))
        for wheel in (0.2, 0.8):
            cv2.circle(
                picture, (int((x + wheel * w) * width), row), max(int(0.03 * height), 1), (20, 20, 22), -1
            )
    return float(clip.uniform(0.8, 2.2)) * height / 290


def _emotion(
    picture: Picture, floor_row: float, room: np.random.Generator, clip: np.random.Generator
) -> float:
    """Television: a studio of light bars, a living room, lights at night, shelves."""
    height, width = picture.shape[:2]
    kind = clip.integers(4)
    if kind == 0:
        _gradient(picture, 0, height, muted(clip, 10, 120), muted(clip, 10, 160))
        for _ in range(int(clip.integers(3, 9))):
            _box(picture, clip.uniform(0, 1), 0, clip.uniform(0.01, 0.08), 1, muted(clip, 60, 255))
        return float(clip.uniform(2, 5)) * height / 290
    if kind == 1:
        wall = muted(clip, 110, 220)
        _gradient(picture, 0, height, wall, _darker(wall, 0.8))
        _box(picture, clip.uniform(-0.1, 0.5), 0.62, 0.7, 0.5, muted(clip, 50, 170))
        for _ in range(int(clip.integers(1, 4))):
            at = clip.uniform(0, 0.85), clip.uniform(0, 0.3), clip.uniform(0.1, 0.2), clip.uniform(0.12, 0.3)
            _box(picture, *at, muted(clip, 60, 240))
        lamp = int(clip.uniform(0.05, 0.95) * width), int(clip.uniform(0.2, 0.5) * height)
        cv2.circle(picture, lamp, height // 10, (250, 236, 190), -1)
        return float(clip.uniform(1, 3)) * height / 290
    if kind == 2:
        _gradient(picture, 0, height, muted(clip, 5, 50), muted(clip, 10, 70))
        for _ in range(int(clip.integers(14, 40))):
            at = int(clip.uniform(0, width)), int(clip.uniform(0, height))
            cv2.circle(picture, at, int(clip.uniform(0.015, 0.06) * height), muted(clip, 90, 255), -1)
        return float(clip.uniform(1.5, 3)) * height / 290
    wood = _colour(clip, 70, 130, 18)
    picture[:] = _darker(wood, 0.55)
    for shelf in range(5):
        y, x = 0.02 + 0.21 * shelf, 0.0
        while x < 1:
            w, h = clip.uniform(0.008, 0.03), clip.uniform(0.1, 0.17)
            if clip.random() < 0.85:
                _box(picture, x, y + 0.18 - h, w, h, muted(clip, 40, 220))
            x += w + 0.002
        _box(picture, 0, y + 0.18, 1, 0.02, wood)
    return float(clip.uniform(1.5, 3.5)) * height / 290


_PAINTERS: dict[str, Callable[[Picture, float, np.random.Generator, np.random.Generator], float]] = {
    "laboratory": _laboratory,
    "psychiatric": _psychiatric,
    "street": _street,
    "emotion": _emotion,
}
