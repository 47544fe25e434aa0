"""`fidget poses`: everything that is done to a pose cache."""

from __future__ import annotations

import argparse
from importlib import import_module

_EPILOG = """\
examples:
  fidget poses inspect poses
  fidget poses check poses
  fidget poses quality poses
"""

VERBS = {
    "inspect": "say what is in a pose cache or a keypoint file",
    "check": "decode every row, compare counts and checksums",
    "quality": "which clips to drop: HTML page and CSV",
    "preview": "overlay videos and a contact sheet",
    "merge": "several caches into one",
    "export": "write a pose cache as pyskl pickle, COCO JSON, NPZ, CSV or OpenPose folder, or a smaller one",
    "import": "make a pose cache from another program's keypoints",
}


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], verb: str | None = None
) -> None:
    """Register `poses` with the options of one verb, or of all where None; the help lists every verb."""
    parser = subparsers.add_parser(
        "poses",
        help="look at, check, convert and merge pose caches",
        description="Look at, check, convert and merge pose caches.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in VERBS.items():
        if verb is None or name == verb:
            import_module(f"fidget.cli.poses_{name}").add_parser(verbs)
        else:
            verbs.add_parser(name, help=summary)
