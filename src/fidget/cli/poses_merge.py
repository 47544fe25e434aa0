"""`fidget poses merge`: several caches into one."""

from __future__ import annotations

import argparse

_EPILOG = """\
examples:
  fidget poses merge poses -o poses-merged
  fidget poses merge poses poses-merged -o poses-all --on-conflict last

All sources must have been made with the same layout, models and settings; the first value that differs is
named. One source alone is rewritten into few large files. The target must be new.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "merge",
        help="several caches into one",
        description="Join pose caches of the same layout, models and settings.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("caches", nargs="+", metavar="DIR", help="pose caches")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="the new cache")
    parser.add_argument(
        "--on-conflict",
        choices=("error", "first", "last"),
        default="error",
        help="a clip that is in several caches with different poses (default: error)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Merge and say how many clips the new cache holds."""
    from pathlib import Path

    from poses.cache_merge import merge_caches

    merged = merge_caches([Path(cache) for cache in args.caches], Path(args.output), args.on_conflict)
    repeated = f", {merged.repeated} were in more than one source" if merged.repeated else ""
    print(f"{args.output}: {merged.rows} clips{repeated}")
    return 0
