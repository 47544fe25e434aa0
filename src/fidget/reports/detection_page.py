"""The diagnosis of a detector as one HTML page that opens offline: no script, numbers beside every chart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fidget.benchmark.table import Table, html
from fidget.reports.quality_page import visible
from poses.whole_file import replacing
from protocols.detection import DetectionMeasures
from protocols.detection_diagnosis import KINDS, TIMES_G, Diagnosis

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_COLOUR = (2, 4, 1, 0, 3, 7)  # of the kinds, among the eight of the style sheet
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460, 270, 44, 40, 14
_MOST_PAIRS, _MOST_CLASSES = 25, 200


def write_detection_page(
    path: Path,
    name: str,
    split: str,
    found: Diagnosis,
    measured: DetectionMeasures,
    simulated: bool,
) -> None:
    """Write the page as one self-contained file.

    Args:
        path: of the page.
        name: of the detection file, for the title.
        split: whose videos were measured.
        found: the diagnosis.
        measured: mean average precisions of the same file.
        simulated: whether the recordings come from a simulator; the page says so.

    Raises:
        OSError: the page cannot be written.
    """
    parts = (
        ("results", "Results", html(_results(measured, split))),
        ("errors", f"Errors at tIoU {found.at:g}", _errors(found, simulated)),
        ("gains", "What each error costs", _gains(found, simulated)),
        ("missed", "What is missed, and how well the rest is found", _bins(found, simulated)),
        ("labels", "Wrong labels", html(_label_pairs(found))),
        ("classes", "Class by class", f'<div class="scroll tall">{html(_classes(found, measured))}</div>'),
    )
    with replacing(path) as temporary:
        temporary.write_text(_page(name, parts, simulated), encoding="utf-8")


def _page(name: str, parts: Sequence[tuple[str, str, str]], simulated: bool) -> str:
    style = Path(__file__).with_name("benchmark_page.css").read_text(encoding="utf-8")
    title = visible(f"Diagnosis of {Path(name).name}" + (" (simulated)" if simulated else ""))
    links = "".join(f'<li><a href="#{mark}">{visible(head)}</a></li>' for mark, head, _ in parts)
    banner = (
        '<p class="banner" role="note"><strong>Simulated data.</strong> A simulator made the recordings '
        "behind these numbers.</p>"
        if simulated
        else ""
    )
    sections = "\n".join(
        f'<section id="{mark}" aria-labelledby="{mark}-title"><h2 id="{mark}-title">{visible(head)}</h2>\n'
        f"{body}</section>"
        for mark, head, body in parts
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style></head><body>
<a class="skip" href="#main">to the results</a>
<header><h1>{title}</h1><nav aria-label="sections"><ul>{links}</ul></nav></header>
{banner}<main id="main">
{sections}
</main></body></html>
"""


def _percent(value: float) -> str:
    return "-" if np.isnan(value) else f"{100 * value:.2f}"


def _results(measured: DetectionMeasures, split: str) -> Table:
    rows = []
    for name, level in (("actions", measured.action), ("body groups", measured.body)):
        if level is not None:
            rows.append((name, *(_percent(value) for value in level.at), _percent(level.average())))
    notes = [
        f"{measured.videos:,} videos of {split}; rule {measured.rule.name}.",
        f"{measured.same_class_overlaps} pairs of instances of one class overlap; "
        f"{measured.duplicates} duplicates left out.",
    ]
    if measured.unknown_videos or measured.silent_videos:
        notes.append(
            f"Videos with detections that are not annotated: {measured.unknown_videos}; "
            f"annotated ones without a detection: {measured.silent_videos}."
        )
    head = ("level", *(f"@{tiou:g}" for tiou in measured.action.tious), "average")
    return Table("Mean average precision", head, tuple(rows), tuple(notes), "per cent")


def _errors(found: Diagnosis, simulated: bool) -> str:
    columns = [(f"{n + 1} G", row) for n, row in enumerate(found.profile)]
    rows = tuple((label, *(_percent(share) for share in shares)) for label, shares in columns)
    told = (
        f"Shares among the surest detections of each class, as many as it has instances (1 G) up to "
        f"{TIMES_G} times as many. Wrong label: at least {found.at:g} of an instance of another class is hit."
    )
    return (
        f'<p class="soft">{visible(told)}</p><div class="charts">{_stacked(columns, simulated)}</div>'
        f"{_details(Table('Shares of the kinds', ('surest', *KINDS), rows, (), 'per cent'))}"
    )


def _gains(found: Diagnosis, simulated: bool) -> str:
    values = [(kind, gain) for kind, gain in found.gains.items()]
    rows = tuple((kind, f"{100 * gain:+.2f}") for kind, gain in values)
    told = (
        f"By how much the normalised mean average precision, {100 * found.average_map_n:.2f} % over all "
        "thresholds, rises when all detections of a kind are taken away."
    )
    colours = [_COLOUR[KINDS.index(kind)] for kind, _ in values]
    bars = [(kind, max(gain, 0.0), f"{100 * gain:+.2f} points") for kind, gain in values]
    return (
        f'<p class="soft">{visible(told)}</p><div class="charts">'
        f"{_bars(bars, colours, 'gain, points', simulated)}</div>"
        f"{_details(Table('Gains', ('without', 'points of mAP_N'), rows))}"
    )


def _bins(found: Diagnosis, simulated: bool) -> str:
    charts, rows = [], []
    for name in dict.fromkeys(one.characteristic for one in found.bins):
        own = [one for one in found.bins if one.characteristic == name]
        labels = [one.told() for one in own]
        said = [f"{100 * one.missed:.1f} % of {one.instances:,} missed" for one in own]
        bars = [(label, one.missed, text) for label, one, text in zip(labels, own, said, strict=True)]
        charts.append(_bars(bars, [1] * len(bars), f"missed, %, by {name}", simulated))
        rows += [
            (name, label, f"{one.instances:,}", _percent(one.missed), _percent(one.ap_n))
            for label, one in zip(labels, own, strict=True)
        ]
    head = ("", "bin", "instances", "missed", "mAP_N")
    notes = ("mAP_N: on the instances of the bin alone, as if every class had equally many.",)
    table = Table("Instances that are alike", head, tuple(rows), notes, "per cent")
    return f'<div class="charts">{"".join(charts)}</div><div class="scroll">{html(table)}</div>'


def _label_pairs(found: Diagnosis) -> Table:
    shown = found.label_pairs[:_MOST_PAIRS]
    left = len(found.label_pairs) - len(shown)
    notes = (f"{left} more pairs.",) if left else ()
    rows = tuple((predicted, annotated, f"{count:,}") for predicted, annotated, count in shown)
    return Table("Most frequent", ("detected as", "annotated as", "detections"), rows, notes)


def _classes(found: Diagnosis, measured: DetectionMeasures) -> Table:
    levels = [level for level in (measured.action, measured.body) if level is not None]
    level = next((level for level in levels if level.classes == found.classes), measured.action)
    at = level.tious.index(found.at)
    rows = [
        (
            name, f"{level.instances[number]:,}", _percent(float(level.ap[at, number])),
            *(f"{count:,}" for count in found.by_class[number]),
        )
        for number, name in enumerate(found.classes[:_MOST_CLASSES])
    ]  # fmt: skip
    head = ("class", "instances", f"AP@{found.at:g}, %", *KINDS)
    return Table(f"Detections by kind, of the surest {TIMES_G} G", head, tuple(rows))


def _details(table: Table) -> str:
    return f'<details><summary>numbers</summary><div class="scroll">{html(table)}</div></details>'


def _stacked(columns: Sequence[tuple[str, np.ndarray]], simulated: bool) -> str:
    """Columns of shares that add up to one, in the colours of the kinds."""
    step = (_WIDTH - _LEFT - 10) / len(columns)
    inner = _HEIGHT - _TOP - _BOTTOM
    drawn = [_axis(1.0)]
    for place, (label, shares) in enumerate(columns):
        x, low = _LEFT + place * step + 0.12 * step, 0.0
        for kind, share in enumerate(shares):
            y = _HEIGHT - _BOTTOM - inner * (low + share)
            said = f"{label}, {KINDS[kind]}: {100 * share:.1f} %"
            drawn.append(_column(x, y, 0.76 * step, inner * share, _COLOUR[kind], said))
            low += share
        middle = x + 0.38 * step
        drawn.append(f'<text class="tick" x="{middle:.1f}" y="{_HEIGHT - _BOTTOM + 15}">{label}</text>')
    keys = "".join(
        f'<li><svg width="12" height="12" aria-hidden="true"><rect class="fill k{colour}" width="12" '
        f'height="12"/></svg>{kind}</li>'
        for kind, colour in zip(KINDS, _COLOUR, strict=True)
    )
    said = "Shares of the kinds of detections; the numbers are in the table below"
    return f'<figure>{_svg(said, drawn, simulated)}<ul class="legend">{keys}</ul></figure>'


def _bars(
    bars: Sequence[tuple[str, float, str]], colours: Sequence[int], caption: str, simulated: bool
) -> str:
    """Columns of one value each, in 0..1; what they are shows on hover and stands in a table."""
    top = _nice_top(max((value for _, value, _ in bars), default=0.0))
    step = (_WIDTH - _LEFT - 10) / max(len(bars), 1)
    inner = _HEIGHT - _TOP - _BOTTOM
    drawn = [_axis(top)]
    for place, (label, value, said) in enumerate(bars):
        x, height = _LEFT + place * step + 0.18 * step, inner * value / top
        y = _HEIGHT - _BOTTOM - height
        drawn.append(_column(x, y, 0.64 * step, height, colours[place], f"{label}: {said}"))
        middle = x + 0.32 * step
        drawn.append(
            f'<text class="tick" x="{middle:.1f}" y="{_HEIGHT - _BOTTOM + 15}">{visible(label)}</text>'
        )
    return (
        f"<figure><figcaption>{visible(caption)}</figcaption>"
        f"{_svg(f'{caption}; the numbers are in the table below', drawn, simulated)}</figure>"
    )


def _column(x: float, y: float, width: float, height: float, colour: int, said: str) -> str:
    return (
        f'<rect class="fill k{colour}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}">'
        f"<title>{visible(said)}</title></rect>"
    )


def _nice_top(value: float) -> float:
    return next((top for top in (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8) if value <= top), 1.0)


def _axis(top: float) -> str:
    inner = _HEIGHT - _TOP - _BOTTOM
    lines = []
    for part in (0, 0.25, 0.5, 0.75, 1):
        y = _HEIGHT - _BOTTOM - part * inner
        lines.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - 10}"/>')
        lines.append(f'<text class="tick y" x="{_LEFT - 6}" y="{y + 4:.1f}">{100 * part * top:g}</text>')
    return "".join(lines)


def _svg(label: str, drawn: Sequence[str], simulated: bool) -> str:
    note = f'<text class="simulated" x="{_WIDTH - 4}" y="11">simulated</text>' if simulated else ""
    said = visible(f"{label}; simulated data" if simulated else label)
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{said}">{"".join(drawn)}{note}</svg>'
    )
