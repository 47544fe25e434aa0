"""`fidget submit`: a file for a challenge server, written from scores or checked."""

from __future__ import annotations

import argparse
from pathlib import Path

TYPE_CHECKING = False  # what type checkers take for typing.TYPE_CHECKING; typing costs a fifth of a start
if TYPE_CHECKING:
    from typing import Any

    from protocols.detections import Detections
    from protocols.submission_check import SubmissionReport
    from protocols.submission_format import Expected

_FORMATS = ("mac2024", "mac2025", "mma52-detection")  # of protocols.submission_format, not loaded for --help
_EPILOG = """\
examples:
  fidget submit scores/test.parquet --format mac2025 -o submission.zip
  fidget submit scores/test.parquet --format mac2024 --ids sample_submission.csv -o submission.zip
  fidget submit detections.parquet --format mma52-detection --ids test.csv --cut --best 200 -o submission.zip
  fidget submit --check submission.zip --format mac2025

formats:
  mac2024          MAC 2024, recognition: body group and action of each clip
  mac2025          MAC 2025 and Codabench 9066, recognition: five actions and five body groups of each clip
  mma52-detection  MAC, multi-label detection: segments in seconds

--ids names the clips that must be there: the data set's list (test_list_videos.txt), MMA-52's test.csv, which
tells the videos' lengths too, or the server's sample. Without it the official test list is taken: 5,586 clips
for mac2025 (the challenge itself scored 1,138 of them: name those), 519 videos for detection.
mac2024 has none.
A file is checked before it is written; a broken one is refused with the row named.
Exit status: 0 all is well (warnings or not), 1 a file that the server would refuse, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "submit",
        help="a file for a challenge server, written from scores or checked",
        description="Write or check the submission of a challenge.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scores", metavar="SCORES", nargs="?", help="a score file or detection file (Parquet)"
    )
    parser.add_argument("--format", metavar="NAME", required=True, help=f"one of {', '.join(_FORMATS)}")
    parser.add_argument("-o", "--output", metavar="ZIP", help="the zip to write")
    parser.add_argument("--check", metavar="FILE", help="check this zip (or its prediction.csv) instead")
    parser.add_argument("--ids", metavar="LIST", help="the clips or videos that must be there")
    parser.add_argument(
        "--body",
        choices=("summed", "top-action"),
        help="body groups by the sum of their actions' probabilities (the default), or by their best action",
    )
    parser.add_argument("--cut", action="store_true", help="detection: cut segments at their video's ends")
    parser.add_argument("--best", metavar="N", type=int, help="detection: the N best segments of each video")
    parser.add_argument("--overwrite", action="store_true", help="replace ZIP where it exists")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write or check; returns the exit status."""
    from protocols.submission_check import check_submission
    from protocols.submission_format import read_expected

    _refuse_wrong_usage(args)
    expected = read_expected(args.ids) if args.ids else None
    if args.check:
        report = check_submission(args.check, args.format, expected)
        return _say(args, args.check, report, [])
    output = Path(args.output)
    if args.format == "mma52-detection":
        report, notes = _write_detection(args, output, expected)
    else:
        report, notes = _write_recognition(args, output, expected)
    return _say(args, str(output), report, notes)


def _refuse_wrong_usage(args: argparse.Namespace) -> None:
    from fidget.cli.usage import UsageError
    from protocols.trees import nearest

    if args.format not in _FORMATS:
        hint = nearest(args.format, _FORMATS)
        raise UsageError(f"--format {args.format}: {hint}expected one of {', '.join(_FORMATS)}")
    if bool(args.scores) == bool(args.check):
        raise UsageError("expected either SCORES to write from, or --check FILE")
    detection = args.format == "mma52-detection"
    if (args.cut or args.best is not None) and (not detection or args.check):
        raise UsageError("--cut and --best are for writing --format mma52-detection")
    if args.body and (detection or args.check):
        raise UsageError("--body is for writing --format mac2024 or mac2025")
    if args.best is not None and args.best < 1:
        raise UsageError(f"--best is at least 1, got {args.best}")
    if args.cut and not args.ids:
        raise UsageError("--cut needs the videos' lengths: name MMA-52's test.csv with --ids")
    if args.check:
        if args.output:
            raise UsageError("-o is for writing; --check writes nothing")
        return
    if not args.output:
        raise UsageError("expected -o ZIP, the file to write, such as -o submission.zip")
    output = Path(args.output)
    if output.suffix.lower() != ".zip" or output.is_dir():
        raise UsageError(f"-o {output}: expected a file that ends in .zip")
    if output.exists() and not args.overwrite:
        raise UsageError(f"-o {output}: there is such a file already; name another, or add --overwrite")


def _write_recognition(
    args: argparse.Namespace, output: Path, expected: Expected | None
) -> tuple[SubmissionReport, list[str]]:
    from protocols.scores import read_scores
    from protocols.submission import write_recognition

    scores = read_scores(args.scores)
    body = args.body or "summed"
    report = write_recognition(output, scores, args.format, body, expected)
    rule = "the sum of their actions' probabilities" if body == "summed" else "their best action"
    return report, [f"body groups by {rule}"]


def _write_detection(
    args: argparse.Namespace, output: Path, expected: Expected | None
) -> tuple[SubmissionReport, list[str]]:
    from protocols.detections import read_detections
    from protocols.submission import best_of_video, cut_to_video, write_detection
    from protocols.trees import tree

    found: Detections = read_detections(args.scores, tree("ma52"))
    notes = []
    if args.cut and expected is not None:
        before = len(found)
        found, changed = cut_to_video(found, expected)
        notes.append(f"{changed:,} segments cut, {before - len(found):,} of them left out: nothing remained")
    if args.best is not None:
        before = len(found)
        found = best_of_video(found, args.best)
        notes.append(f"{before - len(found):,} segments beyond the {args.best} best of their video left out")
    return write_detection(output, found, expected), notes


def _say(args: argparse.Namespace, path: str, report: SubmissionReport, notes: list[str]) -> int:
    """Print what was found; returns the exit status."""
    import sys

    if args.json:
        import json

        result: dict[str, Any] = {"file": path, "format": report.name, "rows": report.rows}
        result |= {"problems": report.problems, "warnings": report.warnings, "notes": notes}
        print(json.dumps(result | {"compared_with": report.compared or None}))
        return 1 if report.problems else 0
    compared = f", compared with {report.compared}" if report.compared else ""
    verdict = "not fit to hand in" if report.problems else "fit to hand in"
    print(f"{path}: {report.name}, {report.rows:,} rows{compared}: {verdict}")
    for note in notes:
        print(f"  {note}")
    for warning in report.warnings:
        print(f"  warning: {warning}")
    if report.problems:
        print(f"fidget: {path}: {report.told()}", file=sys.stderr)
        return 1
    return 0
