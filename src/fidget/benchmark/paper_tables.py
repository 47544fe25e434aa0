"""Results in the layout of the papers, with published values beside ours where they can be compared.

They can where the clips are real and the classes are the paper's. Simulated results never stand beside a
published value: what was published then has a table of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fidget.benchmark.ablations import BENCHMARK as ABLATIONS
from fidget.benchmark.ablations import ablation_tables
from fidget.benchmark.byte_tables import byte_tables
from fidget.benchmark.cell import Cell
from fidget.benchmark.summaries import Summary, summarise
from fidget.benchmark.table import Table
from protocols.benchmarks import DOMAINS
from protocols.published import TABLES, published_measures, published_methods, published_name
from protocols.trees import tree

INDUCTIVE = "inductive"
SIMULATED = "simulated"
SIMULATED_NOTE = "Simulated data: these numbers say nothing about real recordings."

_LEVELS = ("top1", "top5", "mean_class", "macro_f1", "micro_f1")
_HEADS = {
    "top1": "top-1",
    "top5": "top-5",
    "mean_class": "MCA",
    "macro_f1": "macro-F1",
    "micro_f1": "micro-F1",
}
_BOTH = tuple(f"{level}/{name}" for level in ("action", "body") for name in _LEVELS)
_MA52 = (
    "action/top1", "action/top5", "body/top1", "body/macro_f1", "body/micro_f1", "action/macro_f1",
    "action/micro_f1", "f1_mean",
)  # fmt: skip
_PUBLISHED = {
    "mma82/in-domain": ("mma82_in_domain", "PoseC3D"),
    "mma82/cross-domain": ("mma82_cross_domain", "PoseC3D"),
    "ma52": ("ma52_recognition", "MANet"),
}


def paper_tables(
    benchmark: str, cells: Sequence[Cell], directory: Path, samples: int = 1000
) -> tuple[Table, ...]:
    """The tables of a benchmark: inductive results, transductive ones apart, what was published, bytes.

    Args:
        benchmark: its name.
        cells: its cells, as `BenchmarkDirectory.cells` reads them.
        directory: where their score files lie.
        samples: of the bootstrap behind the intervals, 0 for none.

    Raises:
        ValueError: a score file is damaged; names it.
    """
    if benchmark == ABLATIONS:
        return ablation_tables(cells, directory, samples)
    own = [cell for cell in cells if cell.benchmark == benchmark]
    simulated = any(cell.simulated for cell in own)
    rows = _in_order(summarise(own, directory, samples))
    whole = [row for row in rows if not row.key.budget_kib]
    comparable = bool(whole) and not simulated and all(_is_papers(benchmark, row) for row in whole)
    tables = []
    for title, chosen in (
        ("", [row for row in whole if row.key.setting == INDUCTIVE]),
        (
            ", transductive: the measured clips were looked at together, without their labels",
            [row for row in whole if row.key.setting != INDUCTIVE],
        ),
    ):
        if chosen or not title:
            tables.append(_results(benchmark, title, chosen, own, comparable, simulated))
    if benchmark in _PUBLISHED and simulated:
        tables.append(_published_alone(benchmark, whole))
    return (*tables, *byte_tables(benchmark, rows, simulated))


def columns_of(benchmark: str) -> tuple[str, ...]:
    """The measures that a benchmark's tables show, in the order of their columns."""
    return _MA52 if benchmark.startswith("ma52") else _BOTH


def _is_papers(benchmark: str, row: Summary) -> bool:
    """Whether a row was measured on the classes of the paper, and on its split."""
    if benchmark not in _PUBLISHED or row.tree is None or (benchmark == "ma52" and row.key.task != "test"):
        return False
    return row.tree.actions == tree(benchmark.partition("/")[0]).actions


def _results(
    benchmark: str,
    title: str,
    rows: Sequence[Summary],
    cells: Sequence[Cell],
    comparable: bool,
    simulated: bool,
) -> Table:
    """One table: for every target and K what was published, then ours."""
    measures = [name for name in columns_of(benchmark) if not rows or any(name in row.means for row in rows)]
    targets = _targets(rows)
    lines: list[tuple[str, ...]] = []
    seen: set[tuple[str, int]] = set()
    table, reference = _PUBLISHED.get(benchmark, ("", ""))
    for row in rows:
        place = (targets[row.key.task], row.key.shots)
        if comparable and place not in seen:
            lines += _published_rows(benchmark, table, row, place, measures)
        seen.add(place)
        lines += _own_rows(benchmark, row, place, measures, reference if comparable else "", simulated)
    notes = _notes(rows, targets, cells, simulated)
    if comparable:
        notes.append(f"Published: {TABLES[table].source}; taken as exact in differences.")
        if benchmark == "ma52":
            notes += _ma52_notes(rows)
    elif rows and benchmark in _PUBLISHED and not simulated:
        notes.append(
            "No published values: score files are missing, or the classes or the split are other ones."
        )
    return Table(
        f"{benchmark}{title}" + (f" ({SIMULATED} data)" if simulated else ""),
        ("target", "K", "method", *(_head(name) for name in measures)),
        tuple(lines),
        tuple(notes),
        "per cent",
    )


def _in_order(rows: Sequence[Summary]) -> list[Summary]:
    """By target as the paper has them, then by K; within these, rows as they come."""
    tasks = sorted(dict.fromkeys((row.key.target_domain, row.key.task) for row in rows), key=_domain_place)
    places = {task: place for place, (_, task) in enumerate(tasks)}
    return sorted(rows, key=lambda row: (places[row.key.task], row.key.shots))


def _domain_place(task: tuple[str, str]) -> tuple[int, str]:
    known = ("all", *DOMAINS)
    return known.index(task[0]) if task[0] in known else len(known), task[1]


def _head(measure: str) -> str:
    if measure == "f1_mean":
        return "F1mean"
    level, _, name = measure.partition("/")
    return f"{level} {_HEADS[name]}"


def _targets(rows: Sequence[Summary]) -> Mapping[str, str]:
    """Task -> its target; the task's own name where two tasks share one."""
    tasks = {row.key.task: row.key.target_domain for row in rows}
    counts = Counter(tasks.values())
    return {task: target if target and counts[target] == 1 else task for task, target in tasks.items()}


def _way(row: Summary, simulated: bool) -> str:
    """The method in words."""
    setting = () if row.key.setting == INDUCTIVE else (row.key.setting,)
    adaptation = () if row.key.adaptation == "none" else (row.key.adaptation,)
    return ", ".join((row.key.method, *adaptation, *setting, *((SIMULATED,) if simulated else ())))


def _published_rows(
    benchmark: str, table: str, row: Summary, place: tuple[str, int], measures: Sequence[str]
) -> list[tuple[str, ...]]:
    """What every published method reached there, one line each."""
    lines = []
    for method in published_methods(table):
        found = _published_for(benchmark, method, row)
        if found:
            numbers = (f"{found[name]:.2f}" if name in found else "-" for name in measures)
            lines.append((place[0], str(place[1]), f"{method}, published", *numbers))
    return lines


def _published_for(benchmark: str, method: str, row: Summary) -> Mapping[str, float]:
    """Measure -> per cent."""
    key = row.key
    found = published_measures(benchmark, method, key.source_domain, key.target_domain, key.shots)
    return {name: value.value for name, value in found.items()}


def _own_rows(
    benchmark: str,
    row: Summary,
    place: tuple[str, int],
    measures: Sequence[str],
    reference: str,
    simulated: bool,
) -> list[tuple[str, ...]]:
    """Our mean and spread; below it the difference to what was published, or else the mean's interval."""
    at = (place[0], str(place[1]))
    way = _way(row, simulated)
    lines = [(*at, way, *(_mean(row, name) for name in measures))]
    reference, published = _reference(benchmark, row, reference)
    if published:
        told = f"{way}: difference to {reference} [95 %]"
        lines.append((*at, told, *(_difference(row, name, published) for name in measures)))
    elif row.drawn:
        lines.append((*at, f"{way}: 95 % interval", *(_interval(row, name) for name in measures)))
    return lines


def _reference(benchmark: str, row: Summary, usual: str) -> tuple[str, Mapping[str, float]]:
    """The published method a row is compared with: its own where that was published, else the usual one."""
    for method in (published_name(row.key.method), usual) if usual else ():
        found = _published_for(benchmark, method, row) if method else {}
        if found:
            return method, found
    return usual, {}


def _mean(row: Summary, measure: str) -> str:
    if measure not in row.means:
        return "-"
    spread = row.deviations[measure]
    return f"{100 * row.means[measure]:.2f}" + (f" ± {100 * spread:.2f}" if np.isfinite(spread) else "")


def _interval(row: Summary, measure: str) -> str:
    found = row.interval(measure)
    return "-" if found is None else f"[{100 * found[0]:.2f}, {100 * found[1]:.2f}]"


def _difference(row: Summary, measure: str, published: Mapping[str, float]) -> str:
    if measure not in published or measure not in row.means:
        return "-"
    theirs = published[measure] / 100
    found = row.interval(measure, theirs)
    between = "" if found is None else f" [{100 * found[0]:+.2f}, {100 * found[1]:+.2f}]"
    return f"{100 * (row.means[measure] - theirs):+.2f}{between}"


def _published_alone(benchmark: str, rows: Sequence[Summary]) -> Table:
    """What was published for simulated rows, in a table of its own."""
    table, _ = _PUBLISHED[benchmark]
    measures = columns_of(benchmark)
    lines: dict[tuple[str, ...], None] = {}
    for row in rows:
        place = (row.key.target_domain or row.key.task, row.key.shots)
        lines |= dict.fromkeys(_published_rows(benchmark, table, row, place, measures))
    return Table(
        f"{benchmark}: published values of the real data; simulated results cannot be compared with them",
        ("target", "K", "method", *(_head(name) for name in measures)),
        tuple(lines),
        (f"Source: {TABLES[table].source}.",),
        "per cent",
    )


def _notes(
    rows: Sequence[Summary], targets: Mapping[str, str], cells: Sequence[Cell], simulated: bool
) -> list[str]:
    """What a reader has to know: what was simulated, how numbers were made, what failed or is missing."""
    notes = [SIMULATED_NOTE] if simulated else []
    if rows:
        seeds, draws = max(row.seeds for row in rows), max(row.draws for row in rows)
        spread = f"Mean over {_count(seeds, 'seed')}"
        spread += f" and {_count(draws, 'draw')} of shots" if draws > 1 else ""
        notes.append(spread + (", ± standard deviation over them." if seeds * draws > 1 else "."))
        if any(row.drawn for row in rows):
            notes.append(
                "Intervals: 95 %, clips drawn anew (bootstrap) with the spread over seeds and draws."
            )
        clips = dict.fromkeys(
            f"{targets[row.key.task]} {row.cells[0].facts.get('clips', 0):,}" for row in rows
        )
        notes.append(f"Clips measured: {', '.join(clips)}.")
    notes += _short_classes(rows, targets)
    failed = [cell for cell in cells if cell.status != "done"]
    if failed:
        first = f"{failed[0].task}, {failed[0].method}, seed {failed[0].seed}: {failed[0].error}"
        notes.append(f"Failed, and missing here: {_count(len(failed), 'cell')}, such as {first}")
    return notes


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "es" if what.endswith("s") else "s")


def _short_classes(rows: Sequence[Summary], targets: Mapping[str, str]) -> list[str]:
    """For every target and K the classes that had fewer clips than K."""
    found: dict[tuple[str, int], Sequence[str]] = {}
    for row in rows:
        if row.key.shots:
            found.setdefault(
                (targets[row.key.task], row.key.shots), row.cells[0].facts.get("short_classes", ())
            )
    lines = []
    for (target, shots), names in found.items():
        if names:
            shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
            lines.append(
                f"{target}, K {shots}: {_count(len(names), 'class')} with fewer clips or none: {shown}."
            )
    return lines


def _ma52_notes(rows: Sequence[Summary]) -> list[str]:
    """The paper's other macro-F1, once."""
    found = [
        f"{_way(row, False)} {100 * row.means['f1_mean_of_means']:.2f}"
        for row in rows
        if "f1_mean_of_means" in row.means
    ]
    told = "Macro-F1 is the mean of the classes' F1 (scikit-learn's, and the challenge's)"
    return [f"{told}; with the paper's equation 5 F1mean is: {', '.join(found)}."] if found else []
