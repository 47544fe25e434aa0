"""`fidget emotion associate`: which micro-actions go with which emotion."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fidget.cli.emotion_arguments import TOLD, add_table_options, at_least, naming, read_table

if TYPE_CHECKING:
    from fidget.emotion.association_study import AssociationStudy

_EPILOG = f"""\
examples:
  fidget emotion associate table.csv -o report.html
  fidget emotion associate table.csv --set mma82 --tree mma82 -o report.html --figures figures
  fidget emotion associate table.csv --json > association.json

{TOLD}
The report is one HTML file that opens offline. --figures: sankey and heatmap, each as SVG and PNG.
"""
_MOST_CELLS, _MOST_RULES, _FEWEST_IN_FIGURE = 12, 8, 5


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "associate",
        help="which micro-actions go with which emotion",
        description="Counts, lift, tests, the top-5 experiment, a tree's rules, Sankey diagram and heatmap.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_table_options(parser)
    add = parser.add_argument
    add("-o", "--output", metavar="HTML", type=Path, help="the report")
    add("--figures", metavar="DIR", type=Path, help="sankey and heatmap as SVG and PNG")
    add("--folds", type=int, default=5, metavar="N", help="of the cross-validation (default: 5)")
    add("--top", type=int, default=5, metavar="K", help="micro-actions of each emotion (default: 5)")
    add("--shuffles", type=int, default=1000, metavar="N", help="of the tests (default: 1000)")
    add(
        "--controls", type=int, default=50, metavar="N", help="shufflings of the top-5 controls (default: 50)"
    )
    add("--depth", type=int, default=5, metavar="N", help="of the decision tree (default: 5)")
    add("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Study the table.

    Raises:
        UsageError: a number out of its range, no such tree.
        ValueError: the table is wrong.
        OSError: a file cannot be read or written.
    """
    from fidget.cli.usage import UsageError
    from fidget.emotion.association_study import StudySettings, study_association

    smallest = {"folds": 2, "top": 1, "shuffles": 1, "controls": 1, "depth": 1, "seed": 0}
    for name, number in smallest.items():
        at_least(f"--{name}", getattr(args, name), number)
    if args.output is not None and args.output.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"-o {args.output}: expected a name that ends in .html")
    table = read_table(args)
    settings = StudySettings(args.seed, args.folds, args.top, args.shuffles, args.controls, depth=args.depth)
    with naming(args.table):
        study = study_association(table, settings)
    written = _write(args, study)
    if args.json:
        import json

        print(json.dumps(_as_json(study), ensure_ascii=False))
    else:
        _print(study, written)
    return 0


def _write(args: argparse.Namespace, study: AssociationStudy) -> list[Path]:
    import numpy as np

    written = []
    if args.output is not None:
        from fidget.reports.emotion_page import write_emotion_page

        write_emotion_page(args.output, study)
        written.append(args.output)
    if args.figures is not None:
        from fidget.reports.emotion_figure import draw_heatmap, draw_sankey
        from fidget.reports.emotion_sankey import lay_out, strongest_pairs

        counts = study.association.of_action
        actions = np.flatnonzero(counts >= _FEWEST_IN_FIGURE).tolist() or np.flatnonzero(counts).tolist()
        found = lay_out(study.association.counts, strongest_pairs(study.table, study.settings.k))
        for suffix in (".svg", ".png"):
            draw_sankey(args.figures / f"sankey{suffix}", found, study)
            draw_heatmap(args.figures / f"heatmap{suffix}", study, actions)
            written += [args.figures / f"sankey{suffix}", args.figures / f"heatmap{suffix}"]
    return written


def _surest(study: AssociationStudy) -> list[tuple[int, int]]:
    import numpy as np

    p = np.where(np.isfinite(study.association.p), study.association.p, 2.0)
    order = np.argsort(p, axis=None, kind="stable")
    pairs = [divmod(int(place), p.shape[1]) for place in order]
    return [(action, emotion) for action, emotion in pairs if p[action, emotion] <= 1]


def _as_json(study: AssociationStudy) -> dict[str, Any]:
    table, found = study.table, study.association
    return {
        "table": table.name,
        "simulated": table.simulated,
        "clips": len(table),
        "emotions": dict(zip(table.emotions, found.clips.tolist(), strict=True)),
        "cells": [
            {
                "micro_action": table.tree.actions[action],
                "emotion": table.emotions[emotion],
                "clips": int(found.counts[action, emotion]),
                "lift": float(found.lift[action, emotion]),
                "odds_ratio": float(found.odds[action, emotion]),
                "p": float(found.p[action, emotion]),
                "q": float(found.q[action, emotion]),
            }
            for action, emotion in _surest(study)
        ],
        "information_bits": {
            table.tree.actions[action]: float(bits)
            for action, bits in enumerate(found.information)
            if found.of_action[action]
        },
        "total_bits": found.total_information,
        "total_p": found.total_p,
        "total_bits_by_chance": found.total_by_chance,
        "top_experiment": [
            {"filter": kind, "leaks": kind == "own", "kept": keep, **measured.values}
            for (kind, keep), measured in study.top_five_measures.items()
        ],
        "rules": [
            rule.told(table.tree.actions, table.emotions)
            for rule in (study.rules.rules if study.rules else ())
        ],
        "notes": [*study.notes, *study.trouble],
    }


def _print(study: AssociationStudy, written: list[Path]) -> None:
    from protocols.emotion_published import published_top5

    table, found, k = study.table, study.association, study.settings.k
    note = ", simulated" if table.simulated else ""
    print(f"{table.name}: {len(table):,} clips, {len(table.emotions)} emotions{note}")
    tested = int((found.p <= 1).sum())
    rate = 100 * study.settings.false_discoveries
    print(f"  {int(study.found.sum())} of {tested} cells differ from chance (false discoveries {rate:g} %)")
    print(
        f"  {found.total_information:.3f} bits summed over micro-actions, {found.total_by_chance:.3f} with "
        f"shuffled emotions (p {found.total_p:.2g})"
    )
    print(f"  {'micro-action':36} {'emotion':12} {'clips':>5} {'lift':>6} {'p':>8} {'q':>8}")
    for action, emotion in _surest(study)[:_MOST_CELLS]:
        name, p, q = table.tree.actions[action], found.p[action, emotion], found.q[action, emotion]
        cell = f"{found.counts[action, emotion]:5} {found.lift[action, emotion]:6.2f} {p:8.2g} {q:8.2g}"
        print(f"  {name[:36]:36} {table.emotions[emotion][:12]:12} {cell}")
    if study.top_five is not None:
        published = published_top5()
        head = f"top-{k} experiment, accuracy %"
        print(f"  {head:32} {'label-free':>11} {'own label: leaks':>17} {'MMA-82':>7}")
        for keep in ("base", "without", "only"):
            fair, leaking = (
                100 * study.top_five_measures[kind, keep].values["accuracy"] for kind in ("union", "own")
            )
            print(f"  {keep:32} {fair:11.1f} {leaking:17.1f} {100 * published[keep][0]:7.1f}")
            mixed = [100 * study.top_five.shuffled_labels[kind, keep].mean() for kind in ("union", "own")]
            print(f"  {'  with shuffled emotions':32} {mixed[0]:11.1f} {mixed[1]:17.1f}")
    if study.rules is not None and study.rules_measures is not None:
        right = 100 * study.rules_measures.values["accuracy"]
        print(f"  decision tree on held-out clips: {right:.1f} %; surest rules")
        sure = sorted(study.rules.rules, key=lambda rule: -rule.right / max(rule.clips, 1))
        for rule in sure[:_MOST_RULES]:
            print(f"    {rule.told(table.tree.actions, table.emotions)}")
    for line in (*study.notes, *study.trouble):
        print(f"  note: {line}")
    for path in written:
        print(f"written: {path}")
