"""`fidget detect`: actions found in time: detectors trained, run, measured and diagnosed."""

from __future__ import annotations

import argparse
from importlib import import_module

_EPILOG = """\
examples:
  fidget detect train sim_skeleton_detector --poses sim --annotations sim-detection.csv -o runs/det
  fidget detect run video.mp4 --run runs/det
  fidget detect evaluate runs/det/detections/val.parquet --annotations annotations/mma52
  fidget detect diagnose runs/det/detections/val.parquet --annotations annotations/mma52 -o diagnosis.html
"""

VERBS = {
    "train": "train a detector from poses, videos or features",
    "run": "find actions in a video or a pose cache",
    "evaluate": "mean average precision of detection files",
    "diagnose": "what a detector does wrong: kinds of errors, misses, confusions",
}


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], verb: str | None = None
) -> None:
    """Register `detect` with the options of one verb, or of all where None; the help lists every verb."""
    parser = subparsers.add_parser(
        "detect",
        help="actions found in time: detectors trained, run, measured and diagnosed",
        description="Train and run detectors of actions in time; measure and diagnose what they find.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in VERBS.items():
        if verb is None or name == verb:
            import_module(f"fidget.cli.detect_{name}").add_parser(verbs)
        else:
            verbs.add_parser(name, help=summary)
