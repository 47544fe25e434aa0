"""How MMA-52's instances lie in their videos, and how those of simulated recordings do.

    python -m benchmarks.mma52_statistics --shared DIR [--write] [--recordings 500] [--seed 0]

Measures the annotations of training and validation (DIR/data/annotations/mma52, the current release) and
prints them beside as many simulated recordings. --write puts what was measured where the simulator reads it,
`src/fidget/benchmark/simulator/untrimmed_mma52.json`: this program is where those numbers come from.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.table import Row, report
from fidget.benchmark.simulator import untrimmed_statistics as statistics
from fidget.benchmark.simulator.untrimmed_statistics import UntrimmedStatistics, measure
from protocols.detection_table import DetectionTable
from protocols.mma52_detection import read_mma52

_SHOWN_QUANTILES = (1, 5, 10, 15, 19)  # of 21: 5, 25, 50, 75 and 95 %


def mma52(shared: Path) -> UntrimmedStatistics:
    """Of the training and validation videos of the current release."""
    table = read_mma52(shared / "data" / "annotations" / "mma52")
    return measure(table, "MMA-52, training and validation videos of the current release")


def simulated(recordings: int, seed: int) -> UntrimmedStatistics:
    """Of a plan of recordings, as their table would be read."""
    from fidget.benchmark.simulator.untrimmed_plan import plan_recordings, table_of

    table: DetectionTable = table_of(plan_recordings(recordings, seed))
    return measure(table, f"{recordings} simulated recordings, seed {seed}")


def mean_count(found: UntrimmedStatistics) -> float:
    """Instances a video."""
    return found.instances / found.videos


def figures(found: UntrimmedStatistics, pairs: list[str]) -> dict[str, tuple[float, str]]:
    """What is compared, with its unit."""
    out = {"instances a video": (mean_count(found), "")}
    for what, values in (("video", found.duration_s), ("instance", found.instance_s)):
        for at in _SHOWN_QUANTILES:
            out[f"{what}: {5 * at} % are shorter than"] = (values[at], "s")
    out["instances with another at once"] = (100 * found.overlapping, "%")
    for number, share in enumerate(found.at_once):
        out[f"time with {number}{' or more' if number == 3 else ''} at once"] = (100 * share, "%")
    out["videos that begin with an instance"] = (100 * found.begins, "%")
    out["videos that end with one"] = (100 * found.ends, "%")
    out["videos of 29 frames a second"] = (100 * found.fps.get("29", 0.0), "%")
    for group, share in found.group_shares.items():
        out[f"instances: {group}"] = (100 * share, "%")
    for pair in pairs:
        out[f"pairs at once: {pair}"] = (100 * found.pairs.get(pair, 0.0), "%")
    return out


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True, help="with data/annotations/mma52")
    parser.add_argument("--write", action="store_true", help="store what was measured for the simulator")
    parser.add_argument("--recordings", type=int, default=500, help="simulated ones to compare with, 0 none")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    real = mma52(args.shared)
    if args.write:
        path = Path(statistics.__file__).with_name(statistics.TABLE)
        path.write_text(statistics.statistics_json(real), encoding="utf-8")
        print(f"written: {path}")
        statistics.mma52_statistics.cache_clear()
    pairs = list(real.pairs)[:10]
    rows = [Row(f"MMA-52, {what}", *figure) for what, figure in figures(real, pairs).items()]
    if args.recordings:
        made = figures(simulated(args.recordings, args.seed), pairs)
        rows = [
            row
            for row, (what, figure) in zip(rows, made.items(), strict=True)
            for row in (row, Row(f"simulated, {what}", *figure))
        ]
    report("mma52_statistics", rows)


if __name__ == "__main__":
    main()
