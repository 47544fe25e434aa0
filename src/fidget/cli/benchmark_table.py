"""`fidget benchmark table`: results in the layout of the papers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fidget.benchmark.table import Table

_EPILOG = """\
examples:
  fidget benchmark table mma82/cross-domain
  fidget benchmark table mma82/cross-domain runs/mma82-cross-domain --format latex -o table.tex
  fidget benchmark table mma82/in-domain results --html report.html

Published values stand beside ours, with the difference and its 95 % interval, where the clips are real and
the classes are the paper's. Simulated results are marked, and never stand beside a published value.
Exit status: 0 printed, 1 a file is damaged or nothing was run, 2 wrong usage.
"""
FORMATS = ("md", "latex", "csv", "html")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "table",
        help="the paper's tables, with published values beside ours",
        description="Print the results of a benchmark in the layout of its paper.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("benchmark", metavar="BENCHMARK", help="such as mma82/cross-domain")
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIR", help="as given to run with -o")
    parser.add_argument("--format", choices=FORMATS, default="md", help="default: md (Markdown)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write there instead of printing")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the whole report there as well")
    parser.add_argument(
        "--poses",
        type=Path,
        metavar="DIR",
        help="pose cache of the report's moving skeletons (default: as run)",
    )
    parser.add_argument(
        "--samples", type=int, default=1000, metavar="N", help="of the bootstrap; 0: no intervals"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the tables.

    Raises:
        UsageError: no such benchmark, no such directory, or a number that cannot be.
        ValueError: a file is damaged.
    """
    from fidget.benchmark.benchmark_directory import BenchmarkDirectory
    from fidget.benchmark.paper_tables import paper_tables
    from fidget.cli.usage import UsageError
    from poses.whole_file import replacing

    benchmark = benchmark_named(args.benchmark)
    directory = args.directory or default_directory(benchmark)
    if not directory.is_dir():
        raise UsageError(f"{directory}: no such directory; run the benchmark first, or name where it ran")
    if args.samples < 0:
        raise UsageError(f"--samples is 0 or more, got {args.samples}")
    at = BenchmarkDirectory(directory)
    cells = at.cells()
    there = sorted({cell.benchmark for cell in cells})
    if benchmark not in there:
        raise UsageError(f"{directory} holds results of {', '.join(there)}, not of {benchmark}")
    tables = paper_tables(benchmark, cells, directory, args.samples)
    if args.html is not None:
        from fidget.reports.benchmark_page import write_benchmark_page

        write_benchmark_page(directory, tables, cells, args.poses or at.poses, args.html)
    text = as_text(tables, args.format)
    if args.output is None:
        print(text, end="")
    else:
        with replacing(args.output) as part:
            part.write_text(text, encoding="utf-8")
    return 0


def benchmark_named(name: str) -> str:
    """A benchmark by its name, or by the end of it where only one has that: `cross-domain`.

    Raises:
        UsageError: no such benchmark; names the nearest.
    """
    import difflib

    from fidget.cli.usage import UsageError
    from protocols.benchmarks import BENCHMARKS

    ending = [known for known in BENCHMARKS if known.endswith(f"/{name}")]
    if name in BENCHMARKS or len(ending) == 1:
        return name if name in BENCHMARKS else ending[0]
    near = difflib.get_close_matches(name, BENCHMARKS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"no benchmark {name!r}: {hint}expected one of {', '.join(BENCHMARKS)}")


def default_directory(benchmark: str) -> Path:
    """Where a benchmark runs unless -o says otherwise."""
    return Path("runs") / benchmark.replace("/", "-")


def as_text(tables: Sequence[Table], form: str) -> str:
    """Tables one after another; CSV tables are apart by an empty line, HTML ones make a page."""
    from fidget.benchmark.table import csv_text, html, latex, markdown

    write = {"md": markdown, "latex": latex, "csv": csv_text, "html": html}[form]
    text = "\n".join(write(table) for table in tables)
    if form != "html":
        return text
    style = (
        "body{font:15px/1.4 sans-serif;margin:2em}table{border-collapse:collapse;margin-top:2em}"
        "caption{text-align:left;font-weight:bold;padding:.3em 0}.units{font-weight:normal;color:#555}"
        "th,td{padding:.2em .6em;border-bottom:1px solid #ddd;text-align:left}"
        ".number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.notes{color:#444}"
    )
    head = f'<meta charset="utf-8"><title>fidget benchmark</title><style>{style}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n{text}</body></html>\n'
