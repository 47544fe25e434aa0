"""What the verbs of `fidget detect` that measure have in common: annotations, their split, thresholds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocols.detection_table import DetectionTable

TOLD = """\
DATASET is a directory of MMA-52 lists, the JSON of ActivityNet or OpenTAD, a table of instances (CSV, JSON,
Parquet) or NAME:PATH with one of mma52 mma82_detection activitynet instances; --columns says which column of
a table holds what: clip, label, split, start, end (seconds) or start_frame, end_frame, frames, fps.
"""


def add_annotation_options(parser: argparse.ArgumentParser) -> None:
    """Register `--annotations` and what belongs to it."""
    add = parser.add_argument
    add("--annotations", required=True, metavar="DATASET", help="what happens in the videos, and when")
    add("--split", metavar="NAME", help="whose videos are measured (default: val, else test)")
    add("--columns", action="append", default=[], metavar="WHAT=NAME,...", help="which column holds what")
    add("--fps", metavar="RATE", help="frame rate of MMA-52 videos that state none (older release)")


def annotated(args: argparse.Namespace) -> tuple[DetectionTable, str]:
    """The annotations, and the split that is meant.

    Raises:
        UsageError: no such data set, split or column.
        ValueError: a file that is wrong.
    """
    table = read_annotations(args)
    return table, _split(args.split, table)


def read_annotations(args: argparse.Namespace) -> DetectionTable:
    """The annotations of `--annotations`, `--columns` and `--fps`.

    Raises:
        UsageError: no such data set or column.
        ValueError: a file that is wrong.
    """
    from fidget.cli.usage import UsageError
    from protocols.column_map import parse_columns
    from protocols.detection_tables import DETECTION_KINDS, detection_kind, read_detection_table
    from protocols.video_rows import frame_rate

    try:
        columns = parse_columns(",".join(args.columns))
    except ValueError as error:
        raise UsageError(f"--columns: {error}") from error
    rate = None if args.fps is None else frame_rate(args.fps)
    if args.fps is not None and rate is None:
        raise UsageError(f"--fps: expected a rate above 0 such as 30 or 30000/1001, got {args.fps!r}")
    try:
        kind = detection_kind(args.annotations, columns)
    except ValueError as error:
        raise UsageError(f"--annotations: {error}") from error
    if kind is None:
        raise UsageError(
            f"--annotations {args.annotations}: expected annotated videos: a directory of MMA-52 lists, a "
            f"JSON of ActivityNet, a table with starts and ends, or NAME:PATH with one of "
            f"{', '.join(DETECTION_KINDS)}"
        )
    return read_detection_table(*kind, columns, rate)


def _split(name: str | None, table: DetectionTable) -> str:
    from fidget.cli.usage import UsageError

    there = sorted({*table.splits} - {""})
    if name is None:
        measurable = [split for split in ("val", "test") if split in there and split not in table.withheld]
        if measurable:
            return measurable[0]
        raise UsageError(f"name the split with --split: {table.name} has {', '.join(there) or 'none'}")
    if name not in there:
        raise UsageError(f"--split {name}: {table.name} has the splits {', '.join(there) or 'none'}")
    return name


def thresholds(text: str | None) -> tuple[float, ...]:
    """Thresholds of tIoU from `0.2,0.5,0.7`; every tenth from 0.1 to 0.9 if None.

    Raises:
        UsageError: something else.
    """
    from fidget.cli.usage import UsageError
    from protocols.detection_rules import EVERY_TENTH

    if text is None:
        return EVERY_TENTH
    try:
        found = tuple(float(word) for word in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(0 < one <= 1 for one in found) or len(set(found)) != len(found):
        raise UsageError(f"--tiou: expected numbers above 0 and up to 1, such as 0.2,0.5,0.7; got {text!r}")
    return found
