"""`fidget emotion simulate`: simulated data to try the other verbs on."""

from __future__ import annotations

import argparse
from pathlib import Path

from fidget.cli.emotion_arguments import at_least

_EPILOG = """\
examples:
  fidget emotion simulate -o simulated
  fidget emotion simulate -o large --clips 5000 --seed 3
  fidget emotion simulate -o feelings --labels simulated-labels.csv

Written: table.csv (clip, emotion, micro-actions), actions.parquet (a recogniser's scores), events.parquet
(a detector's), faces.parquet (a face network's, over DeepFace's labels). Micro-actions come as often as
MMA-82 counts them, and more often beside the emotions that its Sankey diagram shows. All of it is simulated.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "simulate",
        help="simulated data to try the others on",
        description="Write a simulated table after published frequencies, and simulated scores.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-o", "--output", required=True, metavar="DIR", type=Path, help="is made")
    parser.add_argument(
        "--labels",
        metavar="CSV",
        type=Path,
        help="of clips that there are: only table.csv is written, for them",
    )
    parser.add_argument("--clips", type=int, default=700, metavar="N", help="default: 700")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files.

    Raises:
        UsageError: no clips, or a directory that is a file.
        OSError: a file cannot be written.
    """
    from fidget.cli.usage import UsageError
    from fidget.emotion.simulated import simulate_emotions, simulate_for_clips

    at_least("--clips", args.clips, 1)
    at_least("--seed", args.seed, 0)
    if args.output.exists() and not args.output.is_dir():
        raise UsageError(f"-o {args.output}: expected a directory, there is a file")
    if args.labels is not None:
        count = simulate_for_clips(args.output / "table.csv", args.labels, args.seed)
        print(f"{args.output}: table.csv\n  {count:,} clips of {args.labels}, emotions simulated")
        return 0
    simulate_emotions(args.output, args.clips, args.seed)
    print(f"{args.output}: table.csv, actions.parquet, events.parquet, faces.parquet")
    print(f"  {args.clips:,} clips, simulated")
    return 0
