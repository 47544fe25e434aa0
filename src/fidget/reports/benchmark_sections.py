"""Accuracies of a benchmark as sections of its page: task by task, over shots, and against bytes."""

from __future__ import annotations

from collections.abc import Sequence

from fidget.reports.benchmark_charts import Line, line_chart, log_position
from fidget.reports.cell_groups import INDUCTIVE, PLAIN, CellGroup, Spread, tasks_of, way
from fidget.reports.quality_page import visible

_MEASURES = (("action/top1", "top-1 accuracy"), ("action/mean_class", "mean class accuracy"))
_MOST_CHARTS = 24


def overview_section(groups: Sequence[CellGroup]) -> str:
    """The source's networks alone: every task, every method, mean and spread over seeds."""
    plain = [group for group in groups if group.plain]
    measure, name = _MEASURES[0]
    methods = list(dict.fromkeys(group.method for group in plain))
    rows = []
    for task in tasks_of(plain):
        first = True
        for group in plain:
            spread = group.spread(measure)
            if group.task != task or spread is None:
                continue
            colour = methods.index(group.method)
            low, high = (100 * (spread.mean + sign * spread.deviation) for sign in (-1, 1))
            low, wide = max(low, 0.0), min(high, 100.0) - max(low, 0.0)
            bar = (
                f'<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
                f'<rect class="track" width="100" height="10"/>'
                f'<rect class="fill k{colour % 8}" width="{100 * spread.mean:.2f}" height="10"/>'
                f'<rect class="range" x="{low:.2f}" y="4" width="{wide:.2f}" height="2"/></svg>'
            )
            named = f'<th scope="row">{visible(task) if first else ""}</th>'
            rows.append(
                f"<tr>{named}<td>{visible(group.method)}</td><td>{bar}</td>"
                f'<td class="number">{visible(spread.told())}</td></tr>'
            )
            first = False
    if not rows:
        return ""
    note = " Simulated." if any(group.simulated for group in plain) else ""
    return (
        f'<p class="soft">{name} of the source\'s network alone, mean and deviation over seeds.{note}</p>'
        '<div class="scroll"><table class="bars"><thead><tr><th scope="col">task</th>'
        f'<th scope="col">method</th><th scope="col"></th><th scope="col" class="number">{name}</th></tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def curves_section(groups: Sequence[CellGroup]) -> str:
    """A chart for each task, setting and measure: accuracy over K, one line a method and adaptation."""
    whole = [group for group in groups if not group.budget_kib]
    adapted = [group for group in whole if group.shots]
    if not adapted:
        return ""
    ways = list(dict.fromkeys((group.method, group.adaptation) for group in adapted))
    shots = sorted({0, *(group.shots for group in adapted)})
    ticks = [(float(place), str(k)) for place, k in enumerate(shots)]
    parts, left = [], _MOST_CHARTS
    for measure, name in _MEASURES:
        charts = []
        for task in tasks_of(adapted):
            of_task = [group for group in adapted if group.task == task]
            for setting in dict.fromkeys(group.setting for group in of_task):
                lines = _lines(whole, ways, shots, task, setting, measure)
                title, simulated = f"{task}, {way(setting)}", any(group.simulated for group in of_task)
                charts.append(line_chart(title, lines, "shots a class, K", ticks, simulated))
        drawn = [chart for chart in charts if chart]
        if drawn[:left]:
            parts.append(f'<h3>{name}</h3><div class="charts">{"".join(drawn[:left])}</div>')
        if len(drawn) > left:
            parts.append(f'<p class="soft">{len(drawn) - left} more charts of {name} are not drawn.</p>')
        left -= min(len(drawn), left)
    return (
        '<p class="soft">Bands are one standard deviation over seeds and draws of shots. '
        f"K 0 is the source's network alone.</p>{''.join(parts)}"
    )


def _lines(
    groups: Sequence[CellGroup],
    ways: Sequence[tuple[str, str]],
    shots: Sequence[int],
    task: str,
    setting: str,
    measure: str,
) -> list[Line]:
    """One line for each method and adaptation that has points with shots."""
    several = len({method for method, _ in ways}) > 1
    lines = []
    for number, (method, adaptation) in enumerate(ways):
        points = []
        for place, k in enumerate(shots):
            spread = _at(groups, task, method, adaptation if k else PLAIN, setting, k, measure)
            if spread is not None:
                points.append((float(place), f"K {k}", spread))
        if any(what != "K 0" for _, what, _ in points):
            label = f"{method}, {way(adaptation)}" if several else way(adaptation)
            lines.append(Line(label, number, tuple(points)))
    return lines


def _at(
    groups: Sequence[CellGroup],
    task: str,
    method: str,
    adaptation: str,
    setting: str,
    shots: int,
    measure: str,
) -> Spread | None:
    """The spread of one point of a curve; K 0 of a setting that was not run without shots is inductive."""
    for wanted in dict.fromkeys((setting, setting if shots else INDUCTIVE)):
        for group in groups:
            key = (group.task, group.method, group.adaptation, group.setting, group.shots)
            if key == (task, method, adaptation, wanted, shots):
                return group.spread(measure)
    return None


def bytes_section(groups: Sequence[CellGroup]) -> str:
    """Accuracy against bytes a clip, where poses of several sizes were run."""
    bare = [g for g in groups if (g.adaptation, g.setting, g.shots) == (PLAIN, INDUCTIVE, 0)]
    bare = [group for group in bare if _bytes_a_clip(group)]
    if len({group.budget_kib for group in bare}) < 2:
        return ""
    measure, name = _MEASURES[0]
    methods = list(dict.fromkeys(group.method for group in bare))
    charts = []
    for task in tasks_of(bare):
        of_task = [group for group in bare if group.task == task]
        lines = []
        for number, method in enumerate(methods):
            points = []
            for group in sorted((g for g in of_task if g.method == method), key=_bytes_a_clip):
                spread, size = group.spread(measure), _bytes_a_clip(group)
                if spread is not None:
                    poses = f"budget {group.budget_kib:g} KiB" if group.budget_kib else "whole poses"
                    points.append((log_position(size), f"{size:,.0f} bytes a clip, {poses}", spread))
            if points:
                lines.append(Line(method, number, tuple(points)))
        sizes = [_bytes_a_clip(group) for group in of_task]
        low, high = int(log_position(min(sizes))), int(log_position(max(sizes))) + 1
        ticks = [(float(power), _size(2**power)) for power in range(low, high + 1)]
        simulated = any(group.simulated for group in of_task)
        charts.append(line_chart(f"{task}: {name}", lines, "bytes of poses a clip", ticks, simulated))
    return f'<div class="charts">{"".join(charts)}</div>'


def _bytes_a_clip(group: CellGroup) -> float:
    """Of the target's poses; 0 where the cell does not say."""
    facts = group.cells[0].facts
    clips, size = facts.get("target_clips"), facts.get("target_pose_bytes")
    return size / clips if clips and size else 0.0


def _size(size: int) -> str:
    return f"{size // 1024} KiB" if size >= 1024 else f"{size} B"
