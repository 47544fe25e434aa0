"""`fidget poses export --profile low-bandwidth`: a small pose cache, by named settings or by a budget."""

from __future__ import annotations

import argparse
from pathlib import Path

PROFILES = ("low-bandwidth",)
_OPTIONS = ("budget_kib", "joints", "fps", "xy_step_px", "steps_across", "score_levels", "persons")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of a small cache, in a group of their own."""
    group = parser.add_argument_group("small caches (--profile)")
    group.add_argument("--profile", choices=PROFILES, help="write a small pose cache, in no other format")
    group.add_argument("--budget-kib", metavar="N", type=float, help="the best cache of at most N KiB a clip")
    group.add_argument("--joints", metavar="PART", help="a part of the layout (micro44, body, ...), or all")
    group.add_argument("--fps", metavar="RATE", type=float, help="frames a second at most, 0 for all")
    group.add_argument("--xy-step", metavar="PX", dest="xy_step_px", type=float, help="grid of coordinates")
    group.add_argument("--steps-across", metavar="N", type=int, help="grid by the size of the person instead")
    group.add_argument("--score-levels", metavar="N", type=int, help="2 (found or not) to 256")
    group.add_argument("--persons", metavar="N", type=int, help="people kept a clip, 0 for all")


def expect_no_profile(args: argparse.Namespace) -> None:
    """Options of small caches are refused with another format.

    Raises:
        UsageError: names the first.
    """
    from fidget.cli.usage import UsageError

    for name in _OPTIONS:
        if getattr(args, name) is not None:
            option = "--xy-step" if name == "xy_step_px" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} is for small caches; add --profile low-bandwidth, without --format")


def run_profile(args: argparse.Namespace) -> int:
    """Write the small cache and say what it saves; returns the exit status."""
    import dataclasses
    import shutil

    from fidget.benchmark.low_bandwidth import BudgetError, for_budget, profile, shrink
    from fidget.cli.usage import UsageError
    from poses.cache_reader import PoseCache

    for name in ("format", "layout", "labels", "form", "float16", "overwrite"):
        if getattr(args, name):
            raise UsageError(f"--{name}: not with --profile, which writes a pose cache; leave it out")
    cache, poses, out = PoseCache(args.cache), Path(args.cache), Path(args.output)
    changes = {name: getattr(args, name) for name in _OPTIONS[1:] if getattr(args, name) is not None}
    try:
        if args.budget_kib is not None:
            if changes:
                raise ValueError("--budget-kib chooses the settings itself; leave the others out")
            made = for_budget(poses, out, args.budget_kib * 1024)
        else:
            if "xy_step_px" in changes:
                changes.setdefault("steps_across", 0)
            if changes.get("joints") == "all":
                changes["joints"] = ""
            economy = dataclasses.replace(profile(args.profile, cache.layout), **changes)
            made = shrink(poses, out, economy)
    except BudgetError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from None
    print(f"{args.cache} -> {out}")
    for line in made.lines():
        print(f"  {line}")
    labels = poses.with_name(f"{poses.name}-labels.csv")
    beside = out.with_name(f"{out.name}-labels.csv")
    if labels.is_file() and not beside.exists():
        shutil.copyfile(labels, beside)
        print(f"  labels: {beside}")
    return 0
