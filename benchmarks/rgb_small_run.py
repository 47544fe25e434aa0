"""The small run of docs/rgb.md: simulated clips, two networks over frames, one over joints, and their fusion.

Run: python -m benchmarks.rgb_small_run DIR    run the commands of the page in DIR, write the CSV and the page
     python -m benchmarks.rgb_small_run        the page, from the CSV

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
from pathlib import Path

import numpy as np

from benchmarks.table import RESULTS
from protocols.comparison import compare
from protocols.recognition import measures_of
from protocols.scores import read_scores

CSV = RESULTS / "rgb_small_run.csv"
OVERHEAD = RESULTS / "rgb_training_overhead.csv"
PAGE = Path(__file__).parents[1] / "docs" / "rgb.md"

_FRAMES = (
    "--videos simulated-videos --poses simulated --protocol simulated-labels.csv "
    "--set input.person_crop=true --set input.size=64 --set train.epochs=10 --set train.threads=1"
)
SIMULATE = "fidget benchmark simulate --videos --size 128 --scale 0.03 -o simulated"
TRAIN = (
    f"fidget train mma82_manet_small {_FRAMES} -o runs/manet",
    f"fidget train mma82_gc_tsm_small {_FRAMES} -o runs/gc_tsm",
    "fidget train mma82_stgcnpp_small --poses simulated --protocol simulated-labels.csv "
    "--set train.epochs=12 --set train.threads=1 -o runs/stgcnpp",
)
_BOTH = "runs/manet/scores/{0}.parquet runs/stgcnpp/scores/{0}.parquet"
_FUSE = f"fidget fuse {_BOTH.format('test')} --validation {_BOTH.format('val')}"
FUSE = (f"{_FUSE} --mean log -o chosen.parquet", f"{_FUSE} --gate -o gated.parquet")
EVALUATE = (
    "fidget evaluate chosen.parquet --against runs/manet/scores/test.parquet",
    "fidget evaluate gated.parquet --against runs/stgcnpp/scores/test.parquet",
)
_METHODS = {
    "MANet, half width": "runs/manet/scores/test.parquet",
    "GC-TSM, half width": "runs/gc_tsm/scores/test.parquet",
    "ST-GCN++, half width": "runs/stgcnpp/scores/test.parquet",
    "MANet + ST-GCN++, weights chosen on validation": "chosen.parquet",
    "MANet + ST-GCN++, gate chosen on validation": "gated.parquet",
}
_MEASURES = ("action/top1", "action/top5", "action/mean_class", "body/top1", "f1_mean")
_AGAINST = {
    "over MANet": "runs/manet/scores/test.parquet",
    "over ST-GCN++": "runs/stgcnpp/scores/test.parquet",
}
_DRAWS = 10_000


def run(place: Path) -> None:
    """The commands of the page, in their order; two trainings side by side, a thread each.

    Raises:
        RuntimeError: a command fails; its last lines say why.
    """
    place.mkdir(parents=True, exist_ok=True)
    _do(SIMULATE, place)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda command: _do(command, place), TRAIN))
    for command in (*(f"{fuse} --overwrite" for fuse in FUSE), *EVALUATE):
        _do(command, place)


def _do(command: str, place: Path) -> None:
    print(command, flush=True)
    quiet = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    code = "import sys; from fidget.cli.main import main; sys.exit(main())"
    words = [sys.executable, "-c", code, *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=place, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr[-2000:]}")


def collect(place: Path) -> list[dict[str, str]]:
    """A row of the CSV for each method, from its score file and, where it was trained, its summary."""
    rows = []
    others = {name: read_scores(place / file) for name, file in _AGAINST.items()}
    for method, file in _METHODS.items():
        scores = read_scores(place / file)
        found = measures_of(scores)
        row = {"method": method, "simulated": "True", "clips": str(len(scores))}
        row |= {name: f"{found[name]:.5f}" for name in _MEASURES}
        for name, other in others.items():
            own = method.partition(",")[0] == name.removeprefix("over ")
            if own:
                row |= {name: "", f"{name} low": "", f"{name} high": ""}
                continue
            gap = compare(scores, other, np.random.default_rng(0), _DRAWS).differences["action/top1"]
            row |= {name: f"{gap.difference:.5f}"}
            low, high = gap.interval
            row |= {f"{name} low": f"{low:.5f}", f"{name} high": f"{high:.5f}"}
        summary = (place / file).parents[1] / "summary.json"
        if file.startswith("runs/"):
            said = json.loads(summary.read_text(encoding="utf-8"))
            row |= {
                "train_minutes": f"{said['train_s'] / 60:.1f}",
                "data_wait_share": f"{said['data_wait_share']:.4f}",
                "parameters": said["used"]["parameters"].removesuffix(" parameters"),
            }
        else:
            row |= {"train_minutes": "", "data_wait_share": "", "parameters": ""}
        rows.append(row)
    return rows


def page() -> str:
    """The page, from the CSV files."""
    text = (Path(__file__).with_name("rgb_page.md")).read_text(encoding="utf-8")
    block = [SIMULATE, *TRAIN, *FUSE, *EVALUATE]
    commands = "\n".join(_broken(command) for command in block)
    for mark, content in (
        ("COMMANDS", f"```sh\n{commands}\n```"),
        ("RESULTS", _results()),
        ("OVERHEAD", _overhead()),
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


def _results() -> str:
    rows = _rows(CSV)
    if not rows:
        return "Not measured yet: `python -m benchmarks.rgb_small_run DIR` does."
    heads = ("top-1", "top-5", "mean class", "body top-1", "F1mean")
    lines = [
        f"Simulated, {rows[0]['clips']} test clips, per cent; differences in top-1 with their paired 95 % "
        "interval.",
        "",
        f"| simulated | {' | '.join(heads)} | {' | '.join(_AGAINST)} | trained |",
        "|---" * (2 + len(heads) + len(_AGAINST)) + "|",
    ]
    for row in rows:
        numbers = [f"{100 * float(row[name]):.2f}" for name in _MEASURES]
        gaps = [_gap(row, name) for name in _AGAINST]
        trained = f"{row['train_minutes']} min" if row["train_minutes"] else ""
        lines.append(f"| {row['method']} | {' | '.join([*numbers, *gaps, trained])} |")
    return "\n".join(lines)


def _gap(row: dict[str, str], name: str) -> str:
    if not row[name]:
        return ""
    mean, low, high = (100 * float(row[key]) for key in (name, f"{name} low", f"{name} high"))
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def _overhead() -> str:
    rows = _rows(OVERHEAD)
    if not rows:
        return "Not measured yet: `python -m benchmarks.rgb_training_overhead` does."
    lines = [
        "| TSM, frames | clips a step | frames come | step, s | to the bare step | wall clock "
        "| making a batch, s | waiting for data |",
        "|---" * 8 + "|",
    ]
    for row in rows:
        share = "" if row["source"] == "bare" else f"{100 * float(row['data_wait_share']):.1f} %"
        ratios = [f"{float(row[name]):.2f}" for name in ("compute_ratio", "wall_ratio")]
        making = "" if row["source"] == "bare" else row["batches_s"]
        cells = (row["frames"], row["batch"], row["source"], row["compute_s"], *ratios, making, share)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run what is asked for, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("place", nargs="?", type=Path, metavar="DIR", help="where to run the page's commands")
    asked = parser.parse_args()
    if asked.place is not None:
        run(asked.place)
        rows = collect(asked.place)
        with CSV.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
