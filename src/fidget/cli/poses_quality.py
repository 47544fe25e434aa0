"""`fidget poses quality`: an HTML page and a CSV that show which clips to drop."""

from __future__ import annotations

import argparse

_EPILOG = """\
examples:
  fidget poses quality poses
  fidget poses quality poses -o quality

Writes quality.html (open it in any browser, no network needed) and quality.csv: per clip the share of frames
with a person, mean score, jitter against motion, missing joints by body part; worst first.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "quality",
        help="which clips to drop: HTML page and CSV",
        description="Judge every clip of a pose cache.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cache", metavar="DIR", help="a pose cache")
    parser.add_argument("-o", "--output", metavar="DIR", help="default: DIR-quality, beside the cache")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write both files and say what they hold."""
    from collections import Counter
    from pathlib import Path

    from fidget.cli.places import output_beside
    from fidget.reports.quality_page import write_html
    from fidget.reports.quality_rows import quality_rows, worst_first, write_csv
    from poses.cache_reader import PoseCache

    directory = Path(args.cache)
    cache = PoseCache(directory)
    output = output_beside(directory, args.output, "quality")
    rows = worst_first(quality_rows(cache))
    parts = list(cache.layout.parts)
    write_csv(rows, parts, output / "quality.csv")
    write_html(rows, parts, directory.resolve().name, cache.metadata, output / "quality.html")
    verdicts = Counter(row.verdict for row in rows)
    counts = f"{verdicts['drop']} to drop, {verdicts['look']} to look at, {verdicts['keep']} to keep"
    print(f"{len(rows)} clips: {counts}")
    print(output / "quality.html")
    print(output / "quality.csv")
    return 0
