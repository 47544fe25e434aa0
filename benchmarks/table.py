"""One table on the screen and in a CSV file: how every benchmark reports."""

from __future__ import annotations

import csv
import os
import platform
from dataclasses import astuple, dataclass, fields
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        what: what was measured.
        value: the figure.
        unit: its unit.
        ratio: value over the baseline's, oriented so that larger is better; None for a baseline.
        target: what the project promises of the ratio or value, in words; empty where nothing.
        met: whether the promise is kept; None where there is none.
    """

    what: str
    value: float
    unit: str
    ratio: float | None = None
    target: str = ""
    met: bool | None = None


def report(name: str, rows: list[Row]) -> Path:
    """Print the rows and write them to `benchmarks/results/NAME.csv`."""
    print(f"\n{name}: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    width = max(len(row.what) for row in rows)
    for row in rows:
        ratio = "" if row.ratio is None else f"x{row.ratio:.2f}"
        verdict = "" if row.met is None else ("met" if row.met else "MISSED")
        print(f"  {row.what:{width}}  {row.value:12.2f} {row.unit:16} {ratio:>9}  {row.target:12} {verdict}")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        for row in rows:
            writer.writerow(
                ["" if v is None else f"{v:.6g}" if isinstance(v, float) else v for v in astuple(row)]
            )
    return path
