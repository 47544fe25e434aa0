"""Results of emotion models as tables and as a page, the papers' tables beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fidget.benchmark.table import Table, html
from fidget.emotion.evaluating import Evaluation
from fidget.reports.emotion_gains import Gain, gains_svg
from fidget.reports.quality_page import visible
from poses.whole_file import replacing
from protocols.emotion_measures import MEASURES
from protocols.emotion_published import mma82_gain, published_rows
from protocols.published import TABLES

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_NAMES = {"accuracy": "accuracy", "weighted_f1": "weighted F1", "uf1": "UF1", "uar": "UAR"}


def result_table(found: Evaluation) -> Table:
    """Every file's measures with their intervals."""
    maps = bool(found.micro_action_map)
    rows = []
    for name, one in zip(found.names, found.measured, strict=True):
        cells = []
        for measure in MEASURES:
            low, high = one.intervals[measure]
            cells.append(f"{100 * one.values[measure]:.2f} ({100 * low:.1f}-{100 * high:.1f})")
        precise = found.micro_action_map.get(name)
        extra = ("-" if precise is None else f"{100 * precise:.2f}",) if maps else ()
        rows.append((name, f"{one.right} of {one.clips}", *cells, *extra))
    notes = [
        file.method if file.method.startswith(f"{name}:") else f"{name}: {file.method}"
        for name, file in zip(found.names, found.files, strict=True)
    ]
    notes += [
        f"{name}: never predicted: {', '.join(one.never)}"
        for name, one in zip(found.names, found.measured, strict=True)
        if one.never
    ]
    notes.append(f"always naming the commonest emotion: {100 * found.measured[0].majority:.2f}")
    head = ("method", "right", *(_NAMES[name] for name in MEASURES), *(("micro-action mAP",) if maps else ()))
    title = "Emotions (simulated)" if found.simulated else "Emotions"
    return Table(title, head, tuple(rows), tuple(notes), "per cent, with 95 % intervals")


def published_tables() -> tuple[Table, ...]:
    """The papers' emotion tables as printed."""
    heads = {
        "mma82_emotion": ("accuracy", "F1"),
        "ma52pro_emotion": ("accuracy", "weighted F1", "UF1", "UAR", "micro-action mAP"),
    }
    return tuple(
        Table(
            f"Published: {TABLES[name].source}",
            ("method", *head),
            tuple((row, *cells) for row, cells in published_rows(name)),
            (),
            "per cent",
        )
        for name, head in heads.items()
    )


def gains(found: Evaluation) -> list[Gain]:
    """Every pair's gain of accuracy, and what MMA-82 prints for faces and micro-actions."""
    rows = []
    for first, second, gain in found.gains:
        low, high = gain.intervals["accuracy"]
        points = 100 * gain.differences["accuracy"]
        name = f"{first} against {second}"
        rows.append(Gain(name, points, 100 * low, 100 * high, gain.difference_clips, gain.clips))
    best = mma82_gain(np.random.default_rng(0))
    low, high = best.interval
    points = 100 * best.difference_clips / best.clips
    name = "MMA-82: both against micro-actions"
    rows.append(Gain(name, points, 100 * low, 100 * high, best.difference_clips, best.clips, published=True))
    return rows


def gain_sentence() -> str:
    """What MMA-82's gain by faces comes to."""
    gain = mma82_gain(np.random.default_rng(0))
    return gain.told("MMA-82's both", "its micro-actions alone")


def write_results_page(path: Path, found: Evaluation) -> None:
    """Write results, gains and the papers' tables as one page without scripts.

    Raises:
        OSError: the page cannot be written.
    """
    style = Path(__file__).with_name("benchmark_page.css").read_text(encoding="utf-8")
    style += Path(__file__).with_name("emotion_page.css").read_text(encoding="utf-8")
    title = "Emotion models" + (" (simulated)" if found.simulated else "")
    banner = (
        '<p class="banner" role="note"><strong>Simulated data.</strong> A program made the clips behind '
        "these results; the published tables are of real ones.</p>"
        if found.simulated
        else ""
    )
    told = "".join(
        f'<p class="callout">{visible(gain.told(first, second))}</p>' for first, second, gain in found.gains
    )
    drawn = f'<figure class="wide">{gains_svg(gains(found), found.simulated)}</figure>'
    notes = "".join(f"<li>{visible(line)}</li>" for line in found.notes)
    published = "".join(f'<div class="scroll">{html(table)}</div>' for table in published_tables())
    page = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style></head><body>
<header><h1>{title}</h1></header>{banner}<main>
<section><h2>Results</h2><div class="scroll">{html(result_table(found))}</div>
<ul class="notes">{notes}</ul></section>
<section><h2>What each gains over each other, in clips</h2>
<p class="soft">Points of accuracy with 95 % intervals, and how many clips they are. Hollow: the interval
contains 0, so that no difference is shown. The last row is what a paper printed, at its best: as if the
better method had lost no clip that the other told right.</p>{drawn}{told}
<p class="callout">Published: {visible(gain_sentence())}.</p></section>
<section><h2>The papers' tables</h2>{published}</section>
</main></body></html>
"""
    with replacing(path) as part:
        part.write_text(page, encoding="utf-8")
