"""Clips to try the project on: two public-domain portraits whose heads nod, shake and tilt.

    python -m fidget.demo_clips DIR

The pictures are Grace Hopper's official Navy portrait (in matplotlib's sample data) and NASA's portrait of
the astronaut Eileen Collins (in scikit-image's), both works of the United States government. A soft mask
around the head moves while shoulders and background stay, so the movement is known and the faces are real.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FPS = Fraction(25)
SECONDS = 3.0


@dataclass(frozen=True)
class Portrait:
    """A picture and where the head is in it, in pixels.

    Attributes:
        name: as in the clips' names.
        weight: manifest row the picture is fetched by.
        face_xy: middle of the face.
        head_xy: middle of the head with hair or hat.
        head_radii: half its width and height.
        neck_xy: what it turns about.
        soft_px: width of the rim over which the movement fades to nothing.
    """

    name: str
    weight: str
    face_xy: tuple[float, float]
    head_xy: tuple[float, float]
    head_radii: tuple[float, float]
    neck_xy: tuple[float, float]
    soft_px: float


PORTRAITS = (
    Portrait("portrait", "demo_portrait", (263, 215), (262, 175), (122, 150), (262, 372), 110),
    Portrait("astronaut", "demo_astronaut", (228, 118), (228, 105), (72, 84), (226, 205), 70),
)

# Displacement (dx, dy), each (H, W), of a portrait at a phase in -1..1.
Movement = Callable[["HeadField", float], tuple[NDArray[np.float32], NDArray[np.float32]]]


class HeadField:
    """The head of a portrait as two soft fields over its (H, W) pixels.

    Attributes:
        mask: 1 on the head, 0 far from it, smooth between: how much of the head's movement a pixel makes.
        bulge: 1 mid-face, 0 at the outline: the nose of a turning head moves further than its ears.
        from_neck: (2, H, W) x and y offsets from the neck.
        size_px: half the head's width.
    """

    def __init__(self, portrait: Portrait, hw: tuple[int, int]) -> None:
        y, x = np.mgrid[0 : hw[0], 0 : hw[1]].astype(np.float32)
        radius_x, radius_y = portrait.head_radii
        head = np.hypot((x - portrait.head_xy[0]) / radius_x, (y - portrait.head_xy[1]) / radius_y)
        face = np.hypot((x - portrait.face_xy[0]) / radius_x, (y - portrait.face_xy[1]) / radius_y)
        outside = np.clip((head - 1) * min(radius_x, radius_y) / portrait.soft_px, 0, 1)
        self.mask = (1 - outside * outside * (3 - 2 * outside)).astype(np.float32)
        self.bulge = np.square(np.clip(1 - np.square(face), 0, 1)).astype(np.float32)
        self.from_neck = np.stack([x - portrait.neck_xy[0], y - portrait.neck_xy[1]])
        self.size_px = radius_x


def nod(head: HeadField, phase: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Down and up: the head shifts and shortens a little, the middle of the face moves most."""
    squeeze = -0.05 * phase * np.clip(head.from_neck[1], None, 0)
    dy = head.mask * (0.04 * head.size_px * phase + squeeze) + head.bulge * 0.10 * head.size_px * phase
    return np.zeros_like(dy), dy


def shake(head: HeadField, phase: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Left and right: the middle of the face moves most."""
    dx = (head.mask * 0.07 + head.bulge * 0.15) * head.size_px * phase
    return dx, np.zeros_like(dx)


def tilt(head: HeadField, phase: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Ear to shoulder and back: a rotation about the neck, up to 7 degrees."""
    angle = head.mask * math.radians(7) * phase
    x, y = head.from_neck
    cos, sin = np.cos(angle), np.sin(angle)
    return x - (cos * x + sin * y), y - (cos * y - sin * x)


MOVEMENTS: tuple[tuple[str, Movement, float], ...] = (
    ("nodding", nod, 1.5),
    ("shaking", shake, 1.5),
    ("tilting", tilt, 0.8),
)


def phase_at(time_s: float, hertz: float) -> float:
    """Phase of a movement in -1..1: still for the first and last moments, swelling and fading between."""
    inside = min(max((time_s - 0.2) / (SECONDS - 0.4), 0.0), 1.0)
    return math.sin(2 * math.pi * hertz * (time_s - 0.2)) * math.sin(math.pi * inside)


def moved(
    picture_bgr: NDArray[np.uint8], dx: NDArray[np.float32], dy: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """The picture with the pixel now at (x, y) taken from (x - dx, y - dy)."""
    import cv2

    y, x = np.mgrid[0 : picture_bgr.shape[0], 0 : picture_bgr.shape[1]].astype(np.float32)
    from_x, from_y = (x - dx).astype(np.float32), (y - dy).astype(np.float32)
    out = cv2.remap(picture_bgr, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) BGR; ValueError when it is none."""
    import cv2

    data = np.fromfile(path, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if picture is None:
        raise ValueError(f"{path}: expected a JPEG or PNG picture; delete the file and run again")
    return np.asarray(picture, np.uint8)


def make_demo_clips(
    directory: Path, picture_of: Callable[[str], Path] | None = None
) -> list[tuple[Path, bool]]:
    """Make the clips that are not there yet.

    Args:
        directory: where they go; made if absent.
        picture_of: manifest row -> path of the picture; by default fetched like any weight.

    Returns:
        Every clip's path, and whether it was made now.

    Raises:
        WeightError: a picture cannot be had.
        OSError: the directory cannot be written.
        ValueError: a picture is none.
    """
    from fidget.reports.video_file import write_video

    if picture_of is None:
        from weights.fetch import fetch_weight

        picture_of = fetch_weight
    clips = []
    for portrait in PORTRAITS:
        wanted = [
            (directory / f"{name}__{portrait.name}.mp4", move, hertz) for name, move, hertz in MOVEMENTS
        ]
        missing = [
            clip for clip in wanted if not clip[0].exists()
        ]  # a clip gets its name when it is complete
        if missing:
            picture_bgr = read_picture(picture_of(portrait.weight))
            hw = (picture_bgr.shape[0], picture_bgr.shape[1])
            head = HeadField(portrait, hw)
            for path, move, hertz in missing:
                with write_video(path, hw, FPS) as video:
                    for index in range(round(SECONDS * FPS)):
                        time_s = float(index / FPS)
                        video.add(time_s, moved(picture_bgr, *move(head, phase_at(time_s, hertz))))
        clips += [(clip[0], clip in missing) for clip in wanted]
    return clips


def main(argv: list[str] | None = None) -> int:
    """Command line; 0 when every clip is there, 1 when one could not be made, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m fidget.demo_clips", description="Make clips to try Fidget on."
    )
    parser.add_argument("directory", type=Path, metavar="DIR", help="where the clips go")
    directory: Path = parser.parse_args(argv).directory
    from weights.errors import WeightError

    try:
        for path, made in make_demo_clips(directory):
            print(f"{path}: {'made' if made else 'kept'}, {SECONDS:g} s at {FPS} fps")
    except (OSError, ValueError, WeightError) as error:
        print(f"demo clips: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
