"""`fidget evaluate`: what score files are worth."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocols.recognition import LevelMeasures, Recognition
    from protocols.scores import ScoreFile

_EPILOG = """\
examples:
  fidget evaluate runs/stgcnpp-nw_ucla-seed0/scores/val.parquet
  fidget evaluate runs/*/scores/test.parquet --json > test.json

Score files are written by fidget train and fidget fuse. Top-1 comes with its 95 % bootstrap interval over
clips; mean class accuracy is over the classes that have clips, and names the others; macro-F1 is
scikit-learn's, micro-F1 equals top-1. Where the actions have body groups, these are measured too.
Labels that are all 0 are placeholders and refused.
Exit status: 0 every file was measured, 1 some were not (each is named), 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="accuracy and F1 of score files",
        description="Accuracy and F1 of score files.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scores", metavar="SCORES", nargs="+", help="score files (Parquet)")
    parser.add_argument("--draws", metavar="N", type=int, default=10_000, help="samples of the bootstrap")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--json", action="store_true", help="print the results as JSON, with every class")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns the exit status."""
    import sys

    import numpy as np

    from fidget.cli.usage import UsageError
    from protocols.recognition import evaluate
    from protocols.scores import read_scores

    if args.draws < 1 or args.seed < 0:
        raise UsageError(f"--draws is at least 1 and --seed not negative, got {args.draws} and {args.seed}")
    results, failed = [], 0
    for path in args.scores:
        try:
            scores = read_scores(path)
            measured = evaluate(scores, np.random.default_rng(args.seed), args.draws)
        except (ValueError, OSError) as error:
            failed += 1
            print(f"fidget: {path}: not measured: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        if args.json:
            results.append(_as_json(path, scores, measured))
        else:
            _print(path, scores, measured)
    if args.json:
        import json

        print(json.dumps(results))
    return 1 if failed else 0


def _as_json(path: str, scores: ScoreFile, measured: Recognition) -> dict[str, Any]:
    import dataclasses

    import numpy as np

    from protocols.recognition import class_f1, confusion, predictions, recalls

    matrix = confusion(scores.labels, predictions(scores.scores), len(scores.tree.actions))

    def known(values: Any) -> list[float | None]:
        return [float(value) if np.isfinite(value) else None for value in values]

    return {
        "scores": path,
        "method": scores.method,
        "tree": scores.tree.name,
        "seed": scores.seed,
        **dataclasses.asdict(measured),
        "actions": list(scores.tree.actions),
        "recall": known(recalls(matrix)),
        "f1": known(class_f1(matrix)),
        "confusion": matrix.tolist(),
    }


def _print(path: str, scores: ScoreFile, measured: Recognition) -> None:
    seed = "" if scores.seed is None else f", seed {scores.seed}"
    print(f"{path}: {scores.method or 'unnamed'} on {scores.tree.name}, {measured.clips:,} clips{seed}")
    _print_level("action", measured.action, len(scores.tree.actions), measured.top1_interval)
    if measured.body is not None and measured.f1_mean is not None:
        _print_level("body", measured.body, len(scores.tree.groups), None)
        print(f"  F1mean: {100 * measured.f1_mean:.2f}")


def _print_level(name: str, level: LevelMeasures, classes: int, interval: tuple[float, float] | None) -> None:
    between = f" ({100 * interval[0]:.2f}-{100 * interval[1]:.2f})" if interval else ""
    print(
        f"  {name}: top-1 {100 * level.top1:.2f}{between}  top-5 {100 * level.top5:.2f}  "
        f"mean class {100 * level.mean_class:.2f}  macro-F1 {100 * level.macro_f1:.2f}  "
        f"(commonest class {100 * level.majority:.2f})"
    )
    if level.absent:
        print(f"  {name}s without a clip: {len(level.absent)} of {classes}: {', '.join(level.absent)}")
