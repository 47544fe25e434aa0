"""`fidget poses`: everything that is done to a pose cache."""

from __future__ import annotations

import argparse

from fidget.cli import (
    poses_check,
    poses_export,
    poses_import,
    poses_inspect,
    poses_merge,
    poses_preview,
    poses_quality,
)

_EPILOG = """\
examples:
  fidget poses inspect poses
  fidget poses check poses
  fidget poses quality poses
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register `poses` and its verbs."""
    parser = subparsers.add_parser(
        "poses",
        help="look at, check, convert and merge pose caches",
        description="Look at, check, convert and merge pose caches.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb in (
        poses_inspect,
        poses_check,
        poses_quality,
        poses_preview,
        poses_merge,
        poses_export,
        poses_import,
    ):
        verb.add_parser(verbs)
