"""Fusion on one page: commands with what they print, and what choosing weights gains, on simulated scores.

Run: python -m benchmarks.fusion [-o docs/fusion.md]      the page, from commands run now and the CSV
     python -m benchmarks.fusion --measure                results/fusion_simulated.csv as well (minutes)

The scores are simulated: two methods that know different actions, with clips that are hard for both, over the
52 actions of MA-52 with as uneven classes.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import os
import shlex
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.table import RESULTS
from fidget.cli.main import main as fidget
from fidget.fusion.class_weights import fit_class_weights
from fidget.fusion.gate import fit_gate
from fidget.fusion.rule_file import Rule, fusion_of
from fidget.fusion.weighted_mean import WeightedMean, choose_weights
from protocols.recognition import measures_of
from protocols.scores import ScoreFile, write_scores
from protocols.trees import tree

PAGE = Path(__file__).parents[1] / "docs" / "fusion.md"
CSV = RESULTS / "fusion_simulated.csv"
SIZES = (100, 400, 1600)  # validation clips
SEEDS = 10
TEST_CLIPS = 4000
SITUATIONS = ("know different actions", "know the same actions")

_METHODS = ("rgb", "pose")
_SURE = (2.2, 1.3)  # logits times this: the first is surer than it ought to be
_COMMANDS = (
    "fidget fuse rgb/test.parquet pose/test.parquet --mean log -o equal.parquet --draws 2000",
    "fidget fuse rgb/test.parquet pose/test.parquet --mean log -o chosen.parquet --draws 2000 "
    "--validation rgb/val.parquet pose/val.parquet --save chosen.json",
    "fidget fuse rgb/test.parquet pose/test.parquet --per-class -o by_class.parquet --draws 2000 "
    "--validation rgb/val.parquet pose/val.parquet",
    "fidget fuse rgb/test.parquet pose/test.parquet --gate -o gated.parquet --draws 2000 "
    "--validation rgb/val.parquet pose/val.parquet",
)


def simulated(clips: int, seed: int, split: str = "", alike: bool = False) -> list[ScoreFile]:
    """Scores of two methods, simulated.

    A clip's logits are normal; its label's is raised by what the method knows of the class (the same for all
    seeds) less how hard the clip is for both. Methods that are `alike` know the same and are equally sure, as
    two seeds of one network.
    """
    actions = tree("ma52")
    classes = len(actions.actions)
    known = np.random.default_rng(0)
    shares = known.dirichlet(np.full(classes, 1.0))
    strengths = known.uniform(1.0, 5.0, (2, classes))
    if alike:
        strengths[1] = strengths[0]
    rng = np.random.default_rng([seed, len(split)])
    labels = rng.choice(classes, clips, p=shares)
    hard = rng.normal(0.0, 1.0, clips)
    ids = tuple(f"{split}{seed}/{number:05d}" for number in range(clips))
    files = []
    for method, sure, strength in zip(_METHODS, (_SURE[:1] * 2 if alike else _SURE), strengths, strict=True):
        logits = rng.normal(size=(clips, classes))
        logits[np.arange(clips), labels] += strength[labels] - hard
        raised = np.exp(sure * (logits - logits.max(axis=1, keepdims=True)))
        scores = (raised / raised.sum(axis=1, keepdims=True)).astype(np.float32)
        files.append(ScoreFile(actions, ids, labels, scores, f"simulated {method}", split=split))
    return files


def measure() -> None:
    """Write top-1 and F1mean of every rule, for each number of validation clips and each seed."""
    rows = []
    for seed, alike in product(range(SEEDS), (False, True)):
        test = simulated(TEST_CLIPS, seed, "test", alike)
        for clips in SIZES:
            val = simulated(clips, seed, "val", alike)
            rules: dict[str, Rule] = {
                "rgb alone": WeightedMean((1.0, 0.0), "log"),
                "pose alone": WeightedMean((0.0, 1.0), "log"),
                "equal weights": WeightedMean((1.0, 1.0), "log"),
                "one weight a file": choose_weights(val, "log"),
                "one weight a file, by top-1": choose_weights(val, "log", "top1"),
                "--per-class": fit_class_weights(val, np.random.default_rng(seed)),
                "--per-class, not held back": fit_class_weights(val, np.random.default_rng(seed), [1e-6]),
                "--gate": fit_gate(val),
            }
            for name, rule in rules.items():
                found = measures_of(fusion_of(rule, test).fused(test))
                measured = f"{found['action/top1']:.4f}", f"{found['f1_mean']:.4f}"
                rows.append((SITUATIONS[alike], name, clips, seed, *measured))
        print(f"seed {seed}, {SITUATIONS[alike]}", flush=True)
    with CSV.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(
            [("methods", "rule", "validation_clips", "seed", "top1", "f1_mean"), *rows]
        )


def outputs() -> list[tuple[str, str]]:
    """Each command of the page and what it prints, run in a new directory with simulated scores."""
    found = []
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        try:
            for split, clips, seed in (("val", 500, 1), ("test", 500, 2)):
                for scores, name in zip(simulated(clips, seed, split), _METHODS, strict=True):
                    write_scores(Path(name) / f"{split}.parquet", scores)
            for command in _COMMANDS:
                printed = io.StringIO()
                with contextlib.redirect_stdout(printed):
                    status = fidget(shlex.split(command)[1:])
                if status:
                    raise RuntimeError(f"{command}: exit status {status}")
                found.append((command, printed.getvalue()))
        finally:
            os.chdir(here)
    return found


def gains(methods: str) -> str:
    """A table of the CSV: mean over seeds, and standard deviation of the gain over equal weights."""
    with CSV.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["methods"] == methods]
    value = {
        (row["rule"], int(row["validation_clips"]), int(row["seed"])): 100 * float(row["top1"])
        for row in rows
    }
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    seeds = sorted({seed for _, _, seed in value})
    lines = [
        "| top-1, simulated | " + " | ".join(f"{clips:,} validation clips" for clips in SIZES) + " |",
        "|---" * (1 + len(SIZES)) + "|",
    ]
    for rule in rules:
        cells = []
        for clips in SIZES:
            own = np.array([value[rule, clips, seed] for seed in seeds])
            gain = own - np.array([value["equal weights", clips, seed] for seed in seeds])
            more = "" if rule == "equal weights" else f" ({gain.mean():+.2f} ± {gain.std(ddof=1):.2f})"
            cells.append(f"{own.mean():.2f}{more}")
        lines.append(f"| {rule} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _shown(command: str, printed: str) -> str:
    lines = command.replace(" --validation", " \\\n    --validation")
    return f"```console\n$ {lines}\n{printed}```"


def page() -> str:
    """The page."""
    equal, chosen, by_class, gated = (_shown(command, printed) for command, printed in outputs())
    return f"""# Fusing score files

This page is written by `python -m benchmarks.fusion`, which runs the commands below; a test compares the two.
**All scores on it are simulated**: two methods that know different actions of MA-52.

A score file holds probabilities of clips, and does not care where they come from: streams, seeds, skeletons,
RGB. `fidget fuse` joins files by clip id. Where the clips have labels it compares the result with each file
alone, and with equal weights, on the same drawn clips, and says so where an interval contains 0.

| | what is fused | what is chosen on validation |
|---|---|---|
| nothing, or `--weights 2,1` | weighted mean of probabilities; `--mean log`: of their logarithms | nothing |
| `--validation VAL VAL ...` | the same | a weight for each file, from a grid, by `--choose-by` |
| `--per-class` | logarithms, calibrated | a weight for each file and action, held back towards equal ones |
| `--gate` | the first file, corrected by the second only where that one is surer | how fast the gate opens |

`--per-class` and `--gate` first make each file's confidence true by a temperature, fitted on validation too.
The equations stand at the head of `fidget/fusion/class_weights.py` and `fidget/fusion/gate.py`. Validation
files stand in the order of the files to fuse. Files of a test or a training split are refused (a run's score
files say their split; of others the name counts), and so are validation clips that are to be fused.
`--save FILE` keeps the numbers as JSON, `--apply FILE` fuses other files by them.

## Equal weights

{equal}

## A weight for each file

{chosen}

## A weight for each file and action

{by_class}

## A base and what corrects it

Put first what is to be believed where both are as sure.

{gated}

## Is choosing worth it?

Numbers chosen on few clips fit those clips. Two simulated methods, {SEEDS} seeds, {TEST_CLIPS:,} test clips;
in brackets the gain over equal weights, with its standard deviation over seeds. The methods of the first
table know different actions, as those above; there is much to choose:

{gains(SITUATIONS[0])}

Those of the second know the same, as two seeds of one network, and there is nothing to choose. Weights that
are not held back fit chance, and the gate loses what averaging gains where the base is the surer one:

{gains(SITUATIONS[1])}

So look at the row `equal weights` first, give the validation split enough clips, and let the comparison on
the test clips decide.
"""


def main() -> None:
    """Measure if asked, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=PAGE)
    parser.add_argument("--measure", action="store_true", help="fuse with every rule and seed first")
    asked = parser.parse_args()
    if asked.measure:
        measure()
    asked.output.write_text(page(), encoding="utf-8")
    print(asked.output)


if __name__ == "__main__":
    main()
