"""`fidget benchmark audit`: counts of a data set, and what is wrong with it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fractions import Fraction

    from protocols.audit_record import Audit
    from protocols.column_map import ColumnMap

_EPILOG = """\
examples:
  fidget benchmark audit ma52:annotations/ma52 --poses poses/ma52
  fidget benchmark audit annotations/mma52 --json > audit.json
  fidget benchmark audit mma82:rec.csv --columns clip=video,label=action,domain=scene,subject=who,split=part
  fidget benchmark audit nw_ucla --poses poses/nw_ucla

DATASET is a table of clips (CSV, JSON, Parquet), a directory of official lists or of a folder a class, the
JSON of ActivityNet or OpenTAD, or NAME:PATH with one of
  ma52 ma52_subjects mma82 mma82_<domain> labels folders             recognition
  mma52 mma82_detection activitynet instances                        detection
nw_ucla and jhmdb14 are read from the names of the clips in --poses. --columns says which column of a table
holds what: clip, label, split, domain, subject, class_name, group_name, duration; of detection tables also
start, end (seconds) or start_frame, end_frame, frames, fps. Labels are class indices from 0, or names.
A problem spoils results; a note is something that a reader of results should know.
Exit status: 0 no problem, 1 problems (each is named) or an unreadable file, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "audit",
        help="counts of a data set, and what is wrong with it",
        description="Counts of a data set per class, split, subject and domain, and what is wrong with it.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data_set", metavar="DATASET", help="a file, a directory, or NAME:PATH")
    parser.add_argument("--poses", metavar="DIR", help="its pose cache: which clips have poses")
    parser.add_argument(
        "--columns",
        metavar="WHAT=NAME,...",
        action="append",
        default=[],
        help="which column of a table holds what",
    )
    parser.add_argument(
        "--fps", metavar="RATE", help="frame rate of MMA-52 videos that state none (older release)"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON, with every subject")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Audit; 1 if there are problems."""
    from pathlib import Path

    from fidget.cli.usage import UsageError
    from protocols.clip_tables import KINDS, SKELETONS, kind_of
    from protocols.detection_tables import DETECTION_KINDS, detection_kind

    if args.poses is not None and not Path(args.poses).is_dir():
        raise UsageError(f"--poses {args.poses}: expected a pose cache, there is no such directory")
    if args.data_set in SKELETONS and args.poses is None:
        raise UsageError(f"{args.data_set} is read from the names of its clips: add --poses DIR")
    columns, fps = _columns(args.columns), _rate(args.fps)
    head, colon, rest = args.data_set.partition(":")
    if colon and head in (*KINDS, *DETECTION_KINDS) and not _exists(rest):
        raise UsageError(f"{args.data_set}: expected {head} at {rest}, there is no such file or directory")
    is_clips = (colon and head in KINDS) or args.data_set in SKELETONS
    found = None if is_clips else detection_kind(args.data_set, columns)
    if found is None:
        try:
            kind_of(args.data_set)
        except ValueError as error:
            more = f"; of detection: {', '.join(DETECTION_KINDS)}" if "no data set" in str(error) else ""
            raise UsageError(f"{error}{more}") from error
        audit = _clips(args.data_set, args.poses, columns)
    else:
        audit = _detection(*found, args.poses, columns, fps)
    if args.json:
        import json

        print(json.dumps(_as_json(audit), ensure_ascii=False))
    else:
        from fidget.cli.benchmark_audit_text import print_audit

        print_audit(audit)
    return 1 if audit.problems else 0


def _exists(text: str) -> bool:
    """Whether there is such a path, or one before the prefix of `labels.csv:xsub`."""
    from pathlib import Path

    return Path(text).exists() or Path(text.rpartition(":")[0] or text).exists()


def _columns(texts: list[str]) -> ColumnMap:
    from fidget.cli.usage import UsageError
    from protocols.column_map import parse_columns

    try:
        return parse_columns(",".join(texts))
    except ValueError as error:
        raise UsageError(f"--columns: {error}") from error


def _rate(text: str | None) -> Fraction | None:
    from fidget.cli.usage import UsageError
    from protocols.video_rows import frame_rate

    rate = None if text is None else frame_rate(text)
    if text is not None and rate is None:
        raise UsageError(f"--fps: expected a rate above 0 such as 30 or 30000/1001, got {text!r}")
    return rate


def _clips(data_set: str, poses: str | None, columns: ColumnMap) -> Audit:
    from protocols.audit import audit_clips
    from protocols.audit_record import read_pose_facts
    from protocols.clip_tables import read_clip_table

    return audit_clips(read_clip_table(data_set, poses, columns), read_pose_facts(poses) if poses else None)


def _detection(kind: str, path: Any, poses: str | None, columns: ColumnMap, fps: Fraction | None) -> Audit:
    """An older MMA-52 file states no frame rate: 30 is taken, and said."""
    from fractions import Fraction

    from protocols.audit_detection import audit_detection
    from protocols.audit_record import read_pose_facts
    from protocols.detection_tables import read_detection_table

    table = read_detection_table(kind, path, columns, fps or (Fraction(30) if kind == "mma52" else None))
    return audit_detection(table, read_pose_facts(poses) if poses else None)


def _as_json(audit: Audit) -> dict[str, Any]:
    from dataclasses import asdict

    result = asdict(audit)
    result["tree"] = audit.tree.name
    result["problems"] = audit.problems
    return result
