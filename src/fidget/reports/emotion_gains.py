"""Gains of one method over another as a picture: how many points, how sure, and how many clips that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fidget.reports.quality_page import visible

_WIDTH, _NAMES, _CLIPS, _ROW, _TOP = 920, 300, 150, 30, 34
_STEPS = (0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Gain:
    """One row.

    Attributes:
        name: of the pair.
        points: of accuracy, first minus second, per cent.
        low: end of its 95 % interval.
        high: the other end.
        clips: first minus second.
        of: clips there are.
        published: whether it is a paper's, computed from its printed percentages.
    """

    name: str
    points: float
    low: float
    high: float
    clips: int
    of: int
    published: bool = False


def gains_svg(gains: Sequence[Gain], simulated: bool) -> str:
    """Intervals about zero, one row a pair, the clips written behind; inline SVG that needs no script.

    Args:
        gains: rows, from above.
        simulated: whether rows that no paper printed are of simulated data.
    """
    most = max((abs(end) for one in gains for end in (one.low, one.high, one.points)), default=1.0)
    step = next((one for one in _STEPS if most <= 4 * one), _STEPS[-1])
    reach = max(step * -(-most // step), step)
    left, right = _NAMES, _WIDTH - _CLIPS

    def x(points: float) -> float:
        return left + (points + reach) / (2 * reach) * (right - left)

    height = _TOP + _ROW * len(gains) + 8
    drawn = []
    for number in range(round(-reach / step), round(reach / step) + 1):
        place = x(number * step)
        kind = "zero" if number == 0 else "grid"
        drawn.append(f'<path class="{kind}" d="M{place:.1f} {_TOP - 8}V{height - 8}"/>')
        drawn.append(f'<text class="axis" x="{place:.1f}" y="{_TOP - 14}">{number * step:+g}</text>')
    for row, one in enumerate(gains):
        y = _TOP + _ROW * row + _ROW / 2
        kind = "open" if one.low <= 0 <= one.high else "shown"
        made = ", published" if one.published else ", simulated" if simulated else ""
        drawn.append(
            f'<text class="name" x="8" y="{y + 4:.1f}">{visible(one.name)}</text>'
            f'<path class="{kind}" d="M{x(one.low):.1f} {y}H{x(one.high):.1f}M{x(one.low):.1f} {y - 5}v10'
            f'M{x(one.high):.1f} {y - 5}v10"/>'
            f'<circle class="{kind}" cx="{x(one.points):.1f}" cy="{y}" r="5"/>'
            f'<text class="name" x="{right + 14}" y="{y + 4:.1f}">{one.clips:+d} of {one.of}'
            f'<tspan class="count">{made}</tspan></text>'
        )
    said = "; ".join(
        f"{one.name}: {one.points:+.2f} points, {one.low:+.2f} to {one.high:+.2f}, "
        f"{one.clips:+d} of {one.of} clips" for one in gains
    )  # fmt: skip
    return (
        f'<svg class="gains" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        f'aria-label="{visible(said)}">{"".join(drawn)}</svg>'
    )
