"""Is this what the challenge server takes? Submissions, ours and others', row by row.

Problems are what a server refuses or scores wrongly; warnings are what it takes and nobody means. That five
body predictions repeat is a warning: the organisers' own sample of 2025 repeats them in nearly every row.
Segments may end up to 0.01 s after their video, since common writers round to two decimals.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from protocols.submission_format import (
    FORMATS,
    MOST_SEGMENTS,
    PLACES,
    SUFFIX,
    Expected,
    official,
)
from protocols.submission_zip import read_prediction
from protocols.trees import nearest, tree

_SLACK_S = 0.01
_SHOWN = 8
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass
class SubmissionReport:
    """What a check found.

    Attributes:
        name: of the format.
        rows: predictions that were read.
        problems: one line each, with the row they are in; none means that the file can be handed in.
        warnings: one line each.
        compared: the list whose clips were compared; empty where there was none.
    """

    name: str
    rows: int = 0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    compared: str = ""

    def told(self) -> str:
        """The first problems in one line, and how many more there are."""
        more = len(self.problems) - _SHOWN
        return "; ".join(self.problems[:_SHOWN]) + (f" ... and {more} more" if more > 0 else "")


def check_submission(path: str | Path, name: str, expected: Expected | None = None) -> SubmissionReport:
    """Check a zip, or the bare `prediction.csv`.

    Args:
        path: the file.
        name: one of `FORMATS`.
        expected: the clips it must name; None takes the official list where that is known.

    Raises:
        ValueError: no such format; names the nearest.
        OSError: the file cannot be opened.
    """
    if name not in FORMATS:
        raise ValueError(
            f"no submission format {name!r}: {nearest(name, FORMATS)}expected one of {', '.join(FORMATS)}"
        )
    report = SubmissionReport(name)
    text, problems, warnings = read_prediction(Path(path))
    report.problems += problems
    report.warnings += warnings
    if text is None:
        return report
    expected = expected or official(name)
    report.compared = expected.where if expected else ""
    if expected is None:
        report.warnings.append("its clips were not compared with a list, since none was named")
    rows = _rows(text, FORMATS[name].head, report)
    _CHECKS[name](rows, report, expected)
    return report


def _rows(text: str, head: tuple[str, ...], report: SubmissionReport) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row that has as many as the head; the others become problems."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        found = next(reader, [])
        if tuple(found) != head:
            report.problems.append(
                f"line 1: expected the columns {','.join(head)!r}, got {','.join(found)!r:.120}"
            )
            return
        for cells in reader:
            if not cells:
                continue
            report.rows += 1
            if len(cells) == len(head):
                yield reader.line_num, cells
            else:
                problem = f"expected {len(head)} values, got {len(cells)}"
                report.problems.append(f"{_where(reader.line_num, cells[0])}: {problem}")
    except csv.Error as error:
        report.problems.append(f"line {reader.line_num}: no CSV: {error}")


def _where(line: int, clip: str) -> str:
    return f"line {line} ({clip!r:.80})"


def _label(text: str, classes: int) -> int | None:
    return int(text) if _WHOLE.fullmatch(text) and int(text) < classes else None


def _check_recognition(
    rows: Iterator[tuple[int, list[str]]], report: SubmissionReport, expected: Expected | None
) -> None:
    head = FORMATS[report.name].head
    ma52 = tree("ma52")
    groups, actions = len(ma52.groups), len(ma52.actions)
    bodies = [name.startswith("body") or name == "pred_label_1" for name in head]
    lines: dict[str, int] = {}
    repeated = 0
    for line, cells in rows:
        where = _where(line, cells[0])
        _note_clip(cells[0], where, line, lines, report)
        labels: list[int | None] = []
        for name, text, is_body in zip(head[1:], cells[1:], bodies[1:], strict=True):
            labels.append(_label(text, groups if is_body else actions))
            if labels[-1] is None:
                last = (groups if is_body else actions) - 1
                report.problems.append(
                    f"{where}: expected {name} as a whole number 0..{last}, got {text!r:.40}"
                )
        if None not in labels and len(head) > 3:
            twice = [label for label, count in Counter(labels[:PLACES]).items() if count > 1]
            if twice:
                report.problems.append(
                    f"{where}: expected {PLACES} different actions, {twice[0]} is repeated"
                )
            repeated += len(set(labels[PLACES:])) < PLACES
    if repeated:
        report.warnings.append(
            f"{repeated:,} rows repeat a body prediction: places after the first are wasted"
        )
    _compare(lines, report, expected)


def _note_clip(clip: str, where: str, line: int, lines: dict[str, int], report: SubmissionReport) -> None:
    """Remember a clip's line, or say what is wrong with its name."""
    if not clip.endswith(SUFFIX) or clip == SUFFIX:
        report.problems.append(f"{where}: expected a clip that ends in {SUFFIX}, such as test0000{SUFFIX}")
    elif clip in lines:
        report.problems.append(f"{where}: this clip is in line {lines[clip]} already")
    lines.setdefault(clip, line)


def _compare(lines: dict[str, int], report: SubmissionReport, expected: Expected | None) -> None:
    """Clips that are missing, and clips that the list does not know."""
    if expected is None or (report.problems and not lines):
        return
    known = {f"{clip}{SUFFIX}": None for clip in expected.ids}
    missing = [clip for clip in known if clip not in lines]
    strange = [clip for clip in lines if clip not in known]
    for clip in strange:
        if clip.endswith(SUFFIX):
            where = _where(lines[clip], clip)
            hint = nearest(clip, missing) if len(missing) < 100 else ""
            report.problems.append(f"{where}: {expected.where} has no such clip; {hint}".rstrip("; "))
    if missing:
        report.problems.append(
            f"{len(missing):,} of the {len(known):,} clips of {expected.where} are missing, such as "
            + ", ".join(missing[:3])
        )


def _check_detection(
    rows: Iterator[tuple[int, list[str]]], report: SubmissionReport, expected: Expected | None
) -> None:
    classes = len(tree("ma52").actions)
    known = None if expected is None else set(expected.ids)
    lengths = expected.duration_s if expected else {}
    of_video: Counter[str] = Counter()
    unordered = outside = 0
    for number, (line, cells) in enumerate(rows):
        index, video, *times, label, score = cells
        where = _where(line, video)
        of_video[video] += 1
        unordered += index != str(number)
        if video.endswith(SUFFIX):
            report.problems.append(f"{where}: expected a video without {SUFFIX}")
        elif known is not None and expected is not None and video not in known:
            report.problems.append(f"{where}: {expected.where} has no such video")
        if _label(label, classes) is None:
            report.problems.append(
                f"{where}: expected class as a whole number 0..{classes - 1}, got {label!r:.40}"
            )
        problem = _wrong_time(times[0], times[1], lengths.get(video))
        if problem:
            report.problems.append(f"{where}: {problem}")
        if not _NUMBER.fullmatch(score) or not math.isfinite(float(score)):
            report.problems.append(f"{where}: expected a number as score, got {score!r:.40}")
        else:
            outside += not 0 <= float(score) <= 1
    _warn_detection(report, of_video, unordered, outside)
    if expected is not None and report.rows:
        absent = [video for video in expected.ids if video not in of_video]
        if absent:
            report.warnings.append(f"{len(absent):,} videos have no segment, such as {', '.join(absent[:3])}")
        if not lengths:
            report.warnings.append("times were not compared with the videos' lengths, which are not known")


def _warn_detection(report: SubmissionReport, of_video: Counter[str], unordered: int, outside: int) -> None:
    crowded = [f"{video} {count}" for video, count in of_video.items() if count > MOST_SEGMENTS]
    if crowded:
        told = ", ".join(crowded[:3])
        report.warnings.append(
            f"{len(crowded):,} videos have more than {MOST_SEGMENTS} segments, such as {told}"
        )
    if unordered:
        report.warnings.append(f"the first column does not run from 0 in {unordered:,} rows")
    if outside:
        report.warnings.append(f"{outside:,} scores lie outside 0..1")
    if not report.rows and not report.problems:
        report.problems.append("no segment at all")


def _wrong_time(start: str, end: str, length: float | None) -> str:
    """What is wrong with a segment's seconds; empty where nothing is."""
    if not all(_NUMBER.fullmatch(text) and math.isfinite(float(text)) for text in (start, end)):
        return f"expected seconds as t_start and t_end, got {start!r:.40} and {end!r:.40}"
    t_start, t_end = float(start), float(end)
    if t_start < 0:
        return f"t_start {start} lies before the video's beginning"
    if t_end <= t_start:
        return f"expected t_end after t_start, got {start} to {end}"
    if length is not None and t_end > length + _SLACK_S:
        return f"t_end {end} lies after the video's end at {length:.3f} s"
    return ""


_CHECKS: dict[str, Callable[[Iterator[tuple[int, list[str]]], SubmissionReport, Expected | None], None]] = {
    "mac2024": _check_recognition,
    "mac2025": _check_recognition,
    "mma52-detection": _check_detection,
}
