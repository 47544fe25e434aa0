"""A contact sheet: some frames of each clip with the skeleton, its name, and how much of it has a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.reports.drawing import PLAIN_BGR, ascii_label, label_width_px, put_label
from fidget.reports.quality_rows import percent
from poses.whole_file import replacing

FRAMES_PER_CLIP = 4
MOST_CLIPS = 48
_STRIP_PX = 860
_HEADER_PX = 34
_GAP_PX = 10
_GOOD_BGR, _BAD_BGR = (140, 200, 90), (80, 80, 230)


@dataclass(frozen=True)
class SheetEntry:
    """One clip on the sheet.

    Attributes:
        name: clip id.
        person_share: share of frames with a person, 0..1.
        frames: small pictures (h, w, 3) BGR in time order; may be empty (a clip that failed).
        remark: e.g. why there are no pictures.
    """

    name: str
    person_share: float
    frames: Sequence[NDArray[np.uint8]]
    remark: str = ""


def sheet_frames(frames: int, count: int = FRAMES_PER_CLIP) -> list[int]:
    """Indices of the frames that stand for a clip: the middles of `count` equal stretches."""
    count = min(count, frames)
    return [int((index + 0.5) * frames / count) for index in range(count)]


def _strip(entry: SheetEntry) -> NDArray[np.uint8]:
    """One clip: name and share above its frames, `_STRIP_PX` wide."""
    import cv2

    row = [np.pad(frame, ((0, 0), (0, 4), (0, 0))) for frame in entry.frames]
    height = max((frame.shape[0] for frame in row), default=20)
    row = [np.pad(frame, ((0, height - frame.shape[0]), (0, 0), (0, 0))) for frame in row]
    pictures = np.hstack(row) if row else np.full((20, _STRIP_PX, 3), PLAIN_BGR, np.uint8)
    if pictures.shape[1] > _STRIP_PX:
        scale = _STRIP_PX / pictures.shape[1]
        hw = (max(1, int(pictures.shape[0] * scale)), _STRIP_PX)
        pictures = np.asarray(cv2.resize(pictures, hw[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    strip = np.full((_HEADER_PX + pictures.shape[0], _STRIP_PX, 3), PLAIN_BGR, np.uint8)
    strip[_HEADER_PX:, : pictures.shape[1]] = pictures
    good = entry.person_share >= 0.9
    share = f"person in {percent(entry.person_share)}"
    share_px = label_width_px(share, 0.5)
    put_label(strip, ascii_label(entry.name, 58), 6, 22, 0.5, outline=False)
    put_label(strip, share, _STRIP_PX - share_px - 6, 22, 0.5, _GOOD_BGR if good else _BAD_BGR, outline=False)
    if entry.remark:
        put_label(
            strip, ascii_label(entry.remark, 105), 6, _HEADER_PX + 12, 0.4, (170, 170, 170), outline=False
        )
    return strip


def draw_sheet(entries: Sequence[SheetEntry], title: str) -> NDArray[np.uint8]:
    """The sheet (H, W, 3) BGR, two columns of clips where there are more than three."""
    columns = 1 if len(entries) <= 3 else 2
    strips = [_strip(entry) for entry in entries]
    rows = [strips[start : start + columns] for start in range(0, len(strips), columns)]
    width = columns * (_STRIP_PX + _GAP_PX) + _GAP_PX
    heights = [max(strip.shape[0] for strip in row) for row in rows]
    sheet = np.full((44 + sum(heights) + _GAP_PX * (len(rows) + 1), width, 3), 24, np.uint8)
    put_label(sheet, ascii_label(title, width // 12), _GAP_PX + 6, 32, 0.65, outline=False)
    top = 44 + _GAP_PX
    for row, height in zip(rows, heights, strict=True):
        for column, strip in enumerate(row):
            left = _GAP_PX + column * (_STRIP_PX + _GAP_PX)
            sheet[top : top + strip.shape[0], left : left + _STRIP_PX] = strip
        top += height + _GAP_PX
    return sheet


def write_png(picture_bgr: NDArray[np.uint8], path: Path) -> None:
    """Write a picture under a temporary name and rename it; OSError when the place cannot be written."""
    import cv2

    done, data = cv2.imencode(".png", picture_bgr, [cv2.IMWRITE_PNG_COMPRESSION, 7])
    if not done:
        raise ValueError(f"{path}: expected a picture PNG can hold, got shape {picture_bgr.shape}")
    with replacing(path) as part:
        part.write_bytes(data.tobytes())
