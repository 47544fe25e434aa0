"""The report of a detector's run: one small HTML file with its measures, its curve, data and recipe."""

from __future__ import annotations

import csv
import html
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from poses.whole_file import replacing

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460, 200, 56, 24, 14
_TIOUS = ("0.2", "0.5", "0.7")


def write_run_report(run: Path) -> Path:
    """Write `report.html` into a run directory, from the other files there; returns its path.

    Raises:
        OSError: a file is missing or the directory cannot be written.
    """
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    recipe = (run / "recipe.toml").read_text(encoding="utf-8")
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    css = (resources.files("fidget.reports") / "training_report.css").read_text(encoding="utf-8")
    simulated = " (simulated)" if summary["simulated"] else ""
    title = f"{summary['recipe']} on {summary['annotations']}{simulated}"
    lines = "".join(f"<li>{html.escape(line)}</li>" for line in summary["data"])
    pairs = "".join(
        f"<tr><th>{html.escape(key)}</th><td>{html.escape(value)}</td></tr>"
        for key, value in environment.items()
        if value
    )
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>',
        f"<style>\n{css}</style></head><body>",
        f"<h1>{html.escape(title)}</h1>",
        f"<p>Weights of epoch {summary['selected_epoch']} of {summary['epochs']} ({summary['select']}); mean "
        f"average precision in percent by the rules of {html.escape(summary['rule'])}.</p>",
        _measures(summary),
        "<h2>Curves</h2>",
        _curve("loss", rows, "train_loss"),
        _curve("validation mAP", rows, "val_avg"),
        f"<h2>Data</h2><ul>{lines}</ul>",
        f"<h2>Environment</h2><table>{pairs}</table>",
        f"<h2>Recipe</h2><pre>{html.escape(recipe)}</pre></body></html>\n",
    ]
    with replacing(run / "report.html") as part:
        part.write_text("\n".join(parts), encoding="utf-8")
    return run / "report.html"


def _measures(summary: Mapping[str, Any]) -> str:
    """The table as the papers print it: both levels at three thresholds and their averages."""
    columns = [(f"{level} @{tiou}", f"{level}@{tiou}") for level in ("action", "body") for tiou in _TIOUS]
    columns[3:3] = [("action avg", "action_avg")]
    columns += [("body avg", "body_avg"), ("AVG", "avg"), ("AVG .2/.5/.7", "avg_challenge")]
    head = "".join(f"<th>{told}</th>" for told, _ in columns)
    body = ""
    for split in ("val", "test"):
        if split in summary:
            cells = "".join(f"<td>{_percent(summary[split].get(key))}</td>" for _, key in columns)
            body += f"<tr><th>{split}</th>{cells}</tr>"
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _curve(title: str, rows: Sequence[Mapping[str, str]], key: str) -> str:
    """One line over the epochs as SVG; nothing where there are no numbers."""
    points = [(int(row["epoch"]), float(row[key])) for row in rows if row.get(key)]
    if not points:
        return ""
    last = max(epoch for epoch, _ in points)
    most = max(value for _, value in points) or 1.0

    def place(epoch: int, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - 8) * (epoch / last)
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / most)
        return f"{x:.1f},{y:.1f}"

    line = " ".join(place(*point) for point in points)
    base = _HEIGHT - _BOTTOM
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{html.escape(title)} over epochs"><text x="{_LEFT}" y="11" font-size="11">'
        f'{html.escape(title)}</text><path d="M{_LEFT},{_TOP} V{base} H{_WIDTH - 8}" fill="none" '
        f'stroke="#888"/><text x="4" y="{_TOP + 8}" font-size="10">{most:.3g}</text>'
        f'<text x="4" y="{base}" font-size="10">0</text><text x="{_WIDTH - 30}" y="{_HEIGHT - 8}" '
        f'font-size="10">{last}</text><polyline points="{line}" fill="none" stroke="#1f6fb2" '
        'stroke-width="1.6"/></svg>'
    )
