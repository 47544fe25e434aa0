"""`fidget fuse`: one score file from several."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
examples:
  fidget fuse joint/scores/test.parquet bone/scores/test.parquet -o fused.parquet
  fidget fuse joint.parquet bone.parquet motion.parquet --weights 2,2,1 -o fused.parquet
  fidget evaluate fused.parquet

Clips are joined by their ids; every file must have the same clips, actions and labels. The result is the
weighted mean of the probabilities (--mean log: of their logarithms). Weights are equal unless named: choose
others on validation scores only.
Exit status: 0 all is well, 1 the files do not fit together, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "fuse",
        help="one score file from several: streams, seeds, models",
        description="Average score files, joined by clip.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scores", metavar="SCORES", nargs="+", help="score files (Parquet), two or more")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="the score file to write")
    parser.add_argument("--weights", metavar="W,W,...", help="one a file, not negative (default: equal)")
    parser.add_argument(
        "--mean", choices=("probability", "log"), default="probability", help="what is averaged"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT where it exists")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fuse; returns the exit status."""
    from fidget.cli.usage import UsageError
    from protocols.score_fusion import fuse
    from protocols.scores import read_scores, write_scores

    output = Path(args.output)
    if len(args.scores) < 2:
        raise UsageError(f"expected two score files or more, got {len(args.scores)}")
    if output.is_dir():
        raise UsageError(f"-o {output}: expected a file to write, this is a directory; name a file in it")
    if output.exists() and not args.overwrite:
        raise UsageError(f"-o {output}: there is such a file already; name another, or add --overwrite")
    weights = _weights(args.weights, len(args.scores))
    fused = fuse([read_scores(path) for path in args.scores], weights, args.mean)
    write_scores(output, fused)
    shown = weights or [1.0] * len(args.scores)
    if args.json:
        import json

        result = {"scores": str(output), "clips": len(fused), "files": args.scores, "weights": shown}
        print(json.dumps(result | {"mean": args.mean}))
        return 0
    print(f"{output}: {len(fused):,} clips of {fused.tree.name}")
    for weight, path in zip(shown, args.scores, strict=True):
        print(f"  {weight:g} x {path}")
    return 0


def _weights(text: str | None, files: int) -> list[float] | None:
    import math

    from fidget.cli.usage import UsageError

    if text is None:
        return None
    try:
        weights = [float(word) for word in text.split(",")]
    except ValueError:
        weights = []
    if (
        len(weights) != files
        or not all(math.isfinite(one) and one >= 0 for one in weights)
        or not sum(weights)
    ):
        raise UsageError(
            f"--weights: expected {files} numbers of 0 or more, such as {','.join(['1'] * files)}; "
            f"got {text!r}"
        )
    return weights
