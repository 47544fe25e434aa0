"""Which reader reads a detection data set: by its name, or by what its files look like.

| DATASET | what |
|---|---|
| `mma52:PATH` | MMA-52's csv files, of either release |
| `mma82_detection:FILE` | MMA-82 behind a column map |
| `activitynet:FILE` | JSON of ActivityNet, OpenTAD, ActionFormer or mmaction2 |
| `instances:FILE` | any table of videos, labels and times |

A path without a name is looked at: `detection_kind`.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from protocols.activitynet import is_activitynet, read_activitynet
from protocols.column_map import ColumnMap
from protocols.detection_columns import read_detection_columns
from protocols.detection_table import DetectionTable
from protocols.labels_table import LABELS_COLUMNS
from protocols.mma52_detection import is_mma52, read_mma52
from protocols.mma82 import read_mma82_detection
from protocols.row_files import SUFFIXES, read_rows

DETECTION_KINDS = ("mma52", "mma82_detection", "activitynet", "instances")
"""Names that go before the colon of `NAME:PATH`."""


def detection_kind(data_set: str | Path, columns: ColumnMap = LABELS_COLUMNS) -> tuple[str, Path] | None:
    """The reader's name and the path; None for what is no detection data set.

    A table is one if it has the columns of start and end, in seconds or frames.

    Raises:
        ValueError: a name whose path does not exist, or a file that cannot be read.
        OSError: a file cannot be opened.
    """
    head, colon, rest = str(data_set).partition(":")
    if colon and rest and head in DETECTION_KINDS:
        if not Path(rest).exists():
            raise ValueError(f"{data_set}: expected {head} at {rest}, there is no such file or directory")
        return head, Path(rest)
    path = Path(data_set)
    if path.exists() and not columns.given and is_mma52(path):
        return "mma52", path
    if not path.is_file() or path.suffix.lower() not in SUFFIXES:
        return None
    if path.suffix.lower() == ".json" and not columns.given and is_activitynet(path):
        return "activitynet", path
    there = read_rows(path).columns
    in_seconds = columns.start in there and columns.end in there
    in_frames = columns.start_frame in there and columns.end_frame in there
    return ("instances", path) if in_seconds or in_frames else None


def read_detection_table(
    kind: str,
    path: Path,
    columns: ColumnMap = LABELS_COLUMNS,
    fps: Fraction | None = None,
    simulated: bool = False,
) -> DetectionTable:
    """Videos and instances by a reader's name.

    Args:
        kind: one of `DETECTION_KINDS`.
        path: what to read.
        columns: which column holds what, of a table.
        fps: frame rate of MMA-52 videos where the files state none.
        simulated: whether a simulator made the videos.

    Raises:
        ValueError: a file that is wrong; columns for something that has none.
        OSError: a file cannot be opened.
    """
    if columns.given and kind in ("mma52", "activitynet"):
        raise ValueError(f"{path}: columns were named, but {kind} has none of its own to choose from")
    if kind == "mma52":
        return read_mma52(path, fps)
    if kind == "activitynet":
        return read_activitynet(path)
    if kind == "mma82_detection":
        return read_mma82_detection(path, columns, simulated)
    if kind == "instances":
        return read_detection_columns(path, columns, simulated=simulated)
    raise ValueError(f"no reader {kind!r}, expected one of {', '.join(DETECTION_KINDS)}")
