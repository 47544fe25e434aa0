"""One row a joint: the CSV that pandas, R and spreadsheets take as it is."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from pathlib import Path

import numpy as np

from poses.formats.record import FormatError, LabelledClip, OnBroken, RawClip, expect_size, shortest, zeroed
from poses.layout import Layout
from poses.whole_file import replacing

COLUMNS = ("clip_id", "frame", "time_s", "track_id", "joint", "x_px", "y_px", "score")
# Repeated on every row, so that a row stands for itself; a reader does without them.
SIZE_COLUMNS = ("width", "height")


def write_csv(path: str | Path, clips: Iterable[LabelledClip]) -> int:
    """Write found joints as rows, one clip in memory at a time; how many clips were written.

    A joint that was not found has no row. A frame without any joint has one row with empty `track_id`,
    `joint`, `x_px`, `y_px` and `score`, so that frames and times are complete. Boxes are not stored.
    """
    path = Path(path)
    written = 0
    with (
        replacing(path) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        rows = csv.writer(file, lineterminator="\n")
        # Python before 3.13 leaves a lone \r bare, where readers see the end of a row.
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        rows.writerow([*COLUMNS, *SIZE_COLUMNS])
        for labelled in clips:
            (quoted if "\r" in labelled.clip.clip_id else rows).writerows(_rows(labelled))
            written += 1
    return written


def _rows(labelled: LabelledClip) -> Iterator[list[object]]:
    clip = labelled.clip
    height, width = clip.frame_hw
    joints, tracks = clip.layout.joints, clip.track_ids.tolist()
    xy, score = shortest(zeroed(clip)).tolist(), shortest(clip.score).tolist()
    found = clip.score > 0
    for t, time_s in enumerate(clip.time_s.tolist()):
        for m, v in np.argwhere(found[:, t]).tolist():
            x, y = xy[m][t][v]
            yield [clip.clip_id, t, time_s, tracks[m], joints[v], x, y, score[m][t][v], width, height]
        if not found[:, t].any():
            yield [clip.clip_id, t, time_s, "", "", "", "", "", width, height]


def read_csv(
    path: str | Path,
    layout: Layout,
    fps: Fraction | None = None,
    frame_hw: tuple[int, int] | None = None,
    on_broken: OnBroken | None = None,
) -> Iterator[LabelledClip]:
    """Read a long CSV, one clip in memory at a time. Columns are found by name; others are ignored.

    Needed: clip_id, frame, joint, x_px, y_px. Without `time_s`, time is frame / fps; without `track_id`,
    one person; without `score`, 1; without `width` and `height`, `frame_hw`. All rows of a clip follow one
    another; within a clip any order will do.

    Args:
        path: the file, UTF-8.
        layout: the joint set whose names the file uses.
        fps: frame rate; taken from the times where the file has them and this is None.
        frame_hw: used where the file has no size.
        on_broken: called with clip id and problem instead of raising, for one bad clip among good.

    Raises:
        FormatError: a column is missing, or a value is no number or no joint of the layout; names the line.
    """
    path = Path(path)
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.reader(file)
        try:
            header = next(rows, [])
            columns = _columns(header, path)
            numbered = ((rows.line_num, row) for row in rows if row)
            done: set[str] = set()
            for clip_id, group in groupby(numbered, key=lambda pair: _cell(pair[1], columns, "clip_id")):
                collected = _Rows(clip_id, layout, columns, path)
                try:
                    if clip_id in done:
                        raise FormatError(
                            f"{path}: rows of clip {clip_id!r} lie apart; sort the file by clip_id"
                        )
                    done.add(clip_id)
                    for line, row in group:
                        collected.add(line, row)
                    labelled = collected.finish(fps, frame_hw)
                except ValueError as error:
                    if on_broken is None:
                        raise
                    on_broken(clip_id, str(error))
                    continue
                yield labelled
        except csv.Error as error:
            raise FormatError(f"{path}, line {rows.line_num}: not CSV: {error}") from None


def _columns(header: list[str], path: Path) -> dict[str, int]:
    columns = {name.strip(): index for index, name in enumerate(header)}
    missing = [name for name in ("clip_id", "frame", "joint", "x_px", "y_px") if name not in columns]
    if missing:
        raise FormatError(
            f"{path}: expected the columns {', '.join(COLUMNS)}, missing {', '.join(missing)} "
            f"in {[name[:40] for name in header[:12]]}"
        )
    return columns


def _cell(row: list[str], columns: dict[str, int], name: str) -> str:
    index = columns.get(name, len(row))
    return row[index] if index < len(row) else ""


@dataclass
class _Rows:
    """The rows of one clip."""

    clip_id: str
    layout: Layout
    columns: dict[str, int]
    path: Path
    times: dict[int, float | None] = field(default_factory=dict)
    joints: dict[tuple[int, int, int], tuple[float, float, float]] = field(default_factory=dict)
    size: tuple[int, int] | None = None

    def add(self, line: int, row: list[str]) -> None:
        where = f"{self.path}, line {line}"
        if len(row) < len(self.columns):
            raise FormatError(f"{where}: expected {len(self.columns)} cells, got {len(row)}")
        frame = _integer(_cell(row, self.columns, "frame"), "frame", where)
        time_text = _cell(row, self.columns, "time_s")
        time_s = _number(time_text, "time_s", where) if time_text else None
        if self.times.setdefault(frame, time_s) != time_s:
            raise FormatError(f"{where}: frame {frame} has the times {self.times[frame]} and {time_s}")
        if self.size is None and _cell(row, self.columns, "width") and _cell(row, self.columns, "height"):
            height, width = (_cell(row, self.columns, side) for side in ("height", "width"))
            self.size = _integer(height, "height", where), _integer(width, "width", where)
        joint = _cell(row, self.columns, "joint")
        if joint:
            self._add_joint(where, row, frame, joint)

    def _add_joint(self, where: str, row: list[str], frame: int, joint: str) -> None:
        try:
            v = self.layout.index(joint)
        except ValueError as error:
            raise FormatError(f"{where}: {error}; name the layout the file was made with") from None
        track = _integer(_cell(row, self.columns, "track_id") or "0", "track_id", where)
        x, y = (_cell(row, self.columns, column) for column in ("x_px", "y_px"))
        score = _cell(row, self.columns, "score")
        if (track, frame, v) in self.joints:
            raise FormatError(f"{where}: frame {frame}, track {track} has {joint!r} twice")
        self.joints[track, frame, v] = (
            _number(x, "x_px", where) if x else math.nan,
            _number(y, "y_px", where) if y else math.nan,
            _number(score, "score", where) if score else float("score" not in self.columns),
        )

    def finish(self, fps: Fraction | None, frame_hw: tuple[int, int] | None) -> LabelledClip:
        frames, tracks = sorted(self.times), sorted({track for track, _, _ in self.joints})
        at_frame = {frame: t for t, frame in enumerate(frames)}
        at_track = {track: m for m, track in enumerate(tracks)}
        expect_size(len(tracks), len(frames), self.layout, f"{self.path}, clip {self.clip_id!r}")
        shape = (len(tracks), len(frames), len(self.layout.joints), 3)
        joints = np.zeros(shape, np.float32)  # (M, T, V, x y score)
        for (track, frame, v), values in self.joints.items():
            joints[at_track[track], at_frame[frame], v] = values
        raw = RawClip(self.clip_id, self.layout, joints[..., :2], joints[..., 2])
        raw.track_ids, raw.frame_hw, raw.fps = np.array(tracks, np.int64), self.size or frame_hw, fps
        times = [self.times[frame] for frame in frames]
        known = [time_s for time_s in times if time_s is not None]
        if len(known) == len(times):
            raw.time_s = np.array(known)
            raw.fps = fps or rate_of(raw.time_s)
        else:
            raw.fps = fps or Fraction(30)
            raw.time_s = np.array(frames) / float(raw.fps)
            raw.notes.append("no times in the file: frame / fps taken")
        return raw.finish()


def rate_of(time_s: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Fraction | None:
    """The nominal frame rate that times imply, or None for a single frame."""
    steps = np.diff(time_s)
    if not len(steps) or not np.median(steps) > 0:
        return None
    step_s = float(np.median(steps))
    if np.ptp(steps) < 3e-6:  # steady but for rounding to microseconds: the mean is more exact
        step_s = float(steps.mean())
    rate = 1 / step_s
    for candidate in (Fraction(round(rate)), Fraction(round(rate * 1.001) * 1000, 1001)):
        if candidate > 0 and abs(float(candidate) / rate - 1) < 1e-4:
            return candidate
    return Fraction(rate).limit_denominator(100_000)


def _integer(text: str, name: str, where: str) -> int:
    number = _number(text, name, where)
    if not number.is_integer() or abs(number) >= 2**63:
        raise FormatError(f"{where}: expected a whole number as {name}, got {text[:40]!r}")
    return int(number)


def _number(text: str, name: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise FormatError(f"{where}: expected a number as {name}, got {text[:40]!r}") from None
