"""Cells that differ in seed and draw only, taken together: what one point of a curve, one matrix shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fidget.benchmark.cell import Cell

PLAIN, INDUCTIVE = "none", "inductive"


@dataclass(frozen=True)
class CellGroup:
    """Finished cells of one task, method, adaptation, setting, K and budget, of all seeds and draws.

    Attributes:
        task: as in `Cell`.
        method: as in `Cell`.
        adaptation: as in `Cell`.
        setting: as in `Cell`.
        shots: as in `Cell`.
        budget_kib: of the poses, 0 where they are whole.
        cells: at least one.
    """

    task: str
    method: str
    adaptation: str
    setting: str
    shots: int
    budget_kib: float
    cells: tuple[Cell, ...]

    @property
    def simulated(self) -> bool:
        """Whether any of it comes from simulated clips."""
        return any(cell.simulated for cell in self.cells)

    @property
    def plain(self) -> bool:
        """The source's network alone, on whole poses."""
        return (self.adaptation, self.setting, self.shots, self.budget_kib) == (PLAIN, INDUCTIVE, 0, 0)

    def told(self) -> str:
        """In words."""
        parts = [self.task, self.method]
        parts += [f"K {self.shots}"] if self.shots else []
        parts += [way(self.adaptation)] if self.adaptation != PLAIN else []
        parts += [way(self.setting)] if self.setting != INDUCTIVE else []
        parts += [f"{self.budget_kib:g} KiB a clip"] if self.budget_kib else []
        return ", ".join(parts)

    def spread(self, measure: str) -> Spread | None:
        """Mean and spread of a measure; None where no cell has it."""
        values = [cell.measures[measure] for cell in self.cells if measure in cell.measures]
        values = [value for value in values if np.isfinite(value)]
        if not values:
            return None
        return Spread(float(np.mean(values)), float(np.std(values, ddof=len(values) > 1)), len(values))


@dataclass(frozen=True)
class Spread:
    """Values of several seeds and draws.

    Attributes:
        mean: of them.
        deviation: their standard deviation (of a sample); 0 of one value.
        runs: how many.
    """

    mean: float
    deviation: float
    runs: int

    def told(self) -> str:
        """In per cent."""
        if self.runs == 1:
            return f"{100 * self.mean:.2f} %, one run"
        return f"{100 * self.mean:.2f} ± {100 * self.deviation:.2f} %, {self.runs} runs"


def way(name: str) -> str:
    """The name of an adaptation or a setting in words."""
    return name.replace("_", " ")


def groups_of(cells: Iterable[Cell]) -> tuple[CellGroup, ...]:
    """Groups of the finished cells, in the order in which their first cells come."""
    found: dict[tuple[str, str, str, str, int, float], list[Cell]] = {}
    for cell in cells:
        if cell.status == "done":
            budget = float(cell.facts.get("budget_kib") or 0)
            key = (cell.task, cell.method, cell.adaptation, cell.setting, cell.shots, budget)
            found.setdefault(key, []).append(cell)
    return tuple(CellGroup(*key, tuple(members)) for key, members in found.items())


def tasks_of(groups: Sequence[CellGroup]) -> list[str]:
    """Their tasks, each once, in order."""
    return list(dict.fromkeys(group.task for group in groups))
