"""`fidget detect diagnose`: what a detector does wrong, and what it would gain without it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fidget.cli.detect_annotations import TOLD, add_annotation_options, annotated, thresholds

if TYPE_CHECKING:
    from protocols.detection_diagnosis import Diagnosis

_EPILOG = f"""\
examples:
  fidget detect diagnose runs/det/detections/val.parquet --annotations annotations/mma52 -o diagnosis.html
  fidget detect diagnose a.parquet --annotations annotations/mma52 --level body --json

{TOLD}
The errors, gains, misses and bins of DETAD (Alwassel et al., ECCV 2018), with bins that fit micro-actions.
Of each class the surest detections count, ten times as many as it has instances.
Exit status: 0 done, 1 the files do not fit together, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "diagnose",
        help="what a detector does wrong: kinds of errors, misses, confusions",
        description="Kinds of errors of a detection file, what they cost, and what is missed.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("detections", metavar="DETECTIONS", help="a detection file (Parquet)")
    add_annotation_options(parser)
    parser.add_argument("--level", choices=("action", "body"), default="action", help="default: action")
    parser.add_argument("--tiou", metavar="T,T,...", help="thresholds of the averages (default: 0.1 to 0.9)")
    parser.add_argument("--at", type=float, default=0.5, metavar="T", help="of the profile (default: 0.5)")
    parser.add_argument("-o", "--output", type=Path, metavar="HTML", help="write the report as one page")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="draw it (PNG, SVG or PDF)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Diagnose, print, and write the page where one is asked for.

    Raises:
        UsageError: no such annotations, split or threshold.
        ValueError: the files do not fit together.
    """
    from fidget.cli.usage import UsageError
    from fidget.detection.diagnosing import diagnose_file, measure_file
    from protocols.detection_rules import OPENTAD
    from protocols.detections import read_detections

    tious = thresholds(args.tiou)
    if args.at not in tious:
        raise UsageError(f"--at {args.at:g} must be one of the thresholds {', '.join(map(str, tious))}")
    table, split = annotated(args)
    if args.level == "body" and not table.tree.groups:
        raise UsageError(f"--level body: the actions of {table.name} have no body groups")
    detections = read_detections(Path(args.detections), table.tree)
    found = diagnose_file(detections, table, split, args.level, tious, args.at)
    if args.output is not None:
        from fidget.reports.detection_page import write_detection_page

        measured = measure_file(detections, table, split, tious, OPENTAD)
        write_detection_page(args.output, args.detections, split, found, measured, table.simulated)
    if args.figure is not None:
        from fidget.reports.detection_figure import draw_diagnosis

        draw_diagnosis(args.figure, found, table.simulated)
    if args.json:
        import json

        print(json.dumps(_as_json(found, split, table.simulated), ensure_ascii=False))
    else:
        _print(args, found, split, table.simulated)
    return 0


def _as_json(found: Diagnosis, split: str, simulated: bool) -> dict[str, Any]:
    from protocols.detection_diagnosis import KINDS

    return {
        "split": split,
        "simulated": simulated,
        "at": found.at,
        "kinds": list(KINDS),
        "profile": found.profile.tolist(),
        "counts": {f"{tiou:g}": row.tolist() for tiou, row in zip(found.tious, found.counts, strict=True)},
        "average_map_n": found.average_map_n,
        "gains": dict(found.gains),
        "bins": [vars(one) | {"high": None if one.high == float("inf") else one.high} for one in found.bins],
        "wrong_labels": [list(pair) for pair in found.label_pairs],
    }


def _print(args: argparse.Namespace, found: Diagnosis, split: str, simulated: bool) -> None:
    from protocols.detection_diagnosis import KINDS

    note = ", simulated" if simulated else ""
    average = f"normalised mAP {100 * found.average_map_n:.2f} %"
    print(f"{args.detections}: {args.level} level, {split}{note}; {average}")
    print(f"  {'kind':18} {'share at 1 G':>13} {'at 10 G':>9} {'gain in mAP without it':>24}")
    for number, kind in enumerate(KINDS):
        gain = f"{100 * found.gains[kind]:+24.2f}" if kind in found.gains else ""
        first, last = found.profile[0, number], found.profile[-1, number]
        print(f"  {kind:18} {100 * first:12.1f}% {100 * last:8.1f}% {gain}")
    print(f"  {'bin':44} {'instances':>9} {'missed':>8} {'mAP_N':>7}")
    for one in found.bins:
        name = f"{one.characteristic}: {one.told()}"
        print(f"  {name:44} {one.instances:9,} {100 * one.missed:7.1f}% {100 * one.ap_n:7.2f}")
    for predicted, annotated_as, count in found.label_pairs[:5]:
        print(f"  {count:5} times {predicted!r} where {annotated_as!r} was annotated")
    for path in (args.output, args.figure):
        if path is not None:
            print(f"written: {path}")
