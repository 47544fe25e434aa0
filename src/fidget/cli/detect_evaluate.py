"""`fidget detect evaluate`: mean average precision of detection files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fidget.cli.detect_annotations import TOLD, add_annotation_options, annotated, thresholds

if TYPE_CHECKING:
    from protocols.detection import DetectionMeasures, LevelPrecision

_EPILOG = f"""\
examples:
  fidget detect evaluate runs/det/detections/val.parquet --annotations annotations/mma52
  fidget detect evaluate a.parquet b.parquet --annotations mma52.json --split val --json > val.json
  fidget detect evaluate a.parquet --annotations annotations/mma52 --rule pointtad --classes

{TOLD}
Both averages in use are printed: over every tenth from 0.1 to 0.9, and over 0.2, 0.5 and 0.7, as the
challenges have it. AVG is the mean of actions and body groups, as MMA-82 has it. --rule: whose way of
measuring; they differ in duplicates, in classes that do not occur and in the union (docs/detection.md).
Exit status: 0 every file was measured, 1 some were not (each is named), 2 wrong usage.
"""
_RULES = ("opentad", "activitynet", "pointtad")  # of protocols.detection_rules, not loaded for --help


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "evaluate",
        help="mean average precision of detection files",
        description="Mean average precision of detection files, of actions and of body groups.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("detections", metavar="DETECTIONS", nargs="+", help="detection files (Parquet)")
    add_annotation_options(parser)
    parser.add_argument("--rule", choices=_RULES, default="opentad", help="default: opentad")
    parser.add_argument("--tiou", metavar="T,T,...", help="thresholds (default: 0.1 to 0.9)")
    parser.add_argument("--classes", action="store_true", help="print every class")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure; 1 if a file was not.

    Raises:
        UsageError: no such annotations, split or threshold.
        ValueError: the annotations are wrong.
    """
    import sys

    from fidget.detection.diagnosing import measure_file
    from protocols.detection_rules import RULES
    from protocols.detections import read_detections

    tious = thresholds(args.tiou)
    table, split = annotated(args)
    results, failed = [], 0
    for path in args.detections:
        try:
            detections = read_detections(Path(path), table.tree)
            measured = measure_file(detections, table, split, tious, RULES[args.rule])
        except (ValueError, OSError) as error:
            print(f"{path}: {error}" if str(path) not in str(error) else error, file=sys.stderr)
            failed += 1
            continue
        if args.json:
            results.append(_as_json(path, split, measured, table.simulated, args.classes))
        else:
            _print(path, split, measured, len(detections), table.simulated, args.classes)
    if args.json:
        import json

        print(json.dumps(results, ensure_ascii=False))
    return 1 if failed else 0


def _as_json(
    path: str, split: str, measured: DetectionMeasures, simulated: bool, classes: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "detections": path,
        "split": split,
        "rule": measured.rule.name,
        "simulated": simulated,
        "videos": measured.videos,
        "duplicates": measured.duplicates,
        "same_class_overlaps": measured.same_class_overlaps,
        "unknown_videos": measured.unknown_videos,
        "silent_videos": measured.silent_videos,
        **measured.table(),
    }
    if classes:
        found["classes"] = {
            name: {"instances": int(count), "ap": [None if value != value else float(value) for value in ap]}
            for name, count, ap in zip(
                measured.action.classes, measured.action.instances, measured.action.ap.T, strict=True
            )
        }
    return found


def _print(
    path: str, split: str, measured: DetectionMeasures, detections: int, simulated: bool, classes: bool
) -> None:
    note = ", simulated" if simulated else ""
    print(f"{path}: {detections:,} detections, {measured.videos:,} videos of {split}{note}")
    tious = measured.action.tious
    print(f"  {'mAP, %':18}" + "".join(f"{tiou:>8g}" for tiou in tious) + "   average")
    for name, level in (("actions", measured.action), ("body groups", measured.body)):
        if level is not None:
            _print_level(name, level)
    table = measured.table()
    if "avg" in table:
        print(f"  AVG of both levels, 0.1:0.1:0.9     {100 * table['avg']:.2f}")
    if "avg_challenge" in table:
        print(f"  AVG of both levels, 0.2, 0.5, 0.7   {100 * table['avg_challenge']:.2f}")
    print(f"  rule {measured.rule.name}; {_counted(measured)}")
    if classes:
        for number, name in enumerate(measured.action.classes):
            ap = measured.action.ap[:, number]
            values = "".join("       -" if value != value else f"{100 * value:8.2f}" for value in ap)
            print(f"  {name[:40]:40} {measured.action.instances[number]:5}{values}")


def _print_level(name: str, level: LevelPrecision) -> None:
    values = "".join(f"{100 * value:8.2f}" for value in level.at)
    absent = int((level.instances == 0).sum())
    more = f"   ({absent} classes do not occur)" if absent else ""
    print(f"  {name:18}{values}{100 * level.average():10.2f}{more}")


def _counted(measured: DetectionMeasures) -> str:
    parts = [f"{measured.same_class_overlaps} pairs of one class overlap"]
    if measured.rule.drop_duplicates:
        parts.append(f"{measured.duplicates} duplicates left out")
    if measured.unknown_videos:
        parts.append(f"videos with detections that are not annotated: {measured.unknown_videos}")
    if measured.silent_videos:
        parts.append(f"annotated videos without a detection: {measured.silent_videos}")
    return ", ".join(parts)
