"""Charts of a benchmark as inline SVG: lines with spread, points on a plane. Texts are escaped here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fidget.reports.cell_groups import Spread
from fidget.reports.quality_page import visible

COLOURS = 8  # of lines; the style sheet has as many
_WIDTH, _HEIGHT = 380, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 12, 22, 38
_SHAPES = ("circle", "square", "triangle", "diamond")


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: in the legend.
        colour: number of the colour and of the shape of its points.
        points: position, what it is, value; in order of position.
    """

    name: str
    colour: int
    points: tuple[tuple[float, str, Spread], ...]


def line_chart(
    title: str, lines: Sequence[Line], across: str, ticks: Sequence[tuple[float, str]], simulated: bool
) -> str:
    """A figure with lines, bands of one standard deviation, and the numbers as a table below.

    Args:
        title: above the chart.
        lines: what is drawn; values are shares, 0 to 1.
        across: name of the horizontal axis.
        ticks: position and text, along it.
        simulated: whether to say so on the chart.
    """
    every = [value for line in lines for _, _, value in line.points]
    if not every:
        return ""
    top = _nice_top(max(one.mean + one.deviation for one in every))
    positions = [position for position, _ in ticks]
    low, high = min(positions), max(positions)

    def x_of(position: float) -> float:
        part = 0.5 if high == low else (position - low) / (high - low)
        return _LEFT + 14 + (_WIDTH - _LEFT - _RIGHT - 28) * part

    def y_of(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * min(max(value, 0.0), top) / top

    drawn = [_axes(top, y_of), *(_tick(x_of(position), text) for position, text in ticks)]
    middle = (_LEFT + _WIDTH - _RIGHT) // 2
    drawn.append(f'<text class="name" x="{middle}" y="{_HEIGHT - 4}">{visible(across)}</text>')
    for line in lines:
        drawn.append(_band(line, x_of, y_of))
        path = " L".join(f"{x_of(at):.1f} {y_of(one.mean):.1f}" for at, _, one in line.points)
        drawn.append(f'<path class="line k{line.colour % COLOURS}" d="M{path}"/>')
        for at, what, one in line.points:
            said = visible(f"{line.name}, {what}: {one.told()}")
            drawn.append(mark(x_of(at), y_of(one.mean), line.colour, 4, said))
    label = f"{title}: {len(lines)} lines over {across}; the numbers are in the table below the chart"
    return (
        f"<figure><figcaption>{visible(title)}</figcaption>"
        f"{_svg(label, _WIDTH, _HEIGHT, drawn, simulated)}{_legend(lines)}{_numbers(lines)}</figure>"
    )


def point_chart(
    title: str, points: Sequence[tuple[float, float, int, str]], names: Sequence[str], simulated: bool
) -> str:
    """Points on a plane without axes, coloured by kind.

    Args:
        title: above the chart.
        points: x, y, number of the kind, what it is.
        names: of the kinds.
        simulated: whether to say so on the chart.
    """
    side, edge = 430, 16
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    span = max(max(xs) - min(xs), max(ys) - min(ys), 1e-9)
    scale = (side - 2 * edge - 14) / span
    middle = ((max(xs) + min(xs)) / 2, (max(ys) + min(ys)) / 2)
    drawn = [
        mark(
            side / 2 + scale * (x - middle[0]),
            side / 2 + 7 - scale * (y - middle[1]),
            kind,
            3.2,
            visible(what),
        )
        for x, y, kind, what in points
    ]
    counts = [sum(point[2] == kind for point in points) for kind in range(len(names))]
    said = ", ".join(f"{count} of {name}" for name, count in zip(names, counts, strict=True) if count)
    keys = [
        Line(f"{name} ({count})", kind, ())
        for kind, (name, count) in enumerate(zip(names, counts, strict=True))
        if count
    ]
    return (
        f'<figure class="points"><figcaption>{visible(title)}</figcaption>'
        f"{_svg(f'{title}: {said}', side, side, drawn, simulated)}{_legend(keys)}</figure>"
    )


def mark(x: float, y: float, kind: int, size: float, said: str) -> str:
    """A point whose colour and shape tell its kind; `said`, escaped already, shows on hover."""
    shape = _SHAPES[(kind // COLOURS + kind) % len(_SHAPES)]
    if shape == "circle":
        path = f"M{x - size:.1f} {y:.1f}a{size} {size} 0 1 0 {2 * size} 0a{size} {size} 0 1 0 {-2 * size} 0z"
    elif shape == "square":
        side = size * 1.75
        path = f"M{x - side / 2:.1f} {y - side / 2:.1f}h{side:.1f}v{side:.1f}h{-side:.1f}z"
    elif shape == "triangle":
        path = f"M{x:.1f} {y - size * 1.2:.1f}l{size * 1.15:.1f} {size * 2:.1f}h{-size * 2.3:.1f}z"
    else:
        wide = size * 1.25
        path = (
            f"M{x:.1f} {y - wide:.1f}l{wide:.1f} {wide:.1f}l{-wide:.1f} {wide:.1f}l{-wide:.1f} {-wide:.1f}z"
        )
    return f'<path class="mark k{kind % COLOURS}" d="{path}"><title>{said}</title></path>'


def _svg(label: str, width: int, height: int, drawn: Sequence[str], simulated: bool) -> str:
    note = f'<text class="simulated" x="{width - 4}" y="13">simulated</text>' if simulated else ""
    said = visible(f"{label}; simulated data" if simulated else label)
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{said}">{"".join(drawn)}{note}</svg>'
    )


def _nice_top(value: float) -> float:
    """The end of an axis of shares: a round number of per cent, at most 100."""
    steps = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
    return next((step for step in steps if value <= step), 1.0)


def _axes(top: float, y_of: Callable[[float], float]) -> str:
    lines = []
    for part in (0, 0.25, 0.5, 0.75, 1):
        y = y_of(part * top)
        lines.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>')
        lines.append(f'<text class="tick y" x="{_LEFT - 6}" y="{y + 4:.1f}">{100 * part * top:g}</text>')
    lines.append(f'<text class="tick y" x="{_LEFT - 6}" y="12">%</text>')
    return "".join(lines)


def _tick(x: float, text: str) -> str:
    return f'<text class="tick" x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 15}">{visible(text)}</text>'


def _band(line: Line, x_of: Callable[[float], float], y_of: Callable[[float], float]) -> str:
    """One standard deviation to both sides; a bar where the line has one point."""
    if not any(one.deviation for _, _, one in line.points):
        return ""
    upper = [(x_of(at), y_of(one.mean + one.deviation)) for at, _, one in line.points]
    lower = [(x_of(at), y_of(one.mean - one.deviation)) for at, _, one in line.points]
    if len(upper) == 1:
        x, y = upper[0]
        return f'<path class="line k{line.colour % COLOURS}" d="M{x:.1f} {y:.1f}V{lower[0][1]:.1f}"/>'
    corners = " L".join(f"{x:.1f} {y:.1f}" for x, y in [*upper, *reversed(lower)])
    return f'<path class="band k{line.colour % COLOURS}" d="M{corners}z"/>'


def _legend(lines: Sequence[Line]) -> str:
    keys = "".join(
        f'<li><svg width="14" height="14" aria-hidden="true">{mark(7, 7, line.colour, 4, "")}</svg>'
        f"{visible(line.name)}</li>"
        for line in lines
    )
    return f'<ul class="legend">{keys}</ul>'


def _numbers(lines: Sequence[Line]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{visible(line.name)}</th><td>{visible(what)}</td>'
        f'<td class="number">{visible(one.told())}</td></tr>'
        for line in lines
        for _, what, one in line.points
    )
    return f'<details><summary>numbers</summary><div class="scroll"><table>{rows}</table></div></details>'


def log_position(value: float) -> float:
    """Where a positive number lies on a logarithmic axis."""
    return math.log2(value)
