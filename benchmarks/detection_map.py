"""Mean average precision of 2.2 million detections, against the plain way of ActivityNet's toolkit.

    python -m benchmarks.detection_map [--rounds 3] [--videos 11180]

The plain way goes class by class: its predictions are sorted, and each in turn looks for the annotated
segments of its video, computes the overlaps with numpy, and takes the best free one at every threshold.
Random detections of 82 actions, 200 a video, half of them near an annotated segment, at nine thresholds; both
see the same arrays in memory, and every average precision of the two must be equal to 1e-9, or the program
stops. The ratio is of processor time, the median of ratios within a round. The first rows are of a fresh
process that reads the detections from Parquet and measures both levels of MMA-82, once.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, report
from protocols.detection import measure_detections
from protocols.detection_rules import ACTIVITYNET, EVERY_TENTH
from protocols.detection_table import Instance
from protocols.detections import Detections, read_detections, write_detections
from protocols.label_tree import LabelTree
from protocols.trees import tree

VIDEOS, INSTANCES_A_VIDEO, EACH = 11180, 39758 / 11180, 200
RATIO, SECONDS, MEBIBYTES = 50, 2.0, 500
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def material(videos: int, seed: int = 0) -> tuple[Detections, list[Instance], list[str]]:
    """Detections, annotated instances and video names, all random."""
    rng = np.random.default_rng(seed)
    labels, names = tree("mma82"), [f"v{number:05d}" for number in range(videos)]
    total = round(videos * INSTANCES_A_VIDEO)
    video = np.sort(rng.integers(0, videos, total))
    label, start = rng.integers(0, 82, total), rng.uniform(0, 20, total)
    end = start + rng.lognormal(0.7, 0.6, total)
    rows = zip(video.tolist(), start.tolist(), end.tolist(), label.tolist(), strict=True)
    instances = [Instance(names[v], s, e, one) for v, s, e, one in rows]
    number = videos * EACH
    where = np.repeat(np.arange(videos), EACH)
    begins, lasts = rng.uniform(0, 20, number), rng.lognormal(0.7, 0.6, number)
    said = rng.integers(0, 82, number)
    first, count = np.searchsorted(video, np.arange(videos)), np.bincount(video, minlength=videos)
    near = np.flatnonzero((rng.random(number) < 0.5) & (count[where] > 0))
    like = first[where[near]] + (rng.random(len(near)) * count[where[near]]).astype(np.int64)
    begins[near] = start[like] + rng.normal(0, 0.3, len(near))
    lasts[near] = np.maximum(0.05, (end - start)[like] * rng.lognormal(0, 0.3, len(near)))
    said[near] = np.where(rng.random(len(near)) < 0.3, label[like], said[near])
    score = rng.random(number) * 0.7
    score[near] /= 0.7
    ids = tuple(names[one] for one in where.tolist())
    return Detections(labels, ids, begins, begins + lasts, said, score, "random"), instances, names


def plain_precisions(
    detections: Detections, instances: Sequence[Instance], tious: Sequence[float]
) -> NDArray[np.float64]:
    """(K, A) average precision, the plain way."""
    ids = np.array(detections.video_ids)
    found = np.zeros((len(tious), len(detections.tree.actions)))
    for label in range(found.shape[1]):
        rows = np.flatnonzero(detections.actions == label)
        wanted: dict[str, list[tuple[float, float]]] = {}
        for one in instances:
            if one.label == label:
                wanted.setdefault(one.video_id, []).append((one.t_start_s, one.t_end_s))
        order = rows[np.argsort(-detections.scores[rows], kind="stable")]
        segments = np.stack([detections.t_start_s[order], detections.t_end_s[order]], axis=1)
        found[:, label] = plain_class(ids[order].tolist(), segments, wanted, tious)
    return found


def plain_class(
    videos: list[str], segments: Floats, wanted: dict[str, list[tuple[float, float]]], tious: Sequence[float]
) -> Floats:
    """(K,) average precision of one class, whose predictions come surest first."""
    total = sum(len(one) for one in wanted.values())
    arrays = {video: np.array(ones) for video, ones in wanted.items()}
    taken = {video: np.zeros((len(tious), len(ones)), np.bool_) for video, ones in wanted.items()}
    hit, miss = np.zeros((len(tious), len(videos))), np.zeros((len(tious), len(videos)))
    for row, video in enumerate(videos):
        if video not in arrays:
            miss[:, row] = 1
            continue
        overlaps = plain_overlap(segments[row], arrays[video])
        surest = overlaps.argsort()[::-1]
        for k, least in enumerate(tious):
            for one in surest:
                if overlaps[one] < least:
                    miss[k, row] = 1
                    break
                if taken[video][k, one]:
                    continue
                taken[video][k, one] = True
                hit[k, row] = 1
                break
            if not hit[k, row] and not miss[k, row]:
                miss[k, row] = 1
    hits, misses = np.cumsum(hit, axis=1), np.cumsum(miss, axis=1)
    precision, recall = hits / (hits + misses), hits / total
    return np.array([plain_area(p, r) for p, r in zip(precision, recall, strict=True)])


def plain_overlap(segment: Floats, others: Floats) -> Floats:
    """(I,) intersection over union, in float32 as MMAction2 has it."""
    shared = (np.minimum(segment[1], others[:, 1]) - np.maximum(segment[0], others[:, 0])).clip(0)
    union = (others[:, 1] - others[:, 0]) + (segment[1] - segment[0]) - shared
    return (shared / union).astype(np.float32).astype(np.float64)


def plain_area(precision: Floats, recall: Floats) -> float:
    """Area under the interpolated curve."""
    precision, recall = np.hstack([0, precision, 0]), np.hstack([0, recall, 1])
    for i in range(len(precision) - 1)[::-1]:
        precision[i] = max(precision[i], precision[i + 1])
    steps = np.flatnonzero(recall[1:] != recall[:-1]) + 1
    return float(np.sum((recall[steps] - recall[steps - 1]) * precision[steps]))


def ratio_rows(videos: int, rounds: int) -> list[Row]:
    """Both ways in memory, over the actions alone.

    Raises:
        ValueError: an average precision of the two differs.
    """
    made, instances, names = material(videos)
    flat = LabelTree("actions", made.tree.actions, (), ())
    with tempfile.TemporaryDirectory() as directory:  # as they are after reading
        write_detections(Path(directory) / "flat.parquet", replace(made, tree=flat))
        detections = read_detections(Path(directory) / "flat.parquet")
    plain, ours, worst = [], [], 0.0
    for _ in range(rounds):
        start = time.process_time()
        wanted = plain_precisions(detections, instances, EVERY_TENTH)
        plain.append(time.process_time() - start)
        turns = []
        for _ in range(3):  # short beside the other: the median of three is its turn
            start = time.process_time()
            measured = measure_detections(detections, instances, names, EVERY_TENTH, ACTIVITYNET)
            turns.append(time.process_time() - start)
        ours.append(statistics.median(turns))
        worst = float(np.abs(measured.action.ap - wanted).max())
        if not worst <= 1e-9:
            raise ValueError(f"average precisions differ by {worst:g}")
    ratio = statistics.median(a / b for a, b in zip(plain, ours, strict=True))
    size = f"{len(detections)} detections, {len(instances)} instances"
    return [
        Row(f"{size}: class by class in plain numpy", statistics.median(plain), "s"),
        Row(f"{size}: ours, in memory", statistics.median(ours), "s", ratio, f">= x{RATIO}", ratio >= RATIO),
        Row("largest difference of an average precision", worst * 1e9, "1e-9", None, "<= 1", True),
    ]


def fresh_rows(videos: int) -> list[Row]:
    """A process that reads a file and measures both levels."""
    with tempfile.TemporaryDirectory() as directory:
        detections, instances, names = material(videos)
        write_detections(Path(directory) / "detections.parquet", detections)
        columns = {
            "ids": [one.video_id for one in instances],
            "start": [one.t_start_s for one in instances],
            "end": [one.t_end_s for one in instances],
            "label": [one.label for one in instances],
            "names": names,
        }
        (Path(directory) / "truth.json").write_text(json.dumps(columns))
        command = [sys.executable, "-m", "benchmarks.detection_map", "--measure", directory]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [
        Row("from Parquet, both levels: processor time", told["s"], "s", None, f"< {SECONDS:g}",
            told["s"] < SECONDS),
        Row("from Parquet: of these, reading", told["read_s"], "s"),
        Row("from Parquet: most memory of the process", told["mib"], "MiB", None, f"< {MEBIBYTES}",
            told["mib"] < MEBIBYTES),
    ]  # fmt: skip


def measure(directory: Path) -> None:
    """What the fresh process does; prints its figures."""
    truth = json.loads((directory / "truth.json").read_text())
    columns = zip(truth["ids"], truth["start"], truth["end"], truth["label"], strict=True)
    instances = [Instance(*one) for one in columns]
    start = time.process_time()
    detections = read_detections(directory / "detections.parquet")
    read = time.process_time()
    measure_detections(detections, instances, truth["names"], EVERY_TENTH)
    end = time.process_time()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"s": end - start, "read_s": read - start, "mib": most}))


def main() -> int:
    """Measure, print, write the table; 1 if a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--videos", type=int, default=VIDEOS, help="fewer for a quick look")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        measure(args.measure)
        return 0
    rows = [*fresh_rows(args.videos), *ratio_rows(args.videos, args.rounds)]
    report("detection_map", rows)
    return int(any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
