"""What the verbs of `fidget emotion` that read a table have in common."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protocols.emotion_table import EmotionTable

TOLD = """\
TABLE is a CSV (or TSV, JSON, Parquet) with the columns clip_id, emotion and micro_actions: names separated by
';', or one row a pair; 'none' where a clip has none. Optional columns: split (train, val, test), subject,
simulated. What is wrong (unknown emotions, empty cells, duplicates) is named with its line.
"""
SETS = ("mma82", "ma52pro", "own")


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Register TABLE and what says how it is read."""
    add = parser.add_argument
    add("table", metavar="TABLE", help="clips with an emotion and micro-actions each")
    add("--set", choices=SETS, default="own", help="the emotions there may be (default: own, as in TABLE)")
    add("--tree", metavar="TREE", help="micro-actions there may be: mma82, ma52 ... or a file (default: any)")
    add(
        "--without-groups", metavar="GROUP,...", default="",
        help="body groups to leave out, such as 'Lower limb,Leg-hand' (MA-52-Pro, Table VII)",
    )  # fmt: skip
    add("--seed", type=int, default=0, metavar="N", help="of folds, shufflings, weights (default: 0)")


def read_table(args: argparse.Namespace) -> EmotionTable:
    """The table that is meant.

    Raises:
        UsageError: no such tree or group.
        ValueError: a table that is wrong.
        OSError: it cannot be read.
    """
    from fidget.cli.usage import UsageError
    from protocols.emotion_sets import emotion_set
    from protocols.emotion_table import read_emotion_table
    from protocols.trees import TREES, read_tree, tree

    found = None
    if args.tree is not None:
        try:
            is_file = Path(args.tree).suffix.lower() in (".toml", ".csv") or Path(args.tree).exists()
            found = read_tree(args.tree) if is_file else tree(args.tree)
        except ValueError as error:
            raise UsageError(f"--tree: {error}") from error
    groups = [name.strip() for name in args.without_groups.split(",") if name.strip()]
    if groups and (found is None or not found.groups):
        raise UsageError(f"--without-groups needs a tree with groups: --tree with one of {', '.join(TREES)}")
    table = read_emotion_table(args.table, emotion_set(args.set), found)
    if not groups:
        return table
    try:
        return table.without_groups(groups)
    except ValueError as error:
        raise UsageError(f"--without-groups: {error}") from error


def at_least(name: str, value: int, smallest: int) -> None:
    """See that a number is not too small.

    Raises:
        UsageError: it is.
    """
    from fidget.cli.usage import UsageError

    if value < smallest:
        raise UsageError(f"{name}: expected {smallest} or more, got {value}")
