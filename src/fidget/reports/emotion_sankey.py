"""A Sankey diagram of emotions and micro-actions: where its bars and bands lie, and as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion_models.top_five import strongest
from fidget.reports.quality_page import visible
from protocols.emotion_table import EmotionTable

WIDTH = 1040
_BAR, _LEFT, _RIGHT, _TOP = 12, 120, 700, 18
_GAP, _ROW = 7.0, 19.0


@dataclass(frozen=True)
class Bar:
    """One emotion or micro-action.

    Attributes:
        index: of the emotion or the micro-action.
        y: of its upper end.
        height: proportional to the clips of its bands.
        clips: sum of its bands.
    """

    index: int
    y: float
    height: float
    clips: int


@dataclass(frozen=True)
class Band:
    """Clips of one emotion with one micro-action.

    Attributes:
        emotion: index.
        action: index.
        clips: that have both.
        y_left: upper end at the emotion.
        y_right: upper end at the micro-action.
        height: the same at both ends.
    """

    emotion: int
    action: int
    clips: int
    y_left: float
    y_right: float
    height: float


@dataclass(frozen=True)
class Sankey:
    """A diagram.

    Attributes:
        emotions: bars on the left.
        actions: bars on the right.
        bands: between them, the widest first.
        height: of the picture.
    """

    emotions: tuple[Bar, ...]
    actions: tuple[Bar, ...]
    bands: tuple[Band, ...]
    height: float


def strongest_pairs(table: EmotionTable, most: int) -> list[tuple[int, int]]:
    """(emotion, micro-action) of the `most` micro-actions of each emotion that lie most above chance."""
    top = strongest(table.present, table.labels, len(table.emotions), most)
    return [(emotion, action) for emotion, own in enumerate(top) for action in own]


def commonest(counts: NDArray[np.int64], most: int) -> list[tuple[int, int]]:
    """(emotion, micro-action) of the `most` commonest micro-actions of each emotion; counts (A, E)."""
    pairs = []
    for emotion in range(counts.shape[1]):
        order = np.argsort(-counts[:, emotion], kind="stable")[:most]
        pairs += [(emotion, int(action)) for action in order if counts[action, emotion]]
    return pairs


def lay_out(counts: NDArray[np.int64], pairs: Sequence[tuple[int, int]]) -> Sankey:
    """Place bars and bands.

    Args:
        counts: (A, E) clips.
        pairs: (emotion, micro-action) of the bands, each with at least one clip.
    """
    of_emotion: dict[int, int] = {}
    of_action: dict[int, int] = {}
    centre: dict[int, float] = {}
    for emotion, action in pairs:
        clips = int(counts[action, emotion])
        of_emotion[emotion] = of_emotion.get(emotion, 0) + clips
        of_action[action] = of_action.get(action, 0) + clips
        centre[action] = centre.get(action, 0.0) + clips * emotion
    right = sorted(of_action, key=lambda action: (centre[action] / of_action[action], action))
    height = max(260.0, _ROW * len(right), 44.0 * len(of_emotion))
    total = sum(of_emotion.values())
    rest = height - _GAP * max(len(right), len(of_emotion), 1)
    scale = rest / max(total, 1) * 0.86
    bars = [_column(sorted(of_emotion), of_emotion, scale, height), _column(right, of_action, scale, height)]
    place = {bar.index: number for number, bar in enumerate(bars[1])}
    left_at = {bar.index: bar.y for bar in bars[0]}
    right_at = {bar.index: bar.y for bar in bars[1]}
    starts: dict[tuple[int, int], float] = {}
    for emotion, action in sorted(pairs, key=lambda pair: (pair[0], place[pair[1]])):
        starts[emotion, action] = left_at[emotion]
        left_at[emotion] += scale * counts[action, emotion]
    bands = []
    for emotion, action in sorted(pairs, key=lambda pair: (pair[1], pair[0])):
        size = scale * float(counts[action, emotion])
        own = starts[emotion, action], right_at[action]
        bands.append(Band(emotion, action, int(counts[action, emotion]), *own, size))
        right_at[action] += size
    bands.sort(key=lambda band: -band.clips)
    return Sankey(tuple(bars[0]), tuple(bars[1]), tuple(bands), height + _TOP + 8)


def _column(order: Sequence[int], clips: dict[int, int], scale: float, height: float) -> list[Bar]:
    """Bars below each other over the whole height, none nearer to the next than a line of text."""
    sizes = [scale * clips[index] for index in order]
    room = [max(size, _ROW - _GAP) for size in sizes]
    gap = (height - sum(room)) / max(len(order) - 1, 1)
    bars, y = [], float(_TOP)
    for index, size, taken in zip(order, sizes, room, strict=True):
        bars.append(Bar(index, y + (taken - size) / 2, size, clips[index]))
        y += taken + max(gap, 1.0)
    return bars


def sankey_svg(
    found: Sankey, emotions: Sequence[str], actions: Sequence[str], key: str, simulated: bool, hidden: bool
) -> str:
    """The diagram as inline SVG; bars can be focused, and the page's script lifts what belongs to one.

    Args:
        found: of `lay_out`.
        emotions: names.
        actions: names.
        key: tells this diagram from others on the page.
        simulated: whether to say so.
        hidden: whether the page begins with another.
    """
    drawn = []
    for band in found.bands:
        said = f"{emotions[band.emotion]}, {actions[band.action]}: {band.clips} clips"
        drawn.append(
            f'<path class="ribbon k{band.emotion % 8}" data-e="{band.emotion}" data-a="{band.action}" '
            f'd="{band_path(band)}"><title>{visible(said)}</title></path>'
        )
    for side, bars, names in (("e", found.emotions, emotions), ("a", found.actions, actions)):
        for bar in bars:
            x = _LEFT if side == "e" else _RIGHT
            name = names[bar.index]
            kind = f"fill k{bar.index % 8}" if side == "e" else "node"
            text = f'x="{x - 8}" class="name end"' if side == "e" else f'x="{x + _BAR + 8}" class="name"'
            drawn.append(
                f'<g class="bar" tabindex="0" role="button" data-{side}="{bar.index}" '
                f'aria-label="{visible(f"{name}: {bar.clips} clips in bands")}">'
                f'<rect class="{kind}" x="{x}" y="{bar.y:.1f}" width="{_BAR}" '
                f'height="{max(bar.height, 1):.1f}"/>'
                f'<text {text} y="{bar.y + bar.height / 2 + 4:.1f}">{visible(name)} '
                f'<tspan class="count">{bar.clips}</tspan></text></g>'
            )
    note = f'<text class="simulated" x="{WIDTH - 4}" y="12">simulated</text>' if simulated else ""
    said = f"Sankey diagram of {len(found.emotions)} emotions and {len(found.actions)} micro-actions"
    said += "; simulated data" if simulated else ""
    gone = " hidden" if hidden else ""
    return (
        f'<svg class="sankey" data-most="{key}" viewBox="0 0 {WIDTH} {found.height:.0f}" '
        f'width="{WIDTH}" height="{found.height:.0f}" role="group" aria-label="{visible(said)}; the numbers '
        f'are in the table of cells"{gone}>{"".join(drawn)}{note}</svg>'
    )


def band_path(band: Band) -> str:
    """The outline of a band as an SVG path."""
    left, right = _LEFT + _BAR, _RIGHT
    middle = (left + right) / 2
    a, b, size = band.y_left, band.y_right, band.height
    return (
        f"M{left} {a:.1f}C{middle} {a:.1f} {middle} {b:.1f} {right} {b:.1f}V{b + size:.1f}"
        f"C{middle} {b + size:.1f} {middle} {a + size:.1f} {left} {a + size:.1f}z"
    )


def columns() -> tuple[float, float, float]:
    """X of the left bars, x of the right ones, and their width; for other drawings of the same layout."""
    return float(_LEFT), float(_RIGHT), float(_BAR)
