"""`fidget emotion evaluate`: measures with intervals, gains in clips, the papers' numbers beside them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fidget.cli.emotion_arguments import at_least

if TYPE_CHECKING:
    from fidget.emotion.evaluating import Evaluation

_EPILOG = """\
examples:
  fidget emotion evaluate runs/emotion
  fidget emotion evaluate runs/a/scores/both.parquet runs/b/scores/both.parquet --json
  fidget emotion evaluate runs/emotion -o emotion.html

Accuracy, F1 weighted by clips, UF1 (mean F1 of the emotions), UAR (mean recall), with 95 % bootstrap
intervals; every pair of methods compared on the same clips, in clips, by paired draws and McNemar's test.
Score files over emotions are score files: fidget evaluate and fidget fuse take them too.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "evaluate",
        help="accuracy, F1, UF1, UAR with intervals; what one method gains over another, in clips",
        description="Measure score files over emotions and compare them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("scores", metavar="RUN|SCORES", nargs="+", type=Path, help="runs, or score files over emotions")
    add("-o", "--output", metavar="HTML", type=Path, help="the same as a page")
    add("--draws", type=int, default=10_000, metavar="N", help="of the bootstrap (default: 10000)")
    add("--seed", type=int, default=0, metavar="N", help="of the draws (default: 0)")
    add("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and compare.

    Raises:
        UsageError: a number out of its range, or a page of another name.
        ValueError: files that are none, or do not fit together.
        OSError: a file cannot be read or written.
    """
    from fidget.cli.usage import UsageError
    from fidget.emotion.evaluating import evaluate_emotions

    at_least("--draws", args.draws, 1)
    at_least("--seed", args.seed, 0)
    if args.output is not None and args.output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o {args.output}: expected a name that ends in .html")
    found = evaluate_emotions(args.scores, args.seed, args.draws)
    if args.output is not None:
        from fidget.reports.emotion_results import write_results_page

        write_results_page(args.output, found)
    if args.json:
        import json

        print(json.dumps(_as_json(found), ensure_ascii=False))
    else:
        _print(found)
        if args.output is not None:
            print(f"written: {args.output}")
    return 0


def _as_json(found: Evaluation) -> dict[str, Any]:
    return {
        "simulated": found.simulated,
        "methods": [
            {
                "name": name,
                "method": file.method,
                "clips": one.clips,
                "right": one.right,
                **one.values,
                "intervals": one.intervals,
                "majority": one.majority,
                "never_predicted": list(one.never),
                "micro_action_map": found.micro_action_map.get(name),
            }
            for name, file, one in zip(found.names, found.files, found.measured, strict=True)
        ],
        "gains": [
            {
                "first": first,
                "second": second,
                "clips": gain.clips,
                "difference_clips": gain.difference_clips,
                "differences": gain.differences,
                "intervals": gain.intervals,
                "only_first": gain.mcnemar.only_first,
                "only_second": gain.mcnemar.only_second,
                "mcnemar_p": gain.mcnemar.exact_p,
            }
            for first, second, gain in found.gains
        ],
        "notes": list(found.notes),
    }


def _print(found: Evaluation) -> None:
    from fidget.reports.emotion_results import gain_sentence, published_tables, result_table

    for table in (result_table(found), *published_tables()):
        _print_table(table.title, table.head, table.rows, table.units)
        for note in table.notes:
            print(f"  {note}")
    for first, second, gain in found.gains:
        print(f"{gain.told(first, second)}")
    print(f"published: {gain_sentence()}")
    for line in found.notes:
        print(f"note: {line}")


def _print_table(title: str, head: tuple[str, ...], rows: tuple[tuple[str, ...], ...], units: str) -> None:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    print(f"{title}, {units}" if units else title)
    for line in lines:
        first, *rest = zip(line, widths, strict=True)
        cells = "  ".join(f"{text:>{width}}" for text, width in rest)
        print(f"  {first[0]:{first[1]}}  {cells}")
