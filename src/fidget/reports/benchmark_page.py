"""The report of a benchmark: one HTML file that opens offline, with tables, curves, classes and clips."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fidget.benchmark.cell import Cell
from fidget.benchmark.table import Table, html
from fidget.reports.benchmark_charts import point_chart
from fidget.reports.benchmark_sections import bytes_section, curves_section, overview_section
from fidget.reports.cell_groups import CellGroup, groups_of
from fidget.reports.class_results import class_results, results_json
from fidget.reports.feature_plane import FeaturePlane, feature_plane
from fidget.reports.moving_skeletons import choose_examples, skeletons_json
from fidget.reports.quality_page import visible
from poses.cache_reader import PoseCache
from poses.whole_file import replacing

_MOST_FAILED = 50
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def write_benchmark_page(
    directory: Path, tables: Sequence[Table], cells: Sequence[Cell], poses: Path | None, path: Path
) -> None:
    """Write the page as one self-contained file.

    Args:
        directory: of the benchmark: score files and features are read below it where they are there.
        tables: shown first, in order.
        cells: of the benchmark, failed ones too.
        poses: the pose cache, for the example clips; the page says so where it cannot be read, or where there
            is none since no method was over poses.
        path: of the page.

    Raises:
        OSError: the page cannot be written.
    """
    groups = groups_of(cells)
    simulated = any(cell.simulated for cell in cells) or _says_simulated(poses)
    results, notes = class_results(directory, groups)
    skeletons, trouble = _skeletons(directory, groups, poses)
    parts = [
        ("results", "Results", _tables(tables, simulated)),
        ("overview", "Accuracy by task", overview_section(groups)),
        ("curves", "Shots", curves_section(groups)),
        ("bytes", "Accuracy and bytes", bytes_section(groups)),
        ("classes", "Classes", _classes(bool(results), notes)),
        ("features", "Features", _features(feature_plane(directory, groups))),
        ("clips", "Clips", _clips(bool(skeletons), trouble)),
        ("failed", "What failed", _failed(cells)),
    ]
    parts = [part for part in parts if part[2]]
    data = {**results_json(results), "skeletons": skeletons, "simulated": simulated}
    names = list(dict.fromkeys(cell.benchmark for cell in cells))
    with replacing(path) as temporary:
        temporary.write_text(_page(", ".join(names) or "Benchmark", parts, data, simulated), encoding="utf-8")


def _page(name: str, parts: Sequence[tuple[str, str, str]], data: object, simulated: bool) -> str:
    links = "".join(f'<li><a href="#{mark}">{title}</a></li>' for mark, title, _ in parts)
    sections = "\n".join(
        f'<section id="{mark}" aria-labelledby="{mark}-title"><h2 id="{mark}-title">{title}</h2>\n'
        f"{body}</section>"
        for mark, title, body in parts
    )
    banner = (
        '<p class="banner" role="note"><strong>Simulated data.</strong> A simulator made the clips behind '
        "these results. They show that the protocol works, and nothing about people.</p>"
        if simulated
        else ""
    )
    title = visible(f"{name} (simulated)" if simulated else name)
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_beside(".css")}</style></head><body>
<a class="skip" href="#main">to the results</a>
<header><h1>{title}</h1><nav aria-label="sections"><ul>{links}</ul></nav></header>
{banner}<main id="main">
{sections}
</main>
<div id="hint" role="status" aria-live="polite" hidden></div>
<script type="application/json" id="data">{text}</script>
<script>{_beside(".js")}</script></body></html>
"""


def _beside(suffix: str) -> str:
    return Path(__file__).with_suffix(suffix).read_text(encoding="utf-8")


def _says_simulated(poses: Path | None) -> bool:
    """Whether the pose cache says that a simulator made it; False where there is none."""
    if poses is None:
        return False
    try:
        return str(PoseCache(poses).metadata.settings.get("simulated")).lower() == "true"
    except (ValueError, OSError):
        return False


def _tables(tables: Sequence[Table], simulated: bool) -> str:
    note = '<p class="soft">simulated</p>' if simulated else ""
    return "\n".join(f'{note}<div class="scroll">{html(table)}</div>' for table in tables)


def _classes(there: bool, notes: Sequence[str]) -> str:
    told = "".join(f"<li>{visible(note)}</li>" for note in notes[:20])
    told = f'<ul class="notes">{told}</ul>' if told else ""
    if not there:
        return f'<p class="soft">No score files lie beside these cells.</p>{told}'
    return (
        '<div class="tools"><label for="result">Result</label> <select id="result"></select></div>'
        '<p class="soft" id="result-note"></p><div class="pair"><div><h3>Confusion: rows are labels</h3>'
        '<canvas id="matrix" tabindex="0" role="img"></canvas>'
        '<p class="soft">Point at a cell, or move with the arrow keys. Stronger: a larger share of the '
        "row.</p><h3>Most frequent confusions</h3>"
        '<div class="scroll"><table id="confusions"></table></div></div>'
        '<div><h3>Recognised, class by class</h3><div class="tools"><label for="order">Order</label> '
        '<select id="order"><option value="tree">of the label tree</option>'
        '<option value="best">best first</option><option value="worst">worst first</option>'
        '<option value="clips">most clips first</option></select></div>'
        '<div class="scroll tall" tabindex="0" role="region" aria-label="classes">'
        f'<table id="bars" class="bars"></table></div></div></div>{told}'
        "<noscript><p>This section needs scripts.</p></noscript>"
    )


def _features(plane: FeaturePlane | None) -> str:
    if plane is None:
        return (
            '<p class="soft">No features lie beside the training runs: they are kept where a network is '
            "adapted with shots.</p>"
        )
    told = (
        f"{len(plane.clip_ids):,} of {plane.clips:,} measured clips as {plane.method} (seed {plane.seed}) "
        "sees them, by t-SNE: neighbours on the plane are neighbours in the features; distances between "
        "groups mean little."
    )
    domains = list(dict.fromkeys(plane.domains))
    kinds = list(dict.fromkeys(plane.groups or plane.actions))
    named = list(zip(plane.clip_ids, plane.actions, plane.domains, strict=True))

    def chart(title: str, values: Sequence[str], names: list[str]) -> str:
        points = [
            (float(x), float(y), names.index(value), f"{clip}: {action}, {domain}")
            for (x, y), value, (clip, action, domain) in zip(plane.places, values, named, strict=True)
        ]
        return point_chart(title, points, names, plane.simulated)

    charts = chart("by body group" if plane.groups else "by class", plane.groups or plane.actions, kinds)
    if len(domains) > 1:
        charts = chart("by domain", plane.domains, domains) + charts
    return f'<p class="soft">{visible(told)}</p><div class="charts">{charts}</div>'


def _skeletons(
    directory: Path, groups: Sequence[CellGroup], poses: Path | None
) -> tuple[list[dict[str, object]], str]:
    """Clips to show, or why there are none."""
    if poses is None:
        return [], "No pose cache was given, so no clips are drawn: every method is over frames."
    examples = choose_examples(directory, groups)
    if not examples:
        return [], "No score files lie beside these cells, so no clips are chosen."
    try:
        found = skeletons_json(poses, examples)
    except (ValueError, OSError) as error:
        return [], f"The poses cannot be read: {' '.join(str(error).split())}"
    return found, "" if found else "None of the measured clips is in the pose cache."


def _clips(there: bool, trouble: str) -> str:
    if not there:
        return f'<p class="soft">{visible(trouble)}</p>'
    return (
        '<div class="tools"><button type="button" id="all" aria-pressed="true">pause all</button></div>'
        '<div id="skeletons" class="clips"></div><noscript><p>This section needs scripts.</p></noscript>'
    )


def _failed(cells: Sequence[Cell]) -> str:
    failed = [cell for cell in cells if cell.status != "done"]
    if not failed:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{visible(cell.task)}</th><td>{visible(cell.method)}</td><td>{cell.seed}</td>'
        f"<td>{cell.shots}</td><td>{visible(cell.error or 'no reason given')}</td></tr>"
        for cell in failed[:_MOST_FAILED]
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("task", "method", "seed", "K", "error"))
    return (
        f"<p>{len(failed):,} of {len(cells):,} cells failed.</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )
