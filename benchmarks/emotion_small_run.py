"""The small run of docs/emotion-results.md: emotion networks from simulated films, beside the papers' tables.

Run: python -m benchmarks.emotion_small_run DIR    run the page's commands in DIR, write the CSVs and the page
     python -m benchmarks.emotion_small_run        the page, from the CSVs

The same command again goes on where it was stopped. Everything it measures is simulated.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.table import RESULTS
from fidget.emotion.evaluating import Evaluation, evaluate_emotions
from protocols.emotion_measures import MEASURES, mean_average_precision
from protocols.emotion_published import mma82_gain, published_rows
from protocols.emotion_sets import emotion_set
from protocols.emotion_table import read_emotion_table
from protocols.trees import tree

CSV = RESULTS / "emotion_small_run.csv"
GAINS = RESULTS / "emotion_small_run_gains.csv"
PAGE = Path(__file__).parents[1] / "docs" / "emotion-results.md"

SIMULATE = "fidget emotion simulate -o films --videos --clips 280"
_TRAIN = (
    "fidget emotion train films/table.csv --set mma82 --tree mma82 --videos films/videos --poses films/poses "
    "--faces films/faces.parquet --set train.epochs=8 --set train.batch_size=8 --set train.threads=1"
)
TRAIN = (
    f"{_TRAIN} --network face_branch --recipe ma52pro_small -o runs/face",
    f"{_TRAIN} --network action_branch --recipe ma52pro_small -o runs/actions",
    f"{_TRAIN} --network two_branch --recipe ma52pro_small -o runs/both",
    f"{_TRAIN} --network two_branch --recipe ma52pro_small --without-groups 'Lower limb,Leg-hand' "
    "-o runs/both-without-legs",
    f"{_TRAIN} --network vaanet --recipe vaanet_small -o runs/vaanet",
    f"{_TRAIN} --network emotion_fan --recipe emotion_fan_small -o runs/emotion_fan",
)
FUSE = (
    "fidget fuse runs/face/scores/face.parquet runs/actions/scores/actions.parquet --mean log "
    "-o fused.parquet"
)
_FILES = (
    "runs/vaanet", "runs/emotion_fan", "runs/face", "runs/actions", "runs/both", "runs/both-without-legs",
    "fused.parquet",
)  # fmt: skip
EVALUATE = f"fidget emotion evaluate {' '.join(_FILES)}"
_DRAWS = 10_000
_LEGS = ("Lower limb", "Leg-hand")
_MA52PRO = {
    "vaanet": "VAANet",
    "emotion_fan": "Emotion-FAN",
    "face": "Face Branch",
    "actions": "Micro-Action Branch",
    "both": "Full model",
    "both-without-legs": "Full model without lower-limb labels (D, G)",
}
_MMA82 = {"face": "DeepFace", "actions": "TSM", "fused": "DeepFace + TSM"}
_HEADS = {"accuracy": "accuracy", "weighted_f1": "weighted F1", "uf1": "UF1", "uar": "UAR"}


def run(place: Path) -> None:
    """The commands of the page, in their order; two trainings at a time, one thread each.

    Raises:
        RuntimeError: a command fails; its last lines say why.
    """
    place.mkdir(parents=True, exist_ok=True)
    _run(place, SIMULATE)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(partial(_run, place), TRAIN))
    for command in (f"{FUSE} --overwrite", EVALUATE):
        _run(place, command)


def _run(place: Path, command: str) -> None:
    print(command, flush=True)
    quiet = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    code = "import sys; from fidget.cli.main import main; sys.exit(main())"
    words = [sys.executable, "-c", code, *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=place, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-2000:]}")


def collect(place: Path) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Rows of both CSVs: a row a method, and a row a pair of methods."""
    found = evaluate_emotions([place / name for name in _FILES], 0, _DRAWS)
    rows = []
    for name, one in zip(found.names, found.measured, strict=True):
        row = {"method": name, "simulated": str(found.simulated), "clips": str(one.clips)}
        row |= {"right": str(one.right), "majority": f"{one.majority:.5f}"}
        for measure in MEASURES:
            low, high = one.intervals[measure]
            row |= {measure: f"{one.values[measure]:.5f}"}
            row |= {f"{measure} low": f"{low:.5f}", f"{measure} high": f"{high:.5f}"}
        precise = found.micro_action_map.get(name)
        row["micro_action_map"] = "" if precise is None else f"{precise:.5f}"
        row |= _of_training(place / "runs" / name / "summary.json")
        rows.append(row | {"constant_map": _constant_map(place, name, row)})
    return rows, _pairs(found)


def _constant_map(place: Path, name: str, row: dict[str, str]) -> str:
    """Mean average precision of equal scores for all test clips; empty without a micro-action head."""
    if not row["micro_action_map"]:
        return ""
    table = read_emotion_table(place / "films" / "table.csv", emotion_set("mma82"), tree("mma82"))
    table = table.without_groups(_LEGS) if name == "both-without-legs" else table
    present = table.present[[row for row, split in enumerate(table.splits) if split == "test"]]
    if len(present) != int(row["clips"]):
        raise ValueError(
            f"{name}: expected all {len(present)} test clips, got {row['clips']}; see its summary"
        )
    return f"{mean_average_precision(present, np.ones(present.shape)):.5f}"


def _of_training(summary: Path) -> dict[str, str]:
    if not summary.is_file():
        return {"micro_actions": "", "parameters": "", "train_minutes": ""}
    said = json.loads(summary.read_text(encoding="utf-8"))
    return {
        "micro_actions": str(said["micro_actions"]),
        "parameters": said["used"]["parameters"].removesuffix(" parameters"),
        "train_minutes": f"{said['train_s'] / 60:.1f}",
    }


def _pairs(found: Evaluation) -> list[dict[str, str]]:
    wanted = {("face", "both"), ("actions", "both"), ("face", "actions"), ("both", "both-without-legs"),
              ("face", "fused"), ("actions", "fused")}  # fmt: skip
    return [
        {"first": first, "second": second, "told": gain.told(first, second)}
        for first, second, gain in found.gains
        if (first, second) in wanted
    ]


def page() -> str:
    """The page, from the CSV files."""
    text = Path(__file__).with_name("emotion_page.md").read_text(encoding="utf-8")
    commands = "\n".join(_broken(command) for command in (SIMULATE, *TRAIN, FUSE, EVALUATE))
    rows = {row["method"]: row for row in _rows(CSV)}
    absent = "Not measured yet: `python -m benchmarks.emotion_small_run DIR` does."
    for mark, content in (
        ("COMMANDS", f"```sh\n{commands}\n```"),
        ("MA52PRO", _ma52pro(rows) if rows else absent),
        ("MMA82", _mma82(rows) if rows else absent),
        ("GAINS", _gains() if rows else absent),
    ):
        text = text.replace(f"<!-- {mark} -->", content)
    return text


def _broken(command: str) -> str:
    """A long command on several lines."""
    lines = [""]
    for part in command.split(" -"):
        part = part if not lines[0] else f" -{part}"
        if len(lines[-1]) + len(part) > 110 and lines[-1]:
            lines.append(f"   {part}")
        else:
            lines[-1] += part
    return " \\\n".join(lines)


def _rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def _cell(row: dict[str, str], measure: str) -> str:
    value, low, high = (100 * float(row[f"{measure}{end}"]) for end in ("", " low", " high"))
    return f"{value:.2f} ({low:.1f}-{high:.1f})"


def _ma52pro(rows: dict[str, dict[str, str]]) -> str:
    printed = dict(published_rows("ma52pro_emotion"))
    any_row = next(iter(rows.values()))
    lines = [
        f"Ours is **simulated**, {any_row['clips']} test clips, seven emotions, per cent, 95 % intervals; "
        f"always naming the commonest emotion scores {100 * float(any_row['majority']):.2f}. "
        "Published: MA-52-Pro, five emotions, its own clips.",
        "",
        f"| simulated | right | {' | '.join(_HEADS.values())} | micro-action mAP | equal scores | of "
        "| trained |",
        "|---" * (len(_HEADS) + 6) + "|",
    ]
    for name, published in _MA52PRO.items():
        row = rows[name]
        precise = f"{100 * float(row['micro_action_map']):.2f}" if row["micro_action_map"] else ""
        equal = f"{100 * float(row['constant_map']):.2f}" if precise else ""
        kinds = row["micro_actions"] if precise else ""
        cells = [
            f"{row['right']} of {row['clips']}",
            *(_cell(row, key) for key in _HEADS),
            precise,
            equal,
            kinds,
        ]
        lines.append(f"| {published} | {' | '.join(cells)} | {row['train_minutes']} min |")
    above = [
        _MA52PRO[name]
        for name in _MA52PRO
        if float(rows[name]["accuracy low"]) > float(rows[name]["majority"])
    ]
    lines += [
        "",
        "Simulated, with the whole interval of its accuracy above always naming the commonest emotion: "
        f"{', '.join(above) or 'none. Nothing is shown to be learnt of emotions'}.",
        "",
        f"| published, MA-52-Pro | {' | '.join(_HEADS.values())} | micro-action mAP |",
        "|---" * (len(_HEADS) + 2) + "|",
    ]
    lines += [f"| {name} | {' | '.join(printed[name])} |" for name in _MA52PRO.values()]
    return "\n".join(lines)


def _mma82(rows: dict[str, dict[str, str]]) -> str:
    printed = dict(published_rows("mma82_emotion"))
    lines = [
        "| experiment | simulated: accuracy | simulated: UF1 | published with | accuracy | F1 |",
        "|---" * 6 + "|",
    ]
    for name, published in _MMA82.items():
        shown = next(cells for label, cells in printed.items() if f"({published})" in label)
        words = {"face": "face only", "actions": "micro-action only", "fused": "both"}[name]
        cells = (_cell(rows[name], "accuracy"), _cell(rows[name], "uf1"), published, *shown)
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _gains() -> str:
    lines = [f"- {row['told']} (simulated)" for row in _rows(GAINS)]
    published = mma82_gain(np.random.default_rng(0)).told("both", "its micro-actions alone")
    return "\n".join([*lines, f"- published, MMA-82: {published}"])


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Run what is asked for, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("place", nargs="?", type=Path, metavar="DIR", help="where to run the page's commands")
    asked = parser.parse_args()
    if asked.place is not None:
        run(asked.place)
        rows, pairs = collect(asked.place)
        _write(CSV, rows)
        _write(GAINS, pairs)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
