"""`fidget poses check`: does every row of a cache decode, do counts and checksums agree."""

from __future__ import annotations

import argparse

_EPILOG = """\
examples:
  fidget poses check poses
  fidget poses check poses --json

Exit status: 0 every row is sound, 1 something is not (each problem is named), 2 there is no such cache.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "check",
        help="decode every row, compare counts and checksums",
        description="Check a pose cache: every row decodes, counts agree, checksums fit.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cache", metavar="DIR", help="a pose cache")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Check the cache and print what was found; 1 if anything is wrong with it."""
    from pathlib import Path

    from poses.cache_check import check_cache

    found = check_cache(Path(args.cache))
    if args.json:
        import json
        from dataclasses import asdict

        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
        return 1 if found.problems else 0
    for problem in found.problems:
        print(" ".join(problem.split()))
    state = f"{len(found.problems)} problems" if found.problems else "every row is sound"
    counts = f"{found.ok} with poses, {found.no_person} without a person, {found.failed} failed in extraction"
    print(f"{args.cache}: {found.rows} clip{'s' * (found.rows != 1)} ({counts}); {state}")
    return 1 if found.problems else 0
