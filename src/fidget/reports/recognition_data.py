"""What the page of recognised videos carries for its script: small whole numbers, and joints in few bytes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fidget.benchmark.clip_economy import frame_rows, kept_layout
from fidget.benchmark.low_bandwidth import main_joints
from fidget.recognition.result import STATUSES, Person, Segment, VideoResult
from fidget.reports.drawing import SkeletonPen
from poses.clip import PoseClip

JOINTS_FPS = 12.5  # at most; the page draws what lies between by straight lines
JOINTS_BYTES = (
    8_000_000  # of a video at most, base64 makes 4/3 of them: longer videos get fewer frames a second
)
CURVES_BYTES = 6_000_000  # likewise: the least probable actions are left out first
_GRID, _MISSING = 65534, 65535
_MARGIN = 0.25  # joints may lie outside of the frame, by this share of its sides
_SIDES = {"middle": 0, "left": 1, "right": 2}


class Words:
    """Texts by number, each kept once."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """The number of a text as the page may show it."""
        if text not in self._numbers:
            self._numbers[text] = len(self.texts)
            self.texts.append(plain(text))
        return self._numbers[text]


def plain(text: str) -> str:
    """A text for the page's script, which makes no markup of it; control and direction marks escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def video_data(result: VideoResult, clip: PoseClip | None, *, media: bool, private: bool) -> dict[str, Any]:
    """One video for the page's script.

    Args:
        result: what was recognised.
        clip: its poses, drawn where there is no video; None draws none.
        media: whether `result.media` is linked.
        private: whether the page says so; then nothing is linked.

    Raises:
        ValueError: `result.media` is no relative path, or the clip's frames are not of the result's shape.
    """
    words = Words()
    numbers = {name: number for number, name in enumerate(result.actions)}
    groups = {name: number for number, name in enumerate(result.groups)}
    return {
        "private": private,
        "media": media_address(result.media) if media and not private and result.media else None,
        "mediaName": plain(result.media),
        "start": round(result.start_s, 3),
        "duration": max(round(result.duration_s, 3), 0.001),
        "width": result.frame_width,
        "height": result.frame_height,
        "warnings": [plain(one) for one in result.warnings],
        "method": plain(result.method),
        "simulated": result.simulated,
        "calibrated": result.calibrated,
        "temperature": result.temperature,
        "actions": [plain(one) for one in result.actions],
        "groups": [plain(one) for one in result.groups],
        "groupOf": list(result.group_of),
        "persons": [
            {
                "name": person_name(person.track_id),
                "segments": _segments(person.segments, words, numbers, groups),
                "curves": _curves(person, numbers, CURVES_BYTES // max(len(result.persons), 1)),
                "quality": {"ms": _ms(person.time_s), "values": _bytes(_byte(person.quality))},
            }
            for person in result.persons
        ],
        "words": words.texts,
        "joints": None if clip is None else joints_data(clip, result),
    }


def person_name(track_id: int) -> str:
    """How the page calls a person; a detector over whole frames sees nobody in particular."""
    return f"person {track_id}" if track_id >= 0 else "whole picture"


def media_address(media: str) -> str:
    """The address of a file beside the page, for a `src` attribute.

    Raises:
        ValueError: an absolute path; a page with its folder must stay movable.
    """
    if PurePosixPath(media).is_absolute() or PureWindowsPath(media).is_absolute():
        raise ValueError(
            f"expected a video path relative to the page, got {media!r}: write the page beside it"
        )
    return "./" + quote(media.encode("utf-8", "surrogateescape"), safe="/")


def _segments(
    segments: Sequence[Segment], words: Words, actions: dict[str, int], groups: dict[str, int]
) -> dict[str, list[Any]]:
    """Columns of the segments; milliseconds, thousandths, and numbers of names (-1 for none)."""
    start = [round(1000 * one.start_s) for one in segments]
    return {
        "start": start,
        "end": [max(round(1000 * one.end_s), first + 1) for one, first in zip(segments, start, strict=True)],
        "status": [STATUSES.index(one.status) for one in segments],
        "action": [-1 if one.action is None else actions.get(one.action, -1) for one in segments],
        "group": [-1 if one.group is None else groups.get(one.group, -1) for one in segments],
        "share": [round(1000 * one.probability) for one in segments],
        "words": [words.number(one.words) for one in segments],
        "rivals": [[actions.get(other.action, -1) for other in one.alternatives[:2]] for one in segments],
        "others": [
            [[words.number(other.action), round(1000 * other.probability)] for other in one.alternatives]
            for one in segments
        ],
    }


def _curves(person: Person, actions: dict[str, int], most_bytes: int) -> dict[str, Any]:
    """Curves in 1/255, those of the actions that are named longest, then of the most probable, first."""
    probability = person.curves.probability  # (A, W)
    windows = probability.shape[1]
    named = np.zeros(len(actions))
    for one in person.segments:
        if one.action in actions:
            named[actions[one.action]] += one.end_s - one.start_s
    peak = probability.max(axis=1) if windows else np.zeros(len(actions))
    order = np.lexsort((-peak, -named))[: max(most_bytes // max(windows, 1), 1)] if windows else []
    return {
        "ms": _ms(person.curves.time_s),
        "actions": [int(row) for row in order],
        "values": _bytes(_byte(probability[list(order)])),
    }


def joints_data(clip: PoseClip, result: VideoResult) -> dict[str, Any]:
    """Joints of a clip as 16-bit places in its frame and margin, at a reduced frame rate.

    A frame of a person takes 4 bytes a joint. The rate is `JOINTS_FPS`, or as much lower as `JOINTS_BYTES`
    need; it is told on the page.

    Raises:
        ValueError: the clip's frame has another shape than the result's.
    """
    height, width = clip.frame_hw
    if (width, height) != (result.frame_width, result.frame_height):
        raise ValueError(
            f"{result.video_id}: expected poses of frames {result.frame_width} x {result.frame_height}, got "
            f"{width} x {height}; extract the poses of this video again"
        )
    layout = kept_layout(clip.layout, main_joints(clip.layout))
    kept = [clip.layout.index(name) for name in layout.joints]
    names = {person.track_id: person_name(person.track_id) for person in result.persons}
    shown = [row for row, track in enumerate(clip.track_ids.tolist()) if track in names]
    frame_bytes = 4 * len(kept) * max(len(shown), 1)
    span_s = float(clip.time_s[-1] - clip.time_s[0])
    fps = min(JOINTS_FPS, max(JOINTS_BYTES // frame_bytes - 1, 1) / max(span_s, 1e-3))
    rows = frame_rows(clip.time_s, fps)
    pen = SkeletonPen.of(layout)
    return {
        "ms": _ms(clip.time_s[rows]),
        "fps": round(fps, 2),
        "step": max(1 / fps, _longest_usual_step(clip.time_s[rows])),
        "count": len(kept),
        "width": width,
        "height": height,
        "limbs": [list(limb) for limb in layout.limbs],
        "sides": [_SIDES[side] for side in pen.limb_sides],
        "persons": [
            {
                "name": names[int(clip.track_ids[row])],
                "xy": _bytes(_placed(clip.xy_px[row][rows][:, kept], width, height)),
            }
            for row in shown
        ],
    }


def _placed(xy_px: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint16]:
    """(T', V', 2) whole numbers over the frame and its margin."""
    share = (xy_px.astype(np.float64) / (width, height) + _MARGIN) / (1 + 2 * _MARGIN)
    missing = ~np.isfinite(share).all(axis=-1)
    placed = np.clip(np.rint(np.nan_to_num(share) * _GRID), 0, _GRID).astype(np.uint16)
    placed[missing] = _MISSING
    return placed


def _longest_usual_step(time_s: NDArray[np.float64]) -> float:
    """Seconds between frames, as most are; 0 of a single frame."""
    return float(np.percentile(np.diff(time_s), 90)) if len(time_s) > 1 else 0.0


def _ms(time_s: NDArray[np.float64]) -> str:
    return base64.b64encode(np.rint(1000 * time_s).astype("<i4").tobytes()).decode("ascii")


def _byte(share: ArrayLike) -> NDArray[np.uint8]:
    return np.clip(np.rint(255 * np.nan_to_num(np.asarray(share, np.float64))), 0, 255).astype(np.uint8)


def _bytes(values: NDArray[np.uint8] | NDArray[np.uint16]) -> str:
    return base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode("ascii")
