"""Trained detectors beside what needs no training, and beside the bound of perfect labels.

The recordings are simulated; so is everything here. A run is made by the commands of docs/detection.md:

    fidget benchmark simulate --untrimmed 150 -o sim
    fidget detect train sim_skeleton_detector --poses sim --annotations sim-detection.csv -o runs/det
    fidget benchmark simulate --untrimmed 80 --videos -o rec
    fidget detect train sim_adatad_small --videos rec-videos --annotations rec-detection.csv -o runs/adatad

Run: python -m benchmarks.detection_runs RUN:POSES:ANNOTATIONS ...    such as runs/det:sim:sim-detection.csv
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import RESULTS
from fidget.detection.baselines import prior_detections, with_perfect_labels
from fidget.detection.recordings import PoseRecordings
from protocols.detection import measure_detections
from protocols.detection_table import DetectionTable
from protocols.detection_tables import read_detection_table
from protocols.detections import Detections, read_detections

MEASURES = (
    "action@0.2", "action@0.5", "action@0.7", "action_avg", "body@0.2", "body@0.5", "body@0.7", "body_avg",
    "avg", "avg_challenge",
)  # fmt: skip
PRIOR = "class prior with the mean duration at regular places"
LABELS = "its segments with perfect labels, its scores"
BOUND = "its segments with perfect labels and order"


def rows_of(run: Path, poses: Path, annotations: Path) -> Iterator[dict[str, str]]:
    """A row for each split and method, measures in per cent."""
    table = read_detection_table("instances", annotations)
    recordings = PoseRecordings(poses)
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    for split in ("val", "test"):
        found = read_detections(run / "detections" / f"{split}.parquet", table.tree)
        instances = table.instances_of(split)
        spans = {table.video_ids[row]: recordings.span_s(table.video_ids[row]) for row in table.rows(split)}
        methods = {
            PRIOR: prior_detections(table.instances_of("train"), spans, table.tree),
            summary["recipe"]: found,
            LABELS: with_perfect_labels(found, instances, perfect_order=False),
            BOUND: with_perfect_labels(found, instances),
        }
        for name, detections in methods.items():
            yield _row(summary["recipe"], split, name, detections, table, len(instances))


def _row(
    recipe: str, split: str, name: str, detections: Detections, table: DetectionTable, instances: int
) -> dict[str, str]:
    videos = [table.video_ids[row] for row in table.rows(split)]
    measured = measure_detections(detections, table.instances_of(split), videos).table()
    head = {
        "run": recipe, "simulated": str(table.simulated), "split": split, "recordings": str(len(videos)),
        "instances": str(instances), "method": name,
    }  # fmt: skip
    return head | {measure: f"{100 * measured[measure]:.2f}" for measure in MEASURES}


def main() -> None:
    """Measure, print, and write `results/detection_runs.csv`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN:POSES:ANNOTATIONS")
    rows = []
    for told in parser.parse_args().runs:
        run, poses, annotations = map(Path, told.split(":"))
        rows += list(rows_of(run, poses, annotations))
    for row in rows:
        print(", ".join(row.values()))
    with (RESULTS / "detection_runs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
