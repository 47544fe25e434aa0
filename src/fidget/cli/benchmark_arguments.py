"""What the verbs of `fidget benchmark` that train have in common: arguments as lists, data, what failed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fidget.benchmark.cell import Cell
    from protocols.clip_table import ClipTable
    from protocols.column_map import ColumnMap


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """What changes recipes, and where and how many networks train side by side."""
    add = parser.add_argument
    add(
        "--set", action="append", default=[], metavar="[RECIPE:]KEY=VALUE", dest="overrides",
        help="override all recipes, or one",
    )  # fmt: skip
    add("--jobs", type=int, default=0, metavar="N", help="processes (default: as many as there is room for)")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to train")


def numbers_given(option: str, text: str, kind: type[int] | type[float]) -> tuple[float, ...]:
    """Numbers between commas, each once and not negative."""
    from fidget.cli.usage import UsageError

    try:
        found = tuple(kind(part) for part in text.split(","))
    except ValueError:
        found = (-1,)
    if not all(number >= 0 for number in found) or len(set(found)) < len(found):
        raise UsageError(f"{option} takes numbers of 0 or more between commas, each once, got {text!r}")
    return found


def names_given(option: str, text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Known names between commas, in their own order, or `all` of them."""
    import difflib

    from fidget.cli.usage import UsageError

    asked = list(known) if text == "all" else text.split(",")
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"{option}: no {name!r}: {hint}expected all, or some of {', '.join(known)}")
    return tuple(name for name in known if name in asked)


def columns_given(texts: Sequence[str]) -> ColumnMap | None:
    """Which column holds what; None where nothing was named."""
    from fidget.cli.usage import UsageError
    from protocols.column_map import parse_columns

    try:
        return parse_columns(",".join(texts)) if texts else None
    except ValueError as error:
        raise UsageError(f"--columns: {error}") from error


def data_given(
    args: argparse.Namespace, benchmark: str, columns: ColumnMap | None, output: Path
) -> tuple[Path, ClipTable]:
    """The cache, here, and its labelled clips."""
    from fidget.benchmark.labelled_poses import labelled_clips
    from fidget.cli.usage import UsageError

    try:
        return labelled_clips(benchmark, args.poses, args.labels, columns, output / "poses", say)
    except FileNotFoundError as error:
        raise UsageError(str(error)) from error


def name_failures(cells: Sequence[Cell]) -> int:
    """Name what failed; the exit status."""
    import sys

    failed = [cell for cell in cells if cell.status != "done"]
    reasons: dict[str, list[Cell]] = {}
    for cell in failed:
        reasons.setdefault(cell.error, []).append(cell)
    for error, them in reasons.items():
        first = f"{them[0].task}, {them[0].method}, seed {them[0].seed}"
        more = f" and {len(them) - 1} more cells" if len(them) > 1 else ""
        print(f"fidget: failed: {first}{more}: {error}", file=sys.stderr)
    return 1 if failed else 0


def say(line: str) -> None:
    """A line of progress, at once."""
    print(line, flush=True)
