"""How long the commands take to answer `--help`, against an interpreter that does nothing.

python -m benchmarks.start_up
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.table import Row, report

ROUNDS = 30


def main() -> None:
    """Measure and report."""
    folder = Path(sys.executable).parent
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "extract-poses --help": [str(folder / "extract-poses"), "--help"],
        "fidget --help": [str(folder / "fidget"), "--help"],
    }
    taken_s: dict[str, list[float]] = {what: [] for what in commands}
    for _ in range(ROUNDS):
        for what, command in commands.items():
            begin_s = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            taken_s[what].append(time.perf_counter() - begin_s)
    rows = []
    for what, seconds in taken_s.items():
        times = statistics.median(seconds) / statistics.median(taken_s["python -c pass"])
        promised = what == "extract-poses --help"
        rows.append(
            Row(
                what,
                1000 * statistics.median(seconds),
                "ms",
                None if what == "python -c pass" else times,
                "<= 3" if promised else "",
                times <= 3 if promised else None,
            )
        )
    report("start_up", rows)


if __name__ == "__main__":
    main()
