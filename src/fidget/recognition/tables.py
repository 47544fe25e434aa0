"""What was recognised as JSON and as CSV: our own table, and two that users of BORIS know.

Columns of BORIS (Friard and Gamba, 2016) after its user guide and its exports: `*-boris.csv` is what it
exports as aggregated events (state events, one row each), `*-boris-import.csv` what it imports into an open
observation, once a spreadsheet program saved it as .xlsx or .ods (BORIS reads no CSV there).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fidget.recognition.result import Person, Segment, VideoResult, to_json
from poses.whole_file import replacing

COLUMNS = (
    "video_id", "person", "start_s", "end_s", "status", "action", "group", "probability", "words",
    "second_action", "second_probability", "simulated",
)  # fmt: skip
BORIS_COLUMNS = (
    "Observation id", "Observation date", "Description", "Observation type", "Source", "Time offset (s)",
    "Coding duration", "Media duration (s)", "FPS (frame/s)", "Subject",
    "Observation duration by subject by observation", "Behavior", "Behavioral category", "Behavior type",
    "Start (s)", "Stop (s)", "Duration (s)", "Media file name", "Image index start", "Image index stop",
    "Image file path start", "Image file path stop", "Comment start", "Comment stop",
)  # fmt: skip
IMPORT_COLUMNS = ("time", "subject", "code", "modifier", "comment")


def write_json(path: Path, result: VideoResult, more: dict[str, Any]) -> None:
    """Write the record with further keys; whole or not at all.

    Raises:
        OSError: the place cannot be written.
    """
    text = json.dumps({**to_json(result), **more}, ensure_ascii=True, allow_nan=False)
    with replacing(path) as part:
        part.write_text(text + "\n", encoding="utf-8")


def write_csv(path: Path, result: VideoResult) -> None:
    """Write a row a segment."""
    rows = []
    for person, one in _segments(result):
        second = one.alternatives[1] if len(one.alternatives) > 1 else None
        rows.append([
            result.video_id, person.track_id, repr(one.start_s), repr(one.end_s), one.status,
            one.action or "", one.group or "", f"{one.probability:.5f}", one.words,
            second.action if second else "",
            f"{second.probability:.5f}" if second else "", str(result.simulated).lower(),
        ])  # fmt: skip
    _write(path, COLUMNS, rows)


def write_boris(path: Path, result: VideoResult, media: str, start_s: float = 0.0) -> None:
    """Write aggregated events of what is sure; times since `start_s`, at which the medium begins."""
    length_s = f"{result.duration_s:.3f}"
    rows = []
    for person, one in _sure(result):
        begin, end = one.start_s - start_s, one.end_s - start_s
        rows.append([
            result.video_id, "", _description(result), "Media file(s)", f"player #1:{media}", "0.0",
            length_s, length_s, f"{result.frame_rate:.3f}", person.name, length_s, one.action,
            one.group or "", "STATE", f"{begin:.3f}", f"{end:.3f}", f"{end - begin:.3f}", media, "", "", "",
            "", f"probability {one.probability:.3f}", "",
        ])  # fmt: skip
    _write(path, BORIS_COLUMNS, rows)


def write_boris_import(path: Path, result: VideoResult, start_s: float = 0.0) -> None:
    """Write events that BORIS imports: a state event is two rows, where it starts and where it stops."""
    rows = []
    for person, one in _sure(result):
        comment = f"probability {one.probability:.3f}"
        for time_s, said in ((one.start_s, comment), (one.end_s, "")):
            rows.append([f"{time_s - start_s:.3f}", person.name, one.action, "", said])
    _write(path, IMPORT_COLUMNS, sorted(rows, key=lambda row: float(str(row[0]))))


def _segments(result: VideoResult) -> list[tuple[Person, Segment]]:
    return [(person, one) for person in result.persons for one in person.segments]


def _sure(result: VideoResult) -> list[tuple[Person, Segment]]:
    return [(person, one) for person, one in _segments(result) if one.status == "sure"]


def _description(result: VideoResult) -> str:
    return f"{result.method}" + (", trained on simulated data" if result.simulated else "")


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with (
        replacing(path) as part,
        open(part, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        table.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula, whatever a name holds."""
    if isinstance(value, str) and value[:1] in ("=", "+", "@", "\t", "\r"):
        return "'" + value
    return value
