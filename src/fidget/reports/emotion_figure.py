"""The Sankey diagram and the heatmap of a table as pictures for a paper: SVG, PNG or PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fidget.emotion.association_study import AssociationStudy
from fidget.reports.emotion_heatmap import held_back_lift
from fidget.reports.emotion_sankey import WIDTH, Band, Sankey, columns

_COLOURS = ("#0b66b0", "#c2500a", "#0a7f5a", "#9c4f96", "#8a6a00", "#c22f55", "#4a5bc0", "#5f6b75")


def draw_sankey(path: Path, found: Sankey, study: AssociationStudy) -> None:
    """Draw a diagram; the suffix says how. Text stays text in SVG.

    Args:
        path: of the picture.
        found: where its bars and bands lie.
        study: names, and whether the table is simulated.

    Raises:
        ValueError: a suffix that is no picture's.
        OSError: the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch, Rectangle

    figure = Figure(figsize=(WIDTH / 100, found.height / 100), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(found.height, 0))
    axes.axis("off")
    left, right, wide = columns()
    for band in found.bands:
        colour = _COLOURS[band.emotion % len(_COLOURS)]
        axes.add_patch(PathPatch(_outline(band, left + wide, right), facecolor=colour, alpha=0.4, lw=0))
    for x, bars, names, side in (
        (left, found.emotions, study.table.emotions, "right"),
        (right, found.actions, study.table.tree.actions, "left"),
    ):
        for bar in bars:
            colour = _COLOURS[bar.index % len(_COLOURS)] if side == "right" else "#5c6670"
            axes.add_patch(Rectangle((x, bar.y), wide, max(bar.height, 1), color=colour, lw=0))
            at = x - 8 if side == "right" else x + wide + 8
            text = f"{names[bar.index]}  {bar.clips}"
            axes.text(at, bar.y + bar.height / 2, text, ha=side, va="center", fontsize=8, parse_math=False)
    if study.table.simulated:
        axes.text(WIDTH - 6, 10, "simulated", ha="right", va="center", fontsize=8, style="italic")
    _save(figure, path)


def _outline(band: Band, left: float, right: float):  # type: ignore[no-untyped-def]
    from matplotlib.path import Path as Outline

    middle, a, b, size = (left + right) / 2, band.y_left, band.y_right, band.height
    points = [
        (left, a), (middle, a), (middle, b), (right, b), (right, b + size),
        (middle, b + size), (middle, a + size), (left, a + size), (left, a),
    ]  # fmt: skip
    curve, line = Outline.CURVE4, Outline.LINETO
    codes = [Outline.MOVETO, curve, curve, curve, line, curve, curve, curve, Outline.CLOSEPOLY]
    return Outline(points, codes)


def draw_heatmap(path: Path, study: AssociationStudy, actions: Sequence[int]) -> None:
    """Draw the lift of some micro-actions, with a dot where a cell differs from chance.

    Args:
        path: of the picture; the suffix says how.
        study: what is drawn.
        actions: indices, from above.

    Raises:
        ValueError: a suffix that is no picture's.
        OSError: the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    table, rows = study.table, list(actions)
    figure = Figure(figsize=(3.6 + 0.62 * len(table.emotions), 1.1 + 0.19 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    steps = np.log2(held_back_lift(study)[rows])
    drawn = axes.imshow(np.ma.masked_invalid(steps), cmap="PuOr", vmin=-2, vmax=2, aspect="auto")
    y, x = np.nonzero(study.found[rows])
    axes.scatter(x, y, s=9, color="black", edgecolors="white", linewidths=0.4)
    counts = study.association.of_action
    names = [f"{table.tree.actions[action]}  {counts[action]}" for action in rows]
    axes.set_yticks(range(len(rows)), names, fontsize=7, parse_math=False)
    axes.set_xticks(
        range(len(table.emotions)), table.emotions, fontsize=8, rotation=30, ha="left", parse_math=False
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.4, ticks=[-2, -1, 0, 1, 2])
    bar.ax.set_yticklabels(["1/4", "1/2", "1", "2", "4"], fontsize=7)
    bar.set_label("lift, held back by 2 clips", fontsize=7)
    if table.simulated:
        figure.suptitle("simulated data", fontsize=8, style="italic")
    _save(figure, path)


def _save(figure, path: Path) -> None:  # type: ignore[no-untyped-def]
    from matplotlib import rc_context

    path.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "fidget"}):
        figure.savefig(path, dpi=150)
