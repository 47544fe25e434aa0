"""The ablations of MANet on MA-52: which networks they take, and the paper's three tables.

Guo et al., Benchmarking Micro-action Recognition (IEEE TCSVT 2024): the number of frames; alpha, the weight
of the loss that pulls features to the vectors of the labels; MANet without its parts. Ten networks make
thirteen rows: eight frames, alpha 5 and both parts are MANet itself, alpha 0 is MANet without the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fidget.benchmark.cell import Cell
from fidget.benchmark.summaries import Summary, summarise
from fidget.benchmark.table import Table
from protocols.published import TABLES, PublishedValue, find_published
from protocols.trees import tree

BENCHMARK = "ma52/ablations"
BASE = "manet"
_PUBLISHED = "ma52_ablations"
_SIMULATED_NOTE = "Simulated data: these numbers say nothing about real recordings."

_FRAMES, _ALPHA, _PARTS = "frames", "alpha", "components"
_TITLES = {
    _FRAMES: "number of frames",
    _ALPHA: "weight alpha of the embedding loss",
    _PARTS: "components",
}
_HEADS = {
    "f1_mean": "F1mean",
    "body/macro_f1": "body macro-F1",
    "action/macro_f1": "action macro-F1",
    "body/micro_f1": "body micro-F1",
    "action/micro_f1": "action micro-F1",
    "action/top5": "action top-5",
}
_WHOLE = ("input.frames=8", "loss.label_embedding_weight=5")
_NO_EXCITATION = "model.name=tsm_r50"
_NO_EMBEDDING = "loss.label_embedding="


@dataclass(frozen=True)
class Variant:
    """One network of the ablations.

    Attributes:
        suffix: behind the recipe's name; empty for MANet as the paper chose it.
        overrides: of the recipe, as `--set` takes them.
        rows: (table, setting) of the paper that it stands for.
    """

    suffix: str
    overrides: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]


def _variants() -> tuple[Variant, ...]:
    whole = Variant("", _WHOLE, ((_FRAMES, "T=8"), (_ALPHA, "5"), (_PARTS, "MANet")))
    frames = [
        Variant(f"T{number}", (*_WHOLE, f"input.frames={number}"), ((_FRAMES, f"T={number}"),))
        for number in (4, 16)
    ]
    weights = [
        Variant(f"alpha {alpha}", (*_WHOLE, f"loss.label_embedding_weight={alpha}"), ((_ALPHA, alpha),))
        for alpha in ("0.1", "1", "2", "10")
    ]
    parts = [
        Variant(
            "without embedding", (*_WHOLE, _NO_EMBEDDING), ((_ALPHA, "0"), (_PARTS, "without embedding loss"))
        ),
        Variant("without SE", (*_WHOLE, _NO_EXCITATION), ((_PARTS, "without SE"),)),
        Variant("baseline", (*_WHOLE, _NO_EXCITATION, _NO_EMBEDDING), ((_PARTS, "baseline (TSM)"),)),
    ]
    return (whole, *frames, *parts, *weights)


VARIANTS: tuple[Variant, ...] = _variants()


def method_name(base: str, variant: Variant) -> str:
    """Name of a network of a recipe."""
    return f"{base} {variant.suffix}" if variant.suffix else base


def ablation_tables(cells: Sequence[Cell], directory: Path, samples: int = 1000) -> tuple[Table, ...]:
    """The paper's three tables, ours beside the published rows where these can be compared.

    They can where the clips are real, the classes MA-52's and the test split was measured; else they have
    tables of their own.

    Args:
        cells: of the benchmark.
        directory: where their score files lie.
        samples: of the bootstrap behind the intervals, 0 for none.

    Raises:
        ValueError: a score file is damaged; names it.
    """
    own = [cell for cell in cells if cell.benchmark == BENCHMARK]
    simulated = any(cell.simulated for cell in own)
    rows = summarise(own, directory, samples)
    comparable = bool(rows) and not simulated and all(_is_papers(row) for row in rows)
    tables = [_table(name, rows, own, comparable, simulated) for name in _TITLES]
    if not comparable:
        tables += [_published_alone(name, simulated) for name in _TITLES]
    return tuple(tables)


def _is_papers(row: Summary) -> bool:
    return row.key.task == "test" and row.tree is not None and row.tree.actions == tree("ma52").actions


def _settings(name: str) -> list[str]:
    """Rows of one of the paper's tables, in its order."""
    found = find_published(_PUBLISHED, table=name)
    return list(dict.fromkeys(dict(value.setting)["setting"] for value in found))


def _published(name: str, setting: str) -> Mapping[str, PublishedValue]:
    return {value.measure: value for value in find_published(_PUBLISHED, table=name, setting=setting)}


def _bases(rows: Sequence[Summary]) -> list[str]:
    """Names of the recipes whose ablations these are."""
    suffixes = [f" {variant.suffix}" for variant in VARIANTS if variant.suffix]
    names = []
    for row in rows:
        name = row.key.method
        names.append(next((name.removesuffix(end) for end in suffixes if name.endswith(end)), name))
    return list(dict.fromkeys(names))


def _table(
    name: str, rows: Sequence[Summary], cells: Sequence[Cell], comparable: bool, simulated: bool
) -> Table:
    by_method = {row.key.method: row for row in rows}
    bases = _bases(rows)
    lines: list[tuple[str, ...]] = []
    for setting in _settings(name):
        published = _published(name, setting)
        if comparable:
            lines.append((setting, "published", *_told(published)))
        variant = next(one for one in VARIANTS if (name, setting) in one.rows)
        for base in bases:
            row = by_method.get(method_name(base, variant))
            if row is not None:
                lines += _own_lines(setting, base, row, published if comparable else {}, simulated)
    marked = " (simulated data)" if simulated else ""
    return Table(
        f"{BENCHMARK}: {_TITLES[name]}{marked}",
        ("setting", "method", *_HEADS.values()),
        tuple(lines),
        tuple(_notes(rows, cells, comparable, simulated)),
        "per cent",
    )


def _told(published: Mapping[str, PublishedValue]) -> tuple[str, ...]:
    return tuple(f"{published[name].value:.2f}" if name in published else "-" for name in _HEADS)


def _own_lines(
    setting: str, base: str, row: Summary, published: Mapping[str, PublishedValue], simulated: bool
) -> list[tuple[str, ...]]:
    """Mean and spread; below it the difference to what was published, or else the mean's interval."""
    way = f"{base}, simulated" if simulated else base
    lines = [(setting, way, *(_mean(row, name) for name in _HEADS))]
    if published:
        told = tuple(_difference(row, name, published[name].fraction) for name in _HEADS)
        lines.append((setting, f"{way}: difference [95 %]", *told))
    elif row.drawn:
        lines.append((setting, f"{way}: 95 % interval", *(_interval(row, name) for name in _HEADS)))
    return lines


def _mean(row: Summary, measure: str) -> str:
    if measure not in row.means:
        return "-"
    spread = row.deviations[measure]
    return f"{100 * row.means[measure]:.2f}" + (f" ± {100 * spread:.2f}" if np.isfinite(spread) else "")


def _interval(row: Summary, measure: str) -> str:
    found = row.interval(measure)
    return "-" if found is None else f"[{100 * found[0]:.2f}, {100 * found[1]:.2f}]"


def _difference(row: Summary, measure: str, published: float) -> str:
    if measure not in row.means:
        return "-"
    found = row.interval(measure, published)
    between = "" if found is None else f" [{100 * found[0]:+.2f}, {100 * found[1]:+.2f}]"
    return f"{100 * (row.means[measure] - published):+.2f}{between}"


def _published_alone(name: str, simulated: bool) -> Table:
    why = (
        "simulated results cannot be compared with them"
        if simulated
        else "the classes or the split measured above are other ones"
    )
    return Table(
        f"{BENCHMARK}: {_TITLES[name]}, published values of MA-52's test split; {why}",
        ("setting", "method", *_HEADS.values()),
        tuple((setting, "published", *_told(_published(name, setting))) for setting in _settings(name)),
        (f"Source: {TABLES[_PUBLISHED].source}.",),
        "per cent",
    )


def _notes(rows: Sequence[Summary], cells: Sequence[Cell], comparable: bool, simulated: bool) -> list[str]:
    notes = [_SIMULATED_NOTE] if simulated else []
    if rows:
        seeds, clips = max(row.seeds for row in rows), rows[0].cells[0].facts.get("clips", 0)
        spread = ", ± standard deviation over them" if seeds > 1 else ""
        notes.append(f"Mean over {seeds} seed{'s' if seeds > 1 else ''}{spread}.")
        notes.append(f"Clips measured: {rows[0].key.task} {clips:,}.")
    if comparable:
        notes.append(f"Published: {TABLES[_PUBLISHED].source}; taken as exact in differences.")
    failed = [cell for cell in cells if cell.status != "done"]
    if failed:
        first = f"{failed[0].method}, seed {failed[0].seed}: {failed[0].error}"
        more = "s" if len(failed) > 1 else ""
        notes.append(f"Failed, and missing here: {len(failed)} cell{more}, such as {first}")
    return notes
