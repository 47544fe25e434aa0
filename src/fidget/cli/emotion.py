"""`fidget emotion`: emotion from faces and micro-actions, and which micro-actions go with which emotion."""

from __future__ import annotations

import argparse
from importlib import import_module

_EPILOG = """\
examples:
  fidget emotion simulate -o simulated
  fidget emotion associate simulated/table.csv -o report.html
  fidget emotion train simulated/table.csv --face simulated/faces.parquet \\
      --actions simulated/actions.parquet -o runs/emotion
  fidget emotion evaluate runs/emotion
"""

VERBS = {
    "train": "face only, micro-actions only, both: fitted and scored on held-out clips",
    "evaluate": "accuracy, F1, UF1, UAR with intervals; what one method gains over another, in clips",
    "associate": "which micro-actions go with which emotion: tests, top-5 experiment, rules, a report",
    "simulate": "simulated data to try the others on",
}


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], verb: str | None = None
) -> None:
    """Register `emotion` with the options of one verb, or of all where None; the help lists every verb."""
    parser = subparsers.add_parser(
        "emotion",
        help="emotion from faces and micro-actions, and what goes with what",
        description="Tell emotions from faces and micro-actions; study which micro-actions go with which.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in VERBS.items():
        if verb is None or name == verb:
            import_module(f"fidget.cli.emotion_{name}").add_parser(verbs)
        else:
            verbs.add_parser(name, help=summary)
