"""What the challenge servers of MA-52 take: the columns of `prediction.csv`, and which clips it must name."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from protocols.ma52 import read_list
from protocols.row_files import read_rows
from protocols.video_rows import frame_rate

SUFFIX = ".mp4"
MOST_SEGMENTS = 200
PLACES = 5
_ID_COLUMNS = ("video_id", "vid", "clip_id", "id")


@dataclass(frozen=True)
class SubmissionFormat:
    """One server's `prediction.csv`.

    Attributes:
        title: which challenge.
        head: its columns.
        line_end: as in the organisers' own sample or script.
        official: number of clips of the official list, `test0000` and on; 0 where they are not known.
    """

    title: str
    head: tuple[str, ...]
    line_end: str
    official: int


FORMATS: Mapping[str, SubmissionFormat] = {
    "mac2024": SubmissionFormat(
        "MAC 2024, micro-action recognition", ("id", "pred_label_1", "pred_label_2"), "\r\n", 0
    ),
    "mac2025": SubmissionFormat(
        "MAC 2025 and Codabench 9066, micro-action recognition",
        (
            "vid",
            *(f"action_pred_{place}" for place in range(1, PLACES + 1)),
            *(f"body_pred_{place}" for place in range(1, PLACES + 1)),
        ),
        "\r\n",
        5586,
    ),
    "mma52-detection": SubmissionFormat(
        "MAC, multi-label micro-action detection",
        ("", "video_id", "t_start", "t_end", "class", "score"),
        "\n",
        519,
    ),
}


@dataclass(frozen=True)
class Expected:
    """The clips or videos that a submission must name.

    Attributes:
        ids: without suffix, each once.
        duration_s: of those whose length is known.
        where: the list, for messages.
    """

    ids: tuple[str, ...]
    duration_s: Mapping[str, float] = field(default_factory=dict)
    where: str = "the official list"


def official(name: str) -> Expected | None:
    """The official list of a format; None for `mac2024`, which took part of the test list, not known here."""
    count = FORMATS[name].official
    return Expected(tuple(f"test{number:04d}" for number in range(count))) if count else None


def read_expected(path: str | Path) -> Expected:
    """The clips of a list: MA-52's (`test0000.mp4 0`), one id a line, MMA-52's csv, or any table with ids.

    A table's ids are in its column `video_id`, `vid`, `clip_id` or `id`; lengths come from `total_frames` and
    `fps`, or `duration_s`, where it has those.

    Raises:
        ValueError: no list, or a clip twice in a list that has one line a clip; named.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    if path.suffix.lower() in (".txt", ".list", ""):
        names, _ = read_list(path, 52)
        ids = [_bare(name) for name in names]
        twice = sorted(name for name, count in Counter(ids).items() if count > 1)
        if twice:
            raise ValueError(f"{path}: expected each clip once, twice: {', '.join(map(repr, twice[:8]))}")
        return _listed(path, ids, {})
    rows = read_rows(path)
    column = next((name for name in _ID_COLUMNS if name in rows.columns), None)
    if column is None:
        raise ValueError(
            f"{path}: expected a column {', '.join(_ID_COLUMNS)}; got {', '.join(map(repr, rows.columns))}"
        )
    durations: dict[str, float] = {}
    ids = [_bare(name) for name in rows.columns[column]]
    if {"total_frames", "fps"} <= set(rows.columns):
        for row, pair in enumerate(zip(rows.columns["total_frames"], rows.columns["fps"], strict=True)):
            rate = frame_rate(pair[1])
            if rate is None or not pair[0].isdecimal():
                raise ValueError(f"{path}: {rows.where(row)}: expected total_frames and fps, got {pair}")
            durations[ids[row]] = float(int(pair[0]) / rate)
    elif "duration_s" in rows.columns:
        for row, text in enumerate(rows.columns["duration_s"]):
            durations[ids[row]] = _seconds(text, f"{path}: {rows.where(row)}")
    return _listed(path, ids, {name: length for name, length in durations.items() if math.isfinite(length)})


def _listed(path: Path, ids: list[str], durations: dict[str, float]) -> Expected:
    if not ids:
        raise ValueError(f"{path}: expected a list of clips, it names none")
    return Expected(tuple(dict.fromkeys(ids)), durations, path.name)


def _bare(name: str) -> str:
    return name.strip().rpartition("/")[2].removesuffix(SUFFIX)


def _seconds(text: str, where: str) -> float:
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError as error:
        raise ValueError(f"{where}: expected seconds as duration_s, got {text!r}") from error
