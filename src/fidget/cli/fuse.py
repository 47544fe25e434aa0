"""`fidget fuse`: one score file from several."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fidget.fusion.rule_file import Fusion
    from protocols.score_fusion import Mean
    from protocols.scores import ScoreFile

_EPILOG = """\
examples:
  fidget fuse joint/scores/test.parquet bone/scores/test.parquet -o fused.parquet
  fidget fuse joint.parquet bone.parquet motion.parquet --weights 2,2,1 -o fused.parquet
  fidget fuse rgb/scores/test.parquet pose/scores/test.parquet -o fused.parquet \\
      --validation rgb/scores/val.parquet pose/scores/val.parquet --mean log --save fusion.json
  fidget fuse rgb_test.parquet pose_test.parquet -o gated.parquet --gate \\
      --validation rgb_val.parquet pose_val.parquet
  fidget fuse rgb_new.parquet pose_new.parquet --apply fusion.json -o new.parquet

Clips are joined by their ids; every file must have the same clips, actions and labels. The result is the
weighted mean of the probabilities (--mean log: of their logarithms). Weights are equal unless they are named,
or chosen on validation scores: one weight a file from a grid, --per-class one for each file and action,
--gate the first file corrected by the second where that one is surer. Validation files stand in the order of
the files to fuse; those of a test split, or with clips that are to be fused, are refused. Where the clips
have labels, the fusion is compared with each file alone and with equal weights, clip by clip.
Exit status: 0 all is well, 1 the files do not fit together, 2 wrong usage.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "fuse",
        help="one score file from several: weights chosen on validation, a gate",
        description="Average score files, joined by clip.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scores", metavar="SCORES", nargs="+", help="score files (Parquet), two or more")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="the score file to write")
    parser.add_argument("--weights", metavar="W,W,...", help="one a file, not negative (default: equal)")
    parser.add_argument(
        "--validation",
        metavar="VAL",
        nargs="+",
        help="validation scores of the same methods, in the same order: the numbers are chosen on them",
    )
    parser.add_argument(
        "--per-class",
        action="store_true",
        help="with --validation: a weight for each file and action, held back towards equal ones",
    )
    parser.add_argument(
        "--gate",
        action="store_true",
        help="with --validation: the first file, corrected by the second where that one is surer",
    )
    parser.add_argument(
        "--choose-by",
        choices=("log-loss", "top1", "mean-class", "f1-mean"),
        help="with --validation: what one weight a file is chosen by (default: log-loss)",
    )
    parser.add_argument("--apply", metavar="FILE", help="fuse by the rule that --save kept")
    parser.add_argument("--save", metavar="FILE", help="keep the rule with its numbers as JSON")
    parser.add_argument(
        "--mean", choices=("probability", "log"), help="what is averaged (default: probability)"
    )
    parser.add_argument(
        "--draws", metavar="N", type=int, default=10_000, help="samples of the paired bootstrap"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the bootstrap and of the folds")
    parser.add_argument("--overwrite", action="store_true", help="replace files where they exist")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fuse; returns the exit status."""
    weights = _checked(args)

    from fidget.fusion.report import MEANS, against_others, measured_on
    from fidget.fusion.rule_file import fusion_of, read_fusion, write_fusion
    from fidget.fusion.validation import check_validation
    from fidget.fusion.weighted_mean import WeightedMean
    from protocols.scores import read_scores, write_scores

    kept = None if args.apply is None else read_fusion(args.apply)
    files = [read_scores(path) for path in args.scores]
    mean: Mean = args.mean or _mean_of(args, kept)
    equal = fusion_of(WeightedMean((1.0,) * len(files), mean), files)
    seen: list[ScoreFile] = []
    if kept is not None:
        fusion = kept
    elif args.validation:
        given = [read_scores(path) for path in args.validation]
        seen = check_validation(files, given, args.validation)
        fusion = _chosen(args, files, seen, mean)
    elif weights is not None:
        fusion = fusion_of(WeightedMean(tuple(weights), mean), files)
    else:
        fusion = equal
    fused = fusion.fused(files)
    write_scores(args.output, fused)
    if args.save:
        write_fusion(args.save, fusion)
    others = [*zip(args.scores, files, strict=True)]
    if fusion.rule != equal.rule:
        others.append((f"equal weights, mean of {MEANS[mean]}", equal.fused(files)))
    compared = against_others(fused, others, args.seed, args.draws)
    on_validation = measured_on(seen, fusion, equal) if seen else {}
    if args.json:
        import json

        print(json.dumps(_as_json(args, fusion, len(fused), compared, on_validation), allow_nan=False))
        return 0

    from fidget.cli.fuse_text import print_fusion, print_others, print_validation

    print(f"{args.output}: {len(fused):,} clips of {fused.tree.name}")
    print_fusion(fusion, args.scores)
    if on_validation:
        print_validation(on_validation, len(seen[0]))
    print_others(compared, fused)
    return 0


def _mean_of(args: argparse.Namespace, kept: Fusion | None) -> Mean:
    """What the equal weights beside the fusion average; gates and classes' weights combine logarithms."""
    from fidget.fusion.weighted_mean import WeightedMean

    if kept is not None and isinstance(kept.rule, WeightedMean):
        return kept.rule.mean
    return "log" if kept is not None or args.per_class or args.gate else "probability"


def _chosen(
    args: argparse.Namespace, files: Sequence[ScoreFile], seen: Sequence[ScoreFile], mean: Mean
) -> Fusion:
    """The fusion whose numbers are best on the validation clips."""
    import numpy as np

    from fidget.fusion.class_weights import fit_class_weights
    from fidget.fusion.gate import fit_gate
    from fidget.fusion.rule_file import Rule, fusion_of
    from fidget.fusion.weighted_mean import CRITERIA, choose_weights

    chosen_by = CRITERIA[args.choose_by or "log-loss"]
    rule: Rule
    if args.per_class:
        rule = fit_class_weights(seen, np.random.default_rng(args.seed))
    elif args.gate:
        rule = fit_gate(seen)
    else:
        rule = choose_weights(seen, mean, chosen_by)
    return fusion_of(rule, files, chosen_by, len(seen[0]))


def _checked(args: argparse.Namespace) -> list[float] | None:
    """The weights that are named; refuses arguments that cannot be meant before anything is read."""
    from fidget.cli.usage import UsageError

    output = Path(args.output)
    files = len(args.scores)
    if files < 2:
        raise UsageError(f"expected two score files or more, got {files}")
    if output.is_dir():
        raise UsageError(f"-o {output}: expected a file to write, this is a directory; name a file in it")
    if output.exists() and not args.overwrite:
        raise UsageError(f"-o {output}: there is such a file already; name another, or add --overwrite")
    if args.save and Path(args.save).exists() and not args.overwrite:
        raise UsageError(
            f"--save {args.save}: there is such a file already; name another, or add --overwrite"
        )
    if args.draws < 1 or args.seed < 0:
        raise UsageError(f"--draws is at least 1, --seed not negative, got {args.draws} and {args.seed}")
    _check_choice(args, files)
    return _weights(args.weights, files)


def _check_choice(args: argparse.Namespace, files: int) -> None:
    """Refuse options that say two things about the weights, or nothing that can be meant."""
    from fidget.cli.usage import UsageError

    named = [f"--{name}" for name in ("weights", "validation", "apply") if getattr(args, name) is not None]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)} each say how to weigh the files; give one of them")
    only = [
        f"--{name.replace('_', '-')}" for name in ("per_class", "gate", "choose_by") if getattr(args, name)
    ]
    if only and not args.validation:
        raise UsageError(f"{only[0]} chooses on validation scores: name them with --validation VAL VAL ...")
    if len(only) > 1:
        raise UsageError(f"{' and '.join(only)} exclude each other; give one of them")
    if args.validation and len(args.validation) != files:
        raise UsageError(
            f"--validation: expected {files} score files, one for each to fuse and in their order, "
            f"got {len(args.validation)}"
        )
    if args.gate and files != 2:
        raise UsageError(
            f"--gate takes two files, the base and what corrects it, got {files}; fuse the others first"
        )
    if args.mean and (args.per_class or args.gate or args.apply):
        what = "--apply has its own mean" if args.apply else "--per-class and --gate combine logarithms"
        raise UsageError(f"{what}: leave --mean out")
    if args.save and args.apply:
        raise UsageError("--save would write what --apply reads; leave one of them out")


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


def _as_json(
    args: argparse.Namespace,
    fusion: Fusion,
    clips: int,
    compared: dict[str, Any],
    on_validation: dict[str, dict[str, float]],
) -> dict[str, Any]:
    from dataclasses import asdict

    from fidget.fusion.weighted_mean import WeightedMean

    rule = fusion.rule
    plain = {"weights": list(rule.weights), "mean": rule.mean} if isinstance(rule, WeightedMean) else {}
    return {
        "scores": str(args.output),
        "clips": clips,
        "files": args.scores,
        **plain,
        "fusion": fusion.as_json(),
        "validation": on_validation,
        "against": {name: asdict(one) for name, one in compared.items()},
    }
