"""`fidget benchmark`: published protocols, run from a pose cache, and what belongs to them."""

from __future__ import annotations

import argparse
from importlib import import_module

_EPILOG = """\
examples:
  fidget benchmark simulate --scale 0.05 -o simulated
  fidget benchmark run mma82/cross-domain --poses simulated --method stgcnpp --seeds 0,1,2
  fidget benchmark table mma82/cross-domain
  fidget benchmark audit labels.csv --poses poses
  fidget benchmark unseen --poses simulated --method stgcnpp --unseen 16 --draws 5
"""

VERBS = {
    "run": "train what is missing, measure, and write the report",
    "table": "the paper's tables, with published values beside ours",
    "audit": "counts of a data set, and what is wrong with it",
    "unseen": "recognise classes that were never trained, by their names",
    "simulate": "make a simulated MMA-82: poses and labels",
}


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], verb: str | None = None
) -> None:
    """Register `benchmark` with the options of one verb, or of all where None; the help lists every verb."""
    parser = subparsers.add_parser(
        "benchmark",
        help="published protocols: run them, print their tables, audit and simulate data",
        description="Run published protocols, print their tables, audit and simulate data.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in VERBS.items():
        if verb is None or name == verb:
            import_module(f"fidget.cli.benchmark_{name}").add_parser(verbs)
        else:
            verbs.add_parser(name, help=summary)
