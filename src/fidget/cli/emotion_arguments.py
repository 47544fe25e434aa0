"""What the verbs of `fidget emotion` that read a table have in common."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocols.emotion_table import EmotionTable

TOLD = """\
TABLE is a CSV (or TSV, JSON, Parquet) with the columns clip_id, emotion and micro_actions: names separated by
';', or one row a pair; 'none' where a clip has none. Optional columns: split (train, val, test), subject,
simulated. What is wrong (unknown emotions, empty cells, duplicates) is named with its line.
"""
SETS = ("mma82", "ma52pro", "own")


class SetOrOverride(argparse.Action):
    """`--set NAME` is the emotions there may be; `--set table.key=value` overrides a recipe, as elsewhere."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Sort one value."""
        if "=" in values:
            namespace.overrides = [*namespace.overrides, values]
        elif values in SETS:
            namespace.set = values
        else:
            parser.error(
                f"argument --set: expected one of {', '.join(SETS)}, or table.key=value of a recipe, "
                f"got {values!r}"
            )


def add_table_options(parser: argparse.ArgumentParser, overrides: bool = False) -> None:
    """Register TABLE and what says how it is read; with `overrides` --set takes those of a recipe too."""
    add = parser.add_argument
    add("table", metavar="TABLE", help="clips with an emotion and micro-actions each")
    told = "the emotions there may be (default: own, as in TABLE)"
    if overrides:
        names = f"{{{','.join(SETS)}}}|KEY=VALUE"
        told += "; with --videos also overrides of the recipe"
        add("--set", action=SetOrOverride, default="own", metavar=names, help=told)
        parser.set_defaults(overrides=[])
    else:
        add("--set", choices=SETS, default="own", help=told)
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


@contextmanager
def naming(path: Path | str) -> Iterator[None]:
    """Name a file in what is wrong with how it fits the others.

    Raises:
        ValueError: as from within, with the file.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def at_least(name: str, value: int, smallest: int) -> None:
    """See that a number is not too small.

    Raises:
        UsageError: it is.
    """
    from fidget.cli.usage import UsageError

    if value < smallest:
        raise UsageError(f"{name}: expected {smallest} or more, got {value}")
