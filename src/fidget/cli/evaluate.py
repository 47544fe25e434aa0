"""`fidget evaluate`: what score files are worth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fidget.cli.evaluate_text import Measured
    from protocols.class_table import Thresholds
    from protocols.comparison import Spread
    from protocols.scores import ScoreFile

_MOST_DRAWS = 2_000  # of the intervals of calibration and risk-coverage, which cost more

_EPILOG = """\
examples:
  fidget evaluate runs/stgcnpp-nw_ucla-seed0/scores/val.parquet
  fidget evaluate runs/*/scores/test.parquet --json > test.json
  fidget evaluate stgcnpp.parquet --against posec3d.parquet
  fidget evaluate stgcnpp.parquet --classes --tail 100,20 --train-labels labels.csv --csv classes.csv
  fidget evaluate stgcnpp.parquet posec3d.parquet --calibration --plot calibration.png

Score files are written by fidget train and fidget fuse. Every measure comes with its 95 % bootstrap interval
over clips; mean class accuracy is over the classes that have clips, and names the others; macro-F1 is
scikit-learn's (that of the MA-52 paper's equation 5 is named), micro-F1 equals top-1. Where the actions have
body groups, these are measured too: by the group of the best action (--body top), or by the sums of the
groups' probabilities (--body summed). Several files of one method on the same clips are followed by their
mean and standard deviation. Labels that are all 0 are placeholders and refused.
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
    parser.add_argument(
        "--body",
        choices=("top", "summed"),
        default="top",
        help="how body groups are predicted (default: top)",
    )
    parser.add_argument("--against", metavar="OTHER", help="compare with the score file of another method")
    parser.add_argument("--classes", action="store_true", help="print every class, and the body groups")
    parser.add_argument(
        "--tail",
        metavar="HEAD,TAIL",
        help="measure classes of more than HEAD, and of fewer than TAIL clips apart",
    )
    parser.add_argument(
        "--train-labels", metavar="CSV", help="labels whose split train says which classes are frequent"
    )
    parser.add_argument(
        "--calibration",
        action="store_true",
        help="print calibration error, Brier score, NLL and risk-coverage",
    )
    parser.add_argument("--bins", metavar="N", type=int, default=15, help="of the calibration (default: 15)")
    parser.add_argument("--csv", metavar="FILE", type=Path, help="write every class of one score file as CSV")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="print them, and draw them (PNG)")
    parser.add_argument(
        "--draws",
        metavar="N",
        type=int,
        default=10_000,
        help="samples of the bootstrap (at most 2000 of them for the calibration)",
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--json", action="store_true", help="print the results as JSON, with every class")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Evaluate; returns the exit status."""
    import sys

    from fidget.cli.evaluate_text import print_measured, print_spread
    from protocols.scores import read_scores

    thresholds = _checked(args)
    other = None if args.against is None else read_scores(args.against)
    measured: list[Measured] = []
    for path in args.scores:
        try:
            measured.append(_measure(path, args, thresholds, other))
        except (ValueError, OSError) as error:
            print(f"fidget: {path}: not measured: {' '.join(str(error).split())}", file=sys.stderr)
            continue
        if not args.json:
            print_measured(measured[-1], args.body, args.classes)
    spreads = _spreads([(one.path, one.scores, one.measures) for one in measured])
    if args.json:
        import json

        results = [_as_json(one, args.body) for one in measured]
        results += [_spread_as_json(files, spread) for files, spread in spreads]
        print(json.dumps(results, allow_nan=False))
    else:
        for files, spread in spreads:
            print_spread(files, spread, args.body)
    if measured and args.csv:
        from protocols.class_table import write_class_table

        write_class_table(args.csv, measured[0].table)
    if measured and args.plot:
        from fidget.reports.calibration_plot import draw_calibration

        draw_calibration([(one.name, one.calibration[0]) for one in measured if one.calibration], args.plot)
    return 1 if len(measured) < len(args.scores) else 0


def _checked(args: argparse.Namespace) -> Thresholds | None:
    """The thresholds of head and tail; refuses arguments that cannot be meant before anything is read."""
    from fidget.cli.usage import UsageError
    from protocols.class_table import Thresholds

    if args.draws < 1 or args.seed < 0 or args.bins < 1:
        raise UsageError(
            f"--draws and --bins are at least 1 and --seed not negative, got {args.draws}, {args.bins} and "
            f"{args.seed}"
        )
    if args.csv and len(args.scores) > 1:
        raise UsageError(f"--csv writes the classes of one score file, got {len(args.scores)}; name one")
    if args.plot and args.plot.suffix.lower() != ".png":
        raise UsageError(f"--plot writes a PNG, got {args.plot}; name a file that ends in .png")
    if args.tail is None:
        return Thresholds() if args.train_labels else None
    parts = args.tail.split(",")
    if len(parts) != 2 or not all(part.strip().isascii() and part.strip().isdecimal() for part in parts):
        raise UsageError(f"--tail is two numbers of clips such as 100,20, got {args.tail!r}")
    head, tail = (int(part) for part in parts)
    if not tail <= head + 1:
        raise UsageError(f"--tail is HEAD,TAIL with the larger number first, got {args.tail!r}")
    return Thresholds(head + 1, tail)


def _measure(
    path: str, args: argparse.Namespace, thresholds: Thresholds | None, other: ScoreFile | None
) -> Measured:
    import numpy as np

    from fidget.cli.evaluate_text import Measured
    from protocols.calibration import LEVELS, calibrate, calibration_intervals
    from protocols.class_table import body_table, class_table
    from protocols.comparison import compare
    from protocols.intervals import measure_intervals
    from protocols.recognition import evaluate, measures_of
    from protocols.scores import read_scores
    from protocols.train_counts import read_train_counts

    scores = read_scores(path)
    counts = None if args.train_labels is None else read_train_counts(args.train_labels, scores.tree)
    intervals = measure_intervals(scores, np.random.default_rng(args.seed), args.draws)
    calibration, sure = [], {}
    if args.calibration or args.plot:
        for level in LEVELS[: 2 if scores.tree.groups else 1]:
            calibration.append(calibrate(scores, level, args.bins))
            rng = np.random.default_rng(args.seed)
            sure.update(
                calibration_intervals(scores, rng, level, args.bins, draws=min(args.draws, _MOST_DRAWS))
            )
    comparison = None
    if other is not None:
        comparison = compare(scores, other, np.random.default_rng(args.seed), args.draws)
    return Measured(
        path=path,
        scores=scores,
        recognition=evaluate(scores),
        measures=measures_of(scores),
        intervals=intervals,
        table=class_table(scores, thresholds, counts),
        body_table=body_table(scores, args.body, thresholds, counts) if scores.tree.groups else None,
        bands=thresholds is not None,
        calibration=tuple(calibration),
        calibration_intervals=sure,
        comparison=comparison,
        against="" if other is None else f"{args.against} ({other.method or 'unnamed'})",
    )


def _spreads(
    files: Sequence[tuple[str, ScoreFile, dict[str, float]]],
) -> list[tuple[list[tuple[str, ScoreFile]], dict[str, Spread]]]:
    """Files of one method over the same clips, where there are several, and the spread of their measures."""
    from protocols.comparison import spread_of

    alike: dict[Any, list[tuple[str, ScoreFile, dict[str, float]]]] = {}
    for path, scores, measures in files:
        key = (scores.method, scores.tree, frozenset(scores.clip_ids))
        alike.setdefault(key, []).append((path, scores, measures))
    return [
        (
            [(path, scores) for path, scores, _ in own],
            spread_of([measures for _, _, measures in own], [scores.seed for _, scores, _ in own]),
        )
        for own in alike.values()
        if len(own) > 1
    ]


def _known(value: float) -> float | None:
    import math

    return float(value) if math.isfinite(value) else None


def _as_json(one: Measured, body: str) -> dict[str, Any]:
    import dataclasses

    from protocols.recognition import class_f1, recalls

    matrix = one.table.confusion
    result = {
        "scores": one.path,
        "method": one.scores.method,
        "tree": one.scores.tree.name,
        "seed": one.scores.seed,
        **dataclasses.asdict(one.recognition),
        "top1_interval": list(one.intervals["action/top1"]),
        "body_rule": body,
        "measures": one.measures,
        "intervals": one.intervals,
        "actions": list(one.scores.tree.actions),
        "recall": [_known(value) for value in recalls(matrix)],
        "f1": [_known(value) for value in class_f1(matrix)],
        "confusion": matrix.tolist(),
        "classes": [_row(row) for row in one.table.rows],
    }
    if one.bands:
        result["banded_by"] = one.table.banded_by
        result["bands"] = [_row(row) for row in one.table.bands]
    if one.body_table is not None:
        result["groups"] = list(one.scores.tree.groups)
        result["body_confusion"] = one.body_table.confusion.tolist()
        result["body_classes"] = [_row(row) for row in one.body_table.rows]
    if one.calibration:
        values = {name: value for level in one.calibration for name, value in level.measures().items()}
        result["calibration"] = values
        result["calibration_intervals"] = one.calibration_intervals
    if one.comparison is not None:
        result["against"] = {"scores": one.against, **dataclasses.asdict(one.comparison)}
    return result


def _row(row: Any) -> dict[str, Any]:
    import dataclasses

    return {
        name: _known(value) if isinstance(value, float) else value
        for name, value in dataclasses.asdict(row).items()
    }


def _spread_as_json(files: Sequence[tuple[str, ScoreFile]], spread: dict[str, Spread]) -> dict[str, Any]:
    return {
        "files": [path for path, _ in files],
        "method": files[0][1].method,
        "tree": files[0][1].tree.name,
        "seeds": [scores.seed for _, scores in files],
        "spread": {name: _row(one) for name, one in spread.items()},
    }
