"""`fidget emotion simulate`: simulated data to try the other verbs on."""

from __future__ import annotations

import argparse
from pathlib import Path

from fidget.cli.emotion_arguments import at_least

_LARGEST = 1080
_EPILOG = """\
examples:
  fidget emotion simulate -o simulated
  fidget emotion simulate -o large --clips 5000 --seed 3
  fidget emotion simulate -o published --published
  fidget emotion simulate -o feelings --labels simulated-labels.csv
  fidget emotion simulate -o films --videos --clips 300

Written: table.csv (clip, emotion, micro-actions), actions.parquet (a recogniser's scores), events.parquet
(a detector's), faces.parquet (a face network's, over DeepFace's labels). Micro-actions come as often as
MMA-82 counts them, and more often beside the emotions that its Sankey diagram shows. All of it is simulated.
--published: as many clips and people as the emotion part of MMA-82 has, its micro-actions in proportion to
its counts to the clip, as many a clip as in MA-52-Pro, no clip without one. What no paper says is drawn:
how often an emotion occurs, and which clip has what.
With --videos: table.csv with splits, poses (a pose cache) and videos of drawn people, whose faces and
micro-actions tell a little of the emotion; the same command again goes on where it was stopped.
"""
_CLIPS = 700


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
    parser.add_argument("--videos", action="store_true", help="films of drawn people, their poses and table")
    parser.add_argument(
        "--size", type=int, metavar="PX", help="shorter side of the videos, even (default: 192)"
    )
    parser.add_argument(
        "--published", action="store_true", help="published frequencies to the clip (1371 clips)"
    )
    parser.add_argument("--clips", type=int, default=_CLIPS, metavar="N", help=f"default: {_CLIPS}")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the files.

    Raises:
        UsageError: no clips, or a directory that is a file.
        OSError: a file cannot be written.
    """
    from fidget.cli.usage import UsageError
    from fidget.emotion.simulated import simulate_emotions, simulate_for_clips, simulate_published

    at_least("--clips", args.clips, 1)
    at_least("--seed", args.seed, 0)
    if args.published and (args.labels is not None or args.clips != _CLIPS):
        raise UsageError("--published says how many clips there are: leave --clips and --labels out")
    if args.output.exists() and not args.output.is_dir():
        raise UsageError(f"-o {args.output}: expected a directory, there is a file")
    if args.size is not None and not args.videos:
        raise UsageError("--size is of the videos: give --videos")
    if args.videos:
        return _films(args)
    if args.labels is not None:
        count = simulate_for_clips(args.output / "table.csv", args.labels, args.seed)
        print(f"{args.output}: table.csv\n  {count:,} clips of {args.labels}, emotions simulated")
        return 0
    if args.published:
        count, words = simulate_published(args.output, args.seed), "simulated from published frequencies"
    else:
        simulate_emotions(args.output, args.clips, args.seed)
        count, words = args.clips, "simulated"
    print(f"{args.output}: table.csv, actions.parquet, events.parquet, faces.parquet")
    print(f"  {count:,} clips, {words}")
    return 0


def _films(args: argparse.Namespace) -> int:
    """Draw films, or go on drawing them."""
    from fidget.benchmark.simulator.render import SMALLEST_SIZE
    from fidget.cli.ticker import Ticker
    from fidget.cli.usage import UsageError
    from fidget.emotion.simulated_films import FEWEST, FilmSettings, simulate_films

    if args.labels is not None or args.published:
        raise UsageError("--videos draws clips of its own: not with --labels or --published")
    if args.clips < FEWEST:
        raise UsageError(f"--clips: expected {FEWEST} or more with --videos, got {args.clips}")
    size = FilmSettings().size if args.size is None else args.size
    if size < SMALLEST_SIZE or size % 2 or size > _LARGEST:
        raise UsageError(f"--size: expected an even number within {SMALLEST_SIZE}..{_LARGEST}, got {size}")
    ticker = Ticker(args.clips)
    try:
        made = simulate_films(
            args.output, args.clips, args.seed, settings=FilmSettings(size=size), on_clip=ticker.step
        )
    finally:
        ticker.close()
    print(f"{args.output}: table.csv, poses, videos")
    print(f"  {args.clips:,} clips, {made:,} videos made now, simulated")
    return 0
