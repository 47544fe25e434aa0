"""A table as text: Markdown, LaTeX, CSV, HTML. Cells are text already; whoever makes them rounds them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; it checks itself once.

    Attributes:
        title: above the table.
        head: column names.
        rows: cells, as many a row as the head has.
        notes: lines below it: sources, what was simulated, what is missing.
        units: a line below the title, such as `per cent`.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    units: str = ""

    def __post_init__(self) -> None:
        wrong = [len(row) for row in self.rows if len(row) != len(self.head)]
        if wrong:
            raise ValueError(f"table {self.title!r}: expected {len(self.head)} cells a row, got {wrong[0]}")
