"""The heatmap of micro-actions and emotions as inline SVG; the page's script sorts and recolours its rows.

Colours stand for the lift held back by two clips: (count + 2) / (expected + 2). A micro-action that
three clips have would else be coloured by chance alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from fidget.emotion.association_study import AssociationStudy
from fidget.reports.quality_page import visible

LEFT, TOP, CELL_W, CELL_H = 312, 84, 74, 17
HELD_BACK = 2.0
_STEPS = 4  # of lift to either side; the ends stand for four times as often, and a quarter


def heatmap_svg(study: AssociationStudy) -> str:
    """One row a micro-action that occurs, one column an emotion; cells that are found are marked."""
    table, association = study.table, study.association
    rows = np.flatnonzero(association.of_action)
    width, height = LEFT + CELL_W * len(table.emotions) + 60, TOP + CELL_H * len(rows) + 8
    drawn = [
        f'<text class="column" transform="translate({LEFT + CELL_W * (place + 0.4):.0f} {TOP - 8}) '
        f'rotate(-30)">'
        f'{visible(name)} <tspan class="count">{clips}</tspan></text>'
        for place, (name, clips) in enumerate(zip(table.emotions, association.clips.tolist(), strict=True))
    ]
    for place, action in enumerate(rows.tolist()):
        drawn.append(_row(study, action, place))
    note = f'<text class="simulated" x="{width - 4}" y="13">simulated</text>' if table.simulated else ""
    said = f"Heatmap of {len(rows)} micro-actions and {len(table.emotions)} emotions; arrow keys read cells"
    said += "; simulated data" if table.simulated else ""
    return (
        f'<svg id="heatmap" tabindex="0" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{visible(said)}">{"".join(drawn)}'
        f'<rect id="cursor" width="{CELL_W}" height="{CELL_H}" visibility="hidden"/>{note}</svg>'
    )


def _row(study: AssociationStudy, action: int, place: int) -> str:
    association, names = study.association, study.table.tree
    name = names.actions[action]
    group = names.group_of[action] if names.groups else 0
    held = held_back_lift(study)[action]
    cells = []
    for emotion in range(len(study.table.emotions)):
        x, lift = LEFT + CELL_W * emotion, float(held[emotion])
        cells.append(
            f'<rect class="cell {lift_class(lift)}" data-e="{emotion}" x="{x}" width="{CELL_W - 1}" '
            f'height="{CELL_H - 1}"/>'
        )
        if study.found[action, emotion]:
            cells.append(f'<circle class="found" cx="{x + CELL_W / 2:.0f}" cy="{CELL_H / 2 - 0.5}" r="2.6"/>')
    return (
        f'<g class="hrow" data-a="{action}" transform="translate(0 {TOP + CELL_H * place})">'
        f'<rect class="fill k{group % 8}" x="{LEFT - 8}" width="4" height="{CELL_H - 1}"/>'
        f'<text class="name end" x="{LEFT - 12}" y="{CELL_H - 5}">{visible(name)} '
        f'<tspan class="count">{association.of_action[action]}</tspan></text>{"".join(cells)}</g>'
    )


def held_back_lift(study: AssociationStudy) -> np.ndarray:
    """(A, E) lift with two clips added to the count and to what is expected; NaN without clips."""
    counts, clips = study.association.counts, study.association.clips
    expected = counts.sum(axis=1, keepdims=True) * clips[None, :] / max(int(clips.sum()), 1)
    lift = (counts + HELD_BACK) / (expected + HELD_BACK)
    return np.where(clips > 0, lift, np.nan)


def lift_class(lift: float) -> str:
    """`more1` to `more4`, `less1` to `less4` or `even`: by how many half doublings a lift differs from 1."""
    if np.isnan(lift):
        return "unknown"
    if lift <= 0:
        return f"less{_STEPS}"
    steps = min(round(2 * abs(float(np.log2(lift)))), _STEPS)
    return "even" if not steps else f"{'more' if lift > 1 else 'less'}{steps}"


def heatmap_data(study: AssociationStudy) -> dict[str, object]:
    """What the script needs: names, counts and tests of every micro-action that occurs."""
    association, table = study.association, study.table
    rows = np.flatnonzero(association.of_action).tolist()
    return {
        "emotions": list(table.emotions),
        "actions": {action: table.tree.actions[action] for action in rows},
        "counts": {action: association.counts[action].tolist() for action in rows},
        "clips": association.clips.tolist(),
        "lift": {action: _rounded(association.lift[action]) for action in rows},
        "p": {action: _rounded(association.p[action], 6) for action in rows},
        "q": {action: _rounded(association.q[action], 6) for action in rows},
        "bits": {action: round(float(association.information[action]), 5) for action in rows},
        "places": [LEFT, TOP, CELL_W, CELL_H],
    }


def _rounded(values: np.ndarray, digits: int = 4) -> list[float | None]:
    return [None if np.isnan(value) else float(f"{value:.{digits}g}") for value in values.tolist()]


def as_script(data: dict[str, object]) -> str:
    """JSON for a script element: nothing in it can end the element."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def legend(steps: Sequence[str] = ("less4", "less2", "even", "more2", "more4")) -> str:
    """What the colours of lift mean."""
    said = {
        "less4": "a quarter or less",
        "less2": "half",
        "even": "as by chance",
        "more2": "twice",
        "more4": "4 times",
    }
    keys = "".join(
        f'<li><svg width="14" height="14" aria-hidden="true"><rect class="cell {step}" width="14" '
        f'height="14"/></svg>{said[step]}</li>'
        for step in steps
    )
    return f'<ul class="legend" id="lift-legend">{keys}</ul>'
