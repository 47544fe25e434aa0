"""Reliability and risk over coverage, as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from poses.whole_file import replacing
from protocols.calibration import Calibration

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES = (11.0, 5.6)
_DPI = 130


def draw_calibration(curves: Sequence[tuple[str, Calibration]], path: Path) -> None:
    """Draw the calibration of one or several methods as a PNG.

    On the left accuracy over confidence, in bins of equal width, with points that grow with the number of
    clips; on the right the share of wrong clips among those that are answered, the surest first.

    Args:
        curves: name and calibration of each; of one level.
        path: of the PNG.

    Raises:
        ValueError: nothing to draw, or several levels.
        OSError: no room, or no permission.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    levels = sorted({one.level for _, one in curves})
    if len(levels) != 1:
        raise ValueError(f"expected calibrations of one level, got {', '.join(levels) or 'none'}")
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    reliability, risk = figure.subplots(1, 2)
    what = "actions" if levels[0] == "action" else "body groups, summed probabilities"
    _reliability(reliability, curves, what)
    _risk(risk, curves, what)
    for axes in (reliability, risk):
        axes.grid(color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")


def _plain(name: str) -> str:
    """A method's name as it is: a dollar sign starts no formula."""
    return name.replace("$", r"\$")


def _reliability(axes: Axes, curves: Sequence[tuple[str, Calibration]], what: str) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
    for number, (name, one) in enumerate(curves):
        bins, colour = one.by_width, f"C{number % 10}"
        label = f"{_plain(name)}: ECE {100 * bins.error:.1f} %, {one.clips:,} clips"
        axes.plot(bins.confidence, bins.accuracy, color=colour, linewidth=1.2, label=label)
        sizes = 5 + 300 * bins.count / one.clips
        axes.scatter(
            bins.confidence, bins.accuracy, sizes, color=colour, alpha=0.6, linewidths=0, clip_on=False
        )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence", ylabel="accuracy")
    axes.set_title(f"Reliability ({what})")


def _risk(axes: Axes, curves: Sequence[tuple[str, Calibration]], what: str) -> None:
    for number, (name, one) in enumerate(curves):
        label = f"{_plain(name)}: AURC {100 * one.curve.area:.1f} %"
        axes.plot(one.curve.coverage, one.curve.risk, color=f"C{number % 10}", linewidth=1.4, label=label)
    highest = max(float(one.curve.risk.max()) for _, one in curves)
    axes.set(xlim=(0, 1), ylim=(0, min(1.0, 1.1 * highest + 0.02)))
    axes.set(xlabel="coverage: share of clips answered", ylabel="risk: share of them wrong")
    axes.set_title(f"Risk over coverage ({what})")
