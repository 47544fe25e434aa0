"""Skeletons and labels on a frame: limbs coloured by side, joints as visible as they are certain."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from poses.layout import Layout

Side = Literal["left", "right", "middle"]

# BGR, after the colour-blind-safe palette of Okabe and Ito: the person's own left blue, right orange.
SIDE_BGR: dict[Side, tuple[int, int, int]] = {
    "left": (233, 180, 86),
    "right": (0, 159, 230),
    "middle": (240, 240, 240),
}
LOWEST_SHOWN_SCORE = 0.05
_COARSE_JOINTS = 5
_HEAD_JOINTS = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
PLAIN_BGR = (42, 38, 36)


def sides(layout: Layout) -> tuple[Side, ...]:
    """The person's side of each joint.

    Its name says it (`left_wrist`, `mouth_right`). A joint with a mirror image whose name does not say it is
    a numbered face point: of each pair the lower index is the person's right, as iBUG 300-W numbers them.
    """
    found: list[Side] = []
    for index, name in enumerate(layout.joints):
        words = name.split("_")
        if layout.mirror[index] == index:
            found.append("middle")
        elif "left" in words or "right" in words:
            found.append("left" if "left" in words else "right")
        else:
            found.append("right" if index < layout.mirror[index] else "left")
    return tuple(found)


@dataclass(frozen=True)
class SkeletonPen:
    """Everything about a layout that drawing needs, worked out once.

    Attributes:
        limbs: (L, 2) joint indices.
        limb_sides: side of each limb; a limb between two sides is in the middle.
        joint_sides: side of each joint.
        fine: (V,) bool, joints of hands and face, drawn thin.
    """

    limbs: NDArray[np.int64]
    limb_sides: tuple[Side, ...]
    joint_sides: tuple[Side, ...]
    fine: NDArray[np.bool_]

    @staticmethod
    def of(layout: Layout) -> SkeletonPen:
        """The pen of a layout; hands and face are fine where they have more than a few joints."""
        joint_sides = sides(layout)
        limbs = np.asarray(layout.limbs, np.int64).reshape(-1, 2)
        limb_sides = []
        for a, b in limbs.tolist():
            pair = {joint_sides[a], joint_sides[b]} - {"middle"}
            limb_sides.append(pair.pop() if len(pair) == 1 else "middle")
        fine = np.zeros(len(layout.joints), bool)
        for part in ("hands", "face"):
            joints = list(layout.parts.get(part, ()))
            fine[joints] = len(joints) > _COARSE_JOINTS
        if fine[list(layout.parts.get("face", ()))].any():
            fine |= np.isin(layout.joints, _HEAD_JOINTS)
        return SkeletonPen(limbs, tuple(limb_sides), joint_sides, fine)


def draw_person(
    frame_bgr: NDArray[np.uint8],
    pen: SkeletonPen,
    xy_px: NDArray[np.float32],
    score: NDArray[np.float32],
    size_px: float,
) -> None:
    """Draw one person's joints (V, 2) with scores (V,) on the frame, in place.

    Joints under `LOWEST_SHOWN_SCORE` and joints far outside the frame are left out. `size_px` is the
    person's height or so; lines get thicker with it.
    """
    import cv2

    height, width = frame_bgr.shape[:2]
    near = np.all(np.abs(np.nan_to_num(xy_px, nan=np.inf)) < 4 * (height + width), axis=-1)  # (V,)
    shown = (score >= LOWEST_SHOWN_SCORE) & near
    if not shown.any():
        return
    thick = int(np.clip(round(size_px / 130), 1, 8))
    thin = max(1, thick // 3)
    fixed = np.where(near[:, None], xy_px * 16, 0).round().astype(np.int64)  # (V, 2), 1/16 px for OpenCV
    # Alpha by score: strong shapes over the frame, then weak ones into a copy that is blended in.
    alphas = np.clip(0.25 + 0.75 * score, 0, 1)
    for weak in (True, False):
        canvas = frame_bgr.copy() if weak else frame_bgr
        drawn = False
        for (a, b), side in zip(pen.limbs.tolist(), pen.limb_sides, strict=True):
            if shown[a] and shown[b] and (min(score[a], score[b]) < 0.5) == weak:
                line = thin if pen.fine[a] and pen.fine[b] else thick
                cv2.line(canvas, _point(fixed[a]), _point(fixed[b]), SIDE_BGR[side], line, cv2.LINE_AA, 4)
                drawn = True
        if weak and drawn:
            cv2.addWeighted(canvas, 0.5, frame_bgr, 0.5, 0, dst=frame_bgr)
    for joint in np.flatnonzero(shown).tolist():
        radius_px = max(1.0, thick * 0.5) if pen.fine[joint] else thick * 1.2 + 0.6
        _blend_dot(frame_bgr, xy_px[joint], radius_px, SIDE_BGR[pen.joint_sides[joint]], float(alphas[joint]))


def _point(fixed: NDArray[np.int64]) -> tuple[int, int]:
    return int(fixed[0]), int(fixed[1])


def _blend_dot(
    frame_bgr: NDArray[np.uint8],
    xy_px: NDArray[np.float32],
    radius_px: float,
    colour: tuple[int, int, int],
    alpha: float,
) -> None:
    """A disc blended into the frame, only its own few pixels touched."""
    height, width = frame_bgr.shape[:2]
    reach = int(np.ceil(radius_px)) + 1
    x, y = round(float(xy_px[0])), round(float(xy_px[1]))
    left, right = max(0, x - reach), min(width, x + reach + 1)
    top, bottom = max(0, y - reach), min(height, y + reach + 1)
    if left >= right or top >= bottom:
        return
    rows, columns = np.ogrid[top:bottom, left:right]
    distance = np.hypot(columns - float(xy_px[0]), rows - float(xy_px[1]))
    cover = (np.clip(radius_px + 0.5 - distance, 0, 1) * alpha)[..., None]  # (h, w, 1)
    patch = frame_bgr[top:bottom, left:right]
    patch[...] = np.round(patch * (1 - cover) + np.asarray(colour) * cover).astype(np.uint8)


def person_size_px(xy_px: NDArray[np.float32], score: NDArray[np.float32]) -> float:
    """Extent of the joints that are there, in pixels: the larger of width and height; 0 if none."""
    there = score >= LOWEST_SHOWN_SCORE
    if not there.any():
        return 0.0
    points = xy_px[there]
    return float(np.max(points.max(axis=0) - points.min(axis=0)))


def ascii_label(text: str, longest: int = 60) -> str:
    """Text that OpenCV's fonts can draw: ASCII, in one line.

    Latin letters lose their accents; any other character is written as its Python escape, so that no name
    turns into question marks; a name longer than `longest` characters loses its middle.
    """
    plain = []
    for character in text:
        if character.isprintable() and character.isascii():
            plain.append(character)
            continue
        base = "".join(
            part for part in unicodedata.normalize("NFKD", character) if not unicodedata.combining(part)
        )
        if base and base.isascii() and base.isprintable():
            plain.append(base)
        elif not (base == "" and unicodedata.combining(character)):
            plain.append(character.encode("unicode_escape", "backslashreplace").decode("ascii"))
    label = "".join(plain)
    if len(label) > longest:
        head = (longest - 3) // 2
        label = f"{label[:head]}...{label[len(label) - (longest - 3 - head) :]}"
    return label


def put_label(
    frame_bgr: NDArray[np.uint8],
    text: str,
    left_px: int,
    baseline_px: int,
    scale: float,
    colour: tuple[int, int, int] = (255, 255, 255),
    outline: bool = True,
) -> None:
    """Write text with its lower left corner at (left_px, baseline_px), in place."""
    import cv2

    text = ascii_label(text, longest=200)
    thick = max(1, round(scale * 1.6))
    # A shadow of the same thickness: the width of a letter depends on it in OpenCV 5.
    shadows = ((-1, -1), (1, -1), (-1, 1), (1, 1)) if outline else ()
    for x, y, ink in (*((dx, dy, (0, 0, 0)) for dx, dy in shadows), (0, 0, colour)):
        where = (int(left_px) + x, int(baseline_px) + y)
        cv2.putText(frame_bgr, text, where, cv2.FONT_HERSHEY_SIMPLEX, scale, ink, thick, cv2.LINE_AA)


def label_width_px(text: str, scale: float) -> int:
    """Width of a label in pixels."""
    import cv2

    thick = max(1, round(scale * 1.6))
    return int(cv2.getTextSize(ascii_label(text, longest=200), cv2.FONT_HERSHEY_SIMPLEX, scale, thick)[0][0])
