"""An overlay video of detected actions: skeletons on the frames, what goes on now, and a timeline below.

The timeline has a row an action, bars in the colour of its body group, stronger where the score is higher,
and annotated instances as frames around them where they are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fidget.reports.drawing import PLAIN_BGR, ascii_label, label_width_px, put_label
from fidget.reports.overlay import Background, ClipPainter, Overlay
from fidget.reports.video_file import write_video
from poses.clip import PoseClip
from poses.layout import get_layout
from protocols.detection_table import Instance
from protocols.label_tree import LabelTree

MOST_ROWS = 10
_LONGEST_SIDE_PX = 1280
_NARROWEST_PX = 640  # smaller frames are enlarged, so that there is room for names
_ROW_PX, _EDGE_PX = 24, 10
_NAMES_SHARE = 0.34  # of the width
_TEXT = 0.45
_SMALL_TEXT = 0.38
_ACTIVE_TEXT = 0.6
_LONGEST_NAME = 40
_MOST_ACTIVE = 6
_PALE = 0.3  # of a bar's colour where its score is lowest

# BGR of the body groups, in the order of the tree; colour-blind safe after Okabe and Ito.
GROUP_BGR = (
    (115, 158, 0),
    (233, 180, 86),
    (0, 159, 230),
    (66, 228, 240),
    (0, 94, 213),
    (167, 121, 204),
    (178, 114, 0),
)
_TRUTH_BGR = (255, 255, 255)
_NOW_BGR = (80, 80, 255)
_GRID_BGR = (90, 84, 80)


@dataclass(frozen=True)
class Segment:
    """A bar.

    Attributes:
        t_start_s: seconds since the video's beginning.
        t_end_s: likewise.
        action: index of the tree's action.
        score: 0..1.
    """

    t_start_s: float
    t_end_s: float
    action: int
    score: float


def clip_without_people(
    clip_id: str, frame_time_s: NDArray[np.float64], frame_hw: tuple[int, int], fps: Fraction
) -> PoseClip:
    """A clip of a video whose poses nobody looked for: frames and times, and nobody in them."""
    layout = get_layout("coco17")
    t, v = len(frame_time_s), len(layout.joints)
    nobody = np.zeros((0, t, v), np.float32)
    return PoseClip(
        clip_id,
        layout,
        np.zeros((0, t, v, 2), np.float32),
        nobody,
        np.zeros((0, t, 4), np.float32),
        frame_time_s,
        frame_hw,
        fps,
        np.zeros(0, np.int64),
    )


def write_detection_overlay(
    clip: PoseClip,
    source: Path | None,
    path: Path,
    segments: Sequence[Segment],
    tree: LabelTree,
    truth: Sequence[Instance] = (),
    note: str = "",
    encoder: str | None = None,
    on_frames: Callable[[int], None] = lambda frames: None,
) -> Overlay:
    """Write the overlay of one video, one frame in memory at a time.

    Args:
        clip: its poses, or `clip_without_people`.
        source: the video, or None for a plain background.
        path: where to write the MP4.
        segments: what is shown; seconds as of `clip.time_s`.
        tree: names and groups of the actions.
        truth: annotated instances of this video, of the same tree.
        note: words below the timeline, such as `simulated`.
        encoder: see `write_video`.
        on_frames: called with the number of frames drawn since the last call.

    Raises:
        ValueError: an action that the tree has not.
        OSError: the place cannot be written.
    """
    painter = ClipPainter(_enlarged(clip), _LONGEST_SIDE_PX)
    end_s = float(clip.time_s[-1]) + 1 / float(clip.fps)
    line = Timeline(float(clip.time_s[0]), end_s, segments, tree, painter.width, truth, note)
    background = Background(clip, source, (painter.height, painter.width))
    size = (painter.height + line.height, painter.width)
    with closing(background.frames()) as frames, write_video(path, size, clip.fps, encoder) as video:
        for index, frame_bgr in enumerate(frames):
            now_s = float(clip.time_s[index])
            drawn = painter.paint(frame_bgr, index)
            line.name_active(drawn, now_s)
            video.add(now_s, np.concatenate([drawn, line.at(now_s)]))
            on_frames(1)
    return Overlay(path, clip.frames, background.note, [])


class Timeline:
    """The bars below the frames; drawn once, the mark of now goes over them.

    Args:
        begin_s: where it begins.
        end_s: where it ends.
        segments: what was found.
        tree: names and groups of the actions.
        width: pixels.
        truth: what was annotated.
        note: words at its lower edge.

    Attributes:
        height: pixels.
        actions: each row's action; where there are more than `MOST_ROWS`, those annotated and those of the
            highest scores; in the order in which they begin.
        left_out: number of actions without a row.

    Raises:
        ValueError: no time, or an action that the tree has not.
    """

    def __init__(
        self,
        begin_s: float,
        end_s: float,
        segments: Sequence[Segment],
        tree: LabelTree,
        width: int,
        truth: Sequence[Instance] = (),
        note: str = "",
    ) -> None:
        wrong = [s.action for s in segments if not 0 <= s.action < len(tree.actions)]
        wrong += [one.label for one in truth if not 0 <= one.label < len(tree.actions)]
        if wrong or end_s <= begin_s:
            raise ValueError(
                f"expected actions 0..{len(tree.actions) - 1} of {tree.name} and times that go on, got "
                f"actions {sorted(set(wrong))[:8]}, {begin_s:g} to {end_s:g} s"
            )
        self._tree, self._segments = tree, sorted(segments, key=lambda one: one.score)
        self._begin_s, self._end_s, self._note = begin_s, end_s, note
        self.actions, self.left_out = _rows_of(segments, truth)
        self._left = round(_NAMES_SHARE * width)
        self._right = width - _EDGE_PX
        self.height = _ROW_PX * (max(1, len(self.actions)) + 1) + 2 * _EDGE_PX
        self._picture = np.empty((self.height, width, 3), np.uint8)
        self._picture[:] = PLAIN_BGR
        self._draw_grid()
        self._draw_bars(truth)

    def at(self, now_s: float) -> NDArray[np.uint8]:
        """The picture (H, W, 3) with a mark at a time."""
        out = self._picture.copy()
        x = self._x(now_s)
        out[_EDGE_PX // 2 : self.height - _ROW_PX, max(x - 1, 0) : x + 1] = _NOW_BGR
        return out

    def name_active(self, frame_bgr: NDArray[np.uint8], now_s: float) -> None:
        """Write what goes on at a time to the upper right of a frame, in place: the surest first."""
        best: dict[int, float] = {}
        for one in self._segments:  # the surest last
            if one.t_start_s <= now_s < one.t_end_s:
                best[one.action] = one.score
        width = frame_bgr.shape[1]
        surest = sorted(best.items(), key=lambda item: -item[1])[:_MOST_ACTIVE]
        for row, (action, score) in enumerate(surest):
            text = f"{self._name(action)}  {score:.2f}"
            x = max(4, width - _EDGE_PX - label_width_px(text, _ACTIVE_TEXT))
            put_label(frame_bgr, text, x, 26 + 26 * row, _ACTIVE_TEXT, self._ink(action))

    def _draw_grid(self) -> None:
        """Seconds, the names of the rows, and the note."""
        foot = self.height - _ROW_PX
        for second in _ticks(self._begin_s, self._end_s):
            x = self._x(second)
            self._picture[_EDGE_PX // 2 : foot, x : x + 1] = _GRID_BGR
            label = f"{second:g} s"
            half = label_width_px(label, _SMALL_TEXT) // 2
            at = min(max(x - half, self._left), self._right - 2 * half)
            put_label(self._picture, label, at, foot + 14, _SMALL_TEXT, outline=False)
        for row, action in enumerate(self.actions):
            name = ascii_label(self._name(action), _LONGEST_NAME)
            while label_width_px(name, _TEXT) > self._left - 2 * _EDGE_PX and len(name) > 8:
                name = ascii_label(name, len(name) - 1)
            at_y = _EDGE_PX + _ROW_PX * row + round(0.7 * _ROW_PX)
            put_label(self._picture, name, _EDGE_PX, at_y, _TEXT, self._ink(action), outline=False)
        words = [self._note, f"{self.left_out} more actions" if self.left_out else ""]
        if not self.actions:
            words.append("nothing found")
        text = ", ".join(word for word in words if word)
        if text:
            put_label(self._picture, text, _EDGE_PX, self.height - 9, _SMALL_TEXT, outline=False)

    def _draw_bars(self, truth: Sequence[Instance]) -> None:
        """Segments as bars, the surest on top; annotated instances as frames."""
        import cv2

        row_of = {action: row for row, action in enumerate(self.actions)}
        plain = np.array(PLAIN_BGR)
        for one in self._segments:
            if one.action in row_of:
                left, top, right, bottom = self._box(row_of[one.action], one.t_start_s, one.t_end_s)
                strength = _PALE + (1 - _PALE) * float(np.clip(one.score, 0, 1))
                ink = strength * np.array(self._colour(one.action)) + (1 - strength) * plain
                self._picture[top + 3 : bottom - 2, left : right + 1] = ink.round().astype(np.uint8)
        for known in truth:
            if known.label in row_of:
                left, top, right, bottom = self._box(row_of[known.label], known.t_start_s, known.t_end_s)
                cv2.rectangle(self._picture, (left, top), (right, bottom), _TRUTH_BGR, 1)

    def _box(self, row: int, start_s: float, end_s: float) -> tuple[int, int, int, int]:
        """Left, top, right, bottom."""
        top = _EDGE_PX + _ROW_PX * row + 2
        left = self._x(start_s)
        return left, top, max(self._x(end_s), left + 1), top + _ROW_PX - 5

    def _x(self, second: float) -> int:
        """Column of a time, held within the bars' part."""
        share = (second - self._begin_s) / (self._end_s - self._begin_s)
        return round(self._left + float(np.clip(share, 0, 1)) * (self._right - self._left))

    def _name(self, action: int) -> str:
        return self._tree.actions[action]

    def _colour(self, action: int) -> tuple[int, int, int]:
        group = self._tree.group_of[action] if self._tree.groups else action
        return GROUP_BGR[group % len(GROUP_BGR)]

    def _ink(self, action: int) -> tuple[int, int, int]:
        """The colour, light enough to be read."""
        blue, green, red = (round(0.65 * part + 0.35 * 255) for part in self._colour(action))
        return blue, green, red


def _rows_of(segments: Sequence[Segment], truth: Sequence[Instance]) -> tuple[tuple[int, ...], int]:
    """Actions that get a row, in the order in which they begin, and how many get none."""
    surest: dict[int, float] = {}
    first_s: dict[int, float] = {}
    for one in segments:
        surest[one.action] = max(surest.get(one.action, 0.0), one.score)
        first_s[one.action] = min(first_s.get(one.action, np.inf), one.t_start_s)
    for known in truth:
        surest[known.label] = np.inf
        first_s[known.label] = min(first_s.get(known.label, np.inf), known.t_start_s)
    kept = sorted(surest, key=lambda action: (-surest[action], action))[:MOST_ROWS]
    return tuple(sorted(kept, key=lambda action: (first_s[action], action))), len(surest) - len(kept)


def _ticks(begin_s: float, end_s: float) -> list[float]:
    """Whole steps of seconds, 5 to 10 of them."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
    step = next((step for step in steps if (end_s - begin_s) / step <= 10), steps[-1])
    first, last = np.ceil(begin_s / step), np.floor(end_s / step)
    return [round(float(at * step), 3) for at in np.arange(first, last + 1)]


def _enlarged(clip: PoseClip) -> PoseClip:
    """A small clip several times as large, so that there is room for names."""
    times = -(-_NARROWEST_PX // clip.frame_hw[1])
    if times <= 1:
        return clip
    height, width = clip.frame_hw
    return replace(
        clip,
        xy_px=((clip.xy_px + 0.5) * times - 0.5).astype(np.float32),  # pixel centres at integers
        box_px=(clip.box_px * times).astype(np.float32),
        frame_hw=(height * times, width * times),
    )
