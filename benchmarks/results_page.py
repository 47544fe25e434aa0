"""The page of results: `python -m benchmarks.results_page` writes docs/results.md from the CSV files.

`results/*.csv` come from `python -m benchmarks.skeletons`, `benchmarks/results/*.csv` from the benchmarks
they are named after. Nobody types a number into the page; a test compares it with this program.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "results.md"

ACCURACY_FILES = (
    "nw_ucla",
    "nw_ucla_cleaned",
    "nw_ucla_minutes",
    "nw_ucla_trials",
    "nw_ucla_labels",
    "jhmdb14",
)

_HEAD = """# Results

This page is written by `python -m benchmarks.results_page` from `results/*.csv` and
`benchmarks/results/*.csv`; a test compares the two.

## Accuracy on real skeletons

`python -m benchmarks.skeletons --shared ../shared --runs runs` imports the data, trains the recipes
named below with `fidget train` and writes the tables. The accuracy is that of the last epoch on the test
part, measured once a run. Recipes were chosen without the test part: for Northwestern-UCLA by training
on camera 1 and validating on camera 2 (`--protocol nw_ucla_views`), for JHMDB-14 on a fifth of the
training clips (`jhmdb14`). The rows here then train on all training clips (`nw_ucla_full`,
`jhmdb14_full`). `minutes` is wall time on one of two cores, with other work on the machine; an
ensemble's is the sum over its members. An ensemble averages the probabilities of its members with equal
weights.

Half of the clips of Northwestern-UCLA and a third of JHMDB's have fewer frames than these networks take.
Uniform sampling, as pyskl has it, begins anywhere in such a clip and goes round again: somebody who stands up
then ends seated. The graph networks here spread frames evenly instead (`input.sampling = "linear"`), found by
validation on camera 2; "What was tried" has the difference, and `fidget train` tells where a recipe would go
round again.
"""

_NW_UCLA = """### Northwestern-UCLA, cross-view

{copies} of the {test} test clips of the file at hand are, number for number, clips of camera 2, which is
in the training part: all of "pick up with two hands" and "drop trash". `fidget train` counts and names
them before the first step. Accuracy on all {test} clips can be compared with published numbers; accuracy
on the {unseen} others says how well a network knows a camera that it never saw. A second trait of the
file, seen in the training cameras alone: in camera 2, performer 4's "sit down" and "stand up", and performer
5's "donning" and "doffing", carry each other's labels (the last table of this section). So
recipes are trained on the labels as published, and without those clips (`--protocol nw_ucla_full_cleaned`).
The test part is the same, untouched and never looked at.
"""

_CLEANED = """#### Trained without the {gone} mislabelled clips of camera 2
"""

_MINUTES = """#### Accuracy against minutes

`python -m benchmarks.skeleton_curve --shared ../shared --runs runs`: whole schedules of several lengths, one
seed, trained without the mislabelled clips.

![Accuracy on camera 3 against minutes of training](images/nw_ucla_minutes.svg)
"""

_TRIALS = """#### What was tried

`python -m benchmarks.skeleton_trials --shared ../shared --runs runs`: camera 1 trains, camera 2 validates,
one change at a time. A difference below twice the spread of the base's seeds is no evidence.
"""

_LABELS = """#### Clips that carry another action's label

`python -m benchmarks.nw_ucla_labels --shared ../shared --runs runs`: the hips' rise from the first fifth of a
clip to the last, the median of a performer's clips; and how many clips DD-Net names as labelled, or as the
opposite action, after training on the other eight performers. Shown are the two performers in question.
"""

_JHMDB = """### JHMDB-2D, split 1, the public subset of 14 classes

Never to be compared with numbers on all 21 classes. The file has no names of source videos, so the
validation part that recipes were chosen by is a plain fifth of each class, and may hold siblings of
training clips.
"""

_BENCHMARKS = """## Benchmarks

Tables as `fidget benchmark table BENCHMARK DIR -o results/benchmarks/NAME.md` writes them.

Northwestern-UCLA across cameras, networks of 60 epochs, joints and bones fused:
`fidget benchmark run nw_ucla/cross-camera --poses nw_ucla --labels nw_ucla --method nw_ucla_ddnet
--set train.epochs=60 --targets "camera 3" --draws 3 --adaptations cosine_prototypes --settings inductive`.
Camera 3 holds copies of camera 2's clips (above), so "camera 2 to camera 3" is in part a measure of memory.
"""

_SPEED = """## Speed

One thread unless a row says so; ratios within one run of each benchmark. What misses its target says so.
"""

_SPEED_TABLES = {
    "heatmaps": "Heatmap batches against pyskl's sample pipeline in plain numpy",
    "graph_samples": "Graph batches against pyskl's sample pipeline in plain numpy",
    "graph_training": "ST-GCN++, training step of 16 clips of 100 frames, against a plain eager module",
    "ctrgcn_training": "CTR-GCN, the same",
    "posec3d_training": "PoseC3D SlowOnly-R50, training step of 4 clips, against a plain eager module",
    "live_latency": "Latency of `fidget recognize --live`, a file of people played in real time",
    "evaluation_memory": "Peak memory of evaluating 1,000 and 10,000 clips with ten test clips each",
}


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    nw_ucla, jhmdb = _read(ROOT / "results" / "nw_ucla.csv"), _read(ROOT / "results" / "jhmdb14.csv")
    if nw_ucla:
        test, unseen = int(nw_ucla[0]["test_clips"]), int(nw_ucla[0]["unseen_clips"])
        parts.append(_NW_UCLA.format(copies=test - unseen, test=test, unseen=unseen))
        parts.append("\n".join(_accuracy(nw_ucla, "unseen_top1_percent")) + "\n")
        parts += _more_of_nw_ucla()
    if jhmdb:
        parts += [_JHMDB, "\n".join(_accuracy(jhmdb, "")) + "\n"]
    tables = sorted((ROOT / "results" / "benchmarks").glob("*.md"))
    if tables:
        parts += [_BENCHMARKS, *(path.read_text(encoding="utf-8") for path in tables)]
    parts.append(_SPEED)
    for name, title in _SPEED_TABLES.items():
        rows = _read(ROOT / "benchmarks" / "results" / f"{name}.csv")
        if rows:
            parts += [f"### {title}\n\n`python -m benchmarks.{name}`\n", "\n".join(_speed(rows)) + "\n"]
    return "\n".join(parts)


def _more_of_nw_ucla() -> Iterator[str]:
    """Trained without mislabelled clips, accuracy over minutes, what was tried, and the evidence."""
    labels = _read(ROOT / "results" / "nw_ucla_labels.csv")
    cleaned = _read(ROOT / "results" / "nw_ucla_cleaned.csv")
    if cleaned:
        gone = sum(int(row["clips"]) for row in labels if row["verdict"])
        yield _CLEANED.format(gone=gone)
        yield "\n".join(_accuracy(cleaned, "unseen_top1_percent")) + "\n"
    minutes = _read(ROOT / "results" / "nw_ucla_minutes.csv")
    if minutes:
        yield _MINUTES
        yield _table(
            minutes,
            {
                "method": "method", "epochs": "epochs", "minutes": "minutes", "top1_percent": "top-1 %",
                "unseen_top1_percent": "on the unseen",
            },
        )  # fmt: skip
    trials = _read(ROOT / "results" / "nw_ucla_trials.csv")
    if trials:
        yield _TRIALS
        yield _table(
            trials,
            {
                "change": "change", "runs": "runs", "val_top1_percent": "top-1 of camera 2, %",
                "spread": "spread", "difference": "difference",
            },
        )  # fmt: skip
    if labels:
        suspects = {row["performer"] for row in labels if row["verdict"]}
        yield _LABELS
        yield _table(
            [row for row in labels if row["performer"] in suspects],
            {
                "performer": "performer", "camera": "camera", "action": "action", "clips": "clips",
                "hips_rise_m": "hips rise, m", "as_labelled": "named as labelled",
                "the_opposite": "named the opposite", "verdict": "verdict",
            },
        )  # fmt: skip


def _table(rows: Sequence[dict[str, str]], columns: Mapping[str, str]) -> str:
    """A Markdown table of some columns, under other names."""
    lines = [f"| {' | '.join(columns.values())} |", "|" + "---|" * len(columns)]
    lines += [f"| {' | '.join(row[name] for name in columns)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _accuracy(rows: Sequence[dict[str, str]], unseen: str) -> Iterator[str]:
    """One line a method: the mean of its seeds, and each seed's own."""
    extra = (" on the unseen |", "---:|") if unseen else ("", "")
    yield f"| method | runs | top-1 % | spread |{extra[0]} single runs | epochs | minutes |"
    yield f"|---|---:|---:|---:|{extra[1]}---|---:|---:|"
    for mean in (row for row in rows if row["seed"].startswith("mean")):
        own = [row for row in rows if row["method"] == mean["method"] and row is not mean]
        singles = ", ".join(row["top1_percent"] for row in own)
        other = f" {mean[unseen]} |" if unseen else ""
        yield (
            f"| {mean['method']} | {len(own)} | {mean['top1_percent']} | {mean['spread']} |{other} {singles} "
            f"| {mean['epochs']} | {float(mean['minutes']):.1f} |"
        )


def _speed(rows: Sequence[dict[str, str]]) -> Iterator[str]:
    yield "| what | value | unit | ratio | target | |"
    yield "|---|---:|---|---:|---|---|"
    for row in rows:
        ratio = f"x{float(row['ratio']):.1f}" if row["ratio"] else ""
        verdict = {"True": "met", "False": "missed"}.get(row["met"], "")
        yield (
            f"| {row['what']} | {float(row['value']):.4g} | {row['unit']} | {ratio} | {row['target']} "
            f"| {verdict} |"
        )


def main() -> int:
    """Write the page; returns the exit status."""
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
