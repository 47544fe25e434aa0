"""The report of a training run: one HTML file with curves, classes, confusions and the environment."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fidget.reports.quality_page import visible
from poses.whole_file import replacing
from protocols.recognition import confusion, predictions, recalls
from protocols.scores import NO_LABEL, ScoreFile, read_scores

MOST_CLASSES_DRAWN = 100
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460, 200, 46, 24, 14


def write_training_report(run: Path) -> Path:
    """Write `report.html` into a run directory, from the other files there; returns its path.

    Raises:
        ValueError: a file is damaged; names it.
        OSError: a file is missing or the directory cannot be written.
    """
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    recipe = (run / "recipe.toml").read_text(encoding="utf-8")
    with open(run / "metrics.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    files = sorted((run / "scores").glob("*.parquet"))
    scores = {path.stem: read_scores(path) for path in files if path.stem in summary}
    measured = scores.get("test", scores.get("val"))
    css = (resources.files("fidget.reports") / "training_report.css").read_text(encoding="utf-8")
    title = f"{summary['recipe']} on {summary['protocol']}"
    parts = [
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{visible(title)}</title>',
        f"<style>\n{css}</style></head><body>",
        f"<h1>{visible(title)}</h1>",
        _headline(summary, scores),
        "<h2>Curves</h2>",
        _curve("loss", rows, "train_loss", "val_loss"),
        _curve("accuracy", rows, "train_top1", "val_top1"),
    ]
    if measured is not None and (measured.labels != NO_LABEL).all():
        parts += _classes(measured, summary, "test" if "test" in scores else "val")
    parts += [
        f"<h2>Data</h2>{_lines(summary['data'])}",
        f"<h2>Environment</h2>{_pairs(environment)}",
        f"<h2>Recipe</h2><pre>{_text(recipe)}</pre></body></html>\n",
    ]
    with replacing(run / "report.html") as part:
        part.write_text("\n".join(parts), encoding="utf-8")
    return run / "report.html"


def _text(text: str) -> str:
    return "\n".join(visible(line) for line in text.split("\n"))


def _headline(summary: Mapping[str, Any], scores: Mapping[str, ScoreFile]) -> str:
    """Accuracy of each split beside that of always saying the most frequent class of training."""
    majority = int(np.argmax(summary["train_counts"]))
    lines = [
        '<table><tr><th>split</th><th class="number">clips</th><th class="number">accuracy</th>'
        '<th class="number">mean class recall</th><th class="number">always the most frequent class</th></tr>'
    ]
    for name, one in scores.items():
        found = summary[name]
        base = float((one.labels == majority).mean())
        cells = (f"{found['clips']:,}", _percent(found["top1"]), _percent(found["mean_class_recall"]))
        numbers = "".join(f'<td class="number">{cell}</td>' for cell in (*cells, _percent(base)))
        lines.append(f"<tr><td>{visible(name)}</td>{numbers}</tr>")
        if "unseen" in found:
            lines.append(_unseen_row(name, found["unseen"]))
    minutes = (summary["train_s"] + summary["validation_s"]) / 60
    chosen = "the last epoch" if summary["select"] == "last" else "the best epoch on validation"
    clips = "videos" if "frames" in summary.get("used", {}) else "poses"
    told = (
        f"Weights of epoch {summary['selected_epoch']} of {summary['epochs']}, {chosen}; "
        f"seed {summary['seed']}; {minutes:.1f} minutes. "
        f"Recipe {summary['recipe_hash']}, {clips} {summary['cache_hash']}."
    )
    return "\n".join(lines) + f'</table><p class="soft">{visible(told)}</p>'


def _unseen_row(name: str, found: Mapping[str, float]) -> str:
    """The same measures without the clips that are copies of training clips."""
    cells = (f"{found['clips']:,}", _percent(found["top1"]), _percent(found["mean_class_recall"]), "")
    numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f"<tr><td>{visible(name)}, no copies of training clips</td>{numbers}</tr>"


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def _curve(name: str, rows: Sequence[Mapping[str, str]], train: str, val: str) -> str:
    """Two lines over the epochs as SVG."""
    lines = {
        kind: [(int(row["epoch"]), float(row[key])) for row in rows if row[key]]
        for kind, key in (("train", train), ("val", val))
    }
    values = [value for line in lines.values() for _, value in line if np.isfinite(value)]
    if not values:
        return ""
    low, high = min(0.0, *values), max(values) or 1.0
    last = max(int(row["epoch"]) for row in rows)

    def place(epoch: int, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - 40) * (epoch - 1) / max(last - 1, 1)
        y = _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * (value - low) / (high - low or 1.0)
        return f"{x:.1f} {y:.1f}"

    drawn = [
        f'<svg width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="{name} over epochs">',
        f'<path class="axis" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - 40}"/>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 4}" text-anchor="end">{high:.3g}</text>',
        f'<text x="{_LEFT - 6}" y="{_HEIGHT - _BOTTOM}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{_LEFT}" y="{_HEIGHT - 8}">{name} over {last} epochs</text>',
    ]
    for kind, line in lines.items():
        if line:
            drawn.append(f'<path class="{kind}" d="M{" L".join(place(*point) for point in line)}"/>')
            x, y = place(*line[-1]).split()
            drawn.append(f'<text class="{kind}" x="{float(x) + 5}" y="{float(y) + 4}">{kind}</text>')
    return "".join(drawn) + "</svg>"


def _classes(scores: ScoreFile, summary: Mapping[str, Any], split: str) -> list[str]:
    """The table of classes and the confusion matrix of a split."""
    actions = scores.tree.actions
    matrix = confusion(scores.labels, predictions(scores.scores), len(actions))  # (A, A), rows are labels
    recall = recalls(matrix)
    lines = [
        '<table><tr><th>class</th><th class="number">training clips</th><th class="number">clips</th>'
        '<th class="number">recall</th><th>most often taken for</th></tr>'
    ]
    for number, action in enumerate(actions):
        wrong = matrix[number].copy()
        wrong[number] = 0
        other = f"{visible(actions[int(wrong.argmax())])} ({wrong.max()})" if wrong.any() else ""
        clips = int(matrix[number].sum())
        cells = (
            f"{summary['train_counts'][number]:,}",
            f"{clips:,}",
            _percent(recall[number]) if clips else "-",
        )
        numbers = "".join(f'<td class="number">{cell}</td>' for cell in cells)
        lines.append(f"<tr><td>{visible(action)}</td>{numbers}<td>{other}</td></tr>")
    parts = [f"<h2>Classes, {split}</h2>", *lines, "</table>"]
    if len(actions) <= MOST_CLASSES_DRAWN:
        parts += [f"<h2>Confusion, {split}: rows are labels</h2>", _confusion(matrix, actions)]
    return parts


_ON_DARK = ";color:#fff"  # of numbers in cells that hold more than half of a row


def _confusion(matrix: NDArray[np.int64], actions: Sequence[str]) -> str:
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    head = "".join(f'<th title="{visible(action)}">{n}</th>' for n, action in enumerate(actions))
    lines = [f'<div class="wide"><table class="confusion"><tr><th></th>{head}</tr>']
    for number, action in enumerate(actions):
        cells = "".join(
            f'<td style="background:rgb(33 102 172 / {part:.2f}){_ON_DARK if part > 0.5 else ""}">'
            f"{count or ''}</td>"
            for count, part in zip(matrix[number].tolist(), share[number].tolist(), strict=True)
        )
        lines.append(f'<tr><th class="name">{visible(action)} {number}</th>{cells}</tr>')
    return "\n".join(lines) + "</table></div>"


def _lines(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{visible(line)}</li>" for line in lines) + "</ul>"


def _pairs(pairs: Mapping[str, str]) -> str:
    rows = (f"<tr><td>{visible(k)}</td><td>{visible(str(v))}</td></tr>" for k, v in pairs.items())
    return f"<table>{''.join(rows)}</table>"
