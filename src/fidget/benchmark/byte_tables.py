"""What the poses of a benchmark cost in bytes, and what accuracy bytes buy."""

from __future__ import annotations

from collections.abc import Sequence

from fidget.benchmark.summaries import Summary
from fidget.benchmark.table import Table


def byte_tables(benchmark: str, rows: Sequence[Summary], simulated: bool) -> tuple[Table, ...]:
    """Bytes of source and target beside their videos; accuracy by budget, where budgets were run."""
    marked = " (simulated data)" if simulated else ""
    tables = []
    costs = _cost_lines([row for row in rows if not row.key.budget_kib])
    if costs:
        tables.append(
            Table(
                f"{benchmark}: what travels, poses beside video{marked}",
                ("clips of", "clips", "poses", "a clip", "video", "poses / video"),
                costs,
                ("Poses: the cache's files, shared out by the numbers that each clip holds.",),
            )
        )
    budgets = _budget_lines(rows)
    if budgets:
        tables.append(
            Table(
                f"{benchmark}: accuracy by bytes a clip{marked}",
                (
                    "target",
                    "method",
                    "budget, KiB",
                    "bytes a clip",
                    "action top-1",
                    "action MCA",
                    "body top-1",
                ),
                budgets,
                ("Networks are trained and measured on the poses of the budget; inductive, without shots.",),
                "per cent",
            )
        )
    return tuple(tables)


def _cost_lines(rows: Sequence[Summary]) -> tuple[tuple[str, ...], ...]:
    lines: dict[tuple[str, ...], None] = {}
    for row in rows:
        facts, key = row.cells[0].facts, row.key
        for what, name in (("source", key.source_domain), ("target", key.target_domain)):
            if f"{what}_pose_bytes" in facts:
                told = f"{what} {name}".strip() if name else f"{what} of {key.task}"
                line = _line(
                    told, facts[f"{what}_clips"], facts[f"{what}_pose_bytes"], facts[f"{what}_video_bytes"]
                )
                lines[line] = None
    return tuple(sorted(lines, key=lambda line: not line[0].startswith("source")))


def _line(told: str, clips: int, poses: int, video: int) -> tuple[str, ...]:
    share = f"{100 * poses / video:.2f} %" if video else "-"
    return (
        told,
        f"{clips:,}",
        size_told(poses),
        size_told(poses / clips) if clips else "-",
        size_told(video) if video else "-",
        share,
    )


def size_told(number: float) -> str:
    """Bytes in words, binary units."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:,.0f} {unit}" if unit == "B" else f"{number:,.1f} {unit}"
        number /= 1024
    raise AssertionError(number)


def _budget_lines(rows: Sequence[Summary]) -> tuple[tuple[str, ...], ...]:
    """Rows with a budget, and beside them the whole poses: from few bytes to many."""
    plain = [row for row in rows if not row.key.shots and row.key.setting == "inductive"]
    with_budget = {(row.key.task, row.key.method) for row in plain if row.key.budget_kib}
    lines = []
    for task, method in sorted(with_budget):
        own = [row for row in plain if (row.key.task, row.key.method) == (task, method)]
        for row in sorted(own, key=lambda row: row.key.budget_kib or float("inf")):
            facts = row.cells[0].facts
            clips = facts.get("source_clips", 0) + facts.get("target_clips", 0)
            size = facts.get("source_pose_bytes", 0) + facts.get("target_pose_bytes", 0)
            numbers = [
                f"{100 * row.means[name]:.2f}" if name in row.means else "-"
                for name in ("action/top1", "action/mean_class", "body/top1")
            ]
            budget = f"{row.key.budget_kib:g}" if row.key.budget_kib else "whole"
            target = row.key.target_domain or task
            lines.append((target, method, budget, f"{size / clips:,.0f}" if clips else "-", *numbers))
    return tuple(lines)
