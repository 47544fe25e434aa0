"""The evidence that 24 clips of Northwestern-UCLA's camera 2 carry another action's label.

    python -m benchmarks.nw_ucla_labels --shared ../shared --runs runs/skeletons

Looks at the training cameras alone, in two ways. By how much the hips rise from the first fifth of a clip to
the last, the median over a performer's clips, in metres: they sink when somebody sits down. And what DD-Net
sees that was trained on the other eight performers: how many clips it names as labelled, and how many it
names as the opposite action (sitting and standing, donning and doffing). Writes
`results/nw_ucla_labels.csv`, one row a performer, camera and action; the verdict is on a pair.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.skeletons import PLANS, ROOT, Job, import_skeletons, train_all
from protocols.nw_ucla import MISLABELLED, TREE, recording_of
from protocols.scores import read_scores

SIT, STAND, DON, DOFF = 4, 5, 6, 7
OPPOSITE = {SIT: STAND, STAND: SIT, DON: DOFF, DOFF: DON}
HEAD = ("performer", "camera", "action", "clips", "hips_rise_m", "as_labelled", "the_opposite", "verdict")
Evidence = tuple[int, int, str, int, str, int, int, str]


def hips_rise_m(xyz: NDArray[np.float32]) -> float:
    """Of one clip (T, V, 3), y up: the last fifth of its frames over the first."""
    fifth = max(1, len(xyz) // 5)
    return float(xyz[-fifth:, 0, 1].mean() - xyz[:fifth, 0, 1].mean())


def training_clips(source: Path) -> dict[str, NDArray[np.float32]]:
    """Name -> (T, 20, 3) of the clips of cameras 1 and 2."""
    data = np.load(source)
    begins, xyz = data["offsets"], data["xyz"]  # read once: every look into an NPZ reads the whole array
    return {
        str(name): xyz[begins[number] : begins[number + 1]]
        for number, name in enumerate(data["names"])
        if recording_of(str(name)).camera != 3
    }


def write_protocol(path: Path, names: Sequence[str]) -> None:
    """The performers in question validate, the others train."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("clip_id", "label", "split", "class_name"))
        for name in names:
            label, performer, _ = recording_of(name)
            writer.writerow(
                (name, label, "val" if performer in MISLABELLED else "train", TREE.actions[label])
            )


def rows(clips: Mapping[str, NDArray[np.float32]], seen: Mapping[str, int]) -> Iterator[Evidence]:
    """Of every performer, camera and one of the four actions; `seen` is what the network named."""
    about = {name: recording_of(name) for name in clips}
    for performer in sorted({recording.performer for recording in about.values()}):
        for camera in (1, 2):
            for pair in ((SIT, STAND), (DON, DOFF)):
                lines = []
                for label in pair:
                    own = [name for name, found in about.items() if found == (label, performer, camera)]
                    named = [seen[name] for name in own if name in seen]
                    rise = ""
                    if label in (SIT, STAND):
                        rise = f"{np.median([hips_rise_m(clips[name]) for name in own]):+.2f}"
                    lines.append((label, len(own), rise, named.count(label), named.count(OPPOSITE[label])))
                wrong = sum(line[4] for line in lines) > sum(line[3] for line in lines)
                verdict = "contradicts the label" if wrong else ""
                for label, count, rise, right, opposite in lines:
                    yield performer, camera, TREE.actions[label], count, rise, right, opposite, verdict


def main(argv: Sequence[str] | None = None) -> int:
    """Print and write the evidence; returns 1 if it names other groups than the protocol leaves out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, required=True, help="the folder of the real material")
    parser.add_argument("--runs", type=Path, required=True, help="where caches and runs are kept")
    args = parser.parse_args(argv)
    plan = PLANS[0]
    import_skeletons(args.shared / plan.source, plan.poses(args.runs))
    clips = training_clips(args.shared / plan.source)
    table = args.runs / "nw_ucla_labels.csv"
    write_protocol(table, list(clips))
    settings = ('input.streams=["joint"]', "input.separate=false", "train.epochs=60")
    job = Job(str(table), "nw_ucla_ddnet", 1, settings, folder_of="nw_ucla_labels")
    if train_all(args.runs, [(plan, job)], at_once=1):
        return 1
    scores = read_scores(args.runs / job.folder / "scores" / "val.parquet")
    seen = dict(zip(scores.clip_ids, scores.scores.argmax(1).tolist(), strict=True))
    found = list(rows(clips, seen))
    with (ROOT / "results" / "nw_ucla_labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows(found)
    named = {row[:3] for row in found if row[-1]}
    left_out = {(p, 2, TREE.actions[label]) for p, labels in MISLABELLED.items() for label in labels}
    for row in found:
        if row[-1] or row[0] in MISLABELLED:
            print(*row, sep=", ")
    return 0 if named == left_out else 1


if __name__ == "__main__":
    sys.exit(main())
