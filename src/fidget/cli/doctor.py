"""`fidget doctor`: what this machine has, and what of it really works."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fidget.machine import Finding

_EPILOG = """\
examples:
  fidget doctor
  fidget doctor --json

Exit status: 0 nothing that extraction needs is broken (there may be warnings), 1 something is: it is named
with what mends it. A device counts as working when a small model really ran on it, not when it is listed.
"""
_MARKS = {"ok": "ok", "note": "-", "warning": "WARNING", "broken": "BROKEN"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "doctor",
        help="what this machine has and what works",
        description="Look at this machine: versions, devices, codecs, weights.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print every finding as it comes; 1 if one of them is broken."""
    from importlib.metadata import version

    from fidget.machine import Finding, look_around

    findings = [Finding("fidget", "ok", version("fidget"))]
    if not args.json:
        _print(findings[0])
    for finding in look_around():
        findings.append(finding)
        if not args.json:
            _print(finding)
    broken = [finding.subject for finding in findings if finding.state == "broken"]
    if args.json:
        import json
        from dataclasses import asdict

        print(
            json.dumps(
                {"ok": not broken, "findings": [asdict(f) for f in findings]}, indent=2, ensure_ascii=False
            )
        )
    else:
        print(f"\nbroken: {', '.join(broken)}" if broken else "\nnothing that extraction needs is broken")
    return 1 if broken else 0


def _print(finding: Finding) -> None:
    print(f"{_MARKS[finding.state]:8} {finding.subject:24} {finding.value}", flush=True)
    if finding.fix:
        print(f"{'':8} {'':24} -> {finding.fix}")
